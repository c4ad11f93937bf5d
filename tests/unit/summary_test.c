/* SPDX-License-Identifier: GPL-2.0-only */
/* The line at the end says where every frame went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "summary.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static char said[8192];

static void print(const struct summary *summary)
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);

	dup2(fileno(file), STDERR_FILENO);
	summary_print(summary);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
}

TEST(nothing_seen_is_said)
{
	struct summary summary = { .flows = 0 };

	print(&summary);
	assert_string_equal(said, "ackmon: 0 frames seen, 0 tracked in 0 flows\n");
}

TEST(one_flow_is_not_flows)
{
	struct summary summary = { .flows = 1 };

	summary.doors[DOOR_CAPTURE].value[FRAMES_SEEN] = 12345;
	summary.doors[DOOR_CAPTURE].value[FRAMES_TRACKED] = 12345;
	print(&summary);
	assert_string_equal(said, "ackmon: 12,345 frames seen, 12,345 tracked in 1 flow\n");
}

TEST(one_frame_is_not_frames)
{
	struct summary summary = { .flows = 1 };

	summary.doors[DOOR_CAPTURE].value[FRAMES_SEEN] = 1;
	summary.doors[DOOR_CAPTURE].value[FRAMES_TRACKED] = 1;
	print(&summary);
	assert_string_equal(said, "ackmon: 1 frame seen, 1 tracked in 1 flow\n");
}

TEST(reasons_are_named_when_they_have_frames)
{
	struct summary summary = { .flows = 57 };
	struct door_counters *door = &summary.doors[DOOR_CAPTURE];

	door->value[FRAMES_SEEN] = 12345;
	door->value[FRAMES_TRACKED] = 12000;
	door->value[COUNTER_frames_not_tcp] = 300;
	door->value[COUNTER_frames_fragments] = 45;
	print(&summary);
	assert_string_equal(said, "ackmon: 12,345 frames seen, 12,000 tracked in 57 flows; "
				  "not tracked: 45 (later IP fragment, no TCP header in it), "
				  "300 (IP, but not TCP)\n");
}

TEST(doors_are_told_apart_when_there_are_two)
{
	struct summary summary = { .flows = 2 };

	summary.doors[DOOR_XDP].value[FRAMES_SEEN] = 10;
	summary.doors[DOOR_TC_EGRESS].value[FRAMES_SEEN] = 20;
	summary.doors[DOOR_XDP].value[FRAMES_TRACKED] = 10;
	summary.doors[DOOR_TC_EGRESS].value[FRAMES_TRACKED] = 20;
	print(&summary);
	assert_string_equal(said, "ackmon: 30 frames seen (10 XDP ingress, 20 TC egress), "
				  "30 tracked in 2 flows\n");
}

TEST(reasons_are_summed_over_doors)
{
	struct summary summary = { .flows = 0 };

	summary.doors[DOOR_XDP].value[COUNTER_frames_not_ip] = 1;
	summary.doors[DOOR_TC_EGRESS].value[COUNTER_frames_not_ip] = 2;
	print(&summary);
	assert_non_null(strstr(said, "not tracked: 3 (neither IPv4 nor IPv6)\n"));
}

TEST(losses_are_said_only_when_there_are_any)
{
	struct summary summary = { .records_lost = 9 };

	summary.doors[DOOR_XDP].value[COUNTER_events_lost] = 1000;
	summary.doors[DOOR_TC_INGRESS].value[COUNTER_half_open_forgotten] = 7;
	print(&summary);
	assert_non_null(strstr(said, "; lost: 1,000 (event the full ring buffer could not take), "
				     "7 (half-open flow forgotten early, its room was full), "
				     "9 (record the output could not take)\n"));
}

TEST(refused_holes_histograms_and_rare_counts_are_said)
{
	struct summary summary = { .flows = 0 };

	summary.doors[DOOR_XDP].value[COUNTER_holes_refused] = 1;
	summary.doors[DOOR_TC_EGRESS].value[COUNTER_histograms_refused] = 2;
	summary.doors[DOOR_TC_INGRESS].value[COUNTER_rares_refused] = 3;
	print(&summary);
	assert_non_null(strstr(said, "1 (hole list that found no room; the flow is approximate)"));
	assert_non_null(strstr(said, "3 (rare counts that found no room; the flow is approximate)"));
	assert_non_null(strstr(said, "2 (histogram that found no room; the flow has no "
				     "percentiles)"));
}

/* Lossy is what the exit code tells: a record or a flow is missing, not a detail of one. */
TEST(a_missing_record_is_a_loss_and_a_missing_detail_is_not)
{
	struct summary summary = { .flows = 1 };
	__u64 *counts = summary.doors[DOOR_XDP].value;

	counts[COUNTER_holes_refused] = counts[COUNTER_rares_refused] = counts[COUNTER_histograms_refused] = 1;
	assert_false(summary_is_lossy(&summary));
	counts[COUNTER_flows_refused] = 1;
	assert_true(summary_is_lossy(&summary));
	counts[COUNTER_flows_refused] = 0;
	summary.records_lost = 1;
	assert_true(summary_is_lossy(&summary));
}

TEST(every_counter_at_once_still_fits)
{
	struct summary summary;

	memset(&summary, 0xff, sizeof(summary));
	for (int door = 0; door < DOOR_COUNT; door++)
		summary.doors[door].value[FRAMES_SEEN] = 1ull << 60;
	print(&summary);
	assert_non_null(strstr(said, "(record the output could not take)\n"));
}

TEST(quiet_says_nothing)
{
	struct summary summary = { .flows = 1 };

	log_set_verbosity(-1);
	print(&summary);
	log_set_verbosity(0);
	assert_string_equal(said, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_seen_is_said),
		cmocka_unit_test(one_flow_is_not_flows),
		cmocka_unit_test(one_frame_is_not_frames),
		cmocka_unit_test(reasons_are_named_when_they_have_frames),
		cmocka_unit_test(doors_are_told_apart_when_there_are_two),
		cmocka_unit_test(reasons_are_summed_over_doors),
		cmocka_unit_test(losses_are_said_only_when_there_are_any),
		cmocka_unit_test(refused_holes_histograms_and_rare_counts_are_said),
		cmocka_unit_test(a_missing_record_is_a_loss_and_a_missing_detail_is_not),
		cmocka_unit_test(every_counter_at_once_still_fits),
		cmocka_unit_test(quiet_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

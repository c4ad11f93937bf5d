/* SPDX-License-Identifier: GPL-2.0-only */
/* Each event is one line of valid JSON, says what happened to which octets, and fits. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/verdict.h"
#include "export_events.h"
#include "record_make.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static char path[64];
static char line[4096]; /* what was written last */

static int name_file(__attribute__((unused)) void **state)
{
	int fd;

	strcpy(path, "/tmp/ackmon-events-XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int remove_file(__attribute__((unused)) void **state)
{
	return unlink(path);
}

/* ------------------------------------------------------------------ what JSON is */

/* A string without escapes, a number, true or false; NULL when it is none of them. */
static const char *skip_value(const char *at)
{
	if (*at == '"') {
		for (at++; *at && *at != '"'; at++) {
			if (*at == '\\' || (unsigned char)*at < ' ')
				return NULL;
		}
		return *at ? at + 1 : NULL;
	}
	if (!strncmp(at, "true", 4))
		return at + 4;
	if (!strncmp(at, "false", 5))
		return at + 5;
	if (!isdigit((unsigned char)*at) || (*at == '0' && isdigit((unsigned char)at[1])))
		return NULL;
	while (isdigit((unsigned char)*at))
		at++;
	return at;
}

/* One flat object and the end of its line. */
static int is_json_line(const char *at)
{
	if (*at++ != '{')
		return 0;
	for (;; at++) {
		if (*at != '"' || !(at = skip_value(at)) || *at++ != ':' || !(at = skip_value(at)))
			return 0;
		if (*at == '}')
			return !strcmp(at, "}\n");
		if (*at != ',')
			return 0;
	}
}

/* Does the line have this member, written just so? */
static int has(const char *member)
{
	const char *at = strstr(line, member);

	return at && (at[-1] == '{' || at[-1] == ',') && strchr(",}", at[strlen(member)]);
}

static int has_name(const char *name)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	return strstr(line, quoted) != NULL;
}

/* ------------------------------------------------------------------ what is written */

static void read_back(struct sink *sink)
{
	FILE *file;

	assert_int_equal(sink_close(sink), 0);
	file = fopen(path, "r");
	line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
	fclose(file);
	assert_true(is_json_line(line));
}

static void write_event_at(const struct segment_event *event, int64_t wall_offset_ns)
{
	struct sink *sink;

	assert_int_equal(sink_open(&sink, path), 0);
	export_segment_event(sink, event, wall_offset_ns);
	read_back(sink);
}

static void write_event(const struct segment_event *event)
{
	write_event_at(event, 0);
}

static void write_closed(const struct record *record)
{
	struct sink *sink;

	assert_int_equal(sink_open(&sink, path), 0);
	export_closed_event(sink, record);
	read_back(sink);
}

/* The opener of established_record() sent [1000, 1100) again, 1 s after it opened. */
static struct segment_event repeat_event(void)
{
	struct record record = established_record();

	return (struct segment_event){
		.type = EVENT_SEGMENT,
		.key = record.key,
		.opener_seq = record.flow.side[0].first_seq,
		.has_opener_seq = 1,
		.start_ns = record.flow.start_ns,
		.time_ns = 11 * S,
		.seq = 1000,
		.end = 1100,
		.segments = 1,
		.class = SEGMENT_RETRANSMITTED,
		.cause = CAUSE_FAST,
	};
}

TEST(an_event_says_when_what_which_flow_and_which_octets)
{
	struct segment_event event = repeat_event();
	struct record record = established_record();
	char id[32];

	write_event(&event);
	snprintf(id, sizeof(id), "\"id\":\"%016llx\"", (unsigned long long)record_id(&record));
	assert_true(has("\"time_ns\":11000000000"));
	assert_true(has("\"event\":\"retransmitted\""));
	assert_true(has(id)); /* as the flow's record has it */
	assert_true(has("\"opener_addr\":\"10.0.0.1\""));
	assert_true(has("\"opener_port\":40000"));
	assert_true(has("\"responder_addr\":\"10.0.0.2\""));
	assert_true(has("\"responder_port\":443"));
	assert_true(has("\"from\":\"opener\""));
	assert_true(has("\"seq\":1000"));
	assert_true(has("\"end\":1100"));
	assert_true(has("\"segments\":1"));
	assert_true(has("\"cause\":\"fast\""));
	assert_false(has_name("spurious"));
}

TEST(every_class_has_its_name)
{
	static const struct {
		enum segment_class class;
		const char *member;
	} classes[] = {
		{ SEGMENT_KEEPALIVE, "\"event\":\"keepalive\"" },
		{ SEGMENT_WINDOW_PROBE, "\"event\":\"window_probe\"" },
		{ SEGMENT_COPY, "\"event\":\"copy\"" },
		{ SEGMENT_LATE, "\"event\":\"late\"" },
		{ SEGMENT_RETRANSMITTED, "\"event\":\"retransmitted\"" },
		{ SEGMENT_RECOVERED, "\"event\":\"recovered\"" },
		{ SEGMENT_REORDERED, "\"event\":\"reordered\"" },
		{ SEGMENT_UNRESOLVED, "\"event\":\"unresolved\"" },
		{ SEGMENT_SUSPECT, "\"event\":\"suspect\"" },
	};
	struct segment_event event = repeat_event();

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		event.class = (uint8_t)classes[i].class;
		write_event(&event);
		assert_true(has(classes[i].member));
	}
}

TEST(every_cause_has_its_name_and_none_has_none)
{
	struct segment_event event = repeat_event();

	event.cause = CAUSE_RTO;
	write_event(&event);
	assert_true(has("\"cause\":\"rto\""));
	event.cause = CAUSE_PROBE;
	write_event(&event);
	assert_true(has("\"cause\":\"probe\""));
	event.cause = CAUSE_NONE;
	write_event(&event);
	assert_false(has_name("cause"));
}

TEST(a_needless_repeat_says_so)
{
	struct segment_event event = repeat_event();

	event.spurious = 1;
	write_event(&event);
	assert_true(has("\"spurious\":true"));
}

TEST(ends_are_named_whichever_is_the_lower_address)
{
	struct segment_event event = repeat_event();

	event.direction = 1;
	write_event(&event);
	assert_true(has("\"from\":\"responder\""));
	event.opener = 1;
	write_event(&event);
	assert_true(has("\"from\":\"opener\""));
	assert_true(has("\"opener_addr\":\"10.0.0.2\""));
	assert_true(has("\"opener_port\":443"));
}

TEST(a_dsack_is_about_what_the_other_end_sent)
{
	struct segment_event event = repeat_event();

	event.type = EVENT_SPURIOUS;
	event.direction = 1; /* the responder sent the D-SACK */
	event.class = SEGMENT_PLAIN;
	write_event(&event);
	assert_true(has("\"event\":\"spurious\""));
	assert_true(has("\"from\":\"opener\""));
	assert_true(has("\"seq\":1000"));
	assert_true(has("\"end\":1100"));
	assert_false(has_name("cause"));
}

TEST(what_is_about_no_octets_names_none)
{
	static const struct {
		enum event_type type;
		const char *member;
	} types[] = {
		{ EVENT_OPENED, "\"event\":\"opened\"" },
		{ EVENT_REFUSED, "\"event\":\"refused\"" },
		{ EVENT_ZERO_WINDOW, "\"event\":\"zero_window\"" },
	};
	struct segment_event event = repeat_event();

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		event.type = types[i].type;
		write_event(&event);
		assert_true(has(types[i].member));
		assert_true(has("\"from\":\"opener\""));
		assert_false(has_name("seq"));
		assert_false(has_name("end"));
		assert_false(has_name("segments"));
		assert_false(has_name("cause"));
	}
}

TEST(live_times_are_those_of_the_wall_clock)
{
	struct segment_event event = repeat_event();

	write_event_at(&event, (int64_t)(1000 * S));
	assert_true(has("\"time_ns\":1011000000000"));
	write_event_at(&event, -(int64_t)(4 * S));
	assert_true(has("\"time_ns\":7000000000"));
}

TEST(the_id_of_a_flow_seen_mid_stream_is_that_of_its_record)
{
	struct segment_event event = repeat_event();
	struct record record = established_record();
	char id[32];

	event.has_opener_seq = 0;
	record.flow.side[0].bits = 0;
	write_event(&event);
	snprintf(id, sizeof(id), "\"id\":\"%016llx\"", (unsigned long long)record_id(&record));
	assert_true(has(id));
}

TEST(the_longest_of_everything_fits)
{
	struct segment_event event = repeat_event();

	event.key.addr[0] = ip6("1111:2222:3333:4444:5555:6666:7777:8888");
	event.key.addr[1] = ip6("ffff:eeee:dddd:cccc:bbbb:aaaa:9999:8888");
	event.key.port_be16[0] = event.key.port_be16[1] = 0xffff;
	event.time_ns = UINT64_MAX;
	event.seq = event.end = event.segments = UINT32_MAX;
	event.direction = 1; /* "responder" is the longer word */
	event.cause = CAUSE_PROBE;
	event.spurious = 1;
	write_event(&event);
	assert_true(has("\"opener_addr\":\"1111:2222:3333:4444:5555:6666:7777:8888\""));
	assert_true(has("\"responder_addr\":\"ffff:eeee:dddd:cccc:bbbb:aaaa:9999:8888\""));
	assert_true(has("\"time_ns\":18446744073709551615"));
	assert_true(has("\"segments\":4294967295"));
	assert_true(has("\"spurious\":true"));
}

TEST(numbers_the_kernel_never_gives_do_no_harm)
{
	struct segment_event event;

	memset(&event, 0xff, sizeof(event));
	event.type = EVENT_SEGMENT;
	write_event(&event);
	event.type = 1000;
	write_event(&event);
}

/* ------------------------------------------------------------------ closed */

TEST(a_closed_flow_says_how_it_ended)
{
	struct record record = established_record();

	write_closed(&record);
	assert_true(has("\"time_ns\":12000000000"));
	assert_true(has("\"event\":\"closed\""));
	assert_true(has("\"opener_addr\":\"10.0.0.1\""));
	assert_true(has("\"close\":\"fin\""));
	assert_true(has("\"outcome\":\"established\""));
	assert_false(has_name("from"));
}

TEST(an_unanswered_flow_is_closed_too)
{
	struct record record = unanswered_record();

	write_closed(&record);
	assert_true(has("\"close\":\"idle\""));
	assert_true(has("\"outcome\":\"no_answer\""));
}

/* Absent is what nobody knows yet: never an empty text. */
TEST(an_outcome_that_is_not_known_is_absent)
{
	struct record record = unanswered_record();

	record.flow.close = CLOSE_OPEN; /* the watching ended before the connection did */
	write_closed(&record);
	assert_true(has("\"close\":\"open\""));
	assert_false(has_name("outcome"));
}

TEST(the_closed_time_is_that_of_the_wall_clock)
{
	struct record record = established_record();

	record.wall_offset_ns = (int64_t)(1000 * S);
	write_closed(&record);
	assert_true(has("\"time_ns\":1012000000000"));
}

TEST(one_flow_has_one_id_in_all_its_events)
{
	struct segment_event event = repeat_event();
	struct record record = established_record();
	char id[64];

	write_event(&event);
	memcpy(id, strstr(line, "\"id\":\""), 23); /* with its sixteen digits and the last quote */
	id[23] = '\0';
	write_closed(&record);
	assert_true(has(id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_says_when_what_which_flow_and_which_octets),
		cmocka_unit_test(every_class_has_its_name),
		cmocka_unit_test(every_cause_has_its_name_and_none_has_none),
		cmocka_unit_test(a_needless_repeat_says_so),
		cmocka_unit_test(ends_are_named_whichever_is_the_lower_address),
		cmocka_unit_test(a_dsack_is_about_what_the_other_end_sent),
		cmocka_unit_test(what_is_about_no_octets_names_none),
		cmocka_unit_test(live_times_are_those_of_the_wall_clock),
		cmocka_unit_test(the_id_of_a_flow_seen_mid_stream_is_that_of_its_record),
		cmocka_unit_test(the_longest_of_everything_fits),
		cmocka_unit_test(numbers_the_kernel_never_gives_do_no_harm),
		cmocka_unit_test(a_closed_flow_says_how_it_ended),
		cmocka_unit_test(an_unanswered_flow_is_closed_too),
		cmocka_unit_test(an_outcome_that_is_not_known_is_absent),
		cmocka_unit_test(the_closed_time_is_that_of_the_wall_clock),
		cmocka_unit_test(one_flow_has_one_id_in_all_its_events),
	};

	return cmocka_run_group_tests(tests, name_file, remove_file);
}

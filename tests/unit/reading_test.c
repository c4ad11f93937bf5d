/* SPDX-License-Identifier: GPL-2.0-only */
/* Batches of a capture: the same frames, and the same pauses between them, by one thread and by two. */
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pcap_source.h"
#include "reading.h"
#include "replay.h"

#define FRAMES 10000
#define PAUSES_MAX 64

static char path[] = "/tmp/reading_test.XXXXXX";
static struct replay *replay;
static struct reading reading;

/* What one reading came to. */
static struct told {
	uint64_t frames;
	uint64_t tracked;
	int got;
	char error[512];
	uint32_t pauses;
	struct {
		enum reading_due due;
		uint64_t behind; /* so many frames */
		uint64_t now_ns;
	} pause[PAUSES_MAX];
} told;

static void ignore_flow(void *context, const struct flow_key *key, const struct flow_whole *flow)
{
	(void)context;
	(void)key;
	(void)flow;
}

static void put_record(FILE *file, uint32_t number)
{
	__u8 bytes[FRAME_MAX];
	struct segment segment = a_segment(CLIENT, .client_port = (__u16)(1 + number % 500),
					   seq(1000 + number), ack(5000), at_ms(number));
	struct frame frame = segment_frame(&segment, bytes);
	uint32_t captured = (uint32_t)((const __u8 *)frame.end - (const __u8 *)frame.data);
	uint32_t head[4] = {number / 1000, number % 1000 * 1000, captured, captured};

	fwrite(head, sizeof(head), 1, file);
	fwrite(frame.data, captured, 1, file);
}

/* A frame a millisecond; damaged: the last one is cut off. */
static void write_capture(uint32_t frames, int damaged)
{
	const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fwrite(header, sizeof(header), 1, file);
	for (uint32_t i = 0; i < frames; i++)
		put_record(file, i);
	assert_int_equal(fclose(file), 0);
	if (damaged)
		assert_int_equal(truncate(path, (off_t)(24 + frames * (16 + 54ull) - 10)), 0);
}

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void open_reading(int threads, uint64_t interval_ns, uint64_t frame_limit)
{
	const struct monitor_config config = {.idle_timeout_ns = ~0ull, .half_open_timeout_ns = ~0ull};

	setenv("ACKMON_THREADS", threads == 2 ? "2" : "1", 1);
	assert_int_equal(replay_open(&replay, &config, ignore_flow, NULL, NULL), 0);
	assert_int_equal(reading_open(&reading, replay, interval_ns, frame_limit), 0);
	told = (struct told){0};
}

static void close_reading(void)
{
	reading_close(&reading);
	told.tracked = replay_counters(replay)->value[FRAMES_TRACKED];
	assert_int_equal(replay_counters(replay)->value[FRAMES_SEEN], told.frames);
	replay_close(replay);
}

static void take(const struct reading_batch *batch)
{
	told.frames += batch->frames;
	replay_track(replay, batch->looked);
	if (batch->due == DUE_NOTHING)
		return;
	assert_true(told.pauses < PAUSES_MAX);
	told.pause[told.pauses].due = batch->due;
	told.pause[told.pauses].behind = told.frames;
	told.pause[told.pauses].now_ns = batch->due == DUE_LOOK ? batch->now_ns : 0;
	told.pauses++;
}

/* At most so many batches. */
static void read_capture(const char *filter, uint32_t batches)
{
	struct reading_batch *batch;
	struct pcap_source *source;
	const char *error;

	assert_int_equal(pcap_source_open(&source, path, filter, told.error, sizeof(told.error)), 0);
	reading_begin(&reading, source);
	while (batches-- && (batch = reading_next(&reading)))
		take(batch);
	told.got = reading_end(&reading, &error);
	if (told.got < 0)
		snprintf(told.error, sizeof(told.error), "%s", error);
	pcap_source_close(source);
}

static void read_whole(int threads, uint64_t interval_ns, uint64_t frame_limit)
{
	open_reading(threads, interval_ns, frame_limit);
	read_capture(NULL, UINT32_MAX);
	close_reading();
}

static void every_frame_comes_by_one_thread_and_by_two(void **state)
{
	(void)state;
	write_capture(FRAMES, 0);
	for (int threads = 1; threads <= 2; threads++) {
		read_whole(threads, 0, 0);
		assert_int_equal(told.frames, FRAMES);
		assert_int_equal(told.tracked, FRAMES);
		assert_int_equal(told.got, 0);
	}
}

static void a_look_is_due_behind_every_4096th_frame(void **state)
{
	(void)state;
	write_capture(FRAMES, 0);
	for (int threads = 1; threads <= 2; threads++) {
		read_whole(threads, 0, 0);
		assert_int_equal(told.pauses, 2);
		assert_int_equal(told.pause[0].due, DUE_LOOK);
		assert_int_equal(told.pause[0].behind, 4096);
		assert_int_equal(told.pause[0].now_ns, 4095 * MS);
		assert_int_equal(told.pause[1].behind, 8192);
	}
}

/* The frame that passes it comes behind it. */
static void an_interval_comes_in_front_of_the_frame_that_passes_it(void **state)
{
	(void)state;
	write_capture(FRAMES, 0);
	for (int threads = 1; threads <= 2; threads++) {
		read_whole(threads, 3 * S, 0);
		assert_int_equal(told.pauses, 5); /* at 3, 6 and 9 s, and the looks */
		assert_int_equal(told.pause[0].due, DUE_INTERVAL);
		assert_int_equal(told.pause[0].behind, 3000);
		assert_int_equal(told.pause[1].due, DUE_LOOK);
		assert_int_equal(told.pause[2].due, DUE_INTERVAL);
		assert_int_equal(told.pause[2].behind, 6000);
		assert_int_equal(told.pause[4].behind, 9000);
	}
}

static void no_frame_behind_the_limit_is_read(void **state)
{
	(void)state;
	write_capture(FRAMES, 1); /* and so the damage is not met */
	for (int threads = 1; threads <= 2; threads++) {
		read_whole(threads, 0, FRAMES - 1);
		assert_int_equal(told.frames, FRAMES - 1);
		assert_int_equal(told.tracked, FRAMES - 1);
		assert_int_equal(told.got, 1);
	}
}

static void all_frames_up_to_a_damage_come_and_then_its_sentence(void **state)
{
	(void)state;
	write_capture(FRAMES, 1);
	for (int threads = 1; threads <= 2; threads++) {
		read_whole(threads, 0, 0);
		assert_int_equal(told.tracked, FRAMES - 1);
		assert_int_equal(told.got, -EPROTO);
		assert_non_null(strstr(told.error, "frame 10000: "));
	}
}

static void filtered_frames_are_counted_where_they_stand(void **state)
{
	(void)state;
	write_capture(FRAMES, 0);
	for (int threads = 1; threads <= 2; threads++) {
		open_reading(threads, 0, 0);
		read_capture("port 7", UINT32_MAX);
		close_reading();
		assert_int_equal(told.frames, FRAMES);
		assert_int_equal(told.tracked, FRAMES / 500);
		assert_int_equal(told.pauses, 2);
	}
}

static void the_limit_counts_what_the_filter_selects(void **state)
{
	(void)state;
	write_capture(FRAMES, 0);
	for (int threads = 1; threads <= 2; threads++) {
		open_reading(threads, 0, 3);
		read_capture("port 7", UINT32_MAX);
		assert_true(reading_has_enough(&reading));
		close_reading();
		assert_int_equal(told.tracked, 3); /* frames 6, 506 and 1006, and none behind it is read */
		assert_int_equal(told.frames, 1007);
	}
}

/* close_reading() holds what was seen against what was taken. */
static void what_was_read_ahead_and_not_taken_is_not_counted(void **state)
{
	(void)state;
	write_capture(FRAMES, 0);
	for (int threads = 1; threads <= 2; threads++) {
		open_reading(threads, 0, 0);
		read_capture(NULL, 3);
		assert_int_equal(told.got, 1);
		close_reading();
		assert_in_range(told.frames, 3, FRAMES / 2);
		assert_int_equal(told.tracked, told.frames);
	}
}

static void the_next_capture_goes_on_where_the_last_one_ended(void **state)
{
	(void)state;
	for (int threads = 1; threads <= 2; threads++) {
		open_reading(threads, 0, 5000);
		for (int i = 0; i < 3; i++) {
			write_capture(2000, 0);
			read_capture(NULL, UINT32_MAX);
		}
		close_reading();
		assert_int_equal(told.frames, 5000);
		assert_int_equal(told.pauses, 1);
		assert_int_equal(told.pause[0].behind, 4096);
		assert_int_equal(told.pause[0].now_ns, 95 * MS);
	}
}

static void an_empty_capture_ends_at_once(void **state)
{
	(void)state;
	write_capture(0, 0);
	for (int threads = 1; threads <= 2; threads++) {
		read_whole(threads, 0, 0);
		assert_int_equal(told.frames, 0);
		assert_int_equal(told.got, 0);
	}
}

static void closing_what_was_never_opened_is_harmless(void **state)
{
	struct reading none = {0};

	(void)state;
	reading_close(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_comes_by_one_thread_and_by_two),
		cmocka_unit_test(a_look_is_due_behind_every_4096th_frame),
		cmocka_unit_test(an_interval_comes_in_front_of_the_frame_that_passes_it),
		cmocka_unit_test(no_frame_behind_the_limit_is_read),
		cmocka_unit_test(all_frames_up_to_a_damage_come_and_then_its_sentence),
		cmocka_unit_test(filtered_frames_are_counted_where_they_stand),
		cmocka_unit_test(the_limit_counts_what_the_filter_selects),
		cmocka_unit_test(what_was_read_ahead_and_not_taken_is_not_counted),
		cmocka_unit_test(the_next_capture_goes_on_where_the_last_one_ended),
		cmocka_unit_test(an_empty_capture_ends_at_once),
		cmocka_unit_test(closing_what_was_never_opened_is_harmless),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}

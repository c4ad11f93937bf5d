/* SPDX-License-Identifier: GPL-2.0-only */
/* The wall clock is set by an hour, both ways: times of day follow, durations do not notice. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

/* The clocks of this test; clock.c is compiled in here and reads them. */
static int64_t fake_monotonic_ns, fake_wall_ns;
static unsigned int reads_last_up_to_ns, reads; /* 0: no time at all */

static int fake_gettime(clockid_t id, struct timespec *ret_now)
{
	int64_t took_ns, ns;

	reads = reads * 1103515245 + 12345;
	took_ns = reads_last_up_to_ns ? reads_last_up_to_ns / 2 + (reads >> 16) % (reads_last_up_to_ns / 2) : 0;
	fake_monotonic_ns += took_ns;
	fake_wall_ns += took_ns;
	ns = id == CLOCK_REALTIME ? fake_wall_ns : fake_monotonic_ns;
	*ret_now = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	return 0;
}

#define clock_gettime fake_gettime
#include "../../user/clock.c"
#undef clock_gettime

#include "record.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)

static void pass(int64_t ns)
{
	fake_monotonic_ns += ns;
	fake_wall_ns += ns;
}

static uint64_t field(const struct record *record, const char *name)
{
	struct value value;

	record_read(record, record_field(name), &value);
	assert_int_equal(value.kind, VALUE_NUMBER);
	return value.number;
}

static struct record record_now(const struct flow *flow)
{
	return (struct record){.flow = *flow, .wall_offset_ns = clock_wall_offset_ns()};
}

/* Opened at 1000 s of the monotonic clock; SYN-ACK 5 ms later, last segment 2 s later. */
static struct flow open_flow(void)
{
	struct flow flow = {
		.start_ns = (uint64_t)fake_monotonic_ns,
		.syn_ns = (uint64_t)fake_monotonic_ns,
		.synack_ns = (uint64_t)fake_monotonic_ns + 5000000,
		.has_syn = 1,
		.has_synack = 1,
	};

	flow.side[0].last_ns = flow.start_ns + 2 * SECOND;
	return flow;
}

static void set_clock_by(int64_t step_ns)
{
	struct record before, after;
	struct flow flow;

	fake_monotonic_ns = 1000 * SECOND;
	fake_wall_ns = 1700000000 * SECOND;
	flow = open_flow();
	pass(2 * SECOND);
	before = record_now(&flow);
	fake_wall_ns += step_ns;
	pass(SECOND);
	after = record_now(&flow);

	assert_int_equal(clock_monotonic_ns(), 1003 * SECOND);
	assert_int_equal(field(&before, "start_ns"), 1700000000 * SECOND);
	assert_int_equal(field(&after, "start_ns"), 1700000000 * SECOND + step_ns);
	assert_int_equal(field(&after, "connect_ns"), 5000000);
	assert_int_equal(field(&after, "duration_ns"), 2 * SECOND);
	assert_int_equal(field(&after, "end_ns") - field(&after, "start_ns"), 2 * SECOND);
	assert_int_equal(record_id(&before), record_id(&after));
}

static void an_hour_forth(void **state)
{
	(void)state;
	set_clock_by(HOUR);
}

static void an_hour_back(void **state)
{
	(void)state;
	set_clock_by(-HOUR);
}

/* Reading a clock takes its time, another one each time; what a connection's start was said to be stays. */
static void what_is_within_the_error_moves_nothing(void **state)
{
	struct clock_offset offset = {};
	int64_t first_ns, truth_ns, measured_differently = 0;

	(void)state;
	fake_monotonic_ns = 1000 * SECOND;
	fake_wall_ns = 1700000000 * SECOND;
	truth_ns = fake_wall_ns - fake_monotonic_ns;
	reads_last_up_to_ns = 60;
	clock_follow_wall(&offset);
	first_ns = offset.ns;
	assert_in_range(first_ns - truth_ns + 60, 0, 120);
	for (int i = 0; i < 1000; i++) {
		pass(SECOND);
		reads_last_up_to_ns = 41 + i % 20;
		measured_differently += clock_wall_offset_ns() != first_ns;
		clock_follow_wall(&offset);
		assert_int_equal(offset.ns, first_ns);
	}
	assert_true(measured_differently > 100);
	fake_wall_ns += 1000; /* set by a microsecond */
	clock_follow_wall(&offset);
	assert_in_range(offset.ns - truth_ns - 1000 + 60, 0, 120);
	assert_int_not_equal(offset.ns, first_ns);
	reads_last_up_to_ns = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_forth),
		cmocka_unit_test(an_hour_back),
		cmocka_unit_test(what_is_within_the_error_moves_nothing),
	};

	return cmocka_run_group_tests_name("clock_step", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The two clocks agree with the kernel's, and with each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"

#define MS 1000000

static int64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void monotonic_never_goes_back(void **state)
{
	uint64_t last_ns = clock_monotonic_ns();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t now_ns = clock_monotonic_ns();

		assert_true(now_ns >= last_ns);
		last_ns = now_ns;
	}
}

static void monotonic_is_the_clock_of_the_kernel_programs(void **state)
{
	struct timespec before, after;
	uint64_t now_ns;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	now_ns = clock_monotonic_ns();
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(now_ns >= before.tv_sec * UINT64_C(1000000000) + before.tv_nsec);
	assert_true(now_ns <= after.tv_sec * UINT64_C(1000000000) + after.tv_nsec);
}

static void monotonic_plus_offset_is_wall_time(void **state)
{
	int64_t error_ns;

	(void)state;
	error_ns = (int64_t)clock_monotonic_ns() + clock_wall_offset_ns() - wall_ns();
	assert_true(llabs(error_ns) < 50 * MS); /* room for being interrupted in between */
}

static void offset_is_steady(void **state)
{
	int64_t first_ns = clock_wall_offset_ns();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(llabs(clock_wall_offset_ns() - first_ns) < MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_never_goes_back),
		cmocka_unit_test(monotonic_is_the_clock_of_the_kernel_programs),
		cmocka_unit_test(monotonic_plus_offset_is_wall_time),
		cmocka_unit_test(offset_is_steady),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

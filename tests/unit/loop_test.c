/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers and signals arrive where they were asked for, until somebody stops the loop. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

#define MS UINT64_C(1000000)

static struct loop *loop;
static int calls;

static int open_loop(void **state)
{
	(void)state;
	calls = 0;
	return loop_open(&loop);
}

static int close_loop(void **state)
{
	(void)state;
	loop_close(loop);
	return 0;
}

#define loop_test(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static void count(void *context)
{
	(void)context;
	calls++;
}

static void increment(void *context)
{
	++*(int *)context;
}

static void stop(void *context)
{
	loop_stop(context);
}

static void count_to_three(void *context)
{
	if (++calls == 3)
		loop_stop(context);
}

static void raise_usr1(void *context)
{
	(void)context;
	raise(SIGUSR1);
}

static void a_timer_comes_once(void **state)
{
	(void)state;
	loop_once(loop, 1 * MS, count, NULL);
	loop_once(loop, 20 * MS, stop, loop);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 1);
}

static void a_timer_does_not_come_early(void **state)
{
	uint64_t start_ns = now_ns();

	(void)state;
	loop_once(loop, 10 * MS, stop, loop);
	loop_run(loop);
	assert_true(now_ns() - start_ns >= 10 * MS);
}

static void a_delay_of_zero_comes_at_once(void **state)
{
	(void)state;
	loop_once(loop, 0, stop, loop);
	assert_int_equal(loop_run(loop), 0);
}

static void a_period_comes_again_and_again(void **state)
{
	(void)state;
	loop_every(loop, 1 * MS, count_to_three, loop);
	loop_run(loop);
	assert_int_equal(calls, 3);
}

static void each_timer_has_its_own_context(void **state)
{
	int first = 0, second = 0;

	(void)state;
	loop_once(loop, 1 * MS, increment, &first);
	loop_once(loop, 2 * MS, increment, &second);
	loop_once(loop, 20 * MS, stop, loop);
	loop_run(loop);
	assert_int_equal(first, 1);
	assert_int_equal(second, 1);
}

static void a_signal_arrives_in_the_loop(void **state)
{
	(void)state;
	assert_int_equal(loop_on_signal(loop, SIGUSR1, stop, loop), 0);
	loop_once(loop, 1 * MS, raise_usr1, NULL);
	assert_int_equal(loop_run(loop), 0);
}

static void a_signal_from_before_the_run_is_not_lost(void **state)
{
	(void)state;
	loop_on_signal(loop, SIGUSR1, stop, loop);
	raise(SIGUSR1);
	assert_int_equal(loop_run(loop), 0);
}

static void a_signal_arrives_every_time(void **state)
{
	(void)state;
	loop_on_signal(loop, SIGUSR1, count_to_three, loop);
	loop_every(loop, 1 * MS, raise_usr1, NULL);
	loop_run(loop);
	assert_int_equal(calls, 3);
}

static void a_stopped_loop_serves_nobody_else(void **state)
{
	(void)state;
	loop_stop(loop);
	loop_once(loop, 0, count, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 0);
}

struct input {
	struct loop *loop;
	int fd;
	char got[8];
};

static void read_input(void *context)
{
	struct input *input = context;

	assert_int_equal(read(input->fd, input->got, sizeof(input->got)), 5);
	loop_stop(input->loop);
}

static void what_there_is_to_read_is_left_to_the_reader(void **state)
{
	struct input input = {.loop = loop};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	input.fd = ends[0];
	assert_int_equal(loop_on_input(loop, ends[0], read_input, &input), 0);
	assert_int_equal(write(ends[1], "news", 5), 5);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(input.got, "news");
	close(ends[0]);
	close(ends[1]);
}

static void closing_nothing_is_harmless(void **state)
{
	(void)state;
	loop_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(a_timer_comes_once),
		loop_test(a_timer_does_not_come_early),
		loop_test(a_delay_of_zero_comes_at_once),
		loop_test(a_period_comes_again_and_again),
		loop_test(each_timer_has_its_own_context),
		loop_test(a_signal_arrives_in_the_loop),
		loop_test(a_signal_from_before_the_run_is_not_lost),
		loop_test(a_signal_arrives_every_time),
		loop_test(a_stopped_loop_serves_nobody_else),
		loop_test(what_there_is_to_read_is_left_to_the_reader),
		cmocka_unit_test(closing_nothing_is_harmless),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}

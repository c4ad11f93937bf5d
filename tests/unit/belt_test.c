/* SPDX-License-Identifier: GPL-2.0-only */
/* Pieces between two threads: each comes once, in order, whoever is slower; and both can end it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

#include "belt.h"

#define PLACES 4
#define PIECES 20000

static struct belt belt;
static uint32_t lies[PLACES]; /* what lies on each place */
static uint32_t loader_pauses_at; /* a piece before which the loader waits until all before it are unloaded */

static int open_belt(void **state)
{
	(void)state;
	loader_pauses_at = UINT32_MAX;
	belt_open(&belt, PLACES);
	return 0;
}

static int close_belt(void **state)
{
	(void)state;
	belt_close(&belt);
	return 0;
}

#define belt_test(name) cmocka_unit_test_setup_teardown(name, open_belt, close_belt)

static uint64_t pieces_on_belt(void)
{
	uint64_t pieces;

	pthread_mutex_lock(&belt.lock);
	pieces = belt.loaded - belt.unloaded;
	pthread_mutex_unlock(&belt.lock);
	return pieces;
}

/* context: how many there are to load; gives back how many were. */
static void *load(void *context)
{
	uintptr_t count = (uintptr_t)context, i;

	for (i = 0; i < count; i++) {
		int place;

		while (i == loader_pauses_at && pieces_on_belt() > 1)
			sched_yield();
		place = belt_room(&belt);
		if (place < 0)
			break;
		lies[place] = (uint32_t)i;
		belt_load(&belt);
	}
	belt_end(&belt);
	return (void *)i;
}

static pthread_t start_loading(uintptr_t count)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, load, (void *)count), 0);
	return thread;
}

static uintptr_t loaded_by(pthread_t thread)
{
	void *count;

	assert_int_equal(pthread_join(thread, &count), 0);
	return (uintptr_t)count;
}

static uint32_t unload_all(void)
{
	uint32_t count = 0;
	int place;

	while ((place = belt_piece(&belt)) >= 0) {
		assert_int_equal(lies[place], count);
		belt_unload(&belt);
		count++;
	}
	return count;
}

static void every_piece_comes_once_and_in_order(void **state)
{
	pthread_t loader = start_loading(PIECES);

	(void)state;
	assert_int_equal(unload_all(), PIECES);
	assert_int_equal(loaded_by(loader), PIECES);
}

/* Fewer than half of the places: nobody waits for more than there will be. */
static void a_single_piece_comes_when_the_loader_ends(void **state)
{
	pthread_t loader = start_loading(1);

	(void)state;
	assert_int_equal(unload_all(), 1);
	assert_int_equal(loaded_by(loader), 1);
}

static void nothing_comes_of_a_loader_that_has_nothing(void **state)
{
	pthread_t loader = start_loading(0);

	(void)state;
	assert_int_equal(unload_all(), 0);
	loaded_by(loader);
}

static void a_full_belt_holds_the_loader_up(void **state)
{
	pthread_t loader = start_loading(PIECES);

	(void)state;
	while (pieces_on_belt() < PLACES)
		sched_yield();
	assert_int_equal(belt_piece(&belt), 0);
	assert_int_equal(pieces_on_belt(), PLACES); /* the piece is on its place until it is unloaded */
	assert_int_equal(unload_all(), PIECES);
	assert_int_equal(loaded_by(loader), PIECES);
}

static void a_loader_that_waits_for_room_can_be_stopped(void **state)
{
	pthread_t loader = start_loading(PIECES);

	(void)state;
	while (pieces_on_belt() < PLACES)
		sched_yield();
	belt_stop(&belt);
	assert_int_equal(loaded_by(loader), PLACES);
}

/* What was loaded is still there for whoever wants it. */
static void a_slow_loader_is_waited_for(void **state)
{
	pthread_t loader;

	(void)state;
	loader_pauses_at = 3;
	loader = start_loading(PIECES);
	assert_int_equal(unload_all(), PIECES);
	assert_int_equal(loaded_by(loader), PIECES);
}

static void a_cleared_belt_serves_again(void **state)
{
	pthread_t loader = start_loading(PIECES);

	(void)state;
	belt_stop(&belt);
	loaded_by(loader);
	belt_clear(&belt);
	loader = start_loading(PIECES);
	assert_int_equal(unload_all(), PIECES);
	assert_int_equal(loaded_by(loader), PIECES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		belt_test(every_piece_comes_once_and_in_order),
		belt_test(a_single_piece_comes_when_the_loader_ends),
		belt_test(nothing_comes_of_a_loader_that_has_nothing),
		belt_test(a_full_belt_holds_the_loader_up),
		belt_test(a_loader_that_waits_for_room_can_be_stopped),
		belt_test(a_slow_loader_is_waited_for),
		belt_test(a_cleared_belt_serves_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

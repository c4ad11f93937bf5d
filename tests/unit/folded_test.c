/* SPDX-License-Identifier: GPL-2.0-only */
/* What is folded comes back as it was, however much there is of it, and in less memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/histogram.h"
#include "folded.h"

static struct folded_holes *folded;
static struct folded_histogram *folded_histogram;
static struct holes holes, space, back;

static int begin(void **state)
{
	(void)state;
	folded = NULL;
	folded_histogram = NULL;
	holes = (struct holes){0};
	memset(&space, 0xa5, sizeof(space)); /* as another flow left it */
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(folded);
	free(folded_histogram);
	return 0;
}

#define folded_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* As many of each as are told, each place with a number of its own. */
static void remember(uint32_t used, uint32_t fills, uint32_t repeats, uint32_t echoes)
{
	uint32_t i;

	holes = (struct holes){.used = used, .fills = fills, .repeats = repeats, .echoes = echoes};
	holes.recover = 77;
	holes.echoes_until = 99;
	holes.filled = (struct hole){.start = 5, .end = 6, .opened_ns = 7};
	for (i = 0; i < used; i++)
		holes.slot[i] = (struct hole){.start = 1000 + i, .end = 2000 + i, .opened_ns = i + 1, .tsval = i};
	for (i = 0; i < fills && i < FILLS_MAX; i++)
		holes.fill[i] = (struct fill){.start = 3000 + i, .end = 4000 + i, .tsval = i, .ip_id = 9};
	for (i = 0; i < repeats && i < REPEATS_MAX; i++)
		holes.repeat[i] = (struct repeat){.start = 5000 + i, .end = 6000 + i, .spurious = i % 2};
	for (i = 0; i < echoes && i < ECHOES_MAX; i++)
		holes.echo[i] = (struct recent){.seq = 7000 + i, .tsval = i, .time_us = i, .shape = 3};
}

static void keep(void)
{
	assert_int_equal(folded_holes_keep(&folded, &holes), 0);
}

/* What `space` holds beyond the pieces is of no meaning: it is not compared. */
static void assert_comes_back(void)
{
	const struct holes *open = folded_holes_open(folded, &space);

	back = holes;
	memcpy(back.slot, open->slot, holes.used * sizeof(back.slot[0]));
	memcpy(back.fill, open->fill, (holes.fills < FILLS_MAX ? holes.fills : FILLS_MAX) * sizeof(back.fill[0]));
	memcpy(back.repeat, open->repeat,
	       (holes.repeats < REPEATS_MAX ? holes.repeats : REPEATS_MAX) * sizeof(back.repeat[0]));
	memcpy(back.echo, open->echo, (holes.echoes < ECHOES_MAX ? holes.echoes : ECHOES_MAX) * sizeof(back.echo[0]));
	back.used = open->used;
	back.filled = open->filled;
	back.fills = open->fills;
	back.repeats = open->repeats;
	back.recover = open->recover;
	back.echoes = open->echoes;
	back.echoes_until = open->echoes_until;
	assert_memory_equal(&back, &holes, sizeof(holes));
}

static void nothing_comes_back_as_nothing(void **state)
{
	(void)state;
	keep();
	assert_comes_back();
}

static void some_of_each_come_back(void **state)
{
	(void)state;
	remember(2, 3, 4, 5);
	keep();
	assert_comes_back();
}

static void all_there_can_be_comes_back(void **state)
{
	(void)state;
	remember(HOLES_MAX, FILLS_MAX, REPEATS_MAX, ECHOES_MAX);
	keep();
	assert_comes_back();
}

/* The lists of fills, repeats and echoes are rings: their counts go on. */
static void rings_that_have_come_round_come_back(void **state)
{
	(void)state;
	remember(1, FILLS_MAX * 3 + 1, UINT32_MAX, ECHOES_MAX + 1);
	keep();
	assert_comes_back();
}

static void it_grows_and_shrinks_with_what_there_is(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 200; i++) {
		uint32_t some = i * 37 % (HOLES_MAX + 1);

		remember(some, some % 5, some % 7, some / 2);
		keep();
		assert_comes_back();
	}
}

/* The whole lies there and is changed there. */
static void much_of_it_is_changed_where_it_lies(void **state)
{
	struct holes *open;

	(void)state;
	remember(HOLES_MAX, 0, 0, 0);
	keep();
	open = folded_holes_open(folded, &space);
	assert_ptr_not_equal(open, &space);
	open->slot[3].end = 42;
	assert_int_equal(folded_holes_keep(&folded, folded_holes_lie(folded, &space)), 0);
	assert_int_equal(folded_holes_open(folded, &space)->slot[3].end, 42);
}

static void little_of_it_takes_little(void **state)
{
	(void)state;
	remember(2, 1, 1, 0);
	keep();
	assert_true(malloc_usable_size(folded) <= 256);
	assert_ptr_equal(folded_holes_open(folded, &space), &space);
	assert_ptr_equal(folded_holes_lie(folded, &space), &space);
}

/* ------------------------------------------------------------------ round trips */

static void take(const uint16_t buckets[4])
{
	assert_int_equal(folded_histogram_take(&folded_histogram, buckets, 4), 0);
}

static void samples_come_back_as_the_histogram_they_make(void **state)
{
	struct histogram wanted = {0}, got;
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		const uint16_t buckets[4] = {(uint16_t)(i * 7 % 100), (uint16_t)(i * i % HISTOGRAM_BUCKETS), 200,
					     HISTOGRAM_BUCKETS - 1};

		take(buckets);
		histogram_take(&wanted, buckets, 4);
		folded_histogram_read(folded_histogram, &got);
		assert_memory_equal(&got, &wanted, sizeof(got));
	}
}

static void samples_of_one_length_take_little(void **state)
{
	const uint16_t buckets[4] = {160, 161, 175, 160};
	uint32_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		take(buckets);
	assert_true(malloc_usable_size(folded_histogram) <= 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folded_test(nothing_comes_back_as_nothing),
		folded_test(some_of_each_come_back),
		folded_test(all_there_can_be_comes_back),
		folded_test(rings_that_have_come_round_come_back),
		folded_test(it_grows_and_shrinks_with_what_there_is),
		folded_test(much_of_it_is_changed_where_it_lies),
		folded_test(little_of_it_takes_little),
		folded_test(samples_come_back_as_the_histogram_they_make),
		folded_test(samples_of_one_length_take_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

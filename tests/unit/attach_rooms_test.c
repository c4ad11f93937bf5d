/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's tables hold at least what was asked for, and that is what is said of them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attach_internal.h"
#include "table.h"

/* What a bucket takes before anybody finds no place, and buckets that even small tables out; see user/table.c. */
#define USUAL 12u
#define SPARE 3u

static struct attach *attach;

static int begin(void **state)
{
	struct monitor_config config = {};

	(void)state;
	return attach_new(&attach, &config);
}

static int end(void **state)
{
	(void)state;
	attach_close(attach);
	return 0;
}

static void ask_for(uint32_t flows, uint32_t half_open)
{
	attach_resize(attach, &(struct room_sizes){.flows = flows, .half_open = half_open});
}

static uint32_t entries(const char *map)
{
	return bpf_map__max_entries(attach_map(attach, map));
}

static void assert_said(const char *words)
{
	char text[256];

	attach_describe_rooms(attach, text, sizeof(text));
	if (!strstr(text, words))
		fail_msg("not \"%s\" but: %s", words, text);
}

static void a_table_holds_at_least_what_was_asked_for(void **state)
{
	(void)state;
	for (uint32_t asked = 1; asked < 100; asked++) {
		ask_for(asked, 100 - asked);
		assert_true((entries("flow_tags") - SPARE) * USUAL >= asked);
		assert_true((entries("half_open_tags") - SPARE) * USUAL >= 100 - asked);
		/* ... and takes no bucket more. */
		assert_true((entries("flow_tags") - SPARE - 1) * USUAL < asked);
		assert_int_equal(entries("flows"), entries("flow_tags") * TABLE_WAYS);
	}
}

static void what_is_said_is_what_was_asked_for(void **state)
{
	(void)state;
	ask_for(1003, 13);
	assert_said("room for 1,003 connections (");
	assert_said(" and 13 that only open (");
	ask_for(1, 1);
	assert_said("room for 1 connections (");
	assert_said(" and 1 that only open (");
}

/* Half open as many as is usual; of connections as many as this machine's memory may hold. */
static void without_a_wish_it_is_as_much_as_is_usual(void **state)
{
	uint32_t flows;

	(void)state;
	ask_for(0, 0);
	assert_said(" and 65,536 that only open (10 MB)");
	flows = entries("rares");
	assert_in_range(flows, 1, 131072);
	assert_int_equal(flows & (flows - 1), 0);
	assert_int_equal(table_room(attach_object(attach), "flows", flows), flows);
	if (flows == 131072)
		assert_said("room for 131,072 connections (106 MB, ");
}

/* A table that was made for another number, and is kept. */
static void of_a_table_that_was_not_asked_for_its_buckets_are_said(void **state)
{
	const struct bpf_object *object = attach_object(attach);

	(void)state;
	ask_for(1003, 13);
	assert_int_equal(table_room(object, "flows", 131072), 1008);
	assert_int_equal(table_room(object, "half_open", 65536), 24);
}

static void megabytes_are_rounded_to_the_next(void **state)
{
	char words[64];

	(void)state;
	ask_for(1000000, 1000);
	snprintf(words, sizeof(words), "room for 1,000,000 connections (%.0f MB, ",
		 (double)table_bytes(attach_object(attach), "flows") / 1e6);
	assert_said(words);
	assert_said(" that only open (0 MB)");
	ask_for(1000, 3600);
	assert_in_range(table_bytes(attach_object(attach), "half_open"), 500000, 999999);
	assert_said(" that only open (1 MB)");
}

static void rare_counts_have_room_for_a_side_of_each(void **state)
{
	(void)state;
	ask_for(3, 1000);
	assert_int_equal(entries("rares"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_holds_at_least_what_was_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(what_is_said_is_what_was_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(without_a_wish_it_is_as_much_as_is_usual, begin, end),
		cmocka_unit_test_setup_teardown(of_a_table_that_was_not_asked_for_its_buckets_are_said, begin, end),
		cmocka_unit_test_setup_teardown(megabytes_are_rounded_to_the_next, begin, end),
		cmocka_unit_test_setup_teardown(rare_counts_have_room_for_a_side_of_each, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

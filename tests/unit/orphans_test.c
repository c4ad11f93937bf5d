/* SPDX-License-Identifier: GPL-2.0-only */
/* Of entries beside flows those go that nobody owns, and not as soon as they are seen. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "orphans.h"
#include "table.h"

#define FLOWS 10u

static struct table_bucket bucket;
static struct flow_place places[TABLE_WAYS];
static struct table flows = {.buckets = 1,
			     .place_bytes = sizeof(*places),
			     .tags = &bucket,
			     .places = (char *)places,
			     .is_shared = true,
			     .is_flows = true};
static struct orphans orphans;
static int fd = -1;

static struct beside_key key_of(uint32_t place)
{
	return table_beside(&places[place].flow, place % 2);
}

/* Of each flow one entry. */
static int begin(void **state)
{
	uint64_t value = 1;

	(void)state;
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "beside", sizeof(struct beside_key), sizeof(value), 1000, NULL);
	for (uint32_t place = 0; place < FLOWS; place++) {
		places[place] = (struct flow_place){.head = {.live = TABLE_IS_TAG, .place = place},
						    .flow = {.place = place, .life = 5}};
		if (fd >= 0)
			bpf_map_update_elem(fd, &(struct beside_key){key_of(place).side, 5}, &value, BPF_ANY);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	orphans_free(&orphans);
	if (fd >= 0)
		close(fd);
	return 0;
}

static void need_map(void)
{
	if (fd < 0) {
		print_message("# no right to make a map\n");
		skip();
	}
}

static bool is_there(struct beside_key key)
{
	uint64_t value;

	return !bpf_map_lookup_elem(fd, &key, &value);
}

static void look_and_drop(void)
{
	orphans_look(&orphans, &flows, fd);
	orphans_drop(&orphans, &flows);
}

static void what_is_owned_stays(void **state)
{
	(void)state;
	need_map();
	look_and_drop();
	for (uint32_t place = 0; place < FLOWS; place++)
		assert_true(is_there(key_of(place)));
}

static void what_nobody_owns_goes_the_second_time(void **state)
{
	(void)state;
	need_map();
	places[3].head.live = 0; /* its flow has left */
	orphans_look(&orphans, &flows, fd);
	assert_true(is_there(key_of(3)));
	orphans_drop(&orphans, &flows);
	assert_false(is_there(key_of(3)));
	assert_true(is_there(key_of(2)));
	assert_int_equal(orphans.count, 0);
}

static void what_found_its_owner_meanwhile_stays(void **state)
{
	(void)state;
	need_map();
	places[3].head.live = 0; /* its flow is entering */
	orphans_look(&orphans, &flows, fd);
	assert_int_equal(orphans.count, 1);
	places[3].head.live = TABLE_IS_TAG;
	orphans_drop(&orphans, &flows);
	assert_true(is_there(key_of(3)));
}

static void an_earlier_life_of_a_place_owns_nothing(void **state)
{
	struct beside_key before;

	(void)state;
	need_map();
	before = key_of(4);
	places[4].flow.life++;
	look_and_drop();
	assert_false(is_there(before));
}

static void all_are_noted(void **state)
{
	uint64_t value = 1;

	(void)state;
	need_map();
	for (uint32_t life = 100; life < 600; life++)
		bpf_map_update_elem(fd, &(struct beside_key){6, life}, &value, BPF_ANY);
	orphans_look(&orphans, &flows, fd);
	assert_int_equal(orphans.count, 500);
	orphans_drop(&orphans, &flows);
	for (uint32_t life = 100; life < 600; life++)
		assert_false(is_there((struct beside_key){6, life}));
	assert_true(is_there(key_of(3)));
}

#define orphan_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		orphan_test(what_is_owned_stays),
		orphan_test(what_nobody_owns_goes_the_second_time),
		orphan_test(what_found_its_owner_meanwhile_stays),
		orphan_test(an_earlier_life_of_a_place_owns_nothing),
		orphan_test(all_are_noted),
	};

	return cmocka_run_group_tests_name("orphans", tests, NULL, NULL);
}

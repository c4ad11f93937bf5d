/* SPDX-License-Identifier: GPL-2.0-only */
/* A table is filled to four fifths before anybody finds no place, holds no key twice, and finds what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/table.h"
#include "table.h"

#define BUCKETS 1000u

static struct table_bucket buckets[BUCKETS];
static struct table_about about = {
	.seed = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x27d4eb2f165667c5, 0xff51afd7ed558ccd,
		 0xc4ceb9fe1a85ec53},
	.flow_buckets = BUCKETS,
};

static int empty(void **state)
{
	(void)state;
	memset(buckets, 0, sizeof(buckets));
	return 0;
}

/* Neighbours, as clients of one network are. */
static struct flow_key key_of(uint32_t number)
{
	return (struct flow_key){
		.addr = {{.words_be32 = {0, 0, 0xffff0000, 0x0100000a + (number >> 16 << 24)}},
			 {.words_be32 = {0, 0, 0xffff0000, 0x0100140a}}},
		.port_be16 = {(__be16)number, 0x5000},
		.ifindex = 2,
	};
}

static uint32_t claim(uint64_t hash, uint32_t avoid)
{
	uint32_t home = table_home(hash, BUCKETS), other = table_other(hash, BUCKETS);

	return table_claim(&buckets[home], &buckets[other], home == other, hash, avoid);
}

static uint64_t hash_of(uint32_t number)
{
	struct flow_key key = key_of(number);

	return table_hash(&key, &about);
}

/* The bucket of an answer. */
static struct table_bucket *bucket_of(uint64_t hash, uint32_t answer)
{
	return &buckets[answer & TABLE_IN_OTHER ? table_other(hash, BUCKETS) : table_home(hash, BUCKETS)];
}

static void the_first_refusal_comes_beyond_four_fifths(void **state)
{
	uint32_t held = 0;

	(void)state;
	while (!(claim(hash_of(held), 0) & (TABLE_FULL | TABLE_KNOWN)))
		held++;
	assert_in_range(held, BUCKETS * TABLE_WAYS * 8 / 10, BUCKETS * TABLE_WAYS);
}

/* Each of 100 clients and each of 120 servers of two networks, on one pair of ports: only last octets differ. */
static struct flow_key key_of_pair(uint32_t number)
{
	return (struct flow_key){
		.addr = {{.words_be32 = {0, 0, 0xffff0000, 0x0001000a | number % 100 << 24}},
			 {.words_be32 = {0, 0, 0xffff0000, 0x0002000a | number / 100 << 24}}},
		.port_be16 = {0x5000, 0x5000},
		.ifindex = 2,
	};
}

static struct flow_key key_of_pair6(uint32_t number)
{
	return (struct flow_key){
		.addr = {{.words_be32 = {0xb80d0120, 0, 0, number % 100 << 24}},
			 {.words_be32 = {0xb80d0120, 1, 0, number / 100 << 24}}},
		.port_be16 = {0x5000, 0x5000},
		.ifindex = 2,
	};
}

/* Neighbours that listen on neighbouring ports. */
static struct flow_key key_of_grid(uint32_t number)
{
	struct flow_key key = key_of_pair(number % 1000);

	key.port_be16[0] = (__be16)(number / 1000 << 8);
	key.port_be16[1] = (__be16)(number / 1000 << 8);
	return key;
}

static uint64_t draw(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Whatever the seeds. */
static void neighbours_do_not_meet_in_few_buckets(void **state)
{
	static struct flow_key (*const makers[])(uint32_t) = {key_of, key_of_pair, key_of_pair6, key_of_grid};
	const struct table_about before = about;

	for (uint32_t round = 0; round < 200; round++) {
		empty(state);
		for (size_t i = 0; i < TABLE_SEEDS; i++)
			about.seed[i] = draw();
		for (uint32_t number = 0; number < BUCKETS * TABLE_WAYS * 8 / 10; number++) {
			struct flow_key key = makers[round % 4](number);

			assert_false(claim(table_hash(&key, &about), 0) & (TABLE_FULL | TABLE_KNOWN));
		}
	}
	about = before;
}

static void a_key_that_is_there_is_known_by_its_place(void **state)
{
	(void)state;
	for (uint32_t number = 0; number < BUCKETS * 12; number++) {
		uint64_t hash = hash_of(number);
		uint32_t answer = claim(hash, 0);

		assert_false(answer & (TABLE_FULL | TABLE_KNOWN));
		assert_int_equal(bucket_of(hash, answer)->tag[answer & TABLE_WAY], table_tag(hash));
		assert_int_equal(claim(hash, 0), TABLE_KNOWN | answer);
	}
}

static void a_key_likes_one_way_best(void **state)
{
	uint64_t hash = hash_of(7);

	(void)state;
	assert_int_equal(claim(hash, 0), table_first_way(hash));
}

static void a_stranger_with_the_same_tag_sends_it_to_the_other_bucket(void **state)
{
	uint64_t hash = hash_of(7);
	uint32_t stranger = claim(hash, 0), own;

	(void)state;
	own = claim(hash, TABLE_AVOID_HOME);
	assert_int_equal(own & ~TABLE_WAY, TABLE_IN_OTHER);
	assert_int_equal(buckets[table_home(hash, BUCKETS)].spilled, 1);
	assert_int_equal(buckets[table_home(hash, BUCKETS)].tag[stranger], table_tag(hash));
	/* One more: both buckets have that tag, and none has it twice. */
	assert_int_equal(claim(hash, TABLE_AVOID_HOME), TABLE_KNOWN | own);
	assert_int_equal(claim(hash, TABLE_AVOID_HOME | TABLE_AVOID_OTHER), TABLE_FULL);
}

static void a_closed_connection_is_still_known(void **state)
{
	uint64_t hash = hash_of(7);
	uint32_t answer = claim(hash, 0);

	(void)state;
	bucket_of(hash, answer)->tag[answer] |= TABLE_CLOSED;
	assert_int_equal(claim(hash, 0), TABLE_KNOWN | answer);
}

static void nobody_finds_room_twice_in_one_bucket(void **state)
{
	struct table_bucket *bucket = &buckets[0];

	(void)state;
	for (uint32_t number = 0; number < TABLE_WAYS; number++)
		assert_false(table_claim(bucket, bucket, 1, hash_of(number), 0) & (TABLE_FULL | TABLE_IN_OTHER));
	assert_int_equal(table_claim(bucket, bucket, 1, hash_of(99), 0), TABLE_FULL);
	assert_int_equal(table_free_ways(bucket), 0);
	assert_int_equal(bucket->spilled, 0);
}

/* Every bit but the two low ones, none but what every tag has, and every second one. */
static const uint32_t tags[] = {TABLE_TAG_BITS, TABLE_IS_TAG, 0xaaaaaaa8 | TABLE_IS_TAG, 0x5555555c};

static void fill_with(struct table_bucket *bucket, uint32_t tag)
{
	for (uint32_t way = 0; way < TABLE_WAYS; way++)
		bucket->tag[way] = tag;
}

static void a_way_has_a_bit_of_its_own(void **state)
{
	uint32_t ways = 0;

	(void)state;
	for (uint32_t way = 0; way < TABLE_WAYS; way++) {
		assert_int_equal(table_any(1u << table_bit(way)), way);
		ways |= 1u << table_bit(way);
	}
	assert_int_equal(table_count_ways(ways), TABLE_WAYS);
	for (uint32_t way = 0; way < TABLE_WAYS; way++)
		assert_int_equal(table_prefer(ways, way), way);
}

/* Between tags that differ from it in one bit, whichever that is. */
static void a_tag_is_alike_where_it_stands_and_nowhere_else(void **state)
{
	struct table_bucket *bucket = &buckets[0];

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		for (uint32_t bit = 3; bit < 32; bit++) {
			for (uint32_t way = 0; way < TABLE_WAYS; way++) {
				fill_with(bucket, tags[i] ^ 1u << bit);
				bucket->tag[(way + 1) % TABLE_WAYS] |= TABLE_CLOSED;
				assert_int_equal(table_alike(bucket, tags[i]), 0);
				bucket->tag[way] = tags[i];
				assert_int_equal(table_alike(bucket, tags[i]), 1u << table_bit(way));
				bucket->tag[way] |= TABLE_CLOSED;
				assert_int_equal(table_alike(bucket, tags[i]), 1u << table_bit(way));
			}
		}
		fill_with(bucket, tags[i]);
		assert_int_equal(table_count_ways(table_alike(bucket, tags[i])), TABLE_WAYS);
		fill_with(bucket, 0);
		assert_int_equal(table_alike(bucket, tags[i]), 0);
	}
}

static void a_way_without_a_tag_is_free(void **state)
{
	struct table_bucket *bucket = &buckets[0];

	(void)state;
	assert_int_equal(table_count_ways(table_free_ways(bucket)), TABLE_WAYS);
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		for (uint32_t way = 0; way < TABLE_WAYS; way++) {
			fill_with(bucket, tags[i] | (way & TABLE_CLOSED));
			assert_int_equal(table_free_ways(bucket), 0);
			bucket->tag[way] = 0;
			assert_int_equal(table_free_ways(bucket), 1u << table_bit(way));
			fill_with(bucket, 0);
			bucket->tag[way] = tags[i] | (way & TABLE_CLOSED);
			assert_int_equal(table_count_ways(table_free_ways(bucket)), TABLE_WAYS - 1);
			assert_false(table_free_ways(bucket) & 1u << table_bit(way));
		}
	}
}

/* Whatever is counted behind them. */
static void what_is_counted_in_a_bucket_is_no_tag(void **state)
{
	struct table_bucket *bucket = &buckets[0];
	static const uint32_t counts[] = {0, 1, 3, TABLE_IS_TAG, TABLE_PUSHED * 7 + 5, TABLE_TAG_BITS, ~0u};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		uint32_t as_tag = (counts[i] & TABLE_TAG_BITS) | TABLE_IS_TAG;

		bucket->spilled = counts[i];
		fill_with(bucket, 0);
		assert_int_equal(table_alike(bucket, as_tag), 0);
		assert_int_equal(table_count_ways(table_free_ways(bucket)), TABLE_WAYS);
		fill_with(bucket, as_tag);
		assert_int_equal(table_count_ways(table_alike(bucket, as_tag)), TABLE_WAYS);
		assert_int_equal(table_free_ways(bucket), 0);
	}
}

static void every_bit_of_a_key_counts(void **state)
{
	struct flow_key key = key_of(7);
	uint64_t hash = table_hash(&key, &about);

	(void)state;
	for (size_t bit = 0; bit < sizeof(key) * 8; bit++) {
		struct flow_key other = key;
		uint64_t changed;

		((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		changed = table_hash(&other, &about);
		assert_true(table_tag(changed) != table_tag(hash) ||
			    table_home(changed, BUCKETS) != table_home(hash, BUCKETS));
	}
}

/* A place is found by live, and by the whole key. */
static void only_what_is_complete_is_held(void **state)
{
	struct table_head head = {.key = key_of(7)};
	struct flow_key key = key_of(7), other = key_of(8);
	uint32_t tag = table_tag(hash_of(7));

	(void)state;
	assert_false(table_holds(&head, tag, &key));
	head.live = tag;
	assert_true(table_holds(&head, tag, &key));
	assert_false(table_holds(&head, tag, &other));
	head.live = tag | TABLE_READER;
	assert_false(table_holds(&head, tag, &key));
	/* No tag looks like one that somebody takes out. */
	assert_int_equal(tag & ~TABLE_TAG_BITS, 0);
	assert_true(tag & TABLE_IS_TAG);
}

/* ------------------------------------------------------------------ as the reader has it */

static struct half_open_place places[BUCKETS * TABLE_WAYS];

static struct table shared(void)
{
	struct table table = {
		.buckets = BUCKETS,
		.place_bytes = sizeof(*places),
		.tags = buckets,
		.places = (char *)places,
		.is_shared = true,
		.about = about,
	};

	table.about.half_open_buckets = BUCKETS;
	return table;
}

/* In its other bucket, where `avoid` says so. */
static struct table_head *enter(uint32_t number, uint32_t avoid)
{
	uint64_t hash = hash_of(number);
	uint32_t answer = claim(hash, avoid);
	uint32_t place = (uint32_t)(bucket_of(hash, answer) - buckets) * TABLE_WAYS + (answer & TABLE_WAY);

	places[place] = (struct half_open_place){
		.head = {.live = table_tag(hash), .place = place, .key = key_of(number)},
		.entry = {.start_ns = number},
	};
	return &places[place].head;
}

/* Another one with its tag is in its home. */
static struct table_head *enter_other_bucket(uint32_t number)
{
	enter(number, 0);
	return enter(number, TABLE_AVOID_HOME);
}

static int count_visits(void *context, const struct table_head *head, bool is_closed)
{
	(void)is_closed;
	*(uint32_t *)context += table_is_live(head);
	return 0;
}

static void what_is_there_is_found_and_visited_once(void **state)
{
	struct table table = shared();
	struct half_open_place found;
	uint32_t visits = 0;

	(void)state;
	for (uint32_t number = 0; number < 9000; number++)
		enter(number, 0);
	for (uint32_t number = 0; number < 9000; number++) {
		struct flow_key key = key_of(number);

		assert_true(table_find(&table, &key, &found));
		assert_int_equal(found.entry.start_ns, number);
	}
	table_walk(&table, 0, 300, count_visits, &visits);
	table_walk(&table, 300, BUCKETS, count_visits, &visits);
	assert_int_equal(visits, 9000);
	assert_int_equal(table_count(&table), 9000);
}

static void what_is_beside_a_flow_is_of_its_place_its_life_and_one_side(void **state)
{
	struct flow flow = {.place = 21, .life = 3};
	struct beside_key one = table_beside(&flow, 0), other = table_beside(&flow, 1);

	(void)state;
	assert_int_equal(one.side / 2, 21);
	assert_int_equal(other.side / 2, 21);
	assert_int_not_equal(one.side, other.side);
	assert_int_equal(one.life, 3);
	assert_int_equal(other.life, 3);
}

static void a_flow_owns_what_is_of_its_life_while_it_is_there(void **state)
{
	static struct flow_place flow_places[TABLE_WAYS];
	struct table table = {.buckets = 1, .place_bytes = sizeof(*flow_places), .places = (char *)flow_places,
			      .tags = buckets, .is_shared = true, .is_flows = true, .about = about};
	struct table_head *head = &flow_places[7].head;
	struct flow flow = {.place = 7, .life = 3}, next = {.place = 7, .life = 4};
	struct beside_key own = table_beside(&flow, 1), later = table_beside(&next, 1);
	struct beside_key nowhere = {.side = TABLE_WAYS * 2, .life = 3};

	(void)state;
	flow_places[7] = (struct flow_place){.head = {.live = TABLE_IS_TAG, .place = 7}, .flow = flow};
	assert_true(table_owns(&table, &own));
	assert_false(table_owns(&table, &later));
	assert_false(table_owns(&table, &nowhere));
	flow_places[7].flow = next;
	assert_false(table_owns(&table, &own));
	assert_true(table_owns(&table, &later));
	assert_true(table_take(&table, head));
	assert_false(table_owns(&table, &later));
}

static void a_copy_may_be_in_two_places(void **state)
{
	struct table table = shared();
	struct table_head *head = enter(7, 0);
	struct flow_key key = {}, own = key_of(7);
	struct half_open_place whole;
	struct half_open entry = {};

	(void)state;
	assert_true(table_copy_apart(&table, head, &key, &entry));
	assert_memory_equal(&key, &own, sizeof(key));
	assert_int_equal(entry.start_ns, 7);
	assert_true(table_copy(&table, head, &whole));
	assert_memory_equal(&whole, head, sizeof(whole));
	assert_true(table_take(&table, head));
	assert_false(table_copy_apart(&table, head, &key, &entry));
	assert_false(table_copy(&table, head, &whole));
}

static void what_is_taken_is_found_by_nobody_and_taken_once(void **state)
{
	struct table table = shared();
	struct table_head *head = enter(7, 0);
	struct flow_key key = key_of(7);
	struct half_open_place found;

	(void)state;
	assert_true(table_take(&table, head));
	assert_false(table_take(&table, head));
	assert_false(table_find(&table, &key, &found));
	assert_true(table_is_taken(head));
	table_put_back(head);
	assert_true(table_find(&table, &key, &found));
}

static void a_released_place_is_free(void **state)
{
	struct table table = shared();
	struct table_head *head = enter_other_bucket(7), *again;
	uint32_t home = table_home(hash_of(7), BUCKETS);

	(void)state;
	assert_int_equal(buckets[home].spilled, 1);
	assert_true(table_take(&table, head));
	table_release(&table, head);
	assert_int_equal(table_count(&table), 1);
	assert_int_equal(buckets[home].spilled, 0);
	assert_false(table_is_taken(head));
	assert_false(table_is_released_half(&table, head));
	again = enter(7, TABLE_AVOID_HOME);
	assert_ptr_equal(again, head);
	assert_true(table_take(&table, again));
}

/* The reader was killed before its last step. */
static void a_release_that_was_cut_short_is_ended_and_counts_once(void **state)
{
	struct table table = shared();
	struct table_head *head = enter_other_bucket(7);
	uint32_t home = table_home(hash_of(7), BUCKETS), bucket = head->place / TABLE_WAYS;
	uint32_t way = head->place % TABLE_WAYS, tag = buckets[bucket].tag[way];

	(void)state;
	assert_int_not_equal(bucket, home);
	assert_true(table_take(&table, head));
	table_release(&table, head);
	buckets[bucket].tag[way] = tag;
	buckets[home].spilled = 1; /* of another key by now */
	assert_false(table_is_taken(head));
	assert_true(table_is_released_half(&table, head));
	table_release(&table, head);
	assert_int_equal(buckets[bucket].tag[way], 0);
	assert_int_equal(buckets[home].spilled, 1);
}

#define table_test(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		table_test(the_first_refusal_comes_beyond_four_fifths),
		table_test(neighbours_do_not_meet_in_few_buckets),
		table_test(a_key_that_is_there_is_known_by_its_place),
		table_test(a_key_likes_one_way_best),
		table_test(a_stranger_with_the_same_tag_sends_it_to_the_other_bucket),
		table_test(a_closed_connection_is_still_known),
		table_test(nobody_finds_room_twice_in_one_bucket),
		table_test(a_way_has_a_bit_of_its_own),
		table_test(a_tag_is_alike_where_it_stands_and_nowhere_else),
		table_test(a_way_without_a_tag_is_free),
		table_test(what_is_counted_in_a_bucket_is_no_tag),
		table_test(every_bit_of_a_key_counts),
		table_test(only_what_is_complete_is_held),
		table_test(what_is_there_is_found_and_visited_once),
		table_test(what_is_beside_a_flow_is_of_its_place_its_life_and_one_side),
		table_test(a_flow_owns_what_is_of_its_life_while_it_is_there),
		table_test(a_copy_may_be_in_two_places),
		table_test(what_is_taken_is_found_by_nobody_and_taken_once),
		table_test(a_released_place_is_free),
		table_test(a_release_that_was_cut_short_is_ended_and_counts_once),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}

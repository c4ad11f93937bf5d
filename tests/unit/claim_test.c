/* SPDX-License-Identifier: GPL-2.0-only */
/* A connection on several interfaces is claimed by one of them, and the others are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/claim.h"

enum { ETH0 = 2, VETH1, BR0 };

static struct packet packet_on(uint32_t ifindex, uint8_t flags, uint32_t seq, uint32_t ack)
{
	return (struct packet){.key.ifindex = ifindex, .flags = flags, .seq = seq, .ack = ack};
}

static void syn_and_its_answer_claim_one_connection(void **state)
{
	struct packet syn = packet_on(ETH0, TCP_SYN, UINT32_MAX, 0);
	struct packet synack = packet_on(VETH1, TCP_SYN | TCP_ACK, 77, 0);
	struct claim a = claim_of(&syn), b = claim_of(&synack);

	(void)state;
	assert_true(a.has_opener_seq && b.has_opener_seq);
	assert_int_equal(b.opener_seq, UINT32_MAX);
	assert_true(claim_is_same(&a, &b));
}

static void another_first_number_is_another_connection(void **state)
{
	struct packet first = packet_on(ETH0, TCP_SYN, 1000, 0);
	struct packet next = packet_on(VETH1, TCP_SYN, 2000, 0);
	struct claim a = claim_of(&first), b = claim_of(&next);

	(void)state;
	assert_false(claim_is_same(&a, &b));
}

static void a_segment_midstream_may_belong_to_any(void **state)
{
	struct packet syn = packet_on(ETH0, TCP_SYN, 1000, 0);
	struct packet later = packet_on(VETH1, TCP_ACK, 5000, 1);
	struct claim a = claim_of(&syn), b = claim_of(&later);

	(void)state;
	assert_false(b.has_opener_seq);
	assert_true(claim_is_same(&a, &b));
}

static void others_are_listed_once_in_the_order_they_came(void **state)
{
	struct claim claim = {.ifindex = ETH0};

	(void)state;
	claim_add(&claim, BR0);
	claim_add(&claim, VETH1);
	claim_add(&claim, BR0);
	assert_int_equal(claim.also[0], BR0);
	assert_int_equal(claim.also[1], VETH1);
	assert_int_equal(claim.also[2], 0);
	assert_int_equal(claim.also_dropped, 0);
}

static void what_the_list_cannot_hold_is_counted(void **state)
{
	struct claim claim = {.ifindex = ETH0};

	(void)state;
	for (uint32_t i = 0; i < CLAIM_ALSO_MAX + 2; i++)
		claim_add(&claim, 10 + i);
	assert_int_equal(claim.also[CLAIM_ALSO_MAX - 1], 10 + CLAIM_ALSO_MAX - 1);
	assert_int_equal(claim.also_dropped, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_and_its_answer_claim_one_connection),
		cmocka_unit_test(another_first_number_is_another_connection),
		cmocka_unit_test(a_segment_midstream_may_belong_to_any),
		cmocka_unit_test(others_are_listed_once_in_the_order_they_came),
		cmocka_unit_test(what_the_list_cannot_hold_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

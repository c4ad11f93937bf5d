/* SPDX-License-Identifier: GPL-2.0-only */
/* Which frames the terms of a filter select. */
#include "hall.h"

static void ask_for_port(int term, __u16 first, __u16 last)
{
	config.filter[term] = (struct filter_term){
		.kind = FILTER_PORT,
		.port_first = first,
		.port_last = last,
	};
}

static void ask_for_net(int term, __u32 addr, __u32 prefix_len)
{
	struct filter_term *net = &config.filter[term];

	*net = (struct filter_term){.kind = FILTER_NET, .addr = ipv4_addr(addr)};
	memset(net->mask.bytes, 0xff, 12);
	net->mask.words_be32[3] = __builtin_bswap32(~0u << (32 - prefix_len));
	net->addr.words_be32[3] &= net->mask.words_be32[3];
}

static int is_selected(void)
{
	uint64_t before = counters[FRAMES_TRACKED];

	pass(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	return counters[FRAMES_TRACKED] != before;
}

static void no_filter_selects_everything(void **state)
{
	(void)state;
	assert_true(is_selected());
}

static void a_filtered_frame_is_counted_as_such(void **state)
{
	(void)state;
	ask_for_port(0, 443, 443);
	assert_false(is_selected());
	assert_int_equal(counters[COUNTER_frames_filtered], 1);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
}

static void a_port_of_either_end_selects(void **state)
{
	(void)state;
	ask_for_port(0, SERVER_PORT, SERVER_PORT);
	assert_true(is_selected());
	ask_for_port(0, CLIENT_PORT, CLIENT_PORT);
	assert_true(is_selected());
}

static void a_range_of_ports_includes_both_its_ends(void **state)
{
	(void)state;
	ask_for_port(0, 70, 80);
	assert_true(is_selected());
	ask_for_port(0, 80, 90);
	assert_true(is_selected());
	ask_for_port(0, 81, 90);
	assert_false(is_selected());
}

static void a_net_of_either_end_selects(void **state)
{
	(void)state;
	ask_for_net(0, SERVER_ADDR, 32);
	assert_true(is_selected());
	ask_for_net(0, CLIENT_ADDR, 8);
	assert_true(is_selected());
	ask_for_net(0, 0xc0a80000, 16); /* 192.168/16 */
	assert_false(is_selected());
}

static void versions_select(void **state)
{
	(void)state;
	config.filter[0].kind = FILTER_IP4;
	assert_true(is_selected());
	config.filter[0].kind = FILTER_IP6;
	assert_false(is_selected());
}

static void all_terms_must_match(void **state)
{
	(void)state;
	ask_for_net(0, CLIENT_ADDR, 32);
	ask_for_port(1, SERVER_PORT, SERVER_PORT);
	assert_true(is_selected());
	ask_for_port(2, 443, 443);
	assert_false(is_selected());
}

static void four_terms_fit(void **state)
{
	(void)state;
	ask_for_net(0, CLIENT_ADDR, 32);
	ask_for_net(1, SERVER_ADDR, 32);
	config.filter[2].kind = FILTER_IP4;
	ask_for_port(3, 443, 443);
	assert_false(is_selected());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(no_filter_selects_everything),
		hall_test(a_filtered_frame_is_counted_as_such),
		hall_test(a_port_of_either_end_selects),
		hall_test(a_range_of_ports_includes_both_its_ends),
		hall_test(a_net_of_either_end_selects),
		hall_test(versions_select),
		hall_test(all_terms_must_match),
		hall_test(four_terms_fit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor_filter", tests, NULL, NULL);
}

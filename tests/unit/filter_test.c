/* SPDX-License-Identifier: GPL-2.0-only */
/* Which live filters are understood, what they become, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "filter.h"

static struct filter_term terms[FILTER_TERMS_MAX];
static char error[512];

static void understood(const char *text, size_t count)
{
	memset(terms, 0xaa, sizeof(terms));
	error[0] = '\0';
	if (filter_parse(text, terms, error, sizeof(error)))
		fail_msg("\"%s\": %s", text, error);
	assert_string_equal(error, "");
	for (size_t i = 0; i < FILTER_TERMS_MAX; i++) {
		if (i < count)
			assert_int_not_equal(terms[i].kind, FILTER_NONE);
		else
			assert_int_equal(terms[i].kind, FILTER_NONE);
	}
}

static void refused(const char *text, const char *words)
{
	struct filter_term before[FILTER_TERMS_MAX];

	memset(terms, 0xaa, sizeof(terms));
	memcpy(before, terms, sizeof(before));
	assert_int_equal(filter_parse(text, terms, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, words));
	assert_memory_equal(terms, before, sizeof(before));
}

static struct ip_addr ip4(const char *text)
{
	struct ip_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	assert_int_equal(inet_pton(AF_INET, text, addr.bytes + 12), 1);
	return addr;
}

static struct ip_addr ip6(const char *text)
{
	struct ip_addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, addr.bytes), 1);
	return addr;
}

static void is_net(const struct filter_term *term, struct ip_addr addr, const char *mask)
{
	struct ip_addr expected = ip6(mask);

	assert_int_equal(term->kind, FILTER_NET);
	assert_memory_equal(&term->addr, &addr, sizeof(addr));
	assert_memory_equal(&term->mask, &expected, sizeof(expected));
}

static void is_ports(const struct filter_term *term, unsigned int first, unsigned int last)
{
	assert_int_equal(term->kind, FILTER_PORT);
	assert_int_equal(term->port_first, first);
	assert_int_equal(term->port_last, last);
}

#define ALL "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static void nothing_selects_everything(void **state)
{
	(void)state;
	understood(NULL, 0);
	understood("", 0);
	understood("  ", 0);
	understood("tcp", 0);
}

static void host_is_a_whole_address(void **state)
{
	(void)state;
	understood("host 10.1.2.3", 1);
	is_net(&terms[0], ip4("10.1.2.3"), ALL);
	understood("host 2001:db8::1", 1);
	is_net(&terms[0], ip6("2001:db8::1"), ALL);
}

static void bare_address_is_a_host(void **state)
{
	(void)state;
	understood("192.0.2.7", 1);
	is_net(&terms[0], ip4("192.0.2.7"), ALL);
	understood("::1", 1);
	is_net(&terms[0], ip6("::1"), ALL);
}

static void net_is_a_masked_address(void **state)
{
	(void)state;
	understood("net 10.0.0.0/8", 1);
	is_net(&terms[0], ip4("10.0.0.0"), "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0");
	understood("net 192.0.2.128/25", 1);
	is_net(&terms[0], ip4("192.0.2.128"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80");
	understood("net 2001:db8::/32", 1);
	is_net(&terms[0], ip6("2001:db8::"), "ffff:ffff::");
}

static void net_without_length_takes_the_octets_given(void **state)
{
	(void)state;
	understood("net 10", 1);
	is_net(&terms[0], ip4("10.0.0.0"), "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0");
	understood("net 192.168", 1);
	is_net(&terms[0], ip4("192.168.0.0"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:0");
	understood("net 192.0.2.0", 1);
	is_net(&terms[0], ip4("192.0.2.0"), ALL);
}

static void net_of_length_zero_keeps_its_ip_version(void **state)
{
	(void)state;
	understood("net 0.0.0.0/0", 1);
	is_net(&terms[0], ip4("0.0.0.0"), "ffff:ffff:ffff:ffff:ffff:ffff::");
	understood("net ::/0", 2);
	assert_int_equal(terms[0].kind, FILTER_IP6);
	is_net(&terms[1], ip6("::"), "::");
}

static void ports_are_single_or_a_range(void **state)
{
	(void)state;
	understood("port 443", 1);
	is_ports(&terms[0], 443, 443);
	understood("tcp port 0", 1);
	is_ports(&terms[0], 0, 0);
	understood("portrange 8000-8080", 1);
	is_ports(&terms[0], 8000, 8080);
	understood("tcp portrange 65535-1", 1);
	is_ports(&terms[0], 1, 65535);
}

static void ip_version_stands_alone_or_qualifies(void **state)
{
	(void)state;
	understood("ip", 1);
	assert_int_equal(terms[0].kind, FILTER_IP4);
	understood("ip6 and port 22", 2);
	assert_int_equal(terms[0].kind, FILTER_IP6);
	is_ports(&terms[1], 22, 22);
	understood("ip6 host ::1", 2);
	assert_int_equal(terms[0].kind, FILTER_IP6);
	is_net(&terms[1], ip6("::1"), ALL);
}

static void conditions_are_joined_by_and(void **state)
{
	(void)state;
	understood("host 10.0.0.1 and host 10.0.0.2 && port 80&&ip", 4);
	is_net(&terms[1], ip4("10.0.0.2"), ALL);
	is_ports(&terms[2], 80, 80);
	assert_int_equal(terms[3].kind, FILTER_IP4);
	understood("tcp and port 80 and tcp", 1);
}

static void five_conditions_are_too_many(void **state)
{
	(void)state;
	refused("port 1 and port 2 and port 3 and port 4 and port 5", "more than 4");
}

static void one_direction_is_refused_with_the_reason(void **state)
{
	(void)state;
	refused("src host 10.0.0.1", "\"src\" selects one direction, and a flow needs both");
	refused("tcp dst port 80", "\"dst\" selects one direction, and a flow needs both");
}

static void what_is_not_understood_is_named(void **state)
{
	(void)state;
	refused("port 80 or port 443", "\"or\"");
	refused("port 80||port 443", "\"||\"");
	refused("not port 22", "\"not\"");
	refused("!port 22", "\"!\"");
	refused("(port 22)", "\"(\"");
	refused("udp port 53", "\"udp\" is not TCP");
	refused("vlan 7", "\"vlan\"");
	refused("tcp[13] & 2 != 0", "\"tcp[13]\"");
	refused("port 80 443", "\"443\"");
}

static void every_refusal_says_what_is_understood(void **state)
{
	(void)state;
	refused("greater 100", "host A, net A/LEN, port N, portrange A-B, ip, ip6 and tcp");
	refused("greater 100", "-r");
}

static void names_are_not_looked_up(void **state)
{
	(void)state;
	refused("host example.org", "\"example.org\" is not an IPv4 or IPv6 address");
	refused("port http", "\"http\" is not a port number");
}

static void numbers_must_fit(void **state)
{
	(void)state;
	refused("port 65536", "65536");
	refused("port -1", "-1");
	refused("port 99999999999999999999", "99999999999999999999");
	refused("portrange 80", "range");
	refused("portrange 80-", "range");
	refused("net 10.0.0.0/33", "10.0.0.0/33");
	refused("net ::/129", "::/129");
	refused("net 10.0.0.0/", "10.0.0.0/");
	refused("net 10.0.0.1/8", "beyond its prefix length");
}

static void missing_words_are_missed(void **state)
{
	(void)state;
	refused("host", "an address is missing");
	refused("net", "an address is missing");
	refused("port", "is not a port number");
	refused("port 80 and", "it ends where a condition should follow");
	refused("and port 80", "\"and\"");
}

static void long_words_and_short_buffers_do_no_harm(void **state)
{
	char text[4096], little[8];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refused(text, "is not understood live");
	memcpy(text, "portrange ", 10);
	refused(text, "range");
	assert_int_equal(filter_parse(text, terms, little, sizeof(little)), -EINVAL);
	assert_string_equal(little, "filter:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_selects_everything),
		cmocka_unit_test(host_is_a_whole_address),
		cmocka_unit_test(bare_address_is_a_host),
		cmocka_unit_test(net_is_a_masked_address),
		cmocka_unit_test(net_without_length_takes_the_octets_given),
		cmocka_unit_test(net_of_length_zero_keeps_its_ip_version),
		cmocka_unit_test(ports_are_single_or_a_range),
		cmocka_unit_test(ip_version_stands_alone_or_qualifies),
		cmocka_unit_test(conditions_are_joined_by_and),
		cmocka_unit_test(five_conditions_are_too_many),
		cmocka_unit_test(one_direction_is_refused_with_the_reason),
		cmocka_unit_test(what_is_not_understood_is_named),
		cmocka_unit_test(every_refusal_says_what_is_understood),
		cmocka_unit_test(names_are_not_looked_up),
		cmocka_unit_test(numbers_must_fit),
		cmocka_unit_test(missing_words_are_missed),
		cmocka_unit_test(long_words_and_short_buffers_do_no_harm),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* How numbers, times and addresses are spelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "format.h"
#include "record_make.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

#define assert_formats(text, call)                                                            \
	do {                                                                                   \
		char at[FORMAT_ENDPOINT_MAX + 1];                                              \
		*(call) = '\0';                                                                \
		assert_string_equal(at, text);                                                 \
	} while (0)

TEST(numbers_are_written_whole)
{
	assert_formats("0", format_number(at, 0));
	assert_formats("10", format_number(at, 10));
	assert_formats("18446744073709551615", format_number(at, UINT64_MAX));
}

/* Around each power of ten, and as random numbers of each length. */
TEST(numbers_of_every_length_are_those_of_printf)
{
	unsigned int seed = 1;
	char expected[32];

	for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10) {
		for (uint64_t i = 0; i < 200; i++) {
			uint64_t number = i < 20 ? power - 10 + i : rand_r(&seed) * power + rand_r(&seed);

			sprintf(expected, "%llu", (unsigned long long)number);
			assert_formats(expected, format_number(at, number));
		}
	}
	for (uint64_t number = 0; number < 100000; number++) {
		sprintf(expected, "%llu", (unsigned long long)number);
		assert_formats(expected, format_number(at, number));
	}
}

TEST(groups_are_of_three_digits)
{
	assert_formats("0", format_grouped(at, 0));
	assert_formats("999", format_grouped(at, 999));
	assert_formats("1,000", format_grouped(at, 1000));
	assert_formats("12,345", format_grouped(at, 12345));
	assert_formats("1,234,567", format_grouped(at, 1234567));
}

TEST(hex_always_has_sixteen_digits)
{
	assert_formats("00000000000000ff", format_hex64(at, 255));
	assert_formats("ffffffffffffffff", format_hex64(at, UINT64_MAX));
}

TEST(durations_have_the_unit_that_reads_best)
{
	assert_formats("0", format_duration(at, 0));
	assert_formats("999ns", format_duration(at, 999));
	assert_formats("1.0us", format_duration(at, 1000));
	assert_formats("340us", format_duration(at, 340 * US));
	assert_formats("1.2ms", format_duration(at, 1200 * US));
	assert_formats("12.3s", format_duration(at, 12300 * MS));
	assert_formats("5m02s", format_duration(at, 302 * S));
	assert_formats("3h07m", format_duration(at, (3 * 60 + 7) * 60 * S));
}

TEST(durations_round_and_never_reach_a_thousand)
{
	assert_formats("1.3us", format_duration(at, 1250));
	assert_formats("1.2us", format_duration(at, 1249));
	assert_formats("100us", format_duration(at, 99960));
	assert_formats("999us", format_duration(at, 999499));
	assert_formats("1.0ms", format_duration(at, 999500));
	assert_formats("1.0s", format_duration(at, 999500 * US));
	assert_formats("99.4s", format_duration(at, 99400 * MS));
	assert_formats("1m40s", format_duration(at, 99500 * MS));
	assert_formats("1h00m", format_duration(at, 3599500 * MS));
}

TEST(bytes_count_by_thousands)
{
	assert_formats("0B", format_bytes(at, 0));
	assert_formats("999B", format_bytes(at, 999));
	assert_formats("1.2kB", format_bytes(at, 1234));
	assert_formats("5.6MB", format_bytes(at, 5600000));
	assert_formats("12.3MB", format_bytes(at, 12300000));
	assert_formats("1.0GB", format_bytes(at, 999999999));
	assert_formats("2.5TB", format_bytes(at, 2500000000000));
}

TEST(counts_are_exact_below_a_thousand)
{
	assert_formats("7", format_count(at, 7));
	assert_formats("999", format_count(at, 999));
	assert_formats("1.2k", format_count(at, 1200));
	assert_formats("346k", format_count(at, 345678));
	assert_formats("4.3G", format_count(at, UINT32_MAX));
}

TEST(percent_tells_little_from_nothing)
{
	assert_formats("0%", format_percent(at, 0, 100));
	assert_formats("<0.1%", format_percent(at, 1, 1000000));
	assert_formats("0.5%", format_percent(at, 5, 1000));
	assert_formats("9.9%", format_percent(at, 99, 1000));
	assert_formats("12%", format_percent(at, 12, 100));
	assert_formats("100%", format_percent(at, 7, 7));
	assert_formats("-", format_percent(at, 0, 0));
}

TEST(addresses_of_both_versions)
{
	struct ip_addr v4 = ip4("10.0.0.255"), v6 = ip6("2001:db8::1"), any = ip6("::");

	assert_formats("10.0.0.255", format_addr(at, &v4));
	assert_formats("2001:db8::1", format_addr(at, &v6));
	assert_formats("::", format_addr(at, &any));
	assert_formats("10.0.0.255:443", format_endpoint(at, &v4, 443));
	assert_formats("[2001:db8::1]:65535", format_endpoint(at, &v6, 65535));
}

TEST(longest_endpoint_fits)
{
	struct ip_addr addr = ip6("1111:2222:3333:4444:5555:6666:7777:8888");

	assert_formats("[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
		       format_endpoint(at, &addr, 65535));
}

TEST(clock_has_milliseconds_of_local_time)
{
	setenv("TZ", "UTC", 1);
	tzset();
	assert_formats("00:00:00.000", format_clock(at, 0));
	assert_formats("01:02:03.045", format_clock(at, (3600 + 2 * 60 + 3) * S + 45 * MS));
	setenv("TZ", "XYZ-2", 1);
	tzset();
	assert_formats("02:00:00.999", format_clock(at, 999999999));
}

/* Every set of zero groups, and groups of every length. */
TEST(ipv6_is_written_as_the_library_has_it)
{
	unsigned int seed = 1;
	char expected[INET6_ADDRSTRLEN];

	for (int round = 0; round < 256 * 20; round++) {
		struct ip_addr addr = {0};

		for (int group = 0; group < 8; group++) {
			unsigned int number = (rand_r(&seed) >> 8 & 0xffff) >> (round / 256 % 4 * 4);

			if (round >> group & 1)
				continue;
			addr.bytes[2 * group] = (uint8_t)(number >> 8);
			addr.bytes[2 * group + 1] = (uint8_t)number;
		}
		inet_ntop(AF_INET6, addr.bytes, expected, sizeof(expected));
		assert_formats(expected, format_addr(at, &addr));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_whole),
		cmocka_unit_test(numbers_of_every_length_are_those_of_printf),
		cmocka_unit_test(ipv6_is_written_as_the_library_has_it),
		cmocka_unit_test(groups_are_of_three_digits),
		cmocka_unit_test(hex_always_has_sixteen_digits),
		cmocka_unit_test(durations_have_the_unit_that_reads_best),
		cmocka_unit_test(durations_round_and_never_reach_a_thousand),
		cmocka_unit_test(bytes_count_by_thousands),
		cmocka_unit_test(counts_are_exact_below_a_thousand),
		cmocka_unit_test(percent_tells_little_from_nothing),
		cmocka_unit_test(addresses_of_both_versions),
		cmocka_unit_test(longest_endpoint_fits),
		cmocka_unit_test(clock_has_milliseconds_of_local_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

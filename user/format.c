/* SPDX-License-Identifier: GPL-2.0-only */
/* How numbers, times and addresses are spelled; by hand, because records may be a million. */
#include "format.h"

#include <endian.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

char *format_text(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

/*
 * The eight digits of a number below 10^8, the first one in the lowest octet: halves, then their halves, side by
 * side in one word. No loop and no branch, of which the next number would be mispredicted.
 */
static inline uint64_t eight_digits(uint32_t number)
{
	uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
	uint64_t hundreds = fours * 5243 >> 19 & 0x0000007f0000007f; /* a hundredth: exact below 10,000 */
	uint64_t pairs = hundreds | (fours - hundreds * 100) << 16;
	uint64_t tens = pairs * 103 >> 10 & 0x000f000f000f000f; /* a tenth: exact below 100 */

	return tens | (pairs - tens * 10) << 8;
}

/*
 * How many digits a number below 2^32 has, for one more or less by its highest bit: added to the number, the
 * carry out of the lower half tells whether it has reached the power of ten that lies there. What is written
 * next waits for this length alone, not for the digits.
 */
#define SAME(count) ((uint64_t)(count) << 32)
#define FROM(power, count) (SAME(count) - (power))

static unsigned int digit_count(uint32_t number)
{
	static const uint64_t by_bit[32] = {
		SAME(1), SAME(1), SAME(1), FROM(10, 2),
		SAME(2), SAME(2), FROM(100, 3),
		SAME(3), SAME(3), FROM(1000, 4),
		SAME(4), SAME(4), SAME(4), FROM(10000, 5),
		SAME(5), SAME(5), FROM(100000, 6),
		SAME(6), SAME(6), FROM(1000000, 7),
		SAME(7), SAME(7), SAME(7), FROM(10000000, 8),
		SAME(8), SAME(8), FROM(100000000, 9),
		SAME(9), SAME(9), FROM(1000000000, 10),
		SAME(10), SAME(10),
	};

	return (unsigned int)((number + by_bit[31 - __builtin_clz(number)]) >> 32);
}

#define DIGITS_ZERO 0x3030303030303030 /* "00000000" */
#define TEN_TO_8 100000000u

static char *put_digits(char *at, uint64_t digits, unsigned int count)
{
	digits = htole64((digits | DIGITS_ZERO) >> 8 * (8 - count));
	memcpy(at, &digits, sizeof(digits));
	return at + count;
}

/* Apart, so that the short ones need no frame on the stack. */
static __attribute__((noinline)) char *format_long_number(char *at, uint64_t number)
{
	at = format_number(at, number / TEN_TO_8);
	return put_digits(at, eight_digits(number % TEN_TO_8), 8);
}

char *format_number(char *at, uint64_t number)
{
	if (number < 10) { /* most counters are 0 */
		*at = (char)('0' + number);
		return at + 1;
	}
	if (number < TEN_TO_8)
		return put_digits(at, eight_digits((uint32_t)number), digit_count((uint32_t)number));
	return format_long_number(at, number);
}

char *format_grouped(char *at, uint64_t number)
{
	char digits[FORMAT_NUMBER_MAX];
	size_t count = (size_t)(format_number(digits, number) - digits);

	for (size_t i = 0; i < count; i++) {
		if (i && (count - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	return at;
}

static const char hex_digits[] = "0123456789abcdef";

char *format_hex64(char *at, uint64_t number)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = hex_digits[number >> shift & 15];
	return at;
}

static int addr_is_ipv4(const struct ip_addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr->bytes, mapped, sizeof(mapped));
}

static char *format_ipv4(char *at, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = format_number(at, bytes[i]);
	}
	return at;
}

static char *format_group(char *at, unsigned int group)
{
	if (group >= 0x1000)
		*at++ = hex_digits[group >> 12];
	if (group >= 0x100)
		*at++ = hex_digits[group >> 8 & 15];
	if (group >= 0x10)
		*at++ = hex_digits[group >> 4 & 15];
	*at++ = hex_digits[group & 15];
	return at;
}

/* The first of the longest runs of two zero groups and more is "::" (RFC 5952, 4.2); [8, 8): there is none. */
static void find_zeros(const unsigned int groups[8], int *ret_begin, int *ret_end)
{
	int end;

	*ret_begin = *ret_end = 8;
	for (int begin = 0; begin < 8; begin = end + 1) {
		for (end = begin; end < 8 && !groups[end]; end++)
			;
		if (end - begin >= 2 && (*ret_begin == 8 || end - begin > *ret_end - *ret_begin)) {
			*ret_begin = begin;
			*ret_end = end;
		}
	}
}

/* As inet_ntop() has it, which takes ten times as long. */
static char *format_ipv6(char *at, const uint8_t bytes[16])
{
	unsigned int groups[8];
	int begin, end;

	for (int i = 0; i < 8; i++)
		groups[i] = (unsigned int)bytes[2 * i] << 8 | bytes[2 * i + 1];
	find_zeros(groups, &begin, &end);
	for (int i = 0; i < 8; i++) {
		if (i == begin) {
			at = format_text(at, "::");
			i = end;
		} else if (i) {
			*at++ = ':';
		}
		if (i == 6 && !begin && end == 6) /* ::192.0.2.1 (RFC 5952, 5) */
			return format_ipv4(at, bytes + 12);
		if (i < 8)
			at = format_group(at, groups[i]);
	}
	return at;
}

char *format_addr(char *at, const struct ip_addr *addr)
{
	return addr_is_ipv4(addr) ? format_ipv4(at, addr->bytes + 12) : format_ipv6(at, addr->bytes);
}

char *format_endpoint(char *at, const struct ip_addr *addr, uint16_t port)
{
	int bracketed = !addr_is_ipv4(addr);

	if (bracketed)
		*at++ = '[';
	at = format_addr(at, addr);
	if (bracketed)
		*at++ = ']';
	*at++ = ':';
	return format_number(at, port);
}

/* number / unit, rounded: one decimal below 100 units, none above. */
static char *format_scaled(char *at, uint64_t number, uint64_t unit)
{
	uint64_t whole = number / unit;
	uint64_t tenths = (number % unit * 10 + unit / 2) / unit;

	if (tenths == 10) {
		whole++;
		tenths = 0;
	}
	if (whole >= 100)
		return format_number(at, number / unit + (number % unit >= unit - unit / 2));
	at = format_number(at, whole);
	*at++ = '.';
	return format_number(at, tenths);
}

struct scale {
	uint64_t from; /* the smallest number that is written in this unit */
	uint64_t unit;
	const char *name;
};

/*
 * The last scale the number reaches. A scale begins where the one before it would round up to 1000,
 * so that 999.6us is 1.0ms and never 1000us.
 */
static char *format_in(char *at, uint64_t number, const struct scale *scales, size_t count)
{
	size_t i = count - 1;

	while (i && number < scales[i].from)
		i--;
	at = i ? format_scaled(at, number, scales[i].unit) : format_number(at, number);
	return format_text(at, scales[i].name);
}

static char *format_two_digits(char *at, uint64_t number)
{
	*at++ = (char)('0' + number / 10 % 10);
	*at++ = (char)('0' + number % 10);
	return at;
}

/* 5m02s: a number of large units, and the rest in small ones. */
static char *format_mixed(char *at, uint64_t small, uint64_t per_large, const char *large_name,
			  const char *small_name)
{
	at = format_number(at, small / per_large);
	at = format_text(at, large_name);
	at = format_two_digits(at, small % per_large);
	return format_text(at, small_name);
}

char *format_duration(char *at, uint64_t ns)
{
	static const struct scale scales[] = {
		{ 0, 1, "ns" },
		{ 1000, 1000, "us" },
		{ 999500, NS_PER_MS, "ms" },
		{ 999500000, NS_PER_S, "s" },
	};
	uint64_t s = ns / NS_PER_S + (ns % NS_PER_S >= NS_PER_S / 2);

	if (!ns)
		return format_text(at, "0");
	if (s < 100)
		return format_in(at, ns, scales, sizeof(scales) / sizeof(*scales));
	if (s < 3600)
		return format_mixed(at, s, 60, "m", "s");
	return format_mixed(at, s / 60, 60, "h", "m");
}

char *format_bytes(char *at, uint64_t bytes)
{
	static const struct scale scales[] = {
		{ 0, 1, "B" },
		{ 1000, 1000, "kB" },
		{ 999500, 1000000, "MB" },
		{ 999500000, 1000000000, "GB" },
		{ 999500000000, 1000000000000, "TB" },
	};

	return format_in(at, bytes, scales, sizeof(scales) / sizeof(*scales));
}

char *format_count(char *at, uint64_t count)
{
	static const struct scale scales[] = {
		{ 0, 1, "" },
		{ 1000, 1000, "k" },
		{ 999500, 1000000, "M" },
		{ 999500000, 1000000000, "G" },
	};

	return format_in(at, count, scales, sizeof(scales) / sizeof(*scales));
}

/* A tenth of a percent is the finest step; what is less but not nothing says so. */
char *format_percent(char *at, uint64_t part, uint64_t whole)
{
	uint64_t permille;

	if (!whole)
		return format_text(at, "-");
	permille = (part * 1000 + whole / 2) / whole;
	if (!permille)
		return format_text(at, part ? "<0.1%" : "0%");
	at = format_number(at, permille < 100 ? permille / 10 : (permille + 5) / 10);
	if (permille < 100) {
		*at++ = '.';
		at = format_number(at, permille % 10);
	}
	*at++ = '%';
	return at;
}

char *format_clock(char *at, uint64_t wall_ns)
{
	time_t wall_s = (time_t)(wall_ns / NS_PER_S);
	uint64_t ms = wall_ns % NS_PER_S / NS_PER_MS;
	struct tm local;

	localtime_r(&wall_s, &local);
	at = format_two_digits(at, (uint64_t)local.tm_hour);
	*at++ = ':';
	at = format_two_digits(at, (uint64_t)local.tm_min);
	*at++ = ':';
	at = format_two_digits(at, (uint64_t)local.tm_sec);
	*at++ = '.';
	*at++ = (char)('0' + ms / 100);
	return format_two_digits(at, ms % 100);
}

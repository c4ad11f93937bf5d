/* SPDX-License-Identifier: GPL-2.0-only */
/* How numbers, times and addresses are spelled; by hand, because records may be a million. */
#include "format.h"

#include <arpa/inet.h>
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

static const char digit_pairs[201] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

static size_t format_digits(uint64_t number)
{
	size_t digits = 1;

	for (; number >= 10000; number /= 10000)
		digits += 4;
	return digits + (number >= 10) + (number >= 100) + (number >= 1000);
}

char *format_number(char *at, uint64_t number)
{
	char *end;

	if (number < 10) { /* most counters are 0 */
		*at = (char)('0' + number);
		return at + 1;
	}
	end = at + format_digits(number);
	at = end;
	for (; number >= 100; number /= 100) {
		uint64_t pair = number % 100 * 2;

		*--at = digit_pairs[pair + 1];
		*--at = digit_pairs[pair];
	}
	if (number >= 10)
		*--at = digit_pairs[number * 2 + 1];
	*--at = number >= 10 ? digit_pairs[number * 2] : (char)('0' + number);
	return end;
}

char *format_grouped(char *at, uint64_t number)
{
	char digits[20];
	size_t count = (size_t)(format_number(digits, number) - digits);

	for (size_t i = 0; i < count; i++) {
		if (i && (count - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	return at;
}

char *format_hex64(char *at, uint64_t number)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[number >> shift & 15];
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

char *format_addr(char *at, const struct ip_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (addr_is_ipv4(addr))
		return format_ipv4(at, addr->bytes + 12);
	inet_ntop(AF_INET6, addr->bytes, text, sizeof(text));
	return format_text(at, text);
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

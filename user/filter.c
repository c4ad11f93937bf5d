/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the pcap filter language the kernel side understands: host, net, port, ip, ip6, tcp.
 */
#include "filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64

#define UNDERSTOOD                                                                                 \
	"live, ackmon understands host A, net A/LEN, port N, portrange A-B, ip, ip6 and tcp, "     \
	"joined by \"and\"; for more, capture to a file and replay it with -r"

struct parser {
	const char *rest;    /* what follows `word` */
	char word[WORD_MAX]; /* the current one, cut when longer; empty at the end */
	struct filter_term *terms;
	size_t used;
	char *error;
	size_t error_size;
};

/* Words one could expect from pcap filters, and why they do not go. */
static const struct refusal {
	const char *word;
	const char *why;
} refusals[] = {
	{"src", "selects one direction, and a flow needs both"},
	{"dst", "selects one direction, and a flow needs both"},
	{"inbound", "selects one direction, and a flow needs both"},
	{"outbound", "selects one direction, and a flow needs both"},
	{"or", "is not understood live"},
	{"||", "is not understood live"},
	{"not", "is not understood live"},
	{"!", "is not understood live"},
	{"udp", "is not TCP"},
	{"icmp", "is not TCP"},
	{"icmp6", "is not TCP"},
	{"arp", "is not TCP"},
	{"sctp", "is not TCP"},
	{"ether", "selects by link address, and flows have none"},
	{"vlan", "is not needed: tagged frames are always watched"},
};

static int refuse(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(struct parser *parser, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(parser->error, parser->error_size, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < parser->error_size)
		snprintf(parser->error + len, parser->error_size - len, "; " UNDERSTOOD);
	return -EINVAL;
}

static int refuse_word(struct parser *parser)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (!strcmp(parser->word, refusals[i].word))
			return refuse(parser, "filter: \"%s\" %s", parser->word, refusals[i].why);
	return refuse(parser, "filter: \"%s\" is not understood live", parser->word);
}

static bool at_operator(const char *text)
{
	return !strncmp(text, "&&", 2) || !strncmp(text, "||", 2);
}

static bool at_word_end(const char *text)
{
	return !*text || isspace((unsigned char)*text) || strchr("()!", *text) || at_operator(text);
}

/* Operators and parentheses are words of their own, blanks around them or not. */
static void next_word(struct parser *parser)
{
	const char *start = parser->rest;
	size_t len = 0;

	while (isspace((unsigned char)*start))
		start++;
	if (at_operator(start))
		len = 2;
	else if (*start && at_word_end(start))
		len = 1;
	else
		while (!at_word_end(start + len))
			len++;
	snprintf(parser->word, sizeof(parser->word), "%.*s", (int)len, start);
	parser->rest = start + len;
}

static bool word_is(const struct parser *parser, const char *word)
{
	return !strcmp(parser->word, word);
}

static bool take(struct parser *parser, const char *word)
{
	if (!word_is(parser, word))
		return false;
	next_word(parser);
	return true;
}

static bool take_and(struct parser *parser)
{
	return take(parser, "and") || take(parser, "&&");
}

static int add_term(struct parser *parser, const struct filter_term *term)
{
	if (parser->used == FILTER_TERMS_MAX)
		return refuse(parser, "filter: more than %d conditions", FILTER_TERMS_MAX);
	parser->terms[parser->used++] = *term;
	return 0;
}

static int add_kind(struct parser *parser, enum filter_kind kind)
{
	return add_term(parser, &(struct filter_term){.kind = kind});
}

/* Digits alone, at most `max`. */
static bool read_number(const char *text, unsigned long max, unsigned long *ret_number)
{
	char *end;
	unsigned long number;

	if (!isdigit((unsigned char)*text))
		return false;
	number = strtoul(text, &end, 10);
	if (*end || number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool read_address(const char *text, struct ip_addr *ret_addr, bool *ret_is_ip4)
{
	struct ip_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, addr.bytes + 12) == 1) {
		*ret_is_ip4 = true;
	} else if (inet_pton(AF_INET6, text, addr.bytes) == 1) {
		*ret_is_ip4 = false;
	} else {
		return false;
	}
	*ret_addr = addr;
	return true;
}

/* "10", "10.1", "10.1.2": the octets given are the prefix, as in pcap filters. */
static bool read_short_net(const char *text, struct ip_addr *ret_addr, unsigned long *ret_prefix)
{
	char whole[WORD_MAX + 8];
	unsigned int dots = 0;
	bool is_ip4;

	for (const char *c = text; *c; c++)
		dots += *c == '.';
	if (dots > 2)
		return false;
	snprintf(whole, sizeof(whole), "%s%s", text, &".0.0.0"[2 * dots]);
	*ret_prefix = 8 * (dots + 1);
	return read_address(whole, ret_addr, &is_ip4) && is_ip4;
}

static struct ip_addr prefix_mask(unsigned int bits)
{
	struct ip_addr mask = {};

	for (unsigned int i = 0; i < sizeof(mask.bytes) && bits > 8 * i; i++)
		mask.bytes[i] = bits >= 8 * (i + 1) ? 0xff : 0xff << (8 * (i + 1) - bits);
	return mask;
}

static bool has_host_bits(const struct ip_addr *addr, const struct ip_addr *mask)
{
	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		if (addr->bytes[i] & ~mask->bytes[i])
			return true;
	return false;
}

static int add_net(struct parser *parser, const struct ip_addr *addr, unsigned int bits)
{
	struct filter_term term = {.kind = FILTER_NET, .addr = *addr, .mask = prefix_mask(bits)};

	if (has_host_bits(&term.addr, &term.mask))
		return refuse(parser, "filter: \"%s\" has bits set beyond its prefix length",
			      parser->word);
	return add_term(parser, &term);
}

static int parse_host(struct parser *parser)
{
	struct ip_addr addr;
	bool is_ip4;
	int err;

	if (!*parser->word)
		return refuse(parser, "filter: an address is missing after \"host\"");
	if (!read_address(parser->word, &addr, &is_ip4))
		return refuse(parser,
			      "filter: \"%s\" is not an IPv4 or IPv6 address (names are not "
			      "looked up)",
			      parser->word);
	err = add_net(parser, &addr, 128);
	if (!err)
		next_word(parser);
	return err;
}

static int parse_net(struct parser *parser)
{
	static const struct ip_addr ip4_start = {.bytes = {[10] = 0xff, [11] = 0xff}};
	char text[WORD_MAX];
	char *slash;
	struct ip_addr addr, mask;
	unsigned long prefix;
	bool is_ip4 = true, good;
	int err;

	if (!*parser->word)
		return refuse(parser, "filter: an address is missing after \"net\"");
	memcpy(text, parser->word, sizeof(text));
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	good = read_address(text, &addr, &is_ip4);
	prefix = is_ip4 ? 32 : 128;
	if (!good)
		good = read_short_net(text, &addr, &prefix);
	if (good && slash)
		good = read_number(slash, is_ip4 ? 32 : 128, &prefix);
	if (!good)
		return refuse(parser,
			      "filter: \"%s\" is not a network such as 10.0.0.0/8 or "
			      "2001:db8::/32",
			      parser->word);
	if (is_ip4)
		prefix += 96;

	/* A wide IPv6 network such as ::/0 would take in the room where IPv4 is mapped. */
	mask = prefix_mask(prefix);
	if (!is_ip4 && prefix <= 96 && !has_host_bits(&addr, &mask)) {
		bool covers_ip4 = true;

		for (size_t i = 0; i < sizeof(mask.bytes); i++)
			covers_ip4 &= (ip4_start.bytes[i] & mask.bytes[i]) == addr.bytes[i];
		if (covers_ip4) {
			err = add_kind(parser, FILTER_IP6);
			if (err)
				return err;
		}
	}
	err = add_net(parser, &addr, prefix);
	if (!err)
		next_word(parser);
	return err;
}

static int add_ports(struct parser *parser, unsigned long first, unsigned long last)
{
	struct filter_term term = {
		.kind = FILTER_PORT,
		.port_first = first < last ? first : last,
		.port_last = first < last ? last : first,
	};
	int err = add_term(parser, &term);

	if (!err)
		next_word(parser);
	return err;
}

static int parse_port(struct parser *parser)
{
	unsigned long port;

	if (!read_number(parser->word, UINT16_MAX, &port))
		return refuse(parser, "filter: \"%s\" is not a port number (0 to 65535)",
			      parser->word);
	return add_ports(parser, port, port);
}

static int parse_portrange(struct parser *parser)
{
	char text[WORD_MAX];
	char *dash;
	unsigned long first, last;

	memcpy(text, parser->word, sizeof(text));
	dash = strchr(text, '-');
	if (dash)
		*dash++ = '\0';
	if (!dash || !read_number(text, UINT16_MAX, &first) ||
	    !read_number(dash, UINT16_MAX, &last))
		return refuse(parser, "filter: \"%s\" is not a range of ports such as 8000-8080",
			      parser->word);
	return add_ports(parser, first, last);
}

static bool at_term_end(const struct parser *parser)
{
	return !*parser->word || word_is(parser, "and") || word_is(parser, "&&");
}

/* "tcp", "ip" and "ip6" stand alone or before what they qualify: "tcp port 80", "ip6 host ::1". */
static int parse_term(struct parser *parser)
{
	bool qualified = false;
	struct ip_addr addr;
	bool is_ip4;
	int err;

	if (take(parser, "tcp")) { /* everything here is TCP */
		qualified = true;
	} else if (word_is(parser, "ip") || word_is(parser, "ip6")) {
		err = add_kind(parser, word_is(parser, "ip") ? FILTER_IP4 : FILTER_IP6);
		if (err)
			return err;
		next_word(parser);
		qualified = true;
	}
	if (qualified && at_term_end(parser))
		return 0;
	if (take(parser, "host"))
		return parse_host(parser);
	if (take(parser, "net"))
		return parse_net(parser);
	if (take(parser, "port"))
		return parse_port(parser);
	if (take(parser, "portrange"))
		return parse_portrange(parser);
	if (!*parser->word)
		return refuse(parser, "filter: it ends where a condition should follow");
	if (read_address(parser->word, &addr, &is_ip4))
		return parse_host(parser);
	return refuse_word(parser);
}

int filter_parse(const char *text, struct filter_term terms[FILTER_TERMS_MAX], char *ret_error,
		 size_t error_size)
{
	struct filter_term parsed[FILTER_TERMS_MAX] = {};
	struct parser parser = {
		.rest = text ? text : "",
		.terms = parsed,
		.error = ret_error,
		.error_size = error_size,
	};
	int err;

	next_word(&parser);
	if (*parser.word) {
		do {
			err = parse_term(&parser);
			if (err)
				return err;
		} while (take_and(&parser));
		if (*parser.word)
			return refuse_word(&parser);
	}
	memcpy(terms, parsed, sizeof(parsed));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Prefixes, some within others, as ranges without overlap: one search finds the range of an address. */
#ifndef ACKMON_LABEL_RANGES_H
#define ACKMON_LABEL_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/key.h"
#include "labels_file.h"

typedef unsigned __int128 wide; /* an address as a number */

/* IPv4 lies within IPv6: ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
#define IPV4_FIRST ((wide)0xffff << 32)
#define IPV4_LAST (IPV4_FIRST | 0xffffffffu)

wide label_prefix_first(const struct label_prefix *prefix);
wide label_prefix_last(const struct label_prefix *prefix);
bool label_addr_is_ipv4(const struct ip_addr *addr);

#define LABEL_NONE UINT32_MAX

/* A distinct prefix, with what it says itself and what it leaves to the one around it. */
struct label_node {
	struct label_prefix prefix;
	uint32_t label; /* index of a rule; LABEL_NONE: as its kind of address */
	uint32_t ports; /* index of label_ports and port_labels; 0: none */
	bool is_geoip;  /* no file speaks of it */
};

/* Each ends where the next begins. value: a node, or what its user puts there instead; LABEL_NONE: no prefix. */
struct range_ipv4 {
	uint32_t start;
	uint32_t value;
};

struct range_ipv6 {
	wide start;
	uint32_t value;
};

struct label_ranges {
	union {
		struct range_ipv4 *ipv4;
		struct range_ipv6 *ipv6;
		void *all;
	};
	uint32_t *index; /* by the highest bits of an address: ranges that begin before these */
	uint32_t count;
	uint32_t room;
	unsigned int index_bits;
};

/* Nodes in order of their address, the shorter first: those around one another are a stack. 0 or -errno. */
int label_ranges_build(struct label_ranges *ranges, const struct label_node *nodes, uint32_t count, bool is_ipv4);
/* When no range is to come any more, before the first search. 0 or -errno. */
int label_ranges_index(struct label_ranges *ranges, bool is_ipv4);
void label_ranges_close(struct label_ranges *ranges);

uint32_t *label_ranges_value(const struct label_ranges *ranges, uint32_t i, bool is_ipv4);

/* The value of the last range that begins at or before the address; the first begins at 0. */
uint32_t label_ranges_find_ipv4(const struct label_ranges *ranges, uint32_t addr);
uint32_t label_ranges_find_ipv6(const struct label_ranges *ranges, wide addr);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Which group an address belongs to when no prefix says so, and which when a port decides. */
#ifndef ACKMON_CORE_LABELS_H
#define ACKMON_CORE_LABELS_H

#include "abi/aggregate.h"
#include "core/compiler.h"

/*
 * Inside are private (RFC 1918), shared (RFC 6598), loopback and link-local addresses (RFC 3927), and in
 * IPv6 loopback, link-local (RFC 4291, 2.5.6) and unique local ones (RFC 4193).
 */
core_inline int labels_is_internal(const struct ip_addr *addr);

/* The group of one end. value: of the longest prefix, ports: those it points to; NULL: there is none. */
core_inline __u32 labels_group_of(const struct ip_addr *addr, __u16 port,
				  const struct label_value *value,
				  const struct label_ports *ports);

core_inline int labels_ipv4_is_internal(__u32 addr)
{
	return addr >> 24 == 10 || addr >> 20 == 0xac1 || addr >> 16 == 0xc0a8 ||
	       addr >> 22 == 0x64400000u >> 22 || addr >> 24 == 127 || addr >> 16 == 0xa9fe;
}

core_inline int labels_is_internal(const struct ip_addr *addr)
{
	__u32 first = load_u32(&addr->words_be32[0]), last = load_u32(&addr->words_be32[3]);

	if (!addr->words_be32[0] && !addr->words_be32[1]) {
		if (load_u32(&addr->words_be32[2]) == 0xffff)
			return labels_ipv4_is_internal(last);
		return !addr->words_be32[2] && last == 1;
	}
	return first >> 25 == 0xfc >> 1 || first >> 22 == 0xfe80 >> 6;
}

core_inline __u32 labels_group_of(const struct ip_addr *addr, __u16 port,
				  const struct label_value *value, const struct label_ports *ports)
{
	__u32 group = value ? value->group : GROUP_UNNAMED, i;

	for (i = 0; ports && i < LABEL_PORTS_MAX && i < ports->count; i++) {
		if (port < ports->port[i].first || port > ports->port[i].last)
			continue;
		group = ports->port[i].group;
		break;
	}
	if (group != GROUP_UNNAMED)
		return group;
	return labels_is_internal(addr) ? GROUP_INTERNAL : GROUP_EXTERNAL;
}

#endif

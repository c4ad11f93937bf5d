/* SPDX-License-Identifier: GPL-2.0-only */
/* Is this a connection that was asked for? */
#ifndef ACKMON_CORE_FILTER_H
#define ACKMON_CORE_FILTER_H

#include "abi/config.h"
#include "abi/key.h"
#include "core/compiler.h"

/* All terms match, or there are none. */
core_inline int filter_matches(const volatile struct monitor_config *config,
			       const struct flow_key *key);

core_inline int filter_net_matches(const volatile struct filter_term *term,
				   const struct ip_addr *addr)
{
	__u32 i;

	for (i = 0; i < 4; i++) {
		if ((addr->words_be32[i] & term->mask.words_be32[i]) != term->addr.words_be32[i])
			return 0;
	}
	return 1;
}

core_inline int filter_is_ipv4(const struct ip_addr *addr)
{
	return !addr->words_be32[0] && !addr->words_be32[1] &&
	       load_u32(&addr->words_be32[2]) == 0xffff;
}

core_inline int filter_port_matches(const volatile struct filter_term *term, __be16 port_be16)
{
	__u16 port = be16_to_host(port_be16);

	return port >= term->port_first && port <= term->port_last;
}

core_inline int filter_term_matches(const volatile struct filter_term *term,
				    const struct flow_key *key)
{
	switch (term->kind) {
	case FILTER_NET:
		return filter_net_matches(term, &key->addr[0]) ||
		       filter_net_matches(term, &key->addr[1]);
	case FILTER_PORT:
		return filter_port_matches(term, key->port_be16[0]) ||
		       filter_port_matches(term, key->port_be16[1]);
	case FILTER_IP4:
		return filter_is_ipv4(&key->addr[0]);
	case FILTER_IP6:
		return !filter_is_ipv4(&key->addr[0]);
	}
	return 1;
}

core_inline int filter_matches(const volatile struct monitor_config *config,
			       const struct flow_key *key)
{
	__u32 i;

	for (i = 0; i < FILTER_TERMS_MAX; i++) {
		if (config->filter[i].kind == FILTER_NONE)
			return 1;
		if (!filter_term_matches(&config->filter[i], key))
			return 0;
	}
	return 1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the monitor is told when nobody says otherwise. */
#ifndef ACKMON_CONFIG_H
#define ACKMON_CONFIG_H

#include "abi/config.h"

#define SECOND_NS 1000000000ull

/*
 * idle: keepalives come every two hours at the latest (RFC 9293, 3.8.4), but a flow that says nothing
 * for an hour is not worth a place in the table. half-open: the longest pause between two SYNs of a
 * common stack is 64 s. closed: a FIN whose ACK was lost comes again within a few seconds.
 */
static inline struct monitor_config config_defaults(void)
{
	return (struct monitor_config){
		.idle_timeout_ns = 3600 * SECOND_NS,
		.half_open_timeout_ns = 70 * SECOND_NS,
		.closed_timeout_ns = 5 * SECOND_NS,
	};
}

#endif

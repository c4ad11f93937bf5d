/* SPDX-License-Identifier: GPL-2.0-only */
/* What the monitor is told when nobody says otherwise. */
#ifndef ACKMON_CONFIG_H
#define ACKMON_CONFIG_H

#include "abi/config.h"
#include "cli.h"

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

/*
 * A capture is no table that fills up: what is open in it goes on after any silence, as it did for the
 * two ends, and only what they say ends it. What is closed waits as long as a FIN may wait to be sent again
 * (Linux: 51 s), or an end in TIME-WAIT (60 s): an RST or FIN that comes then is of this connection.
 */
static inline struct monitor_config config_of_captures(void)
{
	struct monitor_config config = config_defaults();

	config.idle_timeout_ns = ~0ull;
	config.half_open_timeout_ns = ~0ull;
	config.closed_timeout_ns = 70 * SECOND_NS;
	return config;
}

/* What the person asked for instead. */
static inline struct monitor_config config_of(struct monitor_config config,
					      const struct options *options)
{
	if (options->idle_timeout_ns)
		config.idle_timeout_ns = options->idle_timeout_ns;
	if (options->half_open_timeout_ns)
		config.half_open_timeout_ns = options->half_open_timeout_ns;
	if (options->closed_timeout_ns)
		config.closed_timeout_ns = options->closed_timeout_ns;
	config.events = options->events;
	config.decap = options->decap;
	return config;
}

#endif

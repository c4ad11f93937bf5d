/* SPDX-License-Identifier: GPL-2.0-only */
/* What the flood's program and who starts it agree on. */
#ifndef ACKMON_TESTS_FLOOD_H
#define ACKMON_TESTS_FLOOD_H

enum flood_mode {
	FLOOD_SYN,   /* a SYN from ever another address and port */
	FLOOD_SCAN,  /* one address tries ever another host and port, and is refused */
	FLOOD_DATA,  /* two ordinary segments of ever another connection */
	FLOOD_REUSE, /* SYNs of few tuples, each of another connection */
	FLOOD_KNOWN, /* data of FLOOD_FLOWS connections in turn */
	FLOOD_CHURN, /* whole connections: opened and closed again, six frames each */
};

#define FLOOD_CHURN_FRAMES 6

#define FLOOD_BYTES 54 /* Ethernet, IPv4, TCP */
#define FLOOD_FLOWS 16384
#define FLOOD_PAYLOAD_BYTES 100 /* of FLOOD_KNOWN */
#define FLOOD_TUPLES 1024 /* of FLOOD_REUSE */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a classic pcap file, read in large pieces and shown where they lie. */
#ifndef ACKMON_PCAP_RECORDS_H
#define ACKMON_PCAP_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pcap_buffer.h"

/*
 * libpcap copies each record through stdio: 500 instructions a frame, more than a quarter of a
 * replay. Here a frame costs its header's sixteen bytes and no copy. Only version 2.4 is read, which
 * everybody has written since 1998; libpcap knows the others.
 */
struct pcap_records {
	struct pcap_buffer buffer;
	bool swapped;            /* written on a machine of the other byte order */
	uint32_t fraction_ns;    /* what one unit of a fraction is: 1000 or 1 */
	uint32_t captured_shown; /* the snaplen: bytes of a frame beyond it are not shown */
	uint32_t captured_max;   /* a record that claims more is damaged */
};

struct pcap_record {
	const uint8_t *bytes; /* valid until the next call */
	uint64_t time_ns;     /* since 1970 */
	uint32_t captured;
	uint32_t wire_bytes;
};

#define PCAP_FILE_HEADER_BYTES 24

/* Is this the header of a file these functions read? */
bool pcap_records_know(const uint8_t header[PCAP_FILE_HEADER_BYTES]);

/* read hands out what follows the header. 0 or -ENOMEM. */
int pcap_records_open(struct pcap_records *records, const uint8_t header[PCAP_FILE_HEADER_BYTES],
		      ssize_t (*read)(void *cookie, char *bytes, size_t size), void *cookie);

/*
 * 1: *ret_record is the next one. 0: the file ended behind the one before. -EPROTO: it is damaged
 * here, and ret_reason says how; -ENOMEM; -EIO: read() failed; -EAGAIN: it said so.
 */
int pcap_records_next(struct pcap_records *records, struct pcap_record *ret_record,
		      char *ret_reason, size_t reason_size);

void pcap_records_close(struct pcap_records *records); /* accepts one that was never opened */

#endif

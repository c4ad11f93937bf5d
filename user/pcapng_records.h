/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a pcapng file, whatever link types and clocks its interfaces have. */
#ifndef ACKMON_PCAPNG_RECORDS_H
#define ACKMON_PCAPNG_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pcap_buffer.h"
#include "pcap_records.h"

/* An interface description block (draft-ietf-opsawg-pcapng, 4.2). */
struct pcapng_interface {
	int64_t offset_s;
	uint32_t number;     /* counted from 1 over the whole file, as the block stands in it */
	uint32_t snaplen;    /* 0: none */
	uint16_t link_type;  /* LINKTYPE_* */
	uint8_t exponent;    /* a tick is 10^-exponent s, */
	bool is_power_of_2;  /* or 2^-exponent s */
};

/* libpcap refuses files whose interfaces have several link types. Here each record tells its own. */
struct pcapng_records {
	struct pcap_buffer buffer;
	struct pcapng_interface *interfaces; /* of the section that is read */
	size_t interface_count;
	uint32_t interfaces_before; /* in sections before it */
	bool swapped;               /* the section is of the other byte order */
};

/* Is this the beginning of a pcapng file? */
bool pcapng_records_know(const uint8_t *bytes, size_t len);

/* first are the bytes that were read already, read hands out what follows them. 0 or -ENOMEM. */
int pcapng_records_open(struct pcapng_records *records, const uint8_t *first, size_t first_len,
			ssize_t (*read)(void *cookie, char *bytes, size_t size), void *cookie);

/*
 * As pcap_records_next(); *ret_interface is the one the record came from, until the next call. A
 * record without time (simple packet block) has time 0.
 */
int pcapng_records_next(struct pcapng_records *records, struct pcap_record *ret_record,
			const struct pcapng_interface **ret_interface, char *ret_reason,
			size_t reason_size);

/*
 * 1: *ret_interface is the first interface of the file, and no record was shown yet. 0: the file ends
 * before there is one. Else as pcapng_records_next().
 */
int pcapng_records_first(struct pcapng_records *records,
			 const struct pcapng_interface **ret_interface, char *ret_reason,
			 size_t reason_size);

void pcapng_records_close(struct pcapng_records *records); /* accepts one that was never opened */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a classic pcap file, read in large pieces and shown where they lie. */
#include "pcap_records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER_BYTES 16

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS 0xa1b23c4du

/* libpcap's own bound for every link type but USB and D-Bus, which carry no TCP. */
#define CAPTURED_MAX 262144u

/* As of a pcapng block: more is no frame, whatever the header allows, and a packed file makes it out of little. */
#define CAPTURED_BELIEVED_MAX (16u * 1024 * 1024)

static bool is_magic(uint32_t word)
{
	return word == MAGIC_MICROSECONDS || word == MAGIC_NANOSECONDS;
}

static bool header_is_swapped(const uint8_t *header)
{
	return !is_magic(pcap_load_word(header, false));
}

bool pcap_records_know(const uint8_t header[PCAP_FILE_HEADER_BYTES])
{
	bool swapped = header_is_swapped(header);

	return is_magic(pcap_load_word(header, swapped)) && pcap_load_half(header + 4, swapped) == 2 &&
	       pcap_load_half(header + 6, swapped) == 4;
}

int pcap_records_open(struct pcap_records *records, const uint8_t header[PCAP_FILE_HEADER_BYTES],
		      ssize_t (*read)(void *cookie, char *bytes, size_t size), void *cookie)
{
	bool swapped = header_is_swapped(header);
	uint32_t snaplen = pcap_load_word(header + 16, swapped);

	*records = (struct pcap_records){
		.swapped = swapped,
		.fraction_ns = pcap_load_word(header, swapped) == MAGIC_NANOSECONDS ? 1 : 1000,
		/* Zero, and what no int holds, is somebody's "no limit". */
		.captured_shown = snaplen && snaplen <= INT32_MAX ? snaplen : CAPTURED_MAX,
		.captured_max = CAPTURED_MAX,
	};
	/* A header may allow more than any frame has; then it is believed, within reason. */
	if (records->captured_shown > records->captured_max)
		records->captured_max = records->captured_shown < CAPTURED_BELIEVED_MAX
						? records->captured_shown
						: CAPTURED_BELIEVED_MAX;
	return pcap_buffer_open(&records->buffer, read, cookie);
}

int pcap_records_next(struct pcap_records *records, struct pcap_record *ret_record,
		      char *ret_reason, size_t reason_size)
{
	const uint8_t *header;
	uint32_t captured;
	int got;

	got = pcap_buffer_has(&records->buffer, RECORD_HEADER_BYTES);
	if (got < 0)
		return got;
	if (!got && !pcap_buffer_waiting(&records->buffer))
		return 0;
	if (!got)
		return pcap_buffer_cut_off(&records->buffer, "a record header",
					   RECORD_HEADER_BYTES, ret_reason, reason_size);

	header = pcap_buffer_at(&records->buffer);
	captured = pcap_load_word(header + 8, records->swapped);
	if (captured > records->captured_max) {
		snprintf(ret_reason, reason_size,
			 "the record claims %u captured bytes, more than the %u there can be",
			 captured, records->captured_max);
		return -EPROTO;
	}

	got = pcap_buffer_has(&records->buffer, RECORD_HEADER_BYTES + (size_t)captured);
	if (got < 0)
		return got;
	if (!got) {
		records->buffer.start += RECORD_HEADER_BYTES;
		return pcap_buffer_cut_off(&records->buffer, "a frame", captured, ret_reason,
					   reason_size);
	}

	header = pcap_buffer_at(&records->buffer); /* filling may have moved it */
	*ret_record = (struct pcap_record){
		.bytes = header + RECORD_HEADER_BYTES,
		.time_ns = (uint64_t)pcap_load_word(header, records->swapped) * 1000000000 +
			   (uint64_t)pcap_load_word(header + 4, records->swapped) *
				   records->fraction_ns,
		.captured = captured < records->captured_shown ? captured : records->captured_shown,
		.wire_bytes = pcap_load_word(header + 12, records->swapped),
	};
	records->buffer.start += RECORD_HEADER_BYTES + (size_t)captured;
	return 1;
}

void pcap_records_close(struct pcap_records *records)
{
	pcap_buffer_close(&records->buffer);
}

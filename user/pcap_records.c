/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a classic pcap file, read in large pieces and shown where they lie. */
#include "pcap_records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER_BYTES 16
/* Few calls, and the bytes are still in the cache when they are walked. */
#define BUFFER_BYTES (256 * 1024)

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS 0xa1b23c4du

/* libpcap's own bound for every link type but USB and D-Bus, which carry no TCP. */
#define CAPTURED_MAX 262144u

static uint32_t load_word(const uint8_t *at, bool swapped)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return swapped ? __builtin_bswap32(word) : word;
}

static uint16_t load_half(const uint8_t *at, bool swapped)
{
	uint16_t half;

	memcpy(&half, at, sizeof(half));
	return swapped ? __builtin_bswap16(half) : half;
}

static bool is_magic(uint32_t word)
{
	return word == MAGIC_MICROSECONDS || word == MAGIC_NANOSECONDS;
}

static bool header_is_swapped(const uint8_t *header)
{
	return !is_magic(load_word(header, false));
}

bool pcap_records_know(const uint8_t header[PCAP_FILE_HEADER_BYTES])
{
	bool swapped = header_is_swapped(header);

	return is_magic(load_word(header, swapped)) && load_half(header + 4, swapped) == 2 &&
	       load_half(header + 6, swapped) == 4;
}

int pcap_records_open(struct pcap_records *records, const uint8_t header[PCAP_FILE_HEADER_BYTES],
		      ssize_t (*read)(void *cookie, char *bytes, size_t size), void *cookie)
{
	bool swapped = header_is_swapped(header);
	uint32_t snaplen = load_word(header + 16, swapped);

	*records = (struct pcap_records){
		.read = read,
		.cookie = cookie,
		.swapped = swapped,
		.fraction_ns = load_word(header, swapped) == MAGIC_NANOSECONDS ? 1 : 1000,
		/* Zero, and what no int holds, is somebody's "no limit". */
		.captured_shown = snaplen && snaplen <= INT32_MAX ? snaplen : CAPTURED_MAX,
		.captured_max = CAPTURED_MAX,
		.size = BUFFER_BYTES,
	};
	/* A header may allow more than any frame has; then it is believed. */
	if (records->captured_shown > records->captured_max)
		records->captured_max = records->captured_shown;
	records->buffer = malloc(records->size);
	return records->buffer ? 0 : -ENOMEM;
}

/* Makes room behind what waits. A larger buffer grows with what really comes, not with what a record claims. */
static int make_room(struct pcap_records *records)
{
	size_t waiting = records->end - records->start;

	if (records->start) {
		memmove(records->buffer, records->buffer + records->start, waiting);
		records->start = 0;
		records->end = waiting;
	}
	if (records->end == records->size) {
		uint8_t *larger = realloc(records->buffer, records->size * 2);

		if (!larger)
			return -ENOMEM;
		records->buffer = larger;
		records->size *= 2;
	}
	return 0;
}

/* Reads until `wanted` bytes wait, and no longer: behind a pipe the next frame may be far away. */
static int fill(struct pcap_records *records, size_t wanted)
{
	while (records->end - records->start < wanted) {
		ssize_t len;
		int err = 0;

		if (records->start + wanted > records->size)
			err = make_room(records);
		if (err)
			return err;
		len = records->read(records->cookie, (char *)records->buffer + records->end,
				    records->size - records->end);
		if (len < 0)
			return -EIO;
		if (!len)
			return 0;
		records->end += (size_t)len;
	}
	return 0;
}

/* 1: so many bytes wait. */
static inline int have(struct pcap_records *records, size_t wanted)
{
	int err;

	if (__builtin_expect(records->end - records->start >= wanted, 1))
		return 1;
	err = fill(records, wanted);
	if (err)
		return err;
	return records->end - records->start >= wanted;
}

static int cut_off(const struct pcap_records *records, const char *what, size_t wanted,
		   char *ret_reason, size_t reason_size)
{
	snprintf(ret_reason, reason_size, "the file ends inside %s, after %zu of %zu bytes", what,
		 records->end - records->start, wanted);
	return -EPROTO;
}

int pcap_records_next(struct pcap_records *records, struct pcap_record *ret_record,
		      char *ret_reason, size_t reason_size)
{
	const uint8_t *header;
	uint32_t captured;
	int got;

	got = have(records, RECORD_HEADER_BYTES);
	if (got < 0)
		return got;
	if (!got && records->start == records->end)
		return 0;
	if (!got)
		return cut_off(records, "a record header", RECORD_HEADER_BYTES, ret_reason,
			       reason_size);

	header = records->buffer + records->start;
	captured = load_word(header + 8, records->swapped);
	if (captured > records->captured_max) {
		snprintf(ret_reason, reason_size,
			 "the record claims %u captured bytes, more than the %u there can be",
			 captured, records->captured_max);
		return -EPROTO;
	}

	got = have(records, RECORD_HEADER_BYTES + (size_t)captured);
	if (got < 0)
		return got;
	if (!got) {
		records->start += RECORD_HEADER_BYTES;
		return cut_off(records, "a frame", captured, ret_reason, reason_size);
	}

	header = records->buffer + records->start; /* filling may have moved it */
	*ret_record = (struct pcap_record){
		.bytes = header + RECORD_HEADER_BYTES,
		.time_ns = (uint64_t)load_word(header, records->swapped) * 1000000000 +
			   (uint64_t)load_word(header + 4, records->swapped) *
				   records->fraction_ns,
		.captured = captured < records->captured_shown ? captured : records->captured_shown,
		.wire_bytes = load_word(header + 12, records->swapped),
	};
	records->start += RECORD_HEADER_BYTES + (size_t)captured;
	return 1;
}

void pcap_records_close(struct pcap_records *records)
{
	free(records->buffer);
	records->buffer = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a pcapng file, whatever link types and clocks its interfaces have. */
#include "pcapng_records.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* draft-ietf-opsawg-pcapng, 4 */
enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE_PACKET = 3,
	BLOCK_ENHANCED_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum option {
	OPTION_END = 0,
	OPTION_RESOLUTION = 9,
	OPTION_TIME_OFFSET = 14,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_HEADER_BYTES 8  /* type and length; the length stands at the end once more */
#define BLOCK_BYTES_MIN 12
#define SECTION_BYTES_MIN 28
#define BLOCK_BYTES_MAX (16u * 1024 * 1024) /* libpcap's bound, too */
#define INTERFACES_MAX 65536
#define NS_PER_S 1000000000u

struct block {
	uint32_t type;
	uint32_t len;
	const uint8_t *body; /* behind the header */
	uint32_t body_len;
};

static int __attribute__((format(printf, 3, 4)))
damaged(char *ret_reason, size_t reason_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_reason, reason_size, format, args);
	va_end(args);
	return -EPROTO;
}

bool pcapng_records_know(const uint8_t *bytes, size_t len)
{
	return len >= 4 && pcap_load_word(bytes, false) == BLOCK_SECTION; /* a palindrome */
}

int pcapng_records_open(struct pcapng_records *records, const uint8_t *first, size_t first_len,
			ssize_t (*read)(void *cookie, char *bytes, size_t size), void *cookie)
{
	int err;

	*records = (struct pcapng_records){ 0 };
	err = pcap_buffer_open(&records->buffer, read, cookie);
	if (err)
		return err;
	memcpy(records->buffer.bytes, first, first_len);
	records->buffer.end = first_len;
	return 0;
}

/* The byte order of a section stands behind its length, which is in that order. */
static int section_order(struct pcapng_records *records, char *ret_reason, size_t reason_size)
{
	uint32_t magic;
	int got = pcap_buffer_has(&records->buffer, BLOCK_BYTES_MIN);

	if (got < 0)
		return got;
	if (!got)
		return pcap_buffer_cut_off(&records->buffer, "a section header", SECTION_BYTES_MIN,
					   ret_reason, reason_size);
	magic = pcap_load_word(pcap_buffer_at(&records->buffer) + 8, false);
	if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC))
		return damaged(ret_reason, reason_size, "a section has no byte order");
	records->swapped = magic != BYTE_ORDER_MAGIC;
	return 1;
}

/* 1: the next block, whole, which stays where it is. 0: the file ended. */
static int peek_block(struct pcapng_records *records, struct block *ret_block, char *ret_reason,
		      size_t reason_size)
{
	struct pcap_buffer *buffer = &records->buffer;
	uint32_t type, len;
	int got = pcap_buffer_has(buffer, BLOCK_HEADER_BYTES);

	if (got < 0 || (!got && !pcap_buffer_waiting(buffer)))
		return got;
	if (!got)
		return pcap_buffer_cut_off(buffer, "a block header", BLOCK_HEADER_BYTES, ret_reason,
					   reason_size);
	type = pcap_load_word(pcap_buffer_at(buffer), records->swapped);
	if (type == BLOCK_SECTION) {
		got = section_order(records, ret_reason, reason_size);
		if (got <= 0)
			return got;
	}

	len = pcap_load_word(pcap_buffer_at(buffer) + 4, records->swapped);
	if (len < (type == BLOCK_SECTION ? SECTION_BYTES_MIN : BLOCK_BYTES_MIN) || len % 4 ||
	    len > BLOCK_BYTES_MAX)
		return damaged(ret_reason, reason_size, "a block claims %u bytes", len);
	got = pcap_buffer_has(buffer, len);
	if (got < 0)
		return got;
	if (!got)
		return pcap_buffer_cut_off(buffer, "a block", len, ret_reason, reason_size);
	if (pcap_load_word(pcap_buffer_at(buffer) + len - 4, records->swapped) != len)
		return damaged(ret_reason, reason_size,
			       "the two lengths of a block differ: %u and %u", len,
			       pcap_load_word(pcap_buffer_at(buffer) + len - 4, records->swapped));
	*ret_block = (struct block){
		.type = type,
		.len = len,
		.body = pcap_buffer_at(buffer) + BLOCK_HEADER_BYTES,
		.body_len = len - BLOCK_BYTES_MIN,
	};
	return 1;
}

static void read_interface_option(const struct pcapng_records *records, uint16_t option,
				  const uint8_t *value, uint16_t len,
				  struct pcapng_interface *interface)
{
	uint32_t words[2];

	if (option == OPTION_RESOLUTION && len >= 1) {
		interface->is_power_of_2 = value[0] & 0x80;
		interface->exponent = value[0] & 0x7f;
	}
	if (option == OPTION_TIME_OFFSET && len == 8) {
		words[0] = pcap_load_word(value, records->swapped);
		words[1] = pcap_load_word(value + 4, records->swapped);
		/* The lower half first on machines that put the lower byte first: the writer's order. */
		interface->offset_s = (int64_t)(
			records->swapped == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
				? (uint64_t)words[0] << 32 | words[1]
				: (uint64_t)words[1] << 32 | words[0]);
	}
}

static int read_interface(struct pcapng_records *records, const struct block *block,
			  char *ret_reason, size_t reason_size)
{
	struct pcapng_interface interface = { .exponent = 6 }, *larger;
	uint32_t at = 8;

	if (block->body_len < 8)
		return damaged(ret_reason, reason_size, "an interface block is too short");
	if (records->interface_count == INTERFACES_MAX)
		return damaged(ret_reason, reason_size, "more than %d interfaces", INTERFACES_MAX);
	interface.link_type = pcap_load_half(block->body, records->swapped);
	interface.snaplen = pcap_load_word(block->body + 4, records->swapped);
	interface.number = records->interfaces_before + (uint32_t)records->interface_count + 1;
	while (at + 4 <= block->body_len) {
		uint16_t option = pcap_load_half(block->body + at, records->swapped);
		uint16_t len = pcap_load_half(block->body + at + 2, records->swapped);

		at += 4;
		if (option == OPTION_END)
			break;
		if (len > block->body_len - at)
			return damaged(ret_reason, reason_size,
				       "an option of interface block %u is longer than its block",
				       interface.number);
		read_interface_option(records, option, block->body + at, len, &interface);
		at += (len + 3u) & ~3u;
	}
	if (interface.exponent > (interface.is_power_of_2 ? 63 : 19))
		return damaged(ret_reason, reason_size,
			       "interface block %u has a clock of no use", interface.number);
	larger = reallocarray(records->interfaces, records->interface_count + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	records->interfaces = larger;
	larger[records->interface_count++] = interface;
	return 1;
}

static int read_section(struct pcapng_records *records, const struct block *block,
			char *ret_reason, size_t reason_size)
{
	uint16_t major = pcap_load_half(block->body + 4, records->swapped);
	uint16_t minor = pcap_load_half(block->body + 6, records->swapped);

	if (major != 1)
		return damaged(ret_reason, reason_size, "pcapng version %u.%u is not known", major,
			       minor);
	records->interfaces_before += (uint32_t)records->interface_count;
	records->interface_count = 0;
	return 1;
}

static uint64_t ticks_ns(const struct pcapng_interface *interface, uint64_t ticks)
{
	unsigned __int128 ns = ticks;
	int exponent = interface->exponent;

	if (interface->is_power_of_2) {
		ns = ns * NS_PER_S >> exponent;
	} else {
		for (; exponent < 9; exponent++)
			ns *= 10;
		for (; exponent > 9; exponent--)
			ns /= 10;
	}
	return (uint64_t)ns + (uint64_t)interface->offset_s * NS_PER_S;
}

/* A packet of either kind that names its interface and its time. */
static int read_packet(const struct pcapng_records *records, const struct block *block,
		       struct pcap_record *ret_record,
		       const struct pcapng_interface **ret_interface, char *ret_reason,
		       size_t reason_size)
{
	const bool swapped = records->swapped;
	uint32_t interface, captured;
	uint64_t ticks;

	if (block->body_len < 20)
		return damaged(ret_reason, reason_size, "a packet block is too short");
	interface = block->type == BLOCK_PACKET ? pcap_load_half(block->body, swapped)
						: pcap_load_word(block->body, swapped);
	if (interface >= records->interface_count)
		return damaged(ret_reason, reason_size,
			       "a packet came from interface %u, of %zu there are", interface,
			       records->interface_count);
	captured = pcap_load_word(block->body + 12, swapped);
	if (captured > block->body_len - 20)
		return damaged(ret_reason, reason_size,
			       "a packet claims %u captured bytes, more than its block holds",
			       captured);
	ticks = (uint64_t)pcap_load_word(block->body + 4, swapped) << 32 |
		pcap_load_word(block->body + 8, swapped);
	*ret_interface = &records->interfaces[interface];
	*ret_record = (struct pcap_record){
		.bytes = block->body + 20,
		.time_ns = ticks_ns(*ret_interface, ticks),
		.captured = captured,
		.wire_bytes = pcap_load_word(block->body + 16, swapped),
	};
	return 1;
}

/* It came from the first interface, nobody knows when; what was captured is all of it, up to the snaplen, and padded. */
static int read_simple_packet(const struct pcapng_records *records, const struct block *block,
			      struct pcap_record *ret_record,
			      const struct pcapng_interface **ret_interface, char *ret_reason,
			      size_t reason_size)
{
	uint32_t wire_bytes, captured, snaplen;

	if (block->body_len < 4)
		return damaged(ret_reason, reason_size, "a packet block is too short");
	if (!records->interface_count)
		return damaged(ret_reason, reason_size,
			       "a packet came from interface 0, of 0 there are");
	wire_bytes = pcap_load_word(block->body, records->swapped);
	*ret_interface = &records->interfaces[0];
	captured = wire_bytes < block->body_len - 4 ? wire_bytes : block->body_len - 4;
	snaplen = records->interfaces[0].snaplen;
	if (snaplen && captured > snaplen)
		captured = snaplen;
	*ret_record = (struct pcap_record){
		.bytes = block->body + 4,
		.captured = captured,
		.wire_bytes = wire_bytes,
	};
	return 1;
}

static bool is_packet(const struct block *block)
{
	return block->type == BLOCK_ENHANCED_PACKET || block->type == BLOCK_PACKET ||
	       block->type == BLOCK_SIMPLE_PACKET;
}

/* Past whatever is no packet, or up to the first interface. As peek_block(). */
static int peek_packet(struct pcapng_records *records, bool or_interface, struct block *ret_block,
		       char *ret_reason, size_t reason_size)
{
	int got;

	while ((got = peek_block(records, ret_block, ret_reason, reason_size)) > 0) {
		if (is_packet(ret_block))
			return 1;
		if (ret_block->type == BLOCK_SECTION)
			got = read_section(records, ret_block, ret_reason, reason_size);
		else if (ret_block->type == BLOCK_INTERFACE)
			got = read_interface(records, ret_block, ret_reason, reason_size);
		if (got < 0)
			return got;
		records->buffer.start += ret_block->len;
		if (or_interface && records->interface_count)
			return 1;
	}
	return got;
}

int pcapng_records_first(struct pcapng_records *records,
			 const struct pcapng_interface **ret_interface, char *ret_reason,
			 size_t reason_size)
{
	struct block block;
	int got = peek_packet(records, true, &block, ret_reason, reason_size);

	if (got > 0 && !records->interface_count)
		return damaged(ret_reason, reason_size, "a packet stands before any interface");
	if (got > 0)
		*ret_interface = &records->interfaces[0];
	return got;
}

int pcapng_records_next(struct pcapng_records *records, struct pcap_record *ret_record,
			const struct pcapng_interface **ret_interface, char *ret_reason,
			size_t reason_size)
{
	struct block block;
	int got = peek_packet(records, false, &block, ret_reason, reason_size);

	if (got <= 0)
		return got;
	got = block.type == BLOCK_SIMPLE_PACKET
		      ? read_simple_packet(records, &block, ret_record, ret_interface, ret_reason,
					   reason_size)
		      : read_packet(records, &block, ret_record, ret_interface, ret_reason,
				    reason_size);
	if (got > 0)
		records->buffer.start += block.len;
	return got;
}

void pcapng_records_close(struct pcapng_records *records)
{
	pcap_buffer_close(&records->buffer);
	free(records->interfaces);
	records->interfaces = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of protobuf's wire format that an encoder needs: varints, fixed numbers, nested messages. */
#ifndef ACKMON_PROTOBUF_H
#define ACKMON_PROTOBUF_H

#include <stdint.h>
#include <string.h>

#include "buffer.h"

enum protobuf_wire {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_LEN = 2,
};

#define VARINT_MAX 10

static inline size_t protobuf_put_varint(char *at, uint64_t value)
{
	size_t len = 0;

	while (value >= 0x80) {
		at[len++] = (char)(value | 0x80);
		value >>= 7;
	}
	at[len++] = (char)value;
	return len;
}

static inline void protobuf_varint(struct buffer *buffer, uint64_t value)
{
	char *at = buffer_room(buffer, VARINT_MAX);

	if (at)
		buffer->len += protobuf_put_varint(at, value);
}

static inline void protobuf_tag(struct buffer *buffer, uint32_t field, enum protobuf_wire wire)
{
	protobuf_varint(buffer, field << 3 | wire);
}

static inline void protobuf_uint(struct buffer *buffer, uint32_t field, uint64_t value)
{
	protobuf_tag(buffer, field, WIRE_VARINT);
	protobuf_varint(buffer, value);
}

static inline uint64_t protobuf_zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline void protobuf_sint(struct buffer *buffer, uint32_t field, int64_t value)
{
	protobuf_uint(buffer, field, protobuf_zigzag(value));
}

static inline void protobuf_fixed64(struct buffer *buffer, uint32_t field, uint64_t value)
{
	char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(value >> 8 * i);
	protobuf_tag(buffer, field, WIRE_FIXED64);
	buffer_add(buffer, bytes, sizeof(bytes));
}

static inline void protobuf_double(struct buffer *buffer, uint32_t field, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	protobuf_fixed64(buffer, field, bits);
}

static inline void protobuf_text(struct buffer *buffer, uint32_t field, const char *text)
{
	size_t len = strlen(text);

	protobuf_tag(buffer, field, WIRE_LEN);
	protobuf_varint(buffer, len);
	buffer_add(buffer, text, len);
}

/* A nested message: begin it, put its fields, end it. Its length is known only then: it moves up a little. */
static inline size_t protobuf_begin(struct buffer *buffer, uint32_t field)
{
	if (field)
		protobuf_tag(buffer, field, WIRE_LEN);
	return buffer->len;
}

static inline void protobuf_end(struct buffer *buffer, size_t start)
{
	char prefix[VARINT_MAX];
	size_t len, prefix_len;

	if (buffer->failed)
		return;
	len = buffer->len - start;
	prefix_len = protobuf_put_varint(prefix, len);
	if (!buffer_room(buffer, prefix_len))
		return;
	memmove(buffer->bytes + start + prefix_len, buffer->bytes + start, len);
	memcpy(buffer->bytes + start, prefix, prefix_len);
	buffer->len += prefix_len;
}

#endif

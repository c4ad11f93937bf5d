/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes of a capture, read in large pieces and looked at where they lie. */
#ifndef ACKMON_PCAP_BUFFER_H
#define ACKMON_PCAP_BUFFER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* Few calls, and the bytes are still in the cache when they are walked. */
#define PCAP_BUFFER_BYTES (256 * 1024)

struct pcap_buffer {
	ssize_t (*read)(void *cookie, char *bytes, size_t size); /* as in fopencookie(3) */
	void *cookie;
	uint8_t *bytes;
	size_t size;
	size_t start; /* [start, end) was read and not shown yet */
	size_t end;
};

static inline int pcap_buffer_open(struct pcap_buffer *buffer,
				   ssize_t (*read)(void *cookie, char *bytes, size_t size),
				   void *cookie)
{
	*buffer = (struct pcap_buffer){ .read = read, .cookie = cookie, .size = PCAP_BUFFER_BYTES };
	buffer->bytes = malloc(buffer->size);
	return buffer->bytes ? 0 : -ENOMEM;
}

static inline void pcap_buffer_close(struct pcap_buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
}

static inline size_t pcap_buffer_waiting(const struct pcap_buffer *buffer)
{
	return buffer->end - buffer->start;
}

/* Makes room behind what waits. A larger buffer grows with what really comes, not with what a record claims. */
static inline int pcap_buffer_make_room(struct pcap_buffer *buffer)
{
	size_t waiting = pcap_buffer_waiting(buffer);

	if (buffer->start) {
		memmove(buffer->bytes, buffer->bytes + buffer->start, waiting);
		buffer->start = 0;
		buffer->end = waiting;
	}
	if (buffer->end == buffer->size) {
		uint8_t *larger = realloc(buffer->bytes, buffer->size * 2);

		if (!larger)
			return -ENOMEM;
		buffer->bytes = larger;
		buffer->size *= 2;
	}
	return 0;
}

/*
 * Reads until `wanted` bytes wait, and no longer: behind a pipe the next frame may be far away. -EAGAIN: they
 * have not come yet; what did stays.
 */
static inline int pcap_buffer_fill(struct pcap_buffer *buffer, size_t wanted)
{
	while (pcap_buffer_waiting(buffer) < wanted) {
		ssize_t len;
		int err = 0;

		if (buffer->start + wanted > buffer->size)
			err = pcap_buffer_make_room(buffer);
		if (err)
			return err;
		len = buffer->read(buffer->cookie, (char *)buffer->bytes + buffer->end,
				   buffer->size - buffer->end);
		if (len < 0)
			return errno == EAGAIN ? -EAGAIN : -EIO;
		if (!len)
			return 0;
		buffer->end += (size_t)len;
	}
	return 0;
}

/* 1: so many bytes wait; 0: the file ends before; -ENOMEM, -EIO, -EAGAIN. What waits may have moved. */
static inline int pcap_buffer_has(struct pcap_buffer *buffer, size_t wanted)
{
	int err;

	if (__builtin_expect(pcap_buffer_waiting(buffer) >= wanted, 1))
		return 1;
	err = pcap_buffer_fill(buffer, wanted);
	if (err)
		return err;
	return pcap_buffer_waiting(buffer) >= wanted;
}

static inline const uint8_t *pcap_buffer_at(const struct pcap_buffer *buffer)
{
	return buffer->bytes + buffer->start;
}

/* -EPROTO, and why: the file ended inside something of `wanted` bytes. */
static inline int pcap_buffer_cut_off(const struct pcap_buffer *buffer, const char *what,
				      size_t wanted, char *ret_reason, size_t reason_size)
{
	snprintf(ret_reason, reason_size, "the file ends inside %s, after %zu of %zu bytes", what,
		 pcap_buffer_waiting(buffer), wanted);
	return -EPROTO;
}

static inline uint32_t pcap_load_word(const uint8_t *at, bool swapped)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return swapped ? __builtin_bswap32(word) : word;
}

static inline uint16_t pcap_load_half(const uint8_t *at, bool swapped)
{
	uint16_t half;

	memcpy(&half, at, sizeof(half));
	return swapped ? __builtin_bswap16(half) : half;
}

#endif

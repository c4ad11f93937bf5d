/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes that grow. The first failure is remembered, and all that follows is dropped. */
#ifndef ACKMON_BUFFER_H
#define ACKMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
	char *bytes;
	size_t len;
	size_t room;
	bool failed; /* no memory */
};

/* Room for `len` bytes more; NULL when there is none. */
static inline char *buffer_room(struct buffer *buffer, size_t len)
{
	size_t room = buffer->room ? buffer->room : 4096;
	char *bytes;

	if (buffer->failed)
		return NULL;
	if (buffer->room - buffer->len >= len)
		return buffer->bytes + buffer->len;
	while (room - buffer->len < len)
		room *= 2;
	bytes = realloc(buffer->bytes, room);
	if (!bytes) {
		buffer->failed = true;
		return NULL;
	}
	buffer->bytes = bytes;
	buffer->room = room;
	return bytes + buffer->len;
}

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t len)
{
	char *at = buffer_room(buffer, len);

	if (!at)
		return;
	memcpy(at, bytes, len);
	buffer->len += len;
}

static inline void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

static inline void buffer_free(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){0};
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads a BPF ring buffer record by record, and lets go of the records only when told to. */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The head of a record, as include/uapi/linux/bpf.h has it. */
#define RECORD_BUSY (1u << 31)
#define RECORD_DISCARDED (1u << 30)
#define RECORD_HEAD 8u

/*
 * The kernel maps one page that we write (how far we are), one that it writes (how far it is) and
 * the data twice in a row, so that no record is ever broken in two.
 */
struct ring {
	uint64_t *consumer;
	const uint64_t *producer;
	const char *data;
	size_t bytes;
	size_t page_bytes;
	uint64_t position;
};

int ring_open(struct ring **ret_ring, int map_fd, size_t bytes)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	void *pages;
	int err = 0;

	if (!ring)
		return -ENOMEM;
	ring->bytes = bytes;
	ring->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	pages = mmap(NULL, ring->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (pages == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	ring->consumer = pages;
	pages = mmap(NULL, ring->page_bytes + 2 * bytes, PROT_READ, MAP_SHARED, map_fd,
		     (off_t)ring->page_bytes);
	if (pages == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	ring->producer = pages;
	ring->data = (const char *)pages + ring->page_bytes;
	ring_rewind(ring);
out:
	if (err)
		ring_close(ring);
	else
		*ret_ring = ring;
	return err;
}

const void *ring_next(struct ring *ring, size_t *ret_size)
{
	/* Pairs with the kernel's release: what lies before its position has a head. */
	while (ring->position < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
		const uint32_t *head = (const uint32_t *)(ring->data +
							  (ring->position & (ring->bytes - 1)));
		uint32_t len = __atomic_load_n(head, __ATOMIC_ACQUIRE);

		if (len & RECORD_BUSY)
			return NULL; /* still being filled */
		ring->position += (RECORD_HEAD + (len & ~RECORD_DISCARDED) + 7) & ~7u;
		if (len & RECORD_DISCARDED)
			continue;
		*ret_size = len;
		return (const char *)head + RECORD_HEAD;
	}
	return NULL;
}

uint64_t ring_position(const struct ring *ring)
{
	return ring->position;
}

void ring_rewind(struct ring *ring)
{
	ring->position = __atomic_load_n(ring->consumer, __ATOMIC_RELAXED);
}

void ring_let_go(struct ring *ring, uint64_t position)
{
	__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->producer)
		munmap((void *)ring->producer, ring->page_bytes + 2 * ring->bytes);
	if (ring->consumer)
		munmap(ring->consumer, ring->page_bytes);
	free(ring);
}

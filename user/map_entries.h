/* SPDX-License-Identifier: GPL-2.0-only */
/* All entries of a hash map of the kernel, read in batches: 0.4 us each, where asking for one takes 1.4. */
#ifndef ACKMON_MAP_ENTRIES_H
#define ACKMON_MAP_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entries {
	void *keys;
	void *values;
	uint32_t count;
	bool is_all; /* there were no more when they were read */
};

/*
 * Up to `room`, in the order of the map. An entry that is there all the time comes once. -ENOMEM, or -errno of a kernel that
 * has no batches (before 5.6); then there is nothing to free.
 */
int map_entries_read(struct map_entries *ret_entries, int fd, size_t key_bytes, size_t value_bytes, uint32_t room);
void map_entries_free(struct map_entries *entries); /* accepts zeros */

#endif

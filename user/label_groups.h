/* SPDX-License-Identifier: GPL-2.0-only */
/* Places that labels speak of (namespace, region, outside or not), numbered: each once, and for good. */
#ifndef ACKMON_LABEL_GROUPS_H
#define ACKMON_LABEL_GROUPS_H

#include <stdint.h>

#include "labels.h"

struct label_groups {
	struct label_group *entries;
	uint32_t *slots; /* hash table of indices, UINT32_MAX: free */
	uint32_t count;
	uint32_t room;
	uint32_t slot_count; /* a power of two, more than twice count */
};

/* The group of that content, new or not. Texts are copied: they outlive the file they come from. 0 or -errno. */
int label_groups_intern(struct label_groups *groups, const struct label_group *group, uint32_t *ret_group);
void label_groups_close(struct label_groups *groups);

#endif

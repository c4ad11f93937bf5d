/* SPDX-License-Identifier: GPL-2.0-only */
/* What is kept for other network namespaces, and what of it nobody can reach any more. */
#ifndef ACKMON_ATTACH_OTHERS_H
#define ACKMON_ATTACH_OTHERS_H

#include <stdbool.h>
#include <stddef.h>

#include "attach_pins.h"

/*
 * Folders beside ours, in the root that somebody named or in both that are looked at. 0, or -ENOMEM; the caller
 * frees. Their locks are not held.
 */
int others_list(const struct pins *ours, const char *root, struct pins **ret_others, size_t *ret_count);

/*
 * Every link of it has lost its interface, as when its namespace went. False where there is no link to ask: filters
 * of clsact go with their interface, too, and nothing tells.
 */
bool others_is_gone(const struct pins *other);

/* "net-4711": what a folder is called. */
const char *others_name(const struct pins *other);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for addresses: from a file of prefixes, else what an address says of itself. */
#ifndef ACKMON_LABELS_H
#define ACKMON_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/aggregate.h"
#include "abi/key.h"

/*
 * A label file is CSV with a header: prefix, name, namespace, region, zone, external, port; only the
 * first must be there, the order is free, other columns are passed over. The longest prefix wins; of
 * one prefix, a line whose port fits wins over one without, the narrower range over the wider.
 */
struct labels;

/* Of what series are made: flows are counted by the groups of their two ends. */
struct label_group {
	const char *namespace; /* "": not known */
	const char *region;
	bool external;
};

struct label {
	const char *name; /* "" as the next two: not known */
	const char *zone;
	uint32_t group; /* index for labels_group() */
};

/*
 * path NULL: no file. On failure -errno and one sentence that names line and column. The groups of one
 * struct labels live as long as it does, also across reloads: their numbers stay.
 */
int labels_open(struct labels **ret_labels, const char *path, char *error, size_t error_size);

/* With MaxMind databases beside it, see geoip.h, whose paths live as long as the labels: the file goes before them. */
int labels_open_geoip(struct labels **ret_labels, const char *path, const char *const *geoip, size_t geoip_count,
		      char *error, size_t error_size);

/*
 * Numbers groups as they were numbered by somebody before: `before` come first, in their order, and
 * what is new here follows.
 */
int labels_number_after(struct labels *labels, const struct label_group *before, uint32_t count);

/* Reads the file again; on failure the old labels stay, and the sentence says why. */
int labels_reload(struct labels *labels, char *error, size_t error_size);
void labels_close(struct labels *labels);

bool labels_has_file(const struct labels *labels);
const char *labels_path(const struct labels *labels);
uint32_t labels_prefix_count(const struct labels *labels);

/* Always one: what no prefix covers has the label of its kind of address. */
const struct label *labels_find(const struct labels *labels, const struct ip_addr *addr,
				uint16_t port);

/*
 * The groups as they are now, for another thread, which may ask for labels_group() and nothing else: the
 * texts are those of `labels`, which lives longer. NULL: no memory.
 */
struct labels *labels_groups_now(const struct labels *labels);
void labels_groups_free(struct labels *groups); /* accepts NULL */

const struct label_group *labels_group(const struct labels *labels, uint32_t group);

/* The group of the same place in another namespace, new or not. */
int labels_group_within(struct labels *labels, uint32_t group, const char *namespace, uint32_t *ret_group);
uint32_t labels_group_count(const struct labels *labels);

/* What the kernel is given: each prefix with its value, and the port rules that values point to. */
typedef int (*labels_prefix_fn)(void *context, const struct label_prefix *prefix,
				const struct label_value *value);
int labels_walk(const struct labels *labels, labels_prefix_fn visit, void *context);
const struct label_ports *labels_ports(const struct labels *labels, uint32_t *ret_count);

#endif

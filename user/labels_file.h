/* SPDX-License-Identifier: GPL-2.0-only */
/* A label file as it is read: rules in the order of its lines, texts kept once. */
#ifndef ACKMON_LABELS_FILE_H
#define ACKMON_LABELS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/aggregate.h"

#define LABEL_LINE_GEOIP UINT32_MAX /* of rules that come from geoip.h; a line of a file goes before them */

/* One line: a prefix, the ports it is about, and what it says of them. */
struct label_rule {
	struct label_prefix prefix; /* nothing set behind bits */
	uint16_t port_first;        /* 0 to 65535: every port */
	uint16_t port_last;
	uint32_t line;
	const char *name;
	const char *namespace;
	const char *region;
	const char *zone;
	bool external;
};

struct labels_file {
	struct label_rule *rules;
	size_t count;
	size_t room;
	char *text; /* the file; the rules' texts point into it, or they are among these: */
	char **texts; /* a hash table */
	size_t text_slots;
	size_t text_count;
};

/* On failure -errno and one sentence; then nothing is left to close. */
int labels_file_read(struct labels_file *ret_file, const char *path, char *error,
		     size_t error_size);
void labels_file_close(struct labels_file *file);

#endif

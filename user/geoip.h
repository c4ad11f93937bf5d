/* SPDX-License-Identifier: GPL-2.0-only */
/* Regions and networks of public addresses, from MaxMind databases, as rules of labels. */
#ifndef ACKMON_GEOIP_H
#define ACKMON_GEOIP_H

#include <stddef.h>

#include "labels_file.h"

#define GEOIP_FILES_MAX 2 /* of places, and of autonomous systems */

/*
 * Adds a rule for each network of the databases, in no order, maybe twice the same: region is the country's
 * ISO code, "DE", or with a subdivision "DE-BY"; namespace the autonomous system, "AS64500"; and they
 * are external. Of two databases each network says what both know of it. On failure -errno and one sentence;
 * what was added goes with the file.
 */
int geoip_read(struct labels_file *file, const char *const *paths, size_t count, char *error,
	       size_t error_size);

#endif

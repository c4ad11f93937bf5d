/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side is told of cgroups, so that connections count in the namespace of the end that is here. */
#ifndef ACKMON_OWNER_MAPS_H
#define ACKMON_OWNER_MAPS_H

#include "attach.h"
#include "cgroups.h"
#include "labels.h"
#include "pair_maps.h"

struct owner_maps;

/* labels and pairs outlive it. 0 or -errno. */
int owner_maps_open(struct owner_maps **ret_maps, const struct attach *attach, struct pair_maps *pairs,
		    struct labels *labels);
void owner_maps_close(struct owner_maps *maps); /* accepts NULL */

/* Tells of the cgroups found since the last time, and of groups that came with new labels. */
int owner_maps_tell(struct owner_maps *maps, struct cgroups *cgroups);

#endif

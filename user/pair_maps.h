/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of labels as the kernel side counts them: labels in, pairs out, and what the reader adds. */
#ifndef ACKMON_PAIR_MAPS_H
#define ACKMON_PAIR_MAPS_H

#include <stddef.h>
#include <stdint.h>

#include "abi/config.h"
#include "abi/flow.h"
#include "abi/key.h"
#include "attach.h"
#include "labels.h"
#include "pairs.h"

struct pair_maps;

/* Chunks of histograms for so many pairs, in about 64 MiB for all CPUs together at most. */
uint32_t pair_maps_chunks(uint32_t pairs);

/* The programs must have been loaded with config.aggregate. 0 or -errno. */
int pair_maps_open(struct pair_maps **ret_maps, const struct attach *attach,
		   const struct monitor_config *config);
void pair_maps_close(struct pair_maps *maps); /* accepts NULL */

/* Groups get the numbers they had for who gave the kernel side its labels before. */
int pair_maps_adopt_names(struct pair_maps *maps, struct labels *labels);

/* For the next reader, before the kernel side has the numbers. -E2BIG: more than there is room for. */
int pair_maps_name_groups(struct pair_maps *maps, const struct labels *labels);

/*
 * Gives the kernel side these labels. -E2BIG: more than 1,023 prefixes with ports, or more names of groups
 * than are kept for the next reader.
 */
int pair_maps_set_labels(struct pair_maps *maps, const struct labels *labels);

/*
 * A flow that the reader has taken out of its table; flow->close is set. A reader killed in here may call
 * it again for the same flow, but for no other in between.
 */
void pair_maps_leaving(struct pair_maps *maps, const struct flow_key *key,
		       const struct flow_whole *whole);

int pair_maps_read(struct pair_maps *maps, struct pairs *ret_pairs);

#endif

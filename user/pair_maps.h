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

/* Gives the kernel side these labels. -E2BIG: more than 1,023 prefixes with ports. */
int pair_maps_set_labels(struct pair_maps *maps, const struct labels *labels);

/* A flow that the reader has taken out of its table; flow->close is set. */
void pair_maps_leaving(struct pair_maps *maps, const struct labels *labels,
		       const struct flow_key *key, struct flow *flow);

int pair_maps_read(struct pair_maps *maps, struct pairs *ret_pairs);

#endif

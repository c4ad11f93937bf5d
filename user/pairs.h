/* SPDX-License-Identifier: GPL-2.0-only */
/* What was counted for each pair of labels, read at one moment: the table that all outputs are made from. */
#ifndef ACKMON_PAIRS_H
#define ACKMON_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/aggregate.h"
#include "labels.h"

struct bucket { /* of struct chunk, see FINE_BUCKETS */
	uint32_t number;
	uint64_t count; /* never 0 */
};

struct pair {
	uint32_t opener; /* groups, unless is_other */
	uint32_t responder;
	bool is_other; /* all pairs there was no room for */
	struct pair_counters counters;
	uint64_t lost_after;                 /* segments: retransmitted less spurious, never falling */
	size_t first[PAIR_HISTOGRAMS + 1];   /* its buckets are [first[h], first[h + 1]) */
	uint64_t samples[PAIR_HISTOGRAMS];
};

struct pairs {
	struct pair *pairs;
	size_t count;
	size_t room;
	struct bucket *buckets; /* of each histogram in order */
	size_t bucket_count;
	size_t bucket_room;
	uint64_t refused;         /* lookups that ended in "other" for want of room; a flow may have several */
	uint64_t samples_refused; /* samples of pairs that had room, counted in "other" for want of a chunk */
	uint64_t owners_unknown;  /* ends whose cgroup was not told, see abi/owner.h */
	uint64_t owners_late;     /* or was known too late */
};

/*
 * Building: a pair, then its chunks, histogram by histogram, in order of their places. 0 or -ENOMEM.
 */
int pairs_begin(struct pairs *pairs, uint32_t opener, uint32_t responder, bool is_other,
		const struct pair_counters *counters);
int pairs_add_chunk(struct pairs *pairs, uint32_t place, const struct chunk *chunk);
void pairs_free(struct pairs *pairs);

void pair_counters_add(struct pair_counters *sum, const struct pair_counters *more);

uint64_t pair_connections(const struct pair *pair);   /* of every outcome */
uint64_t pair_samples(const struct pair *pair);       /* of every histogram */
uint64_t pair_retransmitted(const struct pair *pair); /* segments, of every cause */
uint64_t pair_lost_after(const struct pair_counters *counters); /* as it is now; it may fall */

/* The pair of all there was no room for; NULL: there was for each. */
const struct pair *pairs_other(const struct pairs *pairs);

/* The value that this part of the samples (0.5, 0.95) is not above; 0 when there is no sample. */
uint64_t pairs_quantile_ns(const struct pairs *pairs, const struct pair *pair,
			   enum pair_histogram histogram, double quantile);

/* Upper edge of a bucket in seconds; bucket 0 ends at 2^-20. */
double pairs_bucket_edge_s(uint32_t bucket);

/* Pairs whose series have the same labels become one; those left are in order of their labels. */
int pairs_merge_series(struct pairs *pairs, const struct labels *labels);

/* By labels, all of them. */
void pairs_sort(struct pairs *pairs, const struct labels *labels);

#endif

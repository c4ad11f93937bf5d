/* SPDX-License-Identifier: GPL-2.0-only */
/* What was counted for each pair of labels, read at one moment: the table that all outputs are made from. */
#include "pairs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Building */

int pairs_begin(struct pairs *pairs, uint32_t opener, uint32_t responder, bool is_other,
		const struct pair_counters *counters)
{
	struct pair *pair;

	if (pairs->count == pairs->room) {
		size_t room = pairs->room ? pairs->room * 2 : 64;
		struct pair *larger = reallocarray(pairs->pairs, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		pairs->pairs = larger;
		pairs->room = room;
	}
	pair = &pairs->pairs[pairs->count++];
	*pair = (struct pair){
		.opener = opener,
		.responder = responder,
		.is_other = is_other,
		.counters = *counters,
		.lost_after = pair_lost_after(counters),
	};
	for (int i = 0; i <= PAIR_HISTOGRAMS; i++)
		pair->first[i] = pairs->bucket_count;
	return 0;
}

static int add_bucket(struct pairs *pairs, uint32_t number, uint64_t count)
{
	if (pairs->bucket_count == pairs->bucket_room) {
		size_t room = pairs->bucket_room ? pairs->bucket_room * 2 : 1024;
		struct bucket *larger = reallocarray(pairs->buckets, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		pairs->buckets = larger;
		pairs->bucket_room = room;
	}
	pairs->buckets[pairs->bucket_count++] = (struct bucket){number, count};
	return 0;
}

int pairs_add_chunk(struct pairs *pairs, uint32_t place, const struct chunk *chunk)
{
	struct pair *pair = &pairs->pairs[pairs->count - 1];
	uint32_t histogram = place / PAIR_CHUNKS, first = place % PAIR_CHUNKS * CHUNK_BUCKETS;
	int err = 0;

	for (uint32_t i = 0; i < CHUNK_BUCKETS && !err; i++) {
		if (!chunk->count[i])
			continue;
		pair->samples[histogram] += chunk->count[i];
		err = add_bucket(pairs, first + i, chunk->count[i]);
	}
	for (uint32_t i = histogram + 1; i <= PAIR_HISTOGRAMS; i++)
		pair->first[i] = pairs->bucket_count;
	return err;
}

void pairs_free(struct pairs *pairs)
{
	free(pairs->pairs);
	free(pairs->buckets);
	*pairs = (struct pairs){0};
}

/* Sums */

void pair_counters_add(struct pair_counters *sum, const struct pair_counters *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

uint64_t pair_connections(const struct pair *pair)
{
	uint64_t sum = 0;

	for (int i = OUTCOME_UNKNOWN + 1; i < OUTCOME_COUNT; i++)
		sum += pair->counters.outcomes[i];
	return sum;
}

uint64_t pair_samples(const struct pair *pair)
{
	uint64_t sum = 0;

	for (int i = 0; i < PAIR_HISTOGRAMS; i++)
		sum += pair->samples[i];
	return sum;
}

const struct pair *pairs_other(const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (pairs->pairs[i].is_other)
			return &pairs->pairs[i];
	return NULL;
}

static uint64_t counters_retransmitted(const struct pair_counters *counters)
{
	uint64_t sum = 0;

	for (int i = 0; i < PAIR_CAUSES; i++)
		sum += counters->retransmitted[i];
	return sum;
}

uint64_t pair_retransmitted(const struct pair *pair)
{
	return counters_retransmitted(&pair->counters);
}

uint64_t pair_lost_after(const struct pair_counters *counters)
{
	uint64_t sum = counters_retransmitted(counters);

	return sum > counters->spurious ? sum - counters->spurious : 0;
}

/* Histograms */

double pairs_bucket_edge_s(uint32_t bucket)
{
	return exp2((double)bucket / (1 << FINE_SCALE) - 20);
}

/* A bucket's middle; of bucket 0 its end. */
static uint64_t bucket_ns(uint32_t bucket)
{
	double s = bucket ? exp2(((double)bucket - 0.5) / (1 << FINE_SCALE) - 20) : exp2(-20);

	return (uint64_t)(s * 1e9 + 0.5);
}

uint64_t pairs_quantile_ns(const struct pairs *pairs, const struct pair *pair,
			   enum pair_histogram histogram, double quantile)
{
	uint64_t samples = pair->samples[histogram], below = 0;
	uint64_t wanted = (uint64_t)ceil(quantile * (double)samples);

	for (size_t i = pair->first[histogram]; i < pair->first[histogram + 1]; i++) {
		below += pairs->buckets[i].count;
		if (below >= wanted)
			return bucket_ns(pairs->buckets[i].number);
	}
	return 0;
}

/* Order and merging */

static int compare_places(const struct label_group *a, const struct label_group *b)
{
	int order = strcmp(a->namespace, b->namespace);

	return order ? order : strcmp(a->region, b->region);
}

static int compare_labels(const struct pair *a, const struct pair *b, const struct labels *labels)
{
	const struct label_group *a_opener = labels_group(labels, a->opener);
	const struct label_group *b_opener = labels_group(labels, b->opener);
	const struct label_group *a_responder = labels_group(labels, a->responder);
	const struct label_group *b_responder = labels_group(labels, b->responder);
	int order = (int)a->is_other - (int)b->is_other;

	if (order || a->is_other)
		return order;
	order = compare_places(a_opener, b_opener);
	if (!order)
		order = compare_places(a_responder, b_responder);
	if (order)
		return order;
	return (a_opener->external || a_responder->external) -
	       (b_opener->external || b_responder->external);
}

static int by_labels(const void *x, const void *y, void *context)
{
	const struct pair *a = x, *b = y;
	int order = compare_labels(a, b, context);

	if (!order)
		order = (a->opener > b->opener) - (a->opener < b->opener);
	return order ? order : (a->responder > b->responder) - (a->responder < b->responder);
}

void pairs_sort(struct pairs *pairs, const struct labels *labels)
{
	if (pairs->count)
		qsort_r(pairs->pairs, pairs->count, sizeof(*pairs->pairs), by_labels,
			(void *)labels);
}

/* Appends the sum of two runs of buckets, both in order. */
static int merge_buckets(struct pairs *pairs, size_t a, size_t a_end, size_t b, size_t b_end)
{
	int err = 0;

	while ((a < a_end || b < b_end) && !err) {
		uint32_t at_a = a < a_end ? pairs->buckets[a].number : UINT32_MAX;
		uint32_t at_b = b < b_end ? pairs->buckets[b].number : UINT32_MAX;
		uint64_t count = 0;

		if (at_a <= at_b)
			count += pairs->buckets[a++].count;
		if (at_b <= at_a)
			count += pairs->buckets[b++].count;
		err = add_bucket(pairs, at_a < at_b ? at_a : at_b, count);
	}
	return err;
}

static int merge_pair(struct pairs *pairs, struct pair *into, const struct pair *from)
{
	size_t first[PAIR_HISTOGRAMS + 1];
	int err = 0;

	for (int h = 0; h < PAIR_HISTOGRAMS && !err; h++) {
		first[h] = pairs->bucket_count;
		err = merge_buckets(pairs, into->first[h], into->first[h + 1], from->first[h],
				    from->first[h + 1]);
		into->samples[h] += from->samples[h];
	}
	first[PAIR_HISTOGRAMS] = pairs->bucket_count;
	memcpy(into->first, first, sizeof(first));
	pair_counters_add(&into->counters, &from->counters);
	into->lost_after += from->lost_after;
	return err;
}

int pairs_merge_series(struct pairs *pairs, const struct labels *labels)
{
	size_t kept = 0;
	int err = 0;

	pairs_sort(pairs, labels);
	for (size_t i = 1; i < pairs->count && !err; i++) {
		struct pair *last = &pairs->pairs[kept];

		if (!compare_labels(last, &pairs->pairs[i], labels))
			err = merge_pair(pairs, last, &pairs->pairs[i]);
		else
			pairs->pairs[++kept] = pairs->pairs[i];
	}
	if (pairs->count)
		pairs->count = kept + 1;
	return err;
}

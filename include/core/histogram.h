/* SPDX-License-Identifier: GPL-2.0-only */
/* Log-linear histograms of times: where a value goes, and what lies below a quantile. */
#ifndef ACKMON_CORE_HISTOGRAM_H
#define ACKMON_CORE_HISTOGRAM_H

#include <linux/types.h>

#include "abi/aggregate.h"
#include "abi/histogram.h"
#include "core/compiler.h"

/*
 * Buckets grow by 2^(1/16), 4.4%: the edges of OpenTelemetry's exponential and Prometheus' native
 * histograms at scale 4, in seconds, so that they merge with others without being cut anew. Given
 * back is the geometric middle of a bucket, at most 2.2% from any value in it.
 */
core_inline void histogram_add(struct histogram *histogram, __u64 ns);

/* The same for the first `count` of four samples, of which only the buckets are known. */
core_inline void histogram_take(struct histogram *histogram, const __u16 buckets[4], __u32 count);

struct percentiles {
	__u64 p50_ns;
	__u64 p95_ns;
};

/* The values below which 50% and 95% of the counted ones lie; 0 when there are none. */
core_inline struct percentiles histogram_percentiles(const struct histogram *histogram);

/* 2^((j+0.5)/16), j = 0..15, with 31 bits behind the point. */
static const __u32 histogram_middles[16] = {
	2194507417u, 2291666561u, 2393127307u, 2499080105u, 2609723834u, 2725266179u,
	2845924021u, 2971923842u, 3103502151u, 3240905930u, 3384393094u, 3534232978u,
	3690706840u, 3854108391u, 4024744348u, 4202935003u,
};

/*
 * The edges at scale 5, for pairs of labels: 2^(j/32), j = 1..31; and how many of them lie below each
 * of 64 equal parts of [1, 2), in none of which there is more than one.
 */
static const __u32 histogram_fine_edges[32] = {
	2194507416u, 2242560871u, 2291666560u, 2341847523u, 2393127307u, 2445529971u,
	2499080104u, 2553802833u, 2609723833u, 2666869344u, 2725266179u, 2784941737u,
	2845924020u, 2908241642u, 2971923841u, 3037000499u, 3103502151u, 3171459999u,
	3240905930u, 3311872529u, 3384393094u, 3458501653u, 3534232977u, 3611622602u,
	3690706839u, 3771522796u, 3854108391u, 3938502375u, 4024744347u, 4112874773u,
	4202935003u,
	0xffffffffu,
};
static const __u8 histogram_fine_below[64] = {
	0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9, 9,
	10, 10, 11, 12, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18,
	18, 19, 19, 20, 20, 21, 21, 21, 22, 22, 23, 23, 24, 24, 25, 25,
	25, 26, 26, 27, 27, 27, 28, 28, 29, 29, 29, 30, 30, 30, 31, 31,
};

#define TWICE(x) x, x
#define FOUR_TIMES(x) TWICE(x), TWICE(x)
#define TIMES_16(x) FOUR_TIMES(x), FOUR_TIMES(x), FOUR_TIMES(x), FOUR_TIMES(x)
#define TIMES_64(x) TIMES_16(x), TIMES_16(x), TIMES_16(x), TIMES_16(x)

/* The highest bit of each octet. */
static const __u8 histogram_bit_of_octet[256] = {
	0, 0, TWICE(1), FOUR_TIMES(2), FOUR_TIMES(3), FOUR_TIMES(3), TIMES_16(4), TIMES_16(5), TIMES_16(5),
	TIMES_64(6), TIMES_64(7), TIMES_64(7),
};

#undef TWICE
#undef FOUR_TIMES
#undef TIMES_16
#undef TIMES_64

/* Seconds with 57 bits behind the point: ns * 2^57 / 10^9, good to 5 parts in 10^10. */
#define HISTOGRAM_POINT 57
#define HISTOGRAM_PER_NS 144115188ull
#define HISTOGRAM_LOWEST (HISTOGRAM_POINT - 20) /* bit of 2^-20 s */
#define HISTOGRAM_NS_MAX 63000000000ull

/* 1 when x lies above limit, both below 2^63: no branch, where a verifier would walk both ways. */
core_inline __u32 histogram_above(__u64 x, __u64 limit)
{
	return (__u32)((limit - x) >> 63);
}

core_inline __u32 histogram_highest_bit(__u64 x)
{
	__u32 bit = histogram_above(x, 0xffffffffull) << 5;

	bit += histogram_above(x >> bit, 0xffff) << 4;
	bit += histogram_above(x >> bit, 0xff) << 3;
	return bit + histogram_bit_of_octet[x >> bit & 255];
}

/*
 * Of struct chunk, less one; see FINE_BUCKETS. Values outside the range go to the bucket at its end;
 * -1 stands for those below it.
 */
core_inline __s32 histogram_fine_place(__u64 ns)
{
	__u64 value = (ns < HISTOGRAM_NS_MAX ? ns : HISTOGRAM_NS_MAX) * HISTOGRAM_PER_NS;
	__u32 bit = histogram_highest_bit(value), mantissa, part;

	if (bit < HISTOGRAM_LOWEST)
		return -1;
	mantissa = (__u32)(value >> (bit - 31));
	part = histogram_fine_below[mantissa >> 25 & 63];
	part += histogram_above(mantissa, histogram_fine_edges[part & 31]);
	return (__s32)((bit - HISTOGRAM_LOWEST) << FINE_SCALE | part);
}

core_inline __u32 histogram_fine_bucket(__u64 ns)
{
	return (__u32)(histogram_fine_place(ns) + 1);
}

/* Every second edge of the fine ones is one of these; what lies below them all is in the first. */
core_inline __u32 histogram_bucket_of(__u32 fine_bucket)
{
	return (fine_bucket - !!fine_bucket) >> (FINE_SCALE - HISTOGRAM_SCALE);
}

core_inline __u32 histogram_bucket(__u64 ns)
{
	return histogram_bucket_of(histogram_fine_bucket(ns));
}

core_inline void histogram_add(struct histogram *histogram, __u64 ns)
{
	__u32 bucket = histogram_bucket(ns);

	if (bucket < HISTOGRAM_BUCKETS)
		histogram->count[bucket]++;
	histogram->total++;
}

core_inline void histogram_take(struct histogram *histogram, const __u16 buckets[4], __u32 count)
{
	__u32 i;

	for (i = 0; i < 4; i++) {
		if (i < count && buckets[i] < HISTOGRAM_BUCKETS)
			histogram->count[buckets[i]]++;
	}
	histogram->total += count;
}

core_inline __u64 histogram_middle_ns(__u32 bucket)
{
	__u32 bit = (bucket >> HISTOGRAM_SCALE) + HISTOGRAM_LOWEST;
	__u64 mantissa = histogram_middles[bucket & 15];

	return mantissa * 1000000000ull >> (31 + HISTOGRAM_POINT - bit);
}

#define HISTOGRAM_PART (1u << HISTOGRAM_SCALE) /* buckets from one power of two to the next */

core_apart __u32 histogram_sum(const struct histogram *histogram, __u32 first)
{
	const __u32 *part;
	__u32 sum = 0, i;

	if (!histogram || first > HISTOGRAM_BUCKETS - HISTOGRAM_PART)
		return 0;
	part = histogram->count + first;
	for (i = 0; i < HISTOGRAM_PART; i++)
		sum += part[i];
	return sum;
}

/* The same where the compiler would make a branch of it. */
core_inline __u32 histogram_exceeds(__u64 x, __u64 limit)
{
	__u64 room = limit - x;

	compiler_forgets(room);
	return (__u32)(room >> 63);
}

/* The bucket with the wanted sample, in the order of their size: first its power of two, then its part. */
core_apart __u32 histogram_find(const struct histogram *histogram, __u32 wanted)
{
	__u32 below = 0, found = 0, more = 0, less = 1, i;
	const __u32 *part;

	if (!histogram)
		return 0;
	for (i = 0; i < HISTOGRAM_OCTAVES - 1; i++) {
		__u32 sum = histogram_sum(histogram, i * HISTOGRAM_PART);

		less &= histogram_exceeds(wanted, below + sum);
		below += sum * less;
		found += HISTOGRAM_PART * less;
	}
	if (found > HISTOGRAM_BUCKETS - HISTOGRAM_PART) /* never, but for the verifier */
		return 0;
	part = histogram->count + found;
	less = 1;
	for (i = 0; i < HISTOGRAM_PART - 1; i++) {
		below += part[i];
		less &= histogram_exceeds(wanted, below);
		more += less;
	}
	return found + more;
}

core_inline struct percentiles histogram_percentiles(const struct histogram *histogram)
{
	__u32 total;

	if (!histogram || !histogram->total)
		return (struct percentiles){0};
	total = histogram->total;
	return (struct percentiles){
		.p50_ns = histogram_middle_ns(histogram_find(histogram, total - total / 2)),
		.p95_ns = histogram_middle_ns(histogram_find(histogram, total - total / 20)),
	};
}

#endif

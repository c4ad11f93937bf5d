/* SPDX-License-Identifier: GPL-2.0-only */
/* Edges are the powers of 2^(1/16), middles lie close, and percentiles say what they count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/histogram.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)
#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull

#define BUCKETS_PER_OCTAVE (1 << HISTOGRAM_SCALE)

/* To the last digit a long double holds, and without another library. */
static long double root_of(long double square)
{
	long double root = square;
	int i;

	for (i = 0; i < 60; i++)
		root = (root + square / root) / 2;
	return root;
}

/* 2^(1/16) */
static long double step(void)
{
	return root_of(root_of(root_of(root_of(2.0L))));
}

/* The upper edge of a bucket in ns: 2^((bucket + 1) / 16 - 20) s. */
static long double upper_edge_ns(uint32_t bucket)
{
	long double edge = 1e9L / (1 << 20);
	uint32_t i;

	for (i = 0; i < (bucket + 1) / BUCKETS_PER_OCTAVE; i++)
		edge *= 2;
	for (i = 0; i < (bucket + 1) % BUCKETS_PER_OCTAVE; i++)
		edge *= step();
	return edge;
}

/* Off by no more than this share of the truth, and the ns a whole number costs. */
static int is_near(uint64_t ns, uint64_t truth_ns, double share)
{
	double off = (double)ns - (double)truth_ns;

	return (off < 0 ? -off : off) <= share * (double)truth_ns + 1;
}

static uint64_t p50(const struct histogram *histogram)
{
	return histogram_percentiles(histogram).p50_ns;
}

static uint64_t p95(const struct histogram *histogram)
{
	return histogram_percentiles(histogram).p95_ns;
}

/* ------------------------------------------------------------------ edges */

/* From 1 us to 60 s; from 1 s on the fixed point is coarser than a ns, by one part in 10^9. */
TEST(edges_are_powers_of_the_sixteenth_root_of_two_within_a_ns)
{
	uint32_t bucket;

	for (bucket = 1; bucket + 1 < HISTOGRAM_BUCKETS; bucket++) {
		uint64_t edge_ns = (uint64_t)upper_edge_ns(bucket), off_ns = 1 + edge_ns / S;

		if (edge_ns >= 63 * S)
			break;
		assert_int_equal(histogram_bucket(edge_ns - off_ns), bucket);
		assert_int_equal(histogram_bucket(edge_ns + 1 + off_ns), bucket + 1);
	}
	assert_true(bucket > 25 * BUCKETS_PER_OCTAVE);
}

/* 2^-9 s is 1.953125 ms and 2^0 s is 1 s, with nothing left over. */
TEST(a_power_of_two_is_the_edge_of_its_octave)
{
	assert_int_equal(histogram_bucket(1953125 + 1), 11 * BUCKETS_PER_OCTAVE);
	assert_int_equal(histogram_bucket(1953125 - 1), 11 * BUCKETS_PER_OCTAVE - 1);
	assert_int_equal(histogram_bucket(1 * S + 1), 20 * BUCKETS_PER_OCTAVE);
	assert_int_equal(histogram_bucket(1 * S - 1), 20 * BUCKETS_PER_OCTAVE - 1);
}

/* (lower, upper], as OpenTelemetry and Prometheus have it: what lies on the edge is below it. */
TEST(the_upper_edge_belongs_to_its_bucket)
{
	assert_int_equal(histogram_bucket(1 * S), 20 * BUCKETS_PER_OCTAVE - 1);
	assert_int_equal(histogram_bucket(1953125), 11 * BUCKETS_PER_OCTAVE - 1);
}

TEST(every_octave_has_sixteen_buckets)
{
	assert_int_equal(histogram_bucket(20 * MS) + BUCKETS_PER_OCTAVE, histogram_bucket(40 * MS));
	assert_int_equal(histogram_bucket(20 * MS) + 2 * BUCKETS_PER_OCTAVE,
			 histogram_bucket(80 * MS));
}

TEST(a_longer_time_never_goes_to_a_lower_bucket)
{
	uint32_t before = 0;
	uint64_t ns;

	for (ns = 1; ns < 200 * S; ns += 1 + ns / 999) {
		uint32_t bucket = histogram_bucket(ns);

		assert_in_range(bucket, before, before + 1);
		assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
		before = bucket;
	}
}

TEST(no_bucket_stays_empty)
{
	static struct histogram histogram;
	uint64_t ns;
	uint32_t i;

	memset(&histogram, 0, sizeof(histogram));
	for (ns = 1; ns < 200 * S; ns += 1 + ns / 100)
		histogram_add(&histogram, ns);
	for (i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		if (upper_edge_ns(i) < 63 * S)
			assert_int_not_equal(histogram.count[i], 0);
	}
}

/* The upper edge of a fine bucket in ns: 2^(bucket / 32 - 20) s. */
static long double fine_edge_ns(uint32_t bucket)
{
	long double edge = 1e9L / (1 << 20), fine_step = root_of(step());
	uint32_t i;

	for (i = 0; i < bucket / 32; i++)
		edge *= 2;
	for (i = 0; i < bucket % 32; i++)
		edge *= fine_step;
	return edge;
}

TEST(fine_edges_are_powers_of_the_thirty_second_root_of_two_within_two_ns)
{
	uint32_t bucket;

	for (bucket = 1; bucket < FINE_BUCKETS; bucket++) {
		uint64_t edge_ns = (uint64_t)fine_edge_ns(bucket), off_ns = 2 + edge_ns / S;

		if (edge_ns >= 63 * S)
			break;
		assert_int_equal(histogram_fine_bucket(edge_ns + off_ns), bucket + 1);
		if (edge_ns - off_ns > fine_edge_ns(bucket - 1) + 2)
			assert_int_equal(histogram_fine_bucket(edge_ns - off_ns), bucket);
	}
	assert_int_equal(histogram_fine_bucket(0), 0);
	assert_int_equal(histogram_fine_bucket(953), 0);
	assert_int_equal(histogram_fine_bucket(~0ull), FINE_BUCKETS - 1);
}

/* From 10 us to 60 s no value is further than 3% from either edge of its bucket. */
TEST(fine_buckets_are_narrower_than_three_percent)
{
	uint64_t ns;

	for (ns = 10 * US; ns < 60 * S; ns += ns / 1000) {
		uint32_t bucket = histogram_fine_bucket(ns);

		assert_true(fine_edge_ns(bucket) <= 1.03L * (long double)ns);
		assert_true(fine_edge_ns(bucket - 1) >= 0.97L * (long double)ns);
	}
}

TEST(two_fine_buckets_are_one_of_a_flow)
{
	uint64_t ns;

	for (ns = 2 * US; ns < 60 * S; ns += ns / 100)
		assert_int_equal((histogram_fine_bucket(ns) - 1) / 2, histogram_bucket(ns));
}

/* ------------------------------------------------------------------ extremes */

TEST(no_time_at_all_goes_to_the_first_bucket)
{
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(1), 0);
	assert_int_equal(histogram_bucket(953), 0); /* 2^-20 s is 953.67 ns */
}

TEST(a_microsecond_has_its_place)
{
	uint32_t bucket = histogram_bucket(1 * US);

	assert_int_equal(bucket, 1); /* 2^(1/16 - 20) s is 995.9 ns */
	assert_true(upper_edge_ns(bucket - 1) < 1000 && upper_edge_ns(bucket) >= 1000);
}

TEST(sixty_seconds_are_still_told_from_fifty_five)
{
	assert_true(histogram_bucket(60 * S) > histogram_bucket(55 * S));
	assert_in_range(histogram_bucket(60 * S), 0, HISTOGRAM_BUCKETS - 1);
}

TEST(what_is_longer_goes_to_the_last_bucket)
{
	assert_int_equal(histogram_bucket(100 * S), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket(~0ull), HISTOGRAM_BUCKETS - 1);
}

/* ------------------------------------------------------------------ middles */

TEST(the_middle_is_within_two_point_two_percent_of_its_bucket)
{
	uint64_t ns;

	for (ns = 1 * US; ns <= 60 * S; ns += 1 + ns / 777)
		assert_true(is_near(histogram_middle_ns(histogram_bucket(ns)), ns, 0.022));
}

TEST(the_middle_lies_in_its_own_bucket)
{
	uint32_t i;

	for (i = 0; i < HISTOGRAM_BUCKETS && upper_edge_ns(i) < 63 * S; i++)
		assert_int_equal(histogram_bucket(histogram_middle_ns(i)), i);
}

/* ------------------------------------------------------------------ percentiles */

TEST(percentiles_of_nothing_are_zero)
{
	struct histogram histogram = { .total = 0 };

	assert_int_equal(p50(&histogram), 0);
	assert_int_equal(p95(&histogram), 0);
	assert_int_equal(p50(NULL), 0);
}

TEST(percentiles_of_one_value_are_that_value)
{
	struct histogram histogram = { .total = 0 };

	histogram_add(&histogram, 20 * MS);
	assert_true(is_near(p50(&histogram), 20 * MS, 0.022));
	assert_true(is_near(p95(&histogram), 20 * MS, 0.022));
}

TEST(percentiles_of_one_to_a_hundred_ms_are_their_numbers)
{
	struct histogram histogram = { .total = 0 };
	uint32_t i;

	for (i = 100; i; i--) /* their order does not matter */
		histogram_add(&histogram, i * MS);
	assert_true(is_near(p50(&histogram), 50 * MS, 0.022));
	assert_true(is_near(p95(&histogram), 95 * MS, 0.022));
}

/* 94 fast ones and 6 slow ones: the 95th of a hundred is slow. With 95 and 5 it is not. */
TEST(the_95th_is_slow_when_more_than_a_twentieth_is)
{
	struct histogram six = { .total = 0 }, five = { .total = 0 };
	uint32_t i;

	for (i = 0; i < 100; i++) {
		histogram_add(&six, i < 94 ? 1 * MS : 1 * S);
		histogram_add(&five, i < 95 ? 1 * MS : 1 * S);
	}
	assert_true(is_near(p50(&six), 1 * MS, 0.022));
	assert_true(is_near(p95(&six), 1 * S, 0.022));
	assert_true(is_near(p95(&five), 1 * MS, 0.022));
}

/* Half of three is rounded up: two values lie at or below the median. */
TEST(the_median_of_three_is_the_second)
{
	struct histogram histogram = { .total = 0 };

	histogram_add(&histogram, 1 * MS);
	histogram_add(&histogram, 10 * MS);
	histogram_add(&histogram, 100 * MS);
	assert_true(is_near(p50(&histogram), 10 * MS, 0.022));
	assert_true(is_near(p95(&histogram), 100 * MS, 0.022));
}

TEST(values_outside_the_range_are_counted_at_its_ends)
{
	struct histogram histogram = { .total = 0 };

	histogram_add(&histogram, 0);
	histogram_add(&histogram, 0);
	histogram_add(&histogram, 100 * S);
	assert_true(p50(&histogram) < 1 * US);
	assert_true(p95(&histogram) > 55 * S);
}

TEST(four_billion_values_do_not_wrap_the_sum)
{
	struct histogram histogram = { .total = 0 };

	histogram.count[histogram_bucket(1 * MS)] = 1u << 31;
	histogram.count[histogram_bucket(2 * MS)] = (1u << 31) - 1;
	histogram.total = UINT32_MAX;
	assert_true(is_near(p50(&histogram), 1 * MS, 0.022));
	assert_true(is_near(p95(&histogram), 2 * MS, 0.022));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_are_powers_of_the_sixteenth_root_of_two_within_a_ns),
		cmocka_unit_test(a_power_of_two_is_the_edge_of_its_octave),
		cmocka_unit_test(the_upper_edge_belongs_to_its_bucket),
		cmocka_unit_test(every_octave_has_sixteen_buckets),
		cmocka_unit_test(a_longer_time_never_goes_to_a_lower_bucket),
		cmocka_unit_test(no_bucket_stays_empty),
		cmocka_unit_test(no_time_at_all_goes_to_the_first_bucket),
		cmocka_unit_test(a_microsecond_has_its_place),
		cmocka_unit_test(sixty_seconds_are_still_told_from_fifty_five),
		cmocka_unit_test(what_is_longer_goes_to_the_last_bucket),
		cmocka_unit_test(the_middle_is_within_two_point_two_percent_of_its_bucket),
		cmocka_unit_test(the_middle_lies_in_its_own_bucket),
		cmocka_unit_test(percentiles_of_nothing_are_zero),
		cmocka_unit_test(percentiles_of_one_value_are_that_value),
		cmocka_unit_test(percentiles_of_one_to_a_hundred_ms_are_their_numbers),
		cmocka_unit_test(the_95th_is_slow_when_more_than_a_twentieth_is),
		cmocka_unit_test(the_median_of_three_is_the_second),
		cmocka_unit_test(values_outside_the_range_are_counted_at_its_ends),
		cmocka_unit_test(four_billion_values_do_not_wrap_the_sum),
		cmocka_unit_test(fine_edges_are_powers_of_the_thirty_second_root_of_two_within_two_ns),
		cmocka_unit_test(fine_buckets_are_narrower_than_three_percent),
		cmocka_unit_test(two_fine_buckets_are_one_of_a_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

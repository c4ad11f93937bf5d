/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What parsing a plain frame costs, before and after, in rounds that take turns.
 *
 * usage: parse_bench BEFORE.bpf.o AFTER.bpf.o
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "parse_bench.h"
#include "parse_frames.h"

#define ROUNDS 101
#define RUNS 2000 /* a round, of PARSES_A_RUN each: some 2 ms, shorter than most interruptions are apart */

enum parser { BEFORE, AFTER, PARSERS };

struct program {
	int bench_fd, empty_fd;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "parse_bench: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static int program_fd(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		fail(name, ENOENT);
	return bpf_program__fd(program);
}

static struct program program_load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object || bpf_object__load(object))
		fail(path, errno);
	return (struct program){ program_fd(object, "bench_xdp"), program_fd(object, "empty_xdp") };
}

static double run_ns(int fd, struct plain_frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->len,
		    .repeat = RUNS);
	int err = bpf_prog_test_run_opts(fd, &opts);

	if (err)
		fail("BPF_PROG_RUN", err);
	if (opts.retval != 2) {
		fprintf(stderr, "parse_bench: %s: the parser did not take it\n", frame->name);
		exit(1);
	}
	return (double)opts.duration / PARSES_A_RUN;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The middle, and how far apart the middle half lies. */
static double median(double *values, double *ret_spread)
{
	qsort(values, ROUNDS, sizeof(*values), by_value);
	*ret_spread = values[ROUNDS * 3 / 4] - values[ROUNDS / 4];
	return values[ROUNDS / 2];
}

static void compare(const struct program programs[PARSERS], struct plain_frame *frame)
{
	double ns[PARSERS][ROUNDS], difference[ROUNDS], middle[PARSERS], spread[PARSERS], noise;
	uint32_t round, i, parser;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < PARSERS; i++) { /* who goes first changes */
			parser = (round + i) % PARSERS;
			ns[parser][round] = run_ns(programs[parser].bench_fd, frame) -
					    run_ns(programs[parser].empty_fd, frame);
		}
		difference[round] = ns[AFTER][round] - ns[BEFORE][round];
	}
	for (parser = 0; parser < PARSERS; parser++)
		middle[parser] = median(ns[parser], &spread[parser]);
	printf("%-28s %8.1f %8.1f %8.1f", frame->name, middle[BEFORE], middle[AFTER],
	       median(difference, &noise));
	printf(" %8.1f\n", noise);
}

static void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int main(int argc, char **argv)
{
	struct program programs[PARSERS];
	uint32_t i;

	if (argc != 3) {
		fputs("usage: parse_bench BEFORE.bpf.o AFTER.bpf.o\n", stderr);
		return 2;
	}
	stay_on_one_cpu();
	programs[BEFORE] = program_load(argv[1]);
	programs[AFTER] = program_load(argv[2]);
	printf("%-28s %8s %8s %8s %8s\n", "ns a frame over no parser", "before", "after", "median",
	       "+-");
	for (i = 0; i < PLAIN_FRAMES; i++) {
		plain_frame_make(&plain_frames[i]);
		compare(programs, &plain_frames[i]);
	}
	return 0;
}

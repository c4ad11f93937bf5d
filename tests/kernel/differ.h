/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the differential run share: what both sides said of an epoch of frames. */
#ifndef ACKMON_TESTS_DIFFER_H
#define ACKMON_TESTS_DIFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/verdict.h"
#include "feeder.h"
#include "programs.h"
#include "scenes.h"

/*
 * An epoch begins and ends with empty tables. It opens fewer flows than the half-open room holds: what
 * that room forgets when it is full depends on the kernel. One run of a program waits for all CPUs to
 * take note of it (20 ms, in XDP): so it is one run an epoch, and the ring buffer holds what it says.
 */
#define EPOCH_FRAMES FEED_FRAMES
#define EPOCH_EVENTS_BYTES (32u << 20)

struct row {
	struct flow_key key;
	struct flow_whole whole;
};

/* What one of the two said of an epoch. */
struct account {
	struct row *rows;
	size_t row_count, row_size;
	struct segment_event *events;
	size_t event_count, event_size;
	struct door_counters counters;
	uint64_t last_ns;
};

struct differ {
	struct program program;
	struct feeder *feeder;
	struct feed *feeds; /* the array of the feeder */
	int feed_fd;        /* the program that feeds */
	struct monitor_config config;
	struct account kernel, native;
	struct scene *scene;
	struct feed *epoch; /* EPOCH_FRAMES frames */
	uint64_t frames;
	uint64_t program_ns; /* in BPF_PROG_RUN */
	struct door_counters sum; /* of all epochs */
	uint64_t classes[SEGMENT_SUSPECT + 1]; /* segments by class, as events told them */
	uint64_t flows;
	bool lies; /* the core is told another length of one frame; see main() */
	char error[512];
};

/* differ.c: the sentence of what failed; gives back err. */
int differ_fail(struct differ *differ, int err, const char *what);
uint64_t differ_now_ns(void);
/* Room for one more behind `count`. */
void *differ_grown(void *array, size_t count, size_t *size, size_t bytes);

/* differ_epoch.c */
int differ_open(struct differ *differ, const struct seed_frame *seeds, size_t seed_count);
void differ_close(struct differ *differ);
/* The first so many frames. 1: they agree, 0: they do not, or -errno. */
int differ_run_epoch(struct differ *differ, unsigned int count);

/* differ_explain.c: on which frame of the epoch they part, and in what. */
void differ_explain(struct differ *differ, uint64_t number);

#endif

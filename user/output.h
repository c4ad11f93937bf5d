/* SPDX-License-Identifier: GPL-2.0-only */
/* Where this run's flow records go: a sink and the exporter that writes to it. */
#ifndef ACKMON_OUTPUT_H
#define ACKMON_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/event.h"
#include "cli.h"
#include "export.h"
#include "sink.h"

struct scribes;

struct output {
	struct sink *sink;
	struct exporter *exporter;
	char *head; /* what a file begins with; NULL: nothing */
	struct scribes *scribes; /* while many records come; NULL: each is a line at once */
	bool events; /* instead of records */
	bool pairs;  /* the same, at the end */
	uint64_t flows; /* records of flows that left, intervals apart */
	bool goes_on; /* behind what the file holds */
	bool adopts;  /* because a reader before us wrote there, of programs that stay */
	uint64_t lost; /* records that found no room; see output_lost() */
};

/*
 * EXIT_DONE, or what the program ends with; the sentence has been printed. What the file of -w holds is
 * there until output_begin(): when all that may go wrong has been tried, and before the first record.
 */
int output_open(struct output *output, const struct options *options);
int output_begin(struct output *output);

/*
 * What a reader that was killed had on its way has been settled: a line that it left half, in the place where it
 * wrote, is nobody's.
 */
struct outbox_place;
void output_resume(struct output *output, const struct outbox_place *killed);

/* A capture that is read must not be written to. */
bool output_is_file(const struct output *output, int fd);

/* is_interval: the flow goes on and will be shown again. */
void output_record(struct output *output, const struct record *record, bool is_interval);

/*
 * Many come at once: they may become lines on several threads, and nothing else comes between. The lines are the same, in the
 * same order; all of them are in the sink after output_end_many() or output_flush().
 */
void output_begin_many(struct output *output);
void output_end_many(struct output *output);

/* Meanwhile: where the next record may be made, so that it need not be copied; else NULL. */
struct record *output_room(const struct output *output);

/* What happened to a segment, with --events. */
void output_event(struct output *output, const struct segment_event *event,
		  int64_t wall_offset_ns);

/* What each pair of labels came to, with -o pairs. EXIT_DONE or, with a sentence, EXIT_FAILED. */
struct labels;
struct pairs;
int output_pairs(struct output *output, const struct options *options, const struct pairs *pairs,
		 const struct labels *labels);

/* The file of -w belongs to this user from now on, who may have to open it again. 0 or -errno. */
int output_give_to(struct output *output, uid_t uid, gid_t gid);

/* Live: a full disk is waited for, and what cannot wait is counted as lost. */
void output_be_patient(struct output *output);
void output_turn(struct output *output, uint64_t ns); /* a reader of ours may be slow for so long, then others wait */
int output_waits_for(const struct output *output); /* -errno; 0: it does not wait */
const char *output_wait_reason(const struct output *output);
uint64_t output_lost(const struct output *output); /* records the output could not take */
void output_give_up(struct output *output);	   /* nobody will wait any longer */
void output_drop_waiting(struct output *output);   /* intervals: the flows will be shown again */

/* 0, -EAGAIN while it waits, or -errno. */
int output_flush(struct output *output);
void output_reopen(struct output *output); /* what -w named, for a file that was moved away */

/*
 * Writes the rest and closes. EXIT_DONE, or with a sentence when records were lost: EXIT_LOST when its reader took
 * no more at the end, else EXIT_FAILED.
 */
int output_close(struct output *output);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The metrics of a live watch: from the kernel side's pairs to whoever wants them, and how. */
#ifndef ACKMON_METRICS_LIVE_H
#define ACKMON_METRICS_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/config.h"
#include "attach.h"
#include "cgroups.h"
#include "cli.h"
#include "labels.h"
#include "loop.h"
#include "pairs.h"
#include "reader.h"
#include "summary.h"

struct metrics_live;

struct metrics_source {
	const struct options *options;
	const struct attach *attach;
	struct labels *labels;
	struct cgroups *cgroups; /* NULL: not to be had here */
	struct reader *reader;
	struct loop *loop;
	int listen_fd; /* of --listen, taken over; -1: not listening yet */
	void (*summary)(void *context, struct summary *ret_summary);
	void *context;
};

/* Does somebody want pairs of labels: --listen, --textfile, --otlp or -o pairs? */
bool metrics_are_wanted(const struct options *options);

/* Before the programs are loaded; ackmon attach counts pairs when it is given labels, too. */
void metrics_configure(const struct options *options, struct monitor_config *config);

/* After. On failure -errno and one sentence. */
int metrics_live_open(struct metrics_live **ret_live, const struct metrics_source *source,
		      char *ret_error, size_t error_size);

/* The labels are others now. */
int metrics_live_labels(struct metrics_live *live);

/* The tree of cgroups was walked. */
void metrics_live_owners(struct metrics_live *live);

/* A flow that the reader has taken out. */
void metrics_live_leaving(struct metrics_live *live, const struct flow_key *key,
			  const struct flow_whole *whole);

/* At the end: nobody is answered any more. */
int metrics_live_pairs(struct metrics_live *live, struct pairs *ret_pairs);

/* A last push and a last file; then nobody is answered any more. Accepts NULL. */
void metrics_live_close(struct metrics_live *live);

#endif

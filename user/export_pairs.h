/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of labels as a table for people, as CSV, or as one JSON object a line. */
#ifndef ACKMON_EXPORT_PAIRS_H
#define ACKMON_EXPORT_PAIRS_H

#include <stdbool.h>

#include "cli.h"
#include "labels.h"
#include "pairs.h"
#include "sink.h"

/* format: FORMAT_TABLE (or FORMAT_WIDE), FORMAT_CSV or FORMAT_NDJSON. 0 or -ENOMEM. */
int export_pairs(struct sink *sink, enum output_format format, bool header,
		 const struct pairs *pairs, const struct labels *labels);

#endif

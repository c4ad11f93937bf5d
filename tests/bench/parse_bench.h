/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of parse_bench, and the parser of whichever tree -I names: today's, or one from before hops. */
#ifndef ACKMON_PARSE_BENCH_H
#define ACKMON_PARSE_BENCH_H

#include "core/parse.h"

#define PARSES_A_RUN 32u /* BPF_PROG_RUN says whole nanoseconds a run */

#ifdef PARSE_BEFORE_HOPS
#define PARSE_FRAME(frame, pkt) parse_frame(frame, pkt)
#else
#define PARSE_FRAME(frame, pkt) parse_frame(frame, 0, pkt)
#endif

#endif

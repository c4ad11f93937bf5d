/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon -r: capture files through the core, their flows to the output. */
#ifndef ACKMON_PLAY_H
#define ACKMON_PLAY_H

#include "cli.h"

/* The exit code; every sentence has been printed. */
int play(const struct options *options);

#endif

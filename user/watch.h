/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon -i: programs on interfaces, their flows to the output, until somebody says stop. */
#ifndef ACKMON_WATCH_H
#define ACKMON_WATCH_H

#include "cli.h"

/* The exit code; every sentence has been printed. */
int watch(const struct options *options);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells when the label file is another one than was read: written, replaced, or a link moved. */
#ifndef ACKMON_LABELS_WATCH_H
#define ACKMON_LABELS_WATCH_H

#include "loop.h"

struct labels_watch;

/*
 * on_change is called from the loop, never for what is there now. Needs to be able to read the file's
 * directory as long as it runs. 0 or -errno.
 */
int labels_watch_open(struct labels_watch **ret_watch, struct loop *loop, const char *path,
		      loop_fn on_change, void *context);
void labels_watch_close(struct labels_watch *watch); /* before the loop goes */

#endif

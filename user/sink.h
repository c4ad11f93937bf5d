/* SPDX-License-Identifier: GPL-2.0-only */
/* Where records are written: stdout or a file, buffered, its first error remembered. */
#ifndef ACKMON_SINK_H
#define ACKMON_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sink;

/* path NULL: stdout. -errno when it cannot be opened. */
int sink_open(struct sink **ret_sink, const char *path);

/* The same, but what the file holds stays, and what is written comes behind it. 1: it holds something. */
int sink_continue(struct sink **ret_sink, const char *path);

/* After an error (disk full, closed pipe) everything more is dropped. */
void sink_write(struct sink *sink, const void *bytes, size_t len);
void sink_text(struct sink *sink, const char *text);

/*
 * Opens the path again, appending, for a file that was moved away; stdout stays. Flush first.
 * 1: it is empty, 0: it is not, -errno: the old file goes on.
 */
int sink_reopen(struct sink *sink);

/* A file that was opened by its path changes its owner; anything else is left alone. 0 or -errno. */
int sink_give_to(struct sink *sink, uid_t uid, gid_t gid);

int sink_flush(struct sink *sink); /* 0 or the first error as -errno */
int sink_error(const struct sink *sink);
int sink_descriptor(const struct sink *sink);
const char *sink_name(const struct sink *sink); /* "standard output" or the path */
bool sink_is_terminal(const struct sink *sink, int *ret_columns);

/* Flushes, closes, and gives the first error as -errno. Accepts NULL. */
int sink_close(struct sink *sink);

#endif

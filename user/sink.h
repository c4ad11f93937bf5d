/* SPDX-License-Identifier: GPL-2.0-only */
/* Where records are written: stdout or a file, buffered, its first error remembered. */
#ifndef ACKMON_SINK_H
#define ACKMON_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sink;

/* path NULL: stdout. -errno when it cannot be opened. */
int sink_open(struct sink **ret_sink, const char *path);

/* The same, but what the file holds stays, and what is written comes behind it. 1: it holds something. */
int sink_continue(struct sink **ret_sink, const char *path);

/* sink_continue(), behind a line that was left half as well. */
int sink_append(struct sink **ret_sink, const char *path);

/*
 * From now on a full disk, or a pipe that takes no more, is waited for: what is in the buffer stays there,
 * and each flush tries again. Whoever writes then asks sink_room() before each record.
 */
void sink_be_patient(struct sink *sink);
int sink_waits_for(const struct sink *sink); /* -errno; 0: it does not wait */
size_t sink_room(const struct sink *sink);   /* octets that fit without flushing */

/* A last try; what still waits is dropped, and the error stays. How many lines that were. */
uint64_t sink_give_up(struct sink *sink);
/* Only drops: what comes later goes on behind whole lines. How many lines. */
uint64_t sink_drop_waiting(struct sink *sink);

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

int sink_flush(struct sink *sink); /* 0, the first error as -errno, or what it waits for */
int sink_error(const struct sink *sink);
int sink_descriptor(const struct sink *sink);
const char *sink_name(const struct sink *sink); /* "standard output" or the path */
bool sink_is_terminal(const struct sink *sink, int *ret_columns);

/* Flushes, closes, and gives the first error as -errno. Accepts NULL. */
int sink_close(struct sink *sink);

#endif

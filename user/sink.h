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

/* Before anything is written: the file of a path begins anew after all. 0 or -errno. */
int sink_empty(struct sink *sink);

/* A line that somebody who was killed left half at the end of the file is cut off, or ended. */
void sink_mend(struct sink *sink, bool may_cut);

bool sink_is_file(const struct sink *sink, int fd); /* they are one regular file */
bool sink_is_empty(const struct sink *sink);	    /* nothing stands in its file, or nobody can tell */

/* One line that is no record, before all that waits: what a file begins with. */
void sink_put_front(struct sink *sink, const char *text);
bool sink_has_front(const struct sink *sink); /* it waits, too */

/*
 * From now on a full disk, or a reader that takes no more, is waited for: what is in the buffer stays there,
 * and each flush tries again. Whoever writes then asks sink_room() before each record.
 */
void sink_be_patient(struct sink *sink);
int sink_waits_for(const struct sink *sink); /* -errno; 0: it does not wait */
size_t sink_room(const struct sink *sink);   /* octets that fit without flushing */

/*
 * A reader that is slower than we is waited for: for ever, or until we are asked to end and it takes nothing for
 * two seconds; by a patient sink no longer than the turn that began last, and half a second when nothing is taken.
 */
void sink_turn(struct sink *sink, uint64_t ns);

/* A last try; what still waits is dropped, the error stays, and nothing is waited for any more. */
void sink_give_up(struct sink *sink);
/* Only drops: what comes later goes on behind whole lines. */
void sink_drop_waiting(struct sink *sink);
uint64_t sink_lost(const struct sink *sink); /* lines that were dropped, or were in the buffer when an error came */

/* After an error (disk full, closed pipe) everything more is dropped. */
void sink_write(struct sink *sink, const void *bytes, size_t len);
void sink_text(struct sink *sink, const char *text);

/*
 * Opens the path again, appending, for a file that was moved away; stdout stays. Flush first. An empty file
 * begins with `front`, unless NULL. 0, or -errno: the old file goes on.
 */
int sink_reopen(struct sink *sink, const char *front);

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

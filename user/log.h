/* SPDX-License-Identifier: GPL-2.0-only */
/* Sentences for a person, on stderr; flow records never come this way. */
#ifndef ACKMON_LOG_H
#define ACKMON_LOG_H

/* -1: errors only (-q); 0: normal; 1 and more: details (-v). */
void log_set_verbosity(int verbosity);

/* "ackmon: " and the sentence and a newline. An unfinished progress line is erased first. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* silent with -q */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2))); /* only with -v */

/* Rewrites one line in place when stderr is a terminal and -q was not given; else does nothing. */
void log_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_progress_done(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts as each format wants them: nothing in a text can end it. */
#ifndef ACKMON_ESCAPE_H
#define ACKMON_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Each writes at `at` and returns where it stopped. Room is wanted for ESCAPE_MAX bytes for each byte of
 * text, and two more.
 */
#define ESCAPE_MAX 6 /* \u001f */

char *escape_csv(char *at, const char *text);  /* RFC 4180, quoted where it must be */
char *escape_json(char *at, const char *text); /* RFC 8259, quotes included */

/* A label's value in Prometheus' and OpenMetrics' text formats, without the quotes. */
char *escape_prometheus(char *at, const char *text);

/* Bytes of a well-formed UTF-8 sequence above ASCII (RFC 3629, 4), or 0. Stops at a NUL. */
size_t escape_utf8_length(const uint8_t *text);

#endif

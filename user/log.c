/* SPDX-License-Identifier: GPL-2.0-only */
/* Sentences on stderr: one write each, and never glued to a progress line. */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define ERASE_LINE "\r\033[K"

static int verbosity;
static bool progress_shown;

void log_set_verbosity(int level)
{
	verbosity = level;
}

/* In one write, so that lines of two processes on one terminal do not mix. */
static void log_line(const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	int head, body;
	size_t len;

	log_progress_done();
	head = snprintf(line, sizeof(line), "ackmon: ");
	body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	if (body < 0)
		return;
	len = (size_t)(head + body);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	fwrite(line, 1, len, stderr);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	if (verbosity < 0)
		return;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	if (verbosity < 1)
		return;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_progress(const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	if (verbosity < 0 || !isatty(STDERR_FILENO))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, ERASE_LINE "%s", line);
	fflush(stderr);
	progress_shown = true;
}

/* A progress line is of no use once something else is said: it is taken away, not ended. */
void log_progress_done(void)
{
	if (!progress_shown)
		return;
	fputs(ERASE_LINE, stderr);
	fflush(stderr);
	progress_shown = false;
}

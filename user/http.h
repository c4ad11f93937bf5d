/* SPDX-License-Identifier: GPL-2.0-only */
/* /metrics for whoever asks by HTTP: GET and HEAD only, few at a time, nobody for long. */
#ifndef ACKMON_HTTP_H
#define ACKMON_HTTP_H

#include <stddef.h>

#include "buffer.h"
#include "loop.h"
#include "metrics.h"

struct http;

/* Fills the buffer with all metrics in this format. 0 or -errno. */
typedef int (*http_metrics_fn)(void *context, enum metrics_format format, struct buffer *buffer);

/*
 * address: PORT or :PORT (of 127.0.0.1), ADDR:PORT, [ADDR]:PORT, or the path of a UNIX socket. A listening
 * socket, while we may still take low ports; or -errno and one sentence.
 */
int http_listen(const char *address, char *ret_error, size_t error_size);

/*
 * Answers at that socket, and takes it over, also when it fails: from the loop, without a thread. Needs
 * accept4, recv, send(msg), epoll and close. On failure -errno and one sentence.
 */
int http_open(struct http **ret_http, struct loop *loop, int fd, const char *address,
	      http_metrics_fn metrics, void *context, char *ret_error, size_t error_size);

/* Now and then, at least each second: those who wait too long are let go. */
void http_check(struct http *http);
void http_close(struct http *http); /* before the loop goes; accepts NULL */

#endif

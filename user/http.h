/* SPDX-License-Identifier: GPL-2.0-only */
/* /metrics for whoever asks by HTTP: GET and HEAD only, few at a time, nobody for long. */
#ifndef ACKMON_HTTP_H
#define ACKMON_HTTP_H

#include <stddef.h>

#include "buffer.h"
#include "metrics.h"

struct http;

/* Fills the buffer with all metrics in this format, from a thread of the server. 0 or -errno. */
typedef int (*http_metrics_fn)(void *context, enum metrics_format format, struct buffer *buffer);

/*
 * address: PORT or :PORT (of 127.0.0.1), ADDR:PORT, [ADDR]:PORT, or the path of a UNIX socket. A listening
 * socket, while we may still take low ports; or -errno and one sentence.
 */
int http_listen(const char *address, char *ret_error, size_t error_size);

/*
 * Answers at that socket, and takes it over, also when it fails: from a thread of its own, for ten thousand
 * pairs take a second. Needs accept4, recv, send(msg), epoll and close. On failure -errno and one sentence.
 */
int http_open(struct http **ret_http, int fd, const char *address, http_metrics_fn metrics, void *context,
	      char *ret_error, size_t error_size);

/* Waits for the answer under way, which must not wait for the caller; accepts NULL. */
void http_close(struct http *http);

#endif

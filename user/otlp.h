/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics pushed to an OpenTelemetry collector: OTLP over HTTP, in protobuf. */
#ifndef ACKMON_OTLP_H
#define ACKMON_OTLP_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct otlp;

/*
 * url: where to post, as http://host:4318/v1/metrics. A thread of its own posts, so that a collector that does
 * not answer stops nobody; it needs socket, connect, poll, send, recv, futex, getaddrinfo's files and threads.
 * On failure -errno and one sentence.
 */
int otlp_open(struct otlp **ret_otlp, const char *url, char *ret_error, size_t error_size);

/* Takes the bytes over. While one push is under way the newest waits, and replaces one that waits already. */
void otlp_push(struct otlp *otlp, struct buffer *body);

/* Pushes that arrived, and those that did not. */
void otlp_counts(const struct otlp *otlp, uint64_t *ret_ok, uint64_t *ret_failed);

/* Waits for what is under way, five seconds at most; accepts NULL. */
void otlp_close(struct otlp *otlp);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that may still attach: it follows interfaces and tells the one that reads, which may not. */
#ifndef ACKMON_DEPUTY_H
#define ACKMON_DEPUTY_H

#include <stddef.h>

#include "attach.h"
#include "privileges.h"
#include "roster.h"

struct deputy;

/*
 * Forks. In the child `leave_behind` closes what is the reader's alone; then the child gives up all but
 * what attaching and detaching take, and serves until deputy_close(), or until this process is no more.
 * On failure -errno and one sentence in ret_error.
 */
int deputy_open(struct deputy **ret_deputy, struct roster *roster, struct attach *attach,
		const struct options *options, const struct identity *identity,
		void (*leave_behind)(void *context), void *context, char *ret_error, size_t error_size);

/* Has something to read when interfaces came, went or changed: deputy_hear() then. */
int deputy_fd(const struct deputy *deputy);
int deputy_hear(struct deputy *deputy); /* 0, or -EPIPE: it is gone */

/* It takes away what it attached and ends; then it is freed. Accepts NULL. */
void deputy_close(struct deputy *deputy);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* How many threads are worth it here, and how one is started. */
#ifndef ACKMON_THREADS_H
#define ACKMON_THREADS_H

#include <pthread.h>
#include <stdbool.h>

/* As many as there are CPUs for us, the caller's own included; or what ACKMON_THREADS says. */
unsigned int threads_usable(void);
bool threads_were_told(void); /* ACKMON_THREADS says it */

/* It takes no signals: what a person says goes to the thread that is there already. 0 or -errno. */
int threads_start(pthread_t *ret_thread, void *(*run)(void *context), void *context);

#endif

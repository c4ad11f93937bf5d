/* SPDX-License-Identifier: GPL-2.0-only */
/* How many threads are worth it here, and how one is started. */
#include "threads.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

static const char *told(void)
{
	const char *threads = getenv("ACKMON_THREADS");

	return threads && *threads ? threads : NULL;
}

bool threads_were_told(void)
{
	return told();
}

unsigned int threads_usable(void)
{
	const char *threads = told();
	cpu_set_t cpus;

	if (threads)
		return atoi(threads) > 1 ? (unsigned int)atoi(threads) : 1;
	/* More CPUs than a set has room for: there are more than one. */
	return sched_getaffinity(0, sizeof(cpus), &cpus) ? 2 : (unsigned int)CPU_COUNT(&cpus);
}

/* Refused system calls are told where they happen: SIGSYS is not among these. */
int threads_start(pthread_t *ret_thread, void *(*run)(void *context), void *context)
{
	sigset_t signals, before;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	err = pthread_create(ret_thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

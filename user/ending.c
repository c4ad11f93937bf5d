/* SPDX-License-Identifier: GPL-2.0-only */
/* How often somebody asked us to end: who waits for others has to know. */
#include "ending.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void on_signal(int signal)
{
	(void)signal;
	ending_note();
}

static void fill(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

void ending_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	fill(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void ending_note(void)
{
	if (asked < 2)
		asked = asked + 1;
}

int ending_asked(void)
{
	return asked;
}

bool ending_is_near(void)
{
	sigset_t pending;

	return !sigpending(&pending) && (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

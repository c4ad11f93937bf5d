/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting: timers and signals in one place, so that nothing polls and nothing sleeps blindly. */
#ifndef ACKMON_LOOP_H
#define ACKMON_LOOP_H

#include <stdint.h>

struct loop;

typedef void (*loop_fn)(void *context);

int loop_open(struct loop **ret_loop);
int loop_every(struct loop *loop, uint64_t period_ns, loop_fn fn, void *context);
int loop_once(struct loop *loop, uint64_t delay_ns, loop_fn fn, void *context);
/* Blocks the signal's default action for good: from now on it arrives here. */
int loop_on_signal(struct loop *loop, int signal, loop_fn fn, void *context);

/* When there is something to read, which is read away: whose content matters must not come here. Takes fd over. */
int loop_on_fd(struct loop *loop, int fd, loop_fn fn, void *context);
/* When somebody sets the wall clock. */
int loop_on_clock_set(struct loop *loop, loop_fn fn, void *context);

/* Whenever fd has something to read, which fn does. */
int loop_on_input(struct loop *loop, int fd, loop_fn fn, void *context);

/* Serves until loop_stop(). 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* The longest that it served one of them at a stretch: so long all others waited. */
uint64_t loop_longest_turn_ns(const struct loop *loop);
void loop_close(struct loop *loop); /* accepts NULL */

#endif

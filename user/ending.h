/* SPDX-License-Identifier: GPL-2.0-only */
/* How often somebody asked us to end: who waits for others has to know. */
#ifndef ACKMON_ENDING_H
#define ACKMON_ENDING_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are counted here, also where they were blocked, and interrupt what waits. */
void ending_catch(void);
void ending_note(void); /* counts as one: a loop that took signals has ended, or a signal has come */

/* 0: not yet; 1: what is left is to be written; more: at once. */
int ending_asked(void);

/* Where signals are blocked and a loop takes them: one of these waits for its turn. */
bool ending_is_near(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A belt between two threads: one loads numbered places, the other unloads them in the same order. */
#ifndef ACKMON_BELT_H
#define ACKMON_BELT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What lies on a place is the threads' own: a place is the loader's from belt_room() to belt_load(), and the
 * unloader's from belt_piece() to belt_unload(). Who has to wait sleeps until half of the belt has moved, for
 * waking somebody costs as much as a hundred frames; so the belt is for what comes by itself, and not for
 * what comes from a pipe.
 */
struct belt {
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t has_room;
	pthread_cond_t has_pieces;
	uint32_t places;
	uint64_t loaded; /* pieces ever */
	uint64_t unloaded;
	bool loader_sleeps;
	bool unloader_sleeps;
	bool ended;   /* nothing more comes */
	bool stopped; /* nothing more is wanted */
};

/* At least two places. */
void belt_open(struct belt *belt, uint32_t places);
void belt_close(struct belt *belt); /* when both threads are done */
void belt_clear(struct belt *belt); /* for the next two: as it was opened */

/* The loader: the place to load, or -1 when nothing more is wanted; then it is loaded. At last belt_end(). */
int belt_room(struct belt *belt);
bool belt_is_half_full(struct belt *belt); /* the loader is far ahead */
void belt_load(struct belt *belt);
void belt_end(struct belt *belt);

/* The unloader: the place to unload, or -1 when all is unloaded and nothing more comes; then it is free. */
int belt_piece(struct belt *belt);
void belt_unload(struct belt *belt);
void belt_stop(struct belt *belt);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A belt between two threads: one loads numbered places, the other unloads them in the same order. */
#include "belt.h"

void belt_open(struct belt *belt, uint32_t places)
{
	*belt = (struct belt){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.has_room = PTHREAD_COND_INITIALIZER,
		.has_pieces = PTHREAD_COND_INITIALIZER,
		.places = places,
	};
}

void belt_close(struct belt *belt)
{
	pthread_cond_destroy(&belt->has_pieces);
	pthread_cond_destroy(&belt->has_room);
	pthread_mutex_destroy(&belt->lock);
}

void belt_clear(struct belt *belt)
{
	pthread_mutex_lock(&belt->lock);
	belt->loaded = belt->unloaded = 0;
	belt->ended = belt->stopped = false;
	pthread_mutex_unlock(&belt->lock);
}

static uint64_t pieces(const struct belt *belt)
{
	return belt->loaded - belt->unloaded;
}

static bool is_half_empty(const struct belt *belt)
{
	return pieces(belt) <= belt->places / 2;
}

static bool is_half_full(const struct belt *belt)
{
	return pieces(belt) >= belt->places / 2;
}

int belt_room(struct belt *belt)
{
	int place;

	pthread_mutex_lock(&belt->lock);
	if (pieces(belt) == belt->places) {
		belt->loader_sleeps = true;
		while (!is_half_empty(belt) && !belt->stopped)
			pthread_cond_wait(&belt->has_room, &belt->lock);
		belt->loader_sleeps = false;
	}
	place = belt->stopped ? -1 : (int)(belt->loaded % belt->places);
	pthread_mutex_unlock(&belt->lock);
	return place;
}

bool belt_is_half_full(struct belt *belt)
{
	bool is;

	pthread_mutex_lock(&belt->lock);
	is = is_half_full(belt);
	pthread_mutex_unlock(&belt->lock);
	return is;
}

void belt_load(struct belt *belt)
{
	pthread_mutex_lock(&belt->lock);
	belt->loaded++;
	if (belt->unloader_sleeps && is_half_full(belt))
		pthread_cond_signal(&belt->has_pieces);
	pthread_mutex_unlock(&belt->lock);
}

void belt_end(struct belt *belt)
{
	pthread_mutex_lock(&belt->lock);
	belt->ended = true;
	pthread_cond_signal(&belt->has_pieces);
	pthread_mutex_unlock(&belt->lock);
}

int belt_piece(struct belt *belt)
{
	int place;

	pthread_mutex_lock(&belt->lock);
	if (!pieces(belt)) {
		belt->unloader_sleeps = true;
		while (!is_half_full(belt) && !belt->ended)
			pthread_cond_wait(&belt->has_pieces, &belt->lock);
		belt->unloader_sleeps = false;
	}
	place = pieces(belt) ? (int)(belt->unloaded % belt->places) : -1;
	pthread_mutex_unlock(&belt->lock);
	return place;
}

void belt_unload(struct belt *belt)
{
	pthread_mutex_lock(&belt->lock);
	belt->unloaded++;
	if (belt->loader_sleeps && is_half_empty(belt))
		pthread_cond_signal(&belt->has_room);
	pthread_mutex_unlock(&belt->lock);
}

void belt_stop(struct belt *belt)
{
	pthread_mutex_lock(&belt->lock);
	belt->stopped = true;
	pthread_cond_signal(&belt->has_room);
	pthread_mutex_unlock(&belt->lock);
}

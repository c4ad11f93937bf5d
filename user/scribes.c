/* SPDX-License-Identifier: GPL-2.0-only */
/* Many records become lines: on as many threads as there are CPUs, and in the order in which they came. */
#include "scribes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "export_line.h"
#include "threads.h"

/* Waking somebody costs as much as spelling ten records. Two blocks of each scribe lie in the caches of its CPU. */
#define BLOCK_RECORDS 64u
#define BLOCKS_EACH 4u /* on their way, for every thread that spells */
#define HELPERS_MAX 3u
#define BLOCKS_MAX ((HELPERS_MAX + 1) * BLOCKS_EACH)

/* Names and paths beside a flow, of a whole block: most records have those of the one before. */
#define TEXTS_BYTES 32768u

/* Below that copying a record is as dear as spelling it. */
#define FIELDS_MIN 24u

enum block_text { TEXT_IFACE, TEXT_NETNS, TEXT_CGROUP, TEXT_ALSO = TEXT_CGROUP + 2, TEXTS };

/* The caller's while it is filled and when it is spelled; between these, of the one who spells it. */
struct block {
	uint32_t count;
	bool is_spelled; /* under the lock */
	uint32_t texts_used;
	const char *last[TEXTS]; /* in texts; NULL: none yet */
	struct buffer lines;
	size_t ends[BLOCK_RECORDS]; /* of lines */
	char texts[TEXTS_BYTES];
	struct record records[BLOCK_RECORDS];
};

struct helper {
	struct scribes *scribes;
	struct line *line;
	pthread_t thread;
};

struct scribes {
	const struct exporter *exporter;
	scribes_line_fn on_line;
	void *context;
	struct line *line; /* the caller's */
	uint32_t block_count;
	struct block *blocks; /* a ring; counters below, not places in it */
	uint64_t written;     /* whose lines were handed out */
	uint32_t helper_count; /* wanted; as many are there, once they are started */
	bool has_helpers;
	struct helper helpers[HELPERS_MAX];

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t has_work;
	pthread_cond_t is_spelled;
	uint64_t filled;
	uint64_t taken; /* to be spelled */
	bool caller_sleeps;
	bool stopped;
};

static struct block *block_at(struct scribes *scribes, uint64_t number)
{
	return &scribes->blocks[number % scribes->block_count];
}

/* ------------------------------------------------------------------ filling */

static void clear_block(struct block *block)
{
	block->count = 0;
	block->is_spelled = false;
	block->texts_used = 0;
	memset(block->last, 0, sizeof(block->last));
	block->lines.len = 0;
	block->lines.failed = false;
}

/* False: no room for it. */
static bool copy_text(struct block *block, enum block_text which, const char **text)
{
	size_t size;

	if (!*text)
		return true;
	if (!block->last[which] || strcmp(block->last[which], *text)) {
		size = strlen(*text) + 1;
		if (size > TEXTS_BYTES - block->texts_used)
			return false;
		block->last[which] = memcpy(block->texts + block->texts_used, *text, size);
		block->texts_used += (uint32_t)size;
	}
	*text = block->last[which];
	return true;
}

/* False: its texts have no room in this block, and nothing was changed. */
static bool put_record(struct block *block, const struct record *record)
{
	struct record *copy = &block->records[block->count];
	const char *text[TEXTS] = {
		[TEXT_IFACE] = record->iface,
		[TEXT_NETNS] = record->netns,
		[TEXT_CGROUP] = record->cgroup[0],
		[TEXT_CGROUP + 1] = record->cgroup[1],
		[TEXT_ALSO] = record->also_ifaces,
	};

	for (int which = 0; which < TEXTS; which++)
		if (!copy_text(block, which, &text[which]))
			return false;
	if (copy != record) /* see scribes_room() */
		*copy = *record;
	copy->iface = text[TEXT_IFACE];
	copy->netns = text[TEXT_NETNS];
	copy->cgroup[0] = text[TEXT_CGROUP];
	copy->cgroup[1] = text[TEXT_CGROUP + 1];
	copy->also_ifaces = text[TEXT_ALSO];
	block->count++;
	return true;
}

/* ------------------------------------------------------------------ spelling */

static void spell(struct block *block, struct line *line)
{
	for (uint32_t i = 0; i < block->count; i++) {
		size_t len;
		const char *text = line_spell(line, &block->records[i], &len);

		buffer_add(&block->lines, text, len);
		block->ends[i] = block->lines.len;
	}
}

/* The oldest that nobody has taken yet; NULL: there is none. The lock is held before and after. */
static struct block *spell_one(struct scribes *scribes, struct line *line)
{
	struct block *block;

	if (scribes->taken == scribes->filled)
		return NULL;
	block = block_at(scribes, scribes->taken++);
	pthread_mutex_unlock(&scribes->lock);
	spell(block, line);
	pthread_mutex_lock(&scribes->lock);
	block->is_spelled = true;
	return block;
}

static void *help(void *context)
{
	const struct helper *helper = context;
	struct scribes *scribes = helper->scribes;

	pthread_mutex_lock(&scribes->lock);
	while (!scribes->stopped) {
		if (!spell_one(scribes, helper->line))
			pthread_cond_wait(&scribes->has_work, &scribes->lock);
		else if (scribes->caller_sleeps)
			pthread_cond_signal(&scribes->is_spelled);
	}
	pthread_mutex_unlock(&scribes->lock);
	return NULL;
}

/* As many as memory allows. */
static void start_helpers(struct scribes *scribes)
{
	uint32_t started = 0;

	while (started < scribes->helper_count) {
		struct helper *helper = &scribes->helpers[started];

		helper->scribes = scribes;
		if (export_line(&helper->line, scribes->exporter))
			break;
		if (threads_start(&helper->thread, help, helper)) {
			line_close(helper->line);
			break;
		}
		started++;
	}
	scribes->helper_count = started;
	scribes->has_helpers = true;
}

/* ------------------------------------------------------------------ handing out */

static void hand_out_one(struct scribes *scribes, const struct record *record)
{
	size_t len;
	const char *text = line_spell(scribes->line, record, &len);

	scribes->on_line(scribes->context, text, len);
}

static void hand_out(struct scribes *scribes, struct block *block)
{
	size_t at = 0;

	for (uint32_t i = 0; i < block->count; i++) {
		if (block->lines.failed) { /* no memory for a block of lines, but for one */
			hand_out_one(scribes, &block->records[i]);
			continue;
		}
		scribes->on_line(scribes->context, block->lines.bytes + at, block->ends[i] - at);
		at = block->ends[i];
	}
	clear_block(block);
	scribes->written++;
}

/* The oldest block is written; while it is not spelled the caller spells what is there, or waits. */
static void write_oldest(struct scribes *scribes)
{
	struct block *block = block_at(scribes, scribes->written);

	pthread_mutex_lock(&scribes->lock);
	while (!block->is_spelled) {
		if (spell_one(scribes, scribes->line))
			continue;
		scribes->caller_sleeps = true;
		pthread_cond_wait(&scribes->is_spelled, &scribes->lock);
		scribes->caller_sleeps = false;
	}
	pthread_mutex_unlock(&scribes->lock);
	hand_out(scribes, block);
}

static void give(struct scribes *scribes)
{
	pthread_mutex_lock(&scribes->lock);
	scribes->filled++;
	pthread_cond_signal(&scribes->has_work);
	pthread_mutex_unlock(&scribes->lock);
	if (scribes->filled - scribes->written < scribes->block_count)
		return;
	if (!scribes->has_helpers)
		start_helpers(scribes);
	write_oldest(scribes);
}

/* filled is written by the caller alone. */
static struct block *current(struct scribes *scribes)
{
	return block_at(scribes, scribes->filled);
}

struct record *scribes_room(struct scribes *scribes)
{
	struct block *block = current(scribes);

	return &block->records[block->count];
}

/* Its texts have no room beside those before it, or at all. The block it may have been made in is not used yet again. */
static void put_long_record(struct scribes *scribes, const struct record *record)
{
	give(scribes);
	if (put_record(current(scribes), record))
		return;
	clear_block(current(scribes));
	scribes_finish(scribes);
	hand_out_one(scribes, record);
}

void scribes_add(struct scribes *scribes, const struct record *record)
{
	if (!put_record(current(scribes), record))
		put_long_record(scribes, record);
	if (current(scribes)->count == BLOCK_RECORDS)
		give(scribes);
}

void scribes_finish(struct scribes *scribes)
{
	if (current(scribes)->count)
		give(scribes);
	while (scribes->written < scribes->filled)
		write_oldest(scribes);
}

/* ------------------------------------------------------------------ opening and closing */

int scribes_open(struct scribes **ret_scribes, const struct exporter *exporter, scribes_line_fn on_line,
		 void *context)
{
	uint32_t threads = threads_usable();
	struct scribes *scribes;
	int err;

	if (threads < 2 || export_field_count(exporter) < FIELDS_MIN)
		return -ENOTSUP;
	scribes = calloc(1, sizeof(*scribes));
	if (!scribes)
		return -ENOMEM;
	if (threads > HELPERS_MAX + 1)
		threads = HELPERS_MAX + 1;
	scribes->exporter = exporter;
	scribes->on_line = on_line;
	scribes->context = context;
	scribes->helper_count = threads - 1;
	scribes->block_count = threads * BLOCKS_EACH;
	pthread_mutex_init(&scribes->lock, NULL);
	pthread_cond_init(&scribes->has_work, NULL);
	pthread_cond_init(&scribes->is_spelled, NULL);
	err = export_line(&scribes->line, exporter);
	scribes->blocks = err ? NULL : calloc(scribes->block_count, sizeof(*scribes->blocks));
	if (!err && !scribes->blocks)
		err = -ENOMEM;
	if (err)
		scribes_close(scribes);
	else
		*ret_scribes = scribes;
	return err;
}

static void stop_helpers(struct scribes *scribes)
{
	pthread_mutex_lock(&scribes->lock);
	scribes->stopped = true;
	pthread_cond_broadcast(&scribes->has_work);
	pthread_mutex_unlock(&scribes->lock);
	for (uint32_t i = 0; i < scribes->helper_count; i++) {
		pthread_join(scribes->helpers[i].thread, NULL);
		line_close(scribes->helpers[i].line);
	}
}

void scribes_close(struct scribes *scribes)
{
	if (!scribes)
		return;
	if (scribes->has_helpers)
		stop_helpers(scribes);
	for (uint32_t i = 0; scribes->blocks && i < scribes->block_count; i++)
		buffer_free(&scribes->blocks[i].lines);
	free(scribes->blocks);
	line_close(scribes->line);
	pthread_cond_destroy(&scribes->is_spelled);
	pthread_cond_destroy(&scribes->has_work);
	pthread_mutex_destroy(&scribes->lock);
	free(scribes);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What is on its way from the kernel to the output, so that a killed reader loses nothing silently. */
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t mapped_bytes(void)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct outbox) + page_bytes - 1) / page_bytes * page_bytes;
}

int outbox_map(struct outbox **ret_outbox, int map_fd)
{
	void *pages = mmap(NULL, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	if (pages == MAP_FAILED)
		return -errno;
	*ret_outbox = pages;
	return 0;
}

void outbox_unmap(struct outbox *outbox)
{
	if (outbox)
		munmap(outbox, mapped_bytes());
}

/* Slots */

struct outbox_slot *outbox_slot(struct outbox *outbox)
{
	for (size_t i = 0; i < OUTBOX_SLOTS; i++)
		if (outbox->slot[i].state == SLOT_FREE)
			return &outbox->slot[i];
	return NULL;
}

/* A state promises what was stored before it, whoever reads it after a kill. */
void outbox_slot_is(struct outbox_slot *slot, enum slot_state state)
{
	__atomic_store_n(&slot->state, (uint32_t)state, __ATOMIC_RELEASE);
}

static uint64_t taken_slots(const struct outbox *outbox)
{
	uint64_t count = 0;

	for (size_t i = 0; i < OUTBOX_SLOTS; i++)
		count += outbox->slot[i].state >= SLOT_TAKEN;
	return count;
}

/* Delivering */

struct outbox_totals outbox_next(const struct outbox *outbox, uint64_t lines, uint64_t ring_flows,
				 uint64_t ring_position)
{
	struct outbox_totals next = outbox->now;

	next.lines += lines;
	next.flows += ring_flows + taken_slots(outbox);
	next.ring_position = ring_position;
	return next;
}

static void set_stage(struct outbox *outbox, enum outbox_stage stage)
{
	__atomic_store_n(&outbox->stage, (uint32_t)stage, __ATOMIC_RELEASE);
}

void outbox_begin(struct outbox *outbox, const struct outbox_place *place,
		  const struct outbox_totals *next)
{
	outbox->next = *next;
	outbox->place = *place;
	set_stage(outbox, OUTBOX_WRITING);
}

void outbox_written(struct outbox *outbox)
{
	set_stage(outbox, OUTBOX_WRITTEN);
}

void outbox_gather(struct outbox *outbox)
{
	set_stage(outbox, OUTBOX_GATHERING);
}

/* May be done twice: each step only says what is true. */
void outbox_end(struct outbox *outbox)
{
	for (size_t i = 0; i < OUTBOX_SLOTS; i++)
		if (outbox->slot[i].state != SLOT_FREE)
			outbox_slot_is(&outbox->slot[i], SLOT_FREE);
	outbox->now = outbox->next;
	set_stage(outbox, OUTBOX_GATHERING);
}

/* After a kill */

void outbox_place_of(int fd, struct outbox_place *ret_place)
{
	struct outbox_place place = {};
	char link[32];
	struct stat file;
	ssize_t len;

	if (!fstat(fd, &file) && S_ISREG(file.st_mode)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = readlink(link, place.path, sizeof(place.path) - 1);
		if (len > 0 && len < (ssize_t)sizeof(place.path) - 1) {
			place.dev = file.st_dev;
			place.ino = file.st_ino;
			place.size = (uint64_t)file.st_size;
		}
	}
	*ret_place = place;
}

/* Lines from `from` on, and where the last one of them ends. */
static int count_lines(int fd, uint64_t from, uint64_t *ret_lines, uint64_t *ret_end)
{
	uint64_t lines = 0, end = from;
	char bytes[65536];

	for (;;) {
		ssize_t len = pread(fd, bytes, sizeof(bytes), (off_t)from);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if (!len)
			break;
		for (ssize_t i = 0; i < len; i++) {
			if (bytes[i] != '\n')
				continue;
			lines++;
			end = from + (uint64_t)i + 1;
		}
		from += (uint64_t)len;
	}
	*ret_lines = lines;
	*ret_end = end;
	return 0;
}

static int lines_in_file(const struct outbox_place *place, uint64_t *ret_lines)
{
	struct stat file;
	uint64_t lines, end;
	int fd, err = -EAGAIN;

	fd = open(place->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -EAGAIN;
	if (fstat(fd, &file) || file.st_dev != place->dev || file.st_ino != place->ino ||
	    (uint64_t)file.st_size < place->size)
		goto out; /* moved away, or begun anew */
	err = count_lines(fd, place->size, &lines, &end);
	if (!err && end < (uint64_t)file.st_size)
		err = ftruncate(fd, (off_t)end) ? -errno : 0;
	if (!err)
		*ret_lines = lines;
out:
	close(fd);
	return err ? -EAGAIN : 0;
}

int outbox_lines_written(const struct outbox *outbox, uint64_t *ret_lines)
{
	uint64_t all = outbox->next.lines - outbox->now.lines, lines = 0;
	int err = 0;

	if (outbox->stage == OUTBOX_WRITTEN)
		lines = all;
	else if (outbox->stage == OUTBOX_WRITING)
		err = outbox->place.ino ? lines_in_file(&outbox->place, &lines) : -EAGAIN;
	if (!err && lines > all)
		err = -EAGAIN; /* somebody else wrote there, too */
	if (!err)
		*ret_lines = lines;
	return err;
}

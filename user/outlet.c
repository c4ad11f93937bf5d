/* SPDX-License-Identifier: GPL-2.0-only */
/* A descriptor that is written to, and how long one waits for who reads it. */
#include "outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "ending.h"

/* So long it may take nothing: while others wait for us, and when we are asked to end. */
#define STILL_NS 500000000ull
#define STILL_AT_END_NS 2000000000ull
#define LOOK_MS 200 /* whether we are asked to end */

/* Opening */

/* The same pipe or terminal once more: not to block is then our wish alone, not that of all who have the other one. */
static int open_apart(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Whoever reads may sleep, and we must not sleep with it. */
static void never_block(struct outlet *outlet)
{
	int flags = fcntl(outlet->fd, F_GETFL), apart;

	if (flags < 0 || flags & O_NONBLOCK)
		return;
	if (outlet->is_own) {
		outlet->may_block = fcntl(outlet->fd, F_SETFL, flags | O_NONBLOCK);
		return;
	}
	apart = open_apart(outlet->fd);
	outlet->may_block = apart < 0;
	if (apart < 0)
		return;
	outlet->fd = apart;
	outlet->is_own = true;
}

int outlet_open(struct outlet *outlet, const char *path, int flags)
{
	struct stat file;

	*outlet = (struct outlet){.fd = STDOUT_FILENO, .is_own = path};
	if (path)
		outlet->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC | flags, 0644);
	if (outlet->fd < 0)
		return -errno;
	outlet->is_terminal = isatty(outlet->fd);
	if (fstat(outlet->fd, &file))
		return 0; /* closed: writing says so */
	outlet->is_regular = S_ISREG(file.st_mode);
	if (outlet->is_terminal || S_ISFIFO(file.st_mode) || S_ISSOCK(file.st_mode))
		never_block(outlet);
	return 0;
}

/* Network file systems tell of a full disk only now. */
int outlet_close(struct outlet *outlet)
{
	int fd = outlet->fd;

	outlet->fd = -1;
	return outlet->is_own && close(fd) && errno != EINTR ? -errno : 0;
}

/* Files */

off_t outlet_size(const struct outlet *outlet)
{
	struct stat file;

	return outlet->is_regular && !fstat(outlet->fd, &file) ? file.st_size : 0;
}

bool outlet_is_file(const struct outlet *outlet, int fd)
{
	struct stat ours, other;

	return outlet->is_regular && !fstat(outlet->fd, &ours) && !fstat(fd, &other) &&
	       ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;
}

off_t outlet_end_of_lines(const struct outlet *outlet)
{
	off_t at = outlet_size(outlet);
	char path[32], bytes[4096];
	const char *end = NULL;
	ssize_t len = 1;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", outlet->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (at && !end && len > 0) {
		off_t from = at > (off_t)sizeof(bytes) ? at - (off_t)sizeof(bytes) : 0;

		len = pread(fd, bytes, (size_t)(at - from), from);
		end = len > 0 ? memrchr(bytes, '\n', (size_t)len) : NULL;
		at = end ? from + (end - bytes) + 1 : from;
	}
	close(fd);
	return len > 0 ? at : -1;
}

/* Who does not append goes on where it was, or behind a hole. */
int outlet_cut(const struct outlet *outlet, off_t size)
{
	if (ftruncate(outlet->fd, size))
		return -errno;
	return lseek(outlet->fd, size, SEEK_SET) == size ? 0 : -errno;
}

/* Waiting */

static uint64_t wait_until_ns(struct patience patience, uint64_t since_ns)
{
	bool is_endless = patience.until_ns == UINT64_MAX, is_near = ending_is_near();
	uint64_t until_ns = since_ns + STILL_NS;

	if (ending_asked() > 1)
		return 0;
	if (ending_asked() || (is_near && is_endless))
		return since_ns + STILL_AT_END_NS;
	if (is_near || patience.was_still)
		return 0;
	return until_ns < patience.until_ns && !is_endless ? until_ns : patience.until_ns;
}

/*
 * Since then it has taken nothing. 0: try again, -EAGAIN: nobody reads. A terminal that says to have room may mean
 * one octet and want two: it is asked again after a while.
 */
static int wait_for_room(const struct outlet *outlet, struct patience patience, uint64_t since_ns, bool said_room)
{
	struct pollfd room = {.fd = outlet->fd, .events = POLLOUT};

	for (;;) {
		if (clock_monotonic_ns() >= wait_until_ns(patience, since_ns))
			return -EAGAIN;
		if (said_room)
			poll(NULL, 0, 10);
		if (poll(&room, 1, LOOK_MS) > 0)
			return 0; /* also when it never will: write() says why */
	}
}

/* Writing */

/* Whatever has room at all takes a piece of this size at once. 0 or less: nothing was taken. */
static ssize_t write_piece(const struct outlet *outlet, const char *bytes, size_t len)
{
	struct pollfd room = {.fd = outlet->fd, .events = POLLOUT};
	ssize_t written;

	if (outlet->may_block && poll(&room, 1, 0) <= 0)
		return -EAGAIN;
	written = write(outlet->fd, bytes, outlet->may_block && len > PIPE_BUF ? PIPE_BUF : len);
	return written < 0 ? -errno : written;
}

int outlet_write(const struct outlet *outlet, struct patience patience, const char *bytes, size_t len,
		 size_t *ret_written)
{
	uint64_t still_ns = 0; /* since then; 0: it moves */
	bool said_room = false;
	size_t done = 0;
	int err = 0;

	while (done < len && !err) {
		ssize_t written = write_piece(outlet, bytes + done, len - done);

		if (written > 0) {
			done += (size_t)written;
			patience.was_still = false;
			still_ns = 0;
			said_room = false;
		} else if (written == -EAGAIN) {
			if (!still_ns)
				still_ns = clock_monotonic_ns();
			err = wait_for_room(outlet, patience, still_ns, said_room);
			said_room = true;
		} else if (written != -EINTR) {
			err = (int)written;
		}
	}
	*ret_written = done;
	return err;
}

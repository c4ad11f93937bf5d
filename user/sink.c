/* SPDX-License-Identifier: GPL-2.0-only */
/* Where records are written: one large buffer before a descriptor, its first error remembered. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define BUFFER_BYTES (256 * 1024)
#define COLUMNS_WHEN_UNKNOWN 80

struct sink {
	char *path; /* NULL: stdout */
	int fd;
	int error; /* the first one, as -errno; nothing is written after it */
	bool is_terminal;
	size_t used;
	char buffer[BUFFER_BYTES];
};

static int sink_open_path(struct sink *sink, const char *path, int flags)
{
	sink->path = strdup(path);
	if (!sink->path)
		return -ENOMEM;
	sink->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	return sink->fd < 0 ? -errno : 0;
}

static int sink_begin(struct sink **ret_sink, const char *path, int flags)
{
	struct sink *sink = malloc(sizeof(*sink));
	int err = 0;

	if (!sink)
		return -ENOMEM;
	sink->path = NULL;
	sink->fd = STDOUT_FILENO;
	sink->error = 0;
	sink->used = 0;
	if (path)
		err = sink_open_path(sink, path, flags);
	if (err) {
		free(sink->path);
		free(sink);
		return err;
	}
	sink->is_terminal = isatty(sink->fd);
	*ret_sink = sink;
	return 0;
}

int sink_open(struct sink **ret_sink, const char *path)
{
	return sink_begin(ret_sink, path, O_TRUNC);
}

int sink_continue(struct sink **ret_sink, const char *path)
{
	int err = sink_begin(ret_sink, path, O_APPEND);

	return err ? err : lseek((*ret_sink)->fd, 0, SEEK_END) > 0;
}

int sink_reopen(struct sink *sink)
{
	int fd;

	if (!sink->path)
		return 0;
	fd = open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(sink->fd);
	sink->fd = fd;
	sink->error = 0; /* a full disk may have been made room on */
	return lseek(fd, 0, SEEK_END) == 0;
}

/* Everything, through interruptions and short writes; 0 or -errno. */
static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t written = write(fd, bytes, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		len -= (size_t)written;
	}
	return 0;
}

static void sink_put(struct sink *sink, const char *bytes, size_t len)
{
	if (sink->error || !len)
		return;
	if (sink->is_terminal)
		log_progress_done();
	sink->error = write_all(sink->fd, bytes, len);
}

int sink_flush(struct sink *sink)
{
	sink_put(sink, sink->buffer, sink->used);
	sink->used = 0;
	return sink->error;
}

void sink_write(struct sink *sink, const void *bytes, size_t len)
{
	if (sink->error)
		return;
	if (len > BUFFER_BYTES - sink->used)
		sink_flush(sink);
	if (len > BUFFER_BYTES) {
		sink_put(sink, bytes, len);
		return;
	}
	memcpy(sink->buffer + sink->used, bytes, len);
	sink->used += len;
}

void sink_text(struct sink *sink, const char *text)
{
	sink_write(sink, text, strlen(text));
}

int sink_give_to(struct sink *sink, uid_t uid, gid_t gid)
{
	struct stat file;

	if (!sink->path || fstat(sink->fd, &file) || !S_ISREG(file.st_mode))
		return 0;
	return fchown(sink->fd, uid, gid) ? -errno : 0;
}

int sink_error(const struct sink *sink)
{
	return sink->error;
}

int sink_descriptor(const struct sink *sink)
{
	return sink->fd;
}

const char *sink_name(const struct sink *sink)
{
	return sink->path ? sink->path : "standard output";
}

bool sink_is_terminal(const struct sink *sink, int *ret_columns)
{
	struct winsize size;

	if (!sink->is_terminal)
		return false;
	if (ioctl(sink->fd, TIOCGWINSZ, &size) || !size.ws_col)
		size.ws_col = COLUMNS_WHEN_UNKNOWN;
	*ret_columns = size.ws_col;
	return true;
}

/* Network file systems tell of a full disk only now. Stdout is left to the process. */
static int sink_close_path(const struct sink *sink)
{
	if (!sink->path)
		return 0;
	return close(sink->fd) && errno != EINTR ? -errno : 0;
}

int sink_close(struct sink *sink)
{
	int err, close_err;

	if (!sink)
		return 0;
	err = sink_flush(sink);
	close_err = sink_close_path(sink);
	free(sink->path);
	free(sink);
	return err ? err : close_err;
}

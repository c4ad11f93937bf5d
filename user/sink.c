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
	int waits_for; /* -errno: a patient one tries again */
	bool is_patient;
	bool is_terminal;
	size_t begun; /* at the front of the buffer, of a line that could be written in part only */
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
	sink->waits_for = 0;
	sink->is_patient = false;
	sink->begun = 0;
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

/* What was written of a line goes, so that the file ends with a whole one; unless others write there. */
static void cut_begun(struct sink *sink)
{
	off_t at = sink->begun ? lseek(sink->fd, 0, SEEK_CUR) : -1, whole = at - (off_t)sink->begun;
	struct stat file;

	if (at < 0 || fstat(sink->fd, &file) || !S_ISREG(file.st_mode) || file.st_size != at || whole < 0)
		return;
	if (!ftruncate(sink->fd, whole) && lseek(sink->fd, whole, SEEK_SET) == whole)
		sink->begun = 0;
}

/* Whoever was killed while writing may have left half a line. A pipe has no end to look at. */
static bool ends_within_a_line(const char *path)
{
	struct stat st;
	char last = '\n';
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size && pread(fd, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

int sink_append(struct sink **ret_sink, const char *path)
{
	int err = sink_continue(ret_sink, path);

	if (err > 0 && ends_within_a_line(path))
		sink_text(*ret_sink, "\n");
	return err;
}

int sink_reopen(struct sink *sink)
{
	int fd;

	if (!sink->path)
		return 0;
	fd = open(sink->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	cut_begun(sink);
	close(sink->fd);
	sink->fd = fd;
	sink->begun = 0; /* its line is whole in the new one */
	sink->error = 0; /* a full disk may have been made room on */
	return lseek(fd, 0, SEEK_END) == 0;
}

/* Everything, through interruptions and short writes; 0 or -errno, and how far it came. */
static int write_all(int fd, const char *bytes, size_t len, size_t *ret_written)
{
	size_t done = 0;
	int err = 0;

	while (done < len && !err) {
		ssize_t written = write(fd, bytes + done, len - done);

		if (written >= 0)
			done += (size_t)written;
		else if (errno != EINTR)
			err = -errno;
	}
	*ret_written = done;
	return err;
}

/* Room may come: on a disk, in a quota, in a pipe. */
static bool may_pass(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EAGAIN;
}

/* Lines that are out leave the buffer; one that is not, in whole, stays at its front. */
static void drop_written(struct sink *sink, size_t written)
{
	const char *end = memrchr(sink->buffer, '\n', written);
	size_t whole = end ? (size_t)(end - sink->buffer) + 1 : 0;

	memmove(sink->buffer, sink->buffer + whole, sink->used - whole);
	sink->used -= whole;
	sink->begun = written - whole;
}

static int put_buffer(struct sink *sink)
{
	size_t written;
	int err = write_all(sink->fd, sink->buffer + sink->begun, sink->used - sink->begun, &written);

	if (err)
		drop_written(sink, sink->begun + written);
	else
		sink->used = sink->begun = 0;
	return err;
}

int sink_flush(struct sink *sink)
{
	int err;

	if (sink->error || !sink->used)
		return sink->error;
	if (sink->is_terminal)
		log_progress_done();
	err = put_buffer(sink);
	sink->waits_for = sink->is_patient && may_pass(err) ? err : 0;
	if (!err || sink->waits_for)
		return err;
	cut_begun(sink);
	sink->error = err;
	sink->used = sink->begun = 0;
	return err;
}

void sink_write(struct sink *sink, const void *bytes, size_t len)
{
	size_t written;

	if (sink->error)
		return;
	if (len > BUFFER_BYTES - sink->used)
		sink_flush(sink);
	if (sink->error || (sink->waits_for && len > sink_room(sink)))
		return;
	if (len > BUFFER_BYTES) {
		sink->error = write_all(sink->fd, bytes, len, &written);
		return;
	}
	memcpy(sink->buffer + sink->used, bytes, len);
	sink->used += len;
}

void sink_be_patient(struct sink *sink)
{
	sink->is_patient = true;
}

int sink_waits_for(const struct sink *sink)
{
	return sink->waits_for;
}

size_t sink_room(const struct sink *sink)
{
	return BUFFER_BYTES - sink->used;
}

static uint64_t waiting_lines(const struct sink *sink)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < sink->used; i++)
		lines += sink->buffer[i] == '\n';
	return lines;
}

/* Of a line that others have written behind, the rest has to come. */
uint64_t sink_drop_waiting(struct sink *sink)
{
	uint64_t lines = waiting_lines(sink);
	const char *end;

	cut_begun(sink);
	end = sink->begun ? memchr(sink->buffer, '\n', sink->used) : NULL;
	sink->used = end ? (size_t)(end - sink->buffer) + 1 : 0;
	sink->waits_for = 0;
	return lines - !!end;
}

uint64_t sink_give_up(struct sink *sink)
{
	uint64_t lines;

	if (!sink_flush(sink) || !sink->waits_for)
		return 0;
	lines = waiting_lines(sink);
	sink->is_patient = false;
	sink->waits_for = 0;
	sink_flush(sink);
	return sink->error ? lines : 0;
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
	sink->is_patient = false; /* who closes will not come again */
	err = sink_flush(sink);
	close_err = sink_close_path(sink);
	free(sink->path);
	free(sink);
	return err ? err : close_err;
}

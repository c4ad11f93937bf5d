/* SPDX-License-Identifier: GPL-2.0-only */
/* Where records are written: one large buffer before a descriptor, its first error remembered. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "outlet.h"

#define BUFFER_BYTES (256 * 1024)
#define FRONT_BYTES 16384 /* besides, for what a file begins with */
#define COLUMNS_WHEN_UNKNOWN 80

struct sink {
	char *path; /* NULL: stdout */
	struct outlet outlet;
	int error; /* the first one, as -errno; nothing is written after it */
	int waits_for; /* -errno: a patient one tries again */
	bool is_patient;
	bool is_still; /* it took nothing the last time */
	uint64_t turn_ends_ns; /* a patient one waits for its reader until then */
	uint64_t lost; /* lines that were dropped */
	size_t begun; /* at the front of the buffer, of a line that could be written in part only */
	size_t front; /* at the front of the buffer, of a line that is no record: what a file begins with */
	size_t used;
	char buffer[BUFFER_BYTES + FRONT_BYTES];
};

static void clear_buffer(struct sink *sink)
{
	sink->used = sink->begun = sink->front = 0;
}

/* Opening */

int sink_continue(struct sink **ret_sink, const char *path)
{
	struct sink *sink = malloc(sizeof(*sink));
	int err = 0;

	if (!sink)
		return -ENOMEM;
	memset(sink, 0, offsetof(struct sink, buffer));
	sink->path = path ? strdup(path) : NULL;
	if (path && !sink->path)
		err = -ENOMEM;
	if (!err)
		err = outlet_open(&sink->outlet, path, 0);
	if (err) {
		free(sink->path);
		free(sink);
		return err;
	}
	*ret_sink = sink;
	return outlet_size(&sink->outlet) > 0;
}

int sink_empty(struct sink *sink)
{
	return sink->path && sink->outlet.is_regular ? outlet_cut(&sink->outlet, 0) : 0;
}

int sink_open(struct sink **ret_sink, const char *path)
{
	struct sink *sink;
	int err = sink_continue(&sink, path);

	if (err < 0)
		return err;
	err = sink_empty(sink);
	if (err)
		sink_close(sink);
	else
		*ret_sink = sink;
	return err;
}

/* Where it begins and ends */

/* What was written of a line goes, so that the file ends with a whole one; unless others write there. */
static void cut_begun(struct sink *sink)
{
	const struct outlet *outlet = &sink->outlet;
	off_t at = sink->begun && outlet->is_regular ? lseek(outlet->fd, 0, SEEK_CUR) : -1;
	off_t whole = at - (off_t)sink->begun;

	if (at >= 0 && whole >= 0 && outlet_size(outlet) == at && !outlet_cut(outlet, whole))
		sink->begun = 0;
}

bool sink_is_file(const struct sink *sink, int fd)
{
	return outlet_is_file(&sink->outlet, fd);
}

bool sink_is_empty(const struct sink *sink)
{
	return !sink->path || !outlet_size(&sink->outlet);
}

void sink_put_front(struct sink *sink, const char *text)
{
	size_t len = strlen(text);

	if (sink->front || sink->begun || len > sizeof(sink->buffer) - sink->used)
		return;
	memmove(sink->buffer + len, sink->buffer, sink->used);
	memcpy(sink->buffer, text, len);
	sink->used += len;
	sink->front = len;
}

bool sink_has_front(const struct sink *sink)
{
	return sink->front;
}

static void drop_front(struct sink *sink)
{
	sink->used -= sink->front;
	memmove(sink->buffer, sink->buffer + sink->front, sink->used);
	sink->front = 0;
}

void sink_mend(struct sink *sink, bool may_cut)
{
	off_t size = outlet_size(&sink->outlet), end = size ? outlet_end_of_lines(&sink->outlet) : 0;

	if (end >= 0 && end < size && (!may_cut || outlet_cut(&sink->outlet, end)))
		sink_put_front(sink, "\n");
}

int sink_reopen(struct sink *sink, const char *front)
{
	struct outlet outlet;
	int err;

	if (!sink->path)
		return 0;
	err = outlet_open(&outlet, sink->path, O_NONBLOCK); /* else a pipe waits for somebody to read it */
	if (err)
		return err;
	cut_begun(sink);
	outlet_close(&sink->outlet);
	sink->outlet = outlet;
	sink->begun = 0; /* its line is whole in the new one */
	sink->error = 0; /* a full disk may have been made room on */
	drop_front(sink);
	if (front && outlet.is_regular && sink_is_empty(sink))
		sink_put_front(sink, front);
	return 0;
}

/* Writing */

/* Room may come: on a disk, in a quota, in a pipe. */
static bool may_pass(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EAGAIN;
}

static int write_out(struct sink *sink, const char *bytes, size_t len, size_t *ret_written)
{
	const struct patience patience = {
		.until_ns = sink->is_patient ? sink->turn_ends_ns : UINT64_MAX,
		.was_still = sink->is_patient && sink->is_still,
	};
	int err = outlet_write(&sink->outlet, patience, bytes, len, ret_written);

	sink->is_still = err == -EAGAIN;
	return err;
}

/* Lines that are out leave the buffer; one that is not, in whole, stays at its front. */
static void drop_written(struct sink *sink, size_t written)
{
	const char *end = memrchr(sink->buffer, '\n', written);
	size_t whole = end ? (size_t)(end - sink->buffer) + 1 : 0;

	memmove(sink->buffer, sink->buffer + whole, sink->used - whole);
	sink->used -= whole;
	sink->begun = written - whole;
	if (whole)
		sink->front = 0;
}

static int put_buffer(struct sink *sink)
{
	size_t written;
	int err = write_out(sink, sink->buffer + sink->begun, sink->used - sink->begun, &written);

	if (err)
		drop_written(sink, sink->begun + written);
	else
		clear_buffer(sink);
	return err;
}

static uint64_t waiting_lines(const struct sink *sink)
{
	uint64_t lines = 0;

	for (size_t i = sink->front; i < sink->used; i++)
		lines += sink->buffer[i] == '\n';
	return lines;
}

/* For good: what is in the buffer is lost, and what is in the file ends with a whole line. */
static void fail(struct sink *sink, int err)
{
	sink->lost += waiting_lines(sink);
	cut_begun(sink);
	clear_buffer(sink);
	sink->waits_for = 0;
	sink->error = err == -EAGAIN ? -ETIMEDOUT : err;
}

int sink_flush(struct sink *sink)
{
	int err;

	if (sink->error || !sink->used)
		return sink->error;
	if (sink->outlet.is_terminal)
		log_progress_done();
	err = put_buffer(sink);
	sink->waits_for = sink->is_patient && may_pass(err) ? err : 0;
	if (!err || sink->waits_for)
		return err;
	fail(sink, err);
	return sink->error;
}

void sink_write(struct sink *sink, const void *bytes, size_t len)
{
	size_t written;

	if (sink->error)
		return;
	if (len > sink_room(sink))
		sink_flush(sink);
	if (sink->error || (sink->waits_for && len > sink_room(sink)))
		return;
	if (len > BUFFER_BYTES) {
		int err = write_out(sink, bytes, len, &written);

		if (err)
			fail(sink, err);
		return;
	}
	memcpy(sink->buffer + sink->used, bytes, len);
	sink->used += len;
}

void sink_turn(struct sink *sink, uint64_t ns)
{
	sink->turn_ends_ns = clock_monotonic_ns() + ns;
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
	return sink->used < BUFFER_BYTES ? BUFFER_BYTES - sink->used : 0;
}

/* What is no record stays; of a line that others have written behind, the rest has to come. */
void sink_drop_waiting(struct sink *sink)
{
	const char *end;
	size_t kept;

	sink->lost += waiting_lines(sink);
	cut_begun(sink);
	end = sink->begun ? memchr(sink->buffer, '\n', sink->used) : NULL;
	kept = end ? (size_t)(end - sink->buffer) + 1 : sink->front;
	sink->lost -= end && !sink->front;
	sink->used = kept;
	sink->waits_for = 0;
}

void sink_give_up(struct sink *sink)
{
	sink_flush(sink);
	if (sink->waits_for)
		fail(sink, sink->waits_for);
	sink->is_patient = false;
}

uint64_t sink_lost(const struct sink *sink)
{
	return sink->lost;
}

void sink_text(struct sink *sink, const char *text)
{
	sink_write(sink, text, strlen(text));
}

int sink_give_to(struct sink *sink, uid_t uid, gid_t gid)
{
	if (!sink->path || !sink->outlet.is_regular)
		return 0;
	return fchown(sink->outlet.fd, uid, gid) ? -errno : 0;
}

int sink_error(const struct sink *sink)
{
	return sink->error;
}

int sink_descriptor(const struct sink *sink)
{
	return sink->outlet.fd;
}

const char *sink_name(const struct sink *sink)
{
	return sink->path ? sink->path : "standard output";
}

bool sink_is_terminal(const struct sink *sink, int *ret_columns)
{
	struct winsize size;

	if (!sink->outlet.is_terminal)
		return false;
	if (ioctl(sink->outlet.fd, TIOCGWINSZ, &size) || !size.ws_col)
		size.ws_col = COLUMNS_WHEN_UNKNOWN;
	*ret_columns = size.ws_col;
	return true;
}

int sink_close(struct sink *sink)
{
	int err, close_err;

	if (!sink)
		return 0;
	sink->is_patient = false; /* who closes will not come again */
	err = sink_flush(sink);
	close_err = outlet_close(&sink->outlet);
	free(sink->path);
	free(sink);
	return err ? err : close_err;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells when the label file is another one than was read: written, replaced, or a link moved. */
#include "labels_watch.h"

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct labels_watch {
	char *path;
	struct stat seen;
	loop_fn on_change;
	void *context;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Something happened in its directory. While the file is away the old labels are the best there are. */
static void on_directory(void *context)
{
	struct labels_watch *watch = context;
	struct stat now;

	if (stat(watch->path, &now) || is_same(&now, &watch->seen))
		return;
	watch->seen = now;
	watch->on_change(watch->context);
}

static int watch_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, err = 0;

	if (!copy)
		return -ENOMEM;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0 || inotify_add_watch(fd, dirname(copy),
					IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR) < 0)
		err = -errno;
	free(copy);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

int labels_watch_open(struct labels_watch **ret_watch, struct loop *loop, const char *path,
		      loop_fn on_change, void *context)
{
	struct labels_watch *watch = calloc(1, sizeof(*watch));
	int err = -ENOMEM, fd;

	if (!watch)
		return -ENOMEM;
	watch->on_change = on_change;
	watch->context = context;
	watch->path = strdup(path);
	if (!watch->path)
		goto out;
	fd = watch_directory(path);
	if (fd < 0) {
		err = fd;
		goto out;
	}
	/* Behind the watch: a change in between is seen by one of the two. */
	if (stat(path, &watch->seen))
		watch->seen = (struct stat){0};
	err = loop_on_fd(loop, fd, on_directory, watch);
out:
	if (err)
		labels_watch_close(watch);
	else
		*ret_watch = watch;
	return err;
}

void labels_watch_close(struct labels_watch *watch)
{
	if (!watch)
		return;
	free(watch->path);
	free(watch);
}

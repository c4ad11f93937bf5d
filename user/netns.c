/* SPDX-License-Identifier: GPL-2.0-only */
/* Other network namespaces: how they are found, and how one works inside of them for a moment. */
#include "netns.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"

#define OWN_PATH "/proc/thread-self/ns/net"

static bool is_number(const char *text)
{
	while (isdigit((unsigned char)*text))
		text++;
	return !*text;
}

static int netns_path(const char *name, char ret_path[PATH_MAX])
{
	const char *format = strchr(name, '/') ? "%s"
			     : is_number(name) ? "/proc/%s/ns/net"
					       : "/run/netns/%s";
	int len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	len = snprintf(ret_path, PATH_MAX, format, name);
#pragma GCC diagnostic pop
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int netns_find(const char *name, struct netns *ret_netns)
{
	struct netns netns = {.name = name, .nsid = -1};
	struct statfs filesystem;
	struct stat status;
	int err;

	if (!*name)
		return -ENOENT;
	err = netns_path(name, netns.path);
	if (err)
		return err;
	if (stat(netns.path, &status) || statfs(netns.path, &filesystem))
		return -errno;
	/* The file `ip netns` mounts a namespace on is an ordinary one before and after. */
	if (filesystem.f_type != NSFS_MAGIC)
		return -EINVAL;
	netns.dev = status.st_dev;
	netns.ino = status.st_ino;
	*ret_netns = netns;
	return 0;
}

static bool is_this(const struct netns *netns, const struct stat *status)
{
	return netns->ino && status->st_dev == netns->dev && status->st_ino == netns->ino;
}

bool netns_is_of_process(const char *name)
{
	char path[PATH_MAX];

	return !netns_path(name, path) && !strncmp(path, "/proc/", strlen("/proc/"));
}

bool netns_is_there(const struct netns *netns)
{
	struct stat status;

	if (stat(netns->path, &status))
		return errno == EACCES;
	return is_this(netns, &status);
}

bool netns_is_own(const struct netns *netns)
{
	struct stat status;

	return !stat(OWN_PATH, &status) && is_this(netns, &status);
}

int netns_enter(const struct netns *netns, int *ret_home)
{
	int home = -1, fd, err = 0;
	struct stat status;

	*ret_home = -1;
	if (!netns)
		return 0;
	fd = open(netns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) || !is_this(netns, &status))
		err = -ENOENT;
	if (!err) {
		home = open(OWN_PATH, O_RDONLY | O_CLOEXEC);
		err = home < 0 ? -errno : 0;
	}
	if (!err && setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	if (err && home >= 0)
		close(home);
	else if (!err)
		*ret_home = home;
	return err;
}

void netns_return(int home)
{
	if (home < 0)
		return;
	/* What follows would go to the wrong interfaces: better no further step than that one. */
	if (setns(home, CLONE_NEWNET)) {
		log_error("cannot return to our own network namespace: %s", strerror(errno));
		abort();
	}
	close(home);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Other network namespaces: how they are found, and how one works inside of them for a moment. */
#ifndef ACKMON_NETNS_H
#define ACKMON_NETNS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Their numbers have to fit above KEY_NETNS_SHIFT. */
#define NETNS_MAX 127

/*
 * Known by its path. No descriptor is kept, which would keep the namespace and all its interfaces
 * alive after everybody else has left it.
 */
struct netns {
	const char *name; /* as the person gave it */
	char path[PATH_MAX];
	dev_t dev; /* together with ino: this very namespace; ino 0: not there */
	ino_t ino;
	uint32_t number; /* 1 to NETNS_MAX */
	int nsid;	 /* what netlink calls it from here */
};

/* NAME as of `ip netns`, PID or PATH. 0, or -errno: -ENOENT, -EINVAL when it is no namespace. */
int netns_find(const char *name, struct netns *ret_netns);

/* Is it named by a process? Then looking at it takes CAP_SYS_PTRACE. */
bool netns_is_of_process(const char *name);

/* Is what the path leads to still the same namespace? Where we may not look any more: it is. */
bool netns_is_there(const struct netns *netns);

/* It is the one we are in. */
bool netns_is_own(const struct netns *netns);

/*
 * What comes until netns_return() is done inside; NULL is our own and changes nothing. Concerns
 * this thread alone. -ENOENT: it is gone, or another one has its place.
 */
int netns_enter(const struct netns *netns, int *ret_home);
void netns_return(int home); /* -1 is accepted */

#endif

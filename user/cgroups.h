/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups by their number: the path, and whom it stands for - a unit, a container, a pod. */
#ifndef ACKMON_CGROUPS_H
#define ACKMON_CGROUPS_H

#include <stddef.h>
#include <stdint.h>

#define CGROUP_NAME_MAX 80
#define CGROUP_NAMESPACE_MAX 256 /* no name of a directory is longer */

struct cgroups;

/* -ENOENT: no cgroup2 file system is mounted here. */
int cgroups_open(struct cgroups **ret_cgroups);
void cgroups_close(struct cgroups *cgroups); /* accepts NULL */

/*
 * By the low half of the cgroup's number. NULL: not known. May look through the tree again, once a
 * second at most; the path stays valid until the next call of one of these.
 */
const char *cgroups_path(struct cgroups *cgroups, uint32_t id);

/*
 * Now and then, and when there are news, so that those are known that live only for a while. Takes little of the
 * time.
 */
void cgroups_refresh(struct cgroups *cgroups);

/* To wait at; what is read there does not matter. The caller closes it. -1: not to be had. */
int cgroups_news_fd(const struct cgroups *cgroups);
void cgroups_have_news(struct cgroups *cgroups);

/*
 * Those found since the last time; again, when it failed or the tree has another of that number.
 * 0 or what visit said, which must not look for any itself.
 */
typedef int (*cgroups_visit_fn)(void *context, uint32_t id, const char *path);
int cgroups_visit_new(struct cgroups *cgroups, cgroups_visit_fn visit, void *context);

/* All that are there are new again, and those that are gone are no longer known. */
void cgroups_forget_gone(struct cgroups *cgroups);

/* For tests: the tree below this directory. */
int cgroups_open_at(struct cgroups **ret_cgroups, const char *root);

/*
 * "nginx.service", "docker:0123456789ab", "pod:UID/0123456789ab", or the last part of the path; ""
 * for the root. Containers are named by twelve digits, as their tools do.
 */
void cgroup_name(const char *path, char ret_name[CGROUP_NAME_MAX]);

/*
 * Whose it is among few, as long as they come and go: the service ("nginx.service"), else "kubepods" of a pod,
 * the runtime of a container ("docker"), the slice ("user-1000.slice"), else the first part. "": the root's.
 */
void cgroup_namespace(const char *path, char ret_namespace[CGROUP_NAMESPACE_MAX]);

#endif

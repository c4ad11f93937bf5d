/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups by their number: the path, and whom it stands for - a unit, a container, a pod. */
#ifndef ACKMON_CGROUPS_H
#define ACKMON_CGROUPS_H

#include <stddef.h>
#include <stdint.h>

#define CGROUP_NAME_MAX 80

struct cgroups;

/* -ENOENT: no cgroup2 file system is mounted here. */
int cgroups_open(struct cgroups **ret_cgroups);
void cgroups_close(struct cgroups *cgroups); /* accepts NULL */

/*
 * By the low half of the cgroup's number. NULL: not known. May look through the tree again, once a
 * second at most; the path stays valid until the next call of one of these.
 */
const char *cgroups_path(struct cgroups *cgroups, uint32_t id);

/* Now and then, so that those are known that live only for a while. Takes little of the time. */
void cgroups_refresh(struct cgroups *cgroups);

/* For tests: the tree below this directory. */
int cgroups_open_at(struct cgroups **ret_cgroups, const char *root);

/*
 * "nginx.service", "docker:0123456789ab", "pod:UID/0123456789ab", or the last part of the path; ""
 * for the root. Containers are named by twelve digits, as their tools do.
 */
void cgroup_name(const char *path, char ret_name[CGROUP_NAME_MAX]);

#endif

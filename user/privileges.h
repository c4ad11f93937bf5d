/* SPDX-License-Identifier: GPL-2.0-only */
/* What this process may do: what watching needs, and how the rest is given up for good. */
#ifndef ACKMON_PRIVILEGES_H
#define ACKMON_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A set of capabilities: bit CAP_x of linux/capability.h. */
typedef uint64_t capabilities;

/* Who the process is to be from some point on. */
struct identity {
	uid_t uid;
	gid_t gid;
};

/* Taking away what was attached: a filter of a clsact qdisc, a program behind libxdp's dispatcher. */
#define PRIVILEGES_TO_LEAVE_FILTER (1ull << 12)		  /* CAP_NET_ADMIN */
#define PRIVILEGES_TO_LEAVE_FILTER_ELSEWHERE (1ull << 12 | 1ull << 21) /* and CAP_SYS_ADMIN, to go there */
#define PRIVILEGES_TO_LEAVE_DISPATCHER (1ull << 12 | 1ull << 21)

/* Programs are found by their numbers with CAP_SYS_ADMIN alone, and libxdp looks for those in its dispatcher so. */
#define PRIVILEGES_TO_SHARE_XDP (1ull << 21)

/* Whether the process has all of them now. */
bool privileges_have(capabilities set);

/* By name or number. -ENOENT and one sentence when there is no such user. */
int privileges_find_user(const char *user, struct identity *ret_identity, char *ret_error,
			 size_t error_size);

/* The same for a group. Not 0, which everything belongs to that belongs to nobody else. */
int privileges_find_group(const char *group, gid_t *ret_gid, char *ret_error, size_t error_size);

/*
 * Loading and attaching need CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and locked memory before Linux
 * 5.11. -EPERM and one sentence that names what is missing and the way out.
 */
int privileges_check_watching(char *ret_error, size_t error_size);

/* What reading maps needs on this kernel: CAP_BPF before Linux 5.19, else nothing. */
capabilities privileges_to_read_maps(void);

/* What attaching to further interfaces needs, also in other namespaces, and in those a process names. */
capabilities privileges_to_attach(bool in_other_namespaces, bool of_processes);

/*
 * For good: becomes `identity` (NULL: stays who it is) without supplementary groups, keeps of the
 * capabilities it has those in `keep` and no other, and can never gain any. Before the first thread.
 */
int privileges_drop(const struct identity *identity, capabilities keep, char *ret_error,
		    size_t error_size);

/* "CAP_NET_ADMIN, CAP_BPF" of what the process has now; "" for none. */
void privileges_text(char *ret_text, size_t size);

#endif

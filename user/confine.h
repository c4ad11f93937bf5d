/* SPDX-License-Identifier: GPL-2.0-only */
/* The system calls that are left, once there is nothing more to set up. */
#ifndef ACKMON_CONFINE_H
#define ACKMON_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

struct confinement {
	bool reads_maps; /* of programs that are attached already */
	bool attaches;	 /* programs to further interfaces */
	bool networks;	 /* sockets: names looked up, metrics served or sent */
};

/*
 * For this process and for good: any other system call is refused with EPERM and named on stderr.
 * 0, or -errno and one sentence. ACKMON_SECCOMP=off leaves everything as it is.
 */
int confine(const struct confinement *confinement, char *ret_error, size_t error_size);

#endif

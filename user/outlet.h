/* SPDX-License-Identifier: GPL-2.0-only */
/* A descriptor that is written to, and how long one waits for who reads it. */
#ifndef ACKMON_OUTLET_H
#define ACKMON_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct outlet {
	int fd;
	bool is_own;	 /* it was opened here */
	bool is_regular; /* a file, which has an end to look at */
	bool is_terminal;
	bool may_block; /* its description is not ours alone: it is asked before each write */
};

/* Writes come behind what is there. path NULL: stdout. flags: besides, as of open(). 0 or -errno. */
int outlet_open(struct outlet *outlet, const char *path, int flags);
int outlet_close(struct outlet *outlet); /* 0 or -errno; stdout is left to the process */

off_t outlet_size(const struct outlet *outlet);		  /* 0: empty, or no file */
off_t outlet_end_of_lines(const struct outlet *outlet);	  /* of a file, behind the last whole one; -1: nobody may look */
bool outlet_is_file(const struct outlet *outlet, int fd); /* they are one file */
int outlet_cut(const struct outlet *outlet, off_t size);  /* 0 or -errno */

/* Of one who writes. */
struct patience {
	uint64_t until_ns; /* UINT64_MAX: for ever, but only two seconds once we are asked to end */
	bool was_still;	   /* it took nothing the last time: nobody waits until it does */
};

/* All of it, through interruptions and short writes; 0 or -errno (-EAGAIN: nobody reads), and how far it came. */
int outlet_write(const struct outlet *outlet, struct patience patience, const char *bytes, size_t len,
		 size_t *ret_written);

#endif

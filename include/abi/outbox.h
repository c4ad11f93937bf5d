/* SPDX-License-Identifier: GPL-2.0-only */
/* What a reader has taken and not written yet; it outlives the reader, so that the next one goes on. */
#ifndef ACKMON_ABI_OUTBOX_H
#define ACKMON_ABI_OUTBOX_H

#include <linux/types.h>

#include "abi/flow.h"
#include "abi/half_open.h"
#include "abi/key.h"

#define OUTBOX_SLOTS 64
#define OUTBOX_PATH_MAX 256

enum outbox_stage { /* of the lines that are on their way out */
	OUTBOX_GATHERING, /* none of them was written */
	OUTBOX_WRITING,   /* some may be */
	OUTBOX_WRITTEN,   /* all are; what follows from that is being noted */
};

enum slot_state {
	SLOT_FREE,
	SLOT_TAKING,  /* in its table still, unless its place there says that a reader took it */
	SLOT_TAKEN,   /* copied, as it was there; its place may still be to be released */
	SLOT_SETTLED, /* as it is shown; what else it owned may go */
};

struct outbox_slot {
	__u32 state;  /* enum slot_state */
	__u32 place;  /* its number in its table */
	__u8 is_half_open;
	__u8 is_shown; /* makes a line */
	__u8 close; /* enum flow_close, as it is shown */
	__u8 is_counted; /* in its pair of labels, where flows are */
	__u8 reserved[4];
	struct flow_key key;
	struct half_open entry; /* as it was taken, with is_half_open; then `taken` is what it stands for */
	struct flow_whole taken; /* what else it owns, when it is of the flow table, is not yet with it */
	struct flow_whole settled;
};

/* Where the next line goes: only a file can tell later what was written. */
struct outbox_place {
	__u64 dev;
	__u64 ino; /* 0: not a file, or one with more than one line a record */
	__u64 size;
	char path[OUTBOX_PATH_MAX];
};

/* What is true once the lines on their way are written. */
struct outbox_totals {
	__u64 lines;           /* written, or given up as unsure */
	__u64 flows;           /* that left */
	__u64 secondaries;     /* of them counted at another interface */
	__u64 lines_unsure;    /* a reader was killed while it wrote them: nobody knows */
	__u64 lines_rescued;   /* a killed reader had taken them, the next one wrote them */
	__u64 ring_position;   /* up to here the ring buffer was read */
};

/*
 * In a map of one entry that readers map into their memory. One reader at a time writes; when it is
 * killed, at whatever instruction, the next one finds what was on its way.
 */
struct outbox {
	__u32 stage; /* enum outbox_stage */
	__u32 reader_pid;
	struct outbox_totals now;
	struct outbox_totals next; /* valid from OUTBOX_WRITING on */
	struct outbox_place place; /* where OUTBOX_WRITING writes */
	struct outbox_slot slot[OUTBOX_SLOTS];
};

#endif

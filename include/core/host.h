/* SPDX-License-Identifier: GPL-2.0-only */
/* What a host of the hall provides: the kernel programs, replay, a test. */
#ifndef ACKMON_CORE_HOST_H
#define ACKMON_CORE_HOST_H

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "core/frame.h"
#include "core/half_open.h"
#include "core/packet.h"

enum room_answer {
	ROOM_TAKEN, /* it is in there now */
	ROOM_KNOWN, /* it was there already, and is as it was */
	ROOM_FULL,
};

/*
 * What a host provides: two rooms, one for connections that have yet to prove themselves, one for
 * those that have. Forgetting one of these is a compile error.
 */
/* Volatile: constant once the programs are loaded, and not a moment before. */
static const volatile struct monitor_config *host_config(void);
static void host_count(__u8 door, enum counter counter);
/* parse_hops(), where the kernel programs have a function apart. */
static int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop);
/* In the flow table. NULL: it is not there. */
static struct flow *host_find_flow(const struct flow_key *key);
/* The same, of a key that is hardly expected there: costs less where it is not, and more where it is. */
static struct flow *host_seek_flow(const struct flow_key *key);
/* Into the flow table, if the key is not there yet; `flow` knows from then on where it is. */
static enum room_answer host_enter_flow(const struct flow_key *key, struct flow *flow);
/* As host_find_flow(), of a key of which `flow` may know where it is. */
static struct flow *host_find_entered(const struct flow_key *key, const struct flow *flow);
/*
 * Out of the flow table, as it is at the very end, with what is rare about it. NULL: another CPU, or the reader,
 * was faster, and its record is theirs. What is given back is this CPU's until host_close_flow(), which also lets
 * go of all that the flow owned beside it.
 */
static struct flow_whole *host_take_flow(__u8 door, const struct flow_key *key, struct flow *flow);
static void host_close_flow(const struct flow_key *key, struct flow_whole *whole);
/* A flow of the table has ended for good, and will be over soon. */
static void host_note_closed(const struct flow_key *key);
/*
 * The same for the half-open room, which takes what is newer, forgets what is older and counts that. A first SYN
 * is entered without having been looked for.
 */
static struct half_open *host_find_half_open(const struct flow_key *key);
static enum room_answer host_enter_half_open(__u8 door, const struct flow_key *key,
					     const struct half_open *entry);
/* 0: it was there, that one and not the next of its key, and who called this is the one who took it out. */
static int host_close_half_open(const struct flow_key *key, const struct half_open *entry);
/* 1: another interface counts the connection that this packet opens here. */
static int host_claim(const struct packet *pkt);
/* Working space for a connection that is in the first room; NULL: never, but for the verifier. */
static struct half_open_work *host_half_open_work(__u8 door);
/* NULL: none, or no room. */
static struct holes *host_find_holes(const struct flow *flow, __u32 direction);
static struct holes *host_open_holes(const struct flow *flow, __u32 direction);
/* The same for what is rare, of a flow of the table. */
static struct rare *host_find_rare(const struct flow *flow, __u32 direction);
static struct rare *host_open_rare(const struct flow *flow, __u32 direction);
/*
 * Round trips to one end: four, of which only the buckets are known, into its histogram, which is opened first
 * where `opens`. 1: taken; 0: there is none; -1: it should have been opened, and found no room.
 */
static int host_take_samples(struct flow *flow, __u32 direction,
			     const __u16 buckets[RTT_WAITING], int opens);
/* The flow as it is now, with flow.close set; 0, or -1 when the event was lost. */
static int host_post_flow(const struct flow_key *key, const struct flow_whole *whole);
/* The same for what happened to a segment; the event is the host's to fill, see notice_fill(). */
static int host_post_notice(enum event_type type, const struct flow *flow,
			    const struct packet *pkt);

#endif

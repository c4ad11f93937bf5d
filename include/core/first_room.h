/* SPDX-License-Identifier: GPL-2.0-only */
/* The first room: a connection that has yet to prove itself, from its first segment until it moves on. */
#ifndef ACKMON_CORE_FIRST_ROOM_H
#define ACKMON_CORE_FIRST_ROOM_H

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/flow.h"
#include "abi/half_open.h"
#include "core/compiler.h"
#include "core/expire.h"
#include "core/half_open.h"
#include "core/half_open_flow.h"
#include "core/handshake.h"
#include "core/host.h"
#include "core/packet.h"
#include "core/rare.h"
#include "core/report.h"
#include "core/track.h"

/*
 * Where a packet goes on that belongs to no flow of the table. What is done for it comes in three
 * pieces, find, judge and settle, each verified apart; tracking itself stays with the caller, for the
 * kernel's stack has room for no call between.
 */
enum half_open_way {
	WAY_DONE,   /* the packet was tracked, or counted under its reason */
	WAY_MOVED,  /* the flow is in the flow table from now on */
	WAY_FOUND,  /* it was there already */
	WAY_ENTRY,  /* the connection is in the first room: its entry is in the work */
	WAY_APART,  /* to be tracked in the work, then settled: the entry takes it, it seems */
	WAY_REFUSE, /* the same, but the full flow table did not take it */
};

/* Of one side of a flow that has just entered the table, where any CPU may count already. */
core_apart int monitor_enter_rare(__u32 door, __u32 direction)
{
	struct half_open_work *work = host_half_open_work((__u8)door);
	struct rare *rare;
	struct flow *flow;

	if (!work || !(work->flow.side[direction & 1].bits & SIDE_RARE))
		return 0;
	flow = host_find_flow(&work->key);
	if (!flow)
		return 0;
	rare = host_open_rare(flow, direction & 1);
	if (rare)
		return rare_add(rare, &work->rare[direction & 1]);
	flow->side[direction & 1].bits ^= SIDE_RARE | SIDE_RARE_REFUSED;
	host_count((__u8)door, COUNTER_rares_refused);
	return 0;
}

/* Into the flow table, with what is rare about it so far. */
core_inline enum room_answer monitor_enter_flow(__u8 door, struct half_open_work *work)
{
	enum room_answer answer = host_enter_flow(&work->key, &work->flow);

	if (answer == ROOM_TAKEN) {
		monitor_enter_rare(door, 0);
		monitor_enter_rare(door, 1);
	}
	return answer;
}

/* A first segment, under work->key. What does not fit is a flow at once. */
core_cut int monitor_open(const struct packet *pkt, __u32 door);

core_cut int core_body(monitor_open)(const struct packet *pkt, __u32 door_number)
{
	struct half_open_work *work = host_half_open_work((__u8)door_number);
	__u8 door = (__u8)door_number;
	enum room_answer answer;
	int fits;

	if (!pkt || !work)
		return WAY_DONE;
	fits = half_open_begin(&work->entry, pkt);
	work->entry.secondary = host_claim(pkt) & 1;
	if (!fits) {
		half_open_clear(work);
		track_open(&work->flow, pkt);
		work->flow.secondary = work->entry.secondary;
	}
	answer = fits ? host_enter_half_open(door, &work->key, &work->entry)
		      : monitor_enter_flow(door, work);
	if (answer == ROOM_KNOWN)
		return fits ? WAY_ENTRY : WAY_FOUND;
	if (answer == ROOM_FULL && fits) {
		host_count(door, COUNTER_frames_no_room);
		return WAY_DONE;
	}
	host_count(door, COUNTER_flows_opened);
	if (!fits)
		return answer == ROOM_FULL ? WAY_REFUSE : WAY_MOVED;
	monitor_count_tracked(door, pkt);
	/* All that can be told of a first segment. */
	if (host_config()->events && !work->entry.secondary && window_is_closed_by(pkt)) {
		track_open(&work->flow, pkt);
		monitor_notice(door, EVENT_ZERO_WINDOW, &work->flow, pkt);
	}
	return WAY_DONE;
}

/*
 * A SYN mostly opens, and entering says whether it is there already: so it is not looked for first. Where several
 * interfaces are watched it is, for who claims a connection does so once; and with SACK blocks, for it may not fit
 * and would enter the other room.
 */
core_inline int monitor_enters_at_once(const struct packet *pkt)
{
	return (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && !pkt->sack_count && !host_config()->several;
}

/* Frames of a refused flow are counted, and open no other; a new SYN does. */
core_inline int monitor_is_refused(const struct packet *pkt, const struct half_open *entry)
{
	return entry->kind == HALF_OPEN_REFUSED &&
	       (pkt->flags & (TCP_SYN | TCP_ACK)) != TCP_SYN &&
	       !half_open_is_over(entry, host_config(), pkt->now_ns);
}

core_cut int monitor_find(const struct packet *pkt, __u32 door);

core_cut int core_body(monitor_find)(const struct packet *pkt, __u32 door)
{
	struct half_open_work *work = host_half_open_work((__u8)door);
	struct half_open *entry;
	int way;

	if (!pkt || !work)
		return WAY_DONE;
	work->key = pkt->key;
	if (monitor_enters_at_once(pkt)) {
		way = monitor_open(pkt, door);
		if (way != WAY_ENTRY)
			return way;
	}
	entry = host_find_half_open(&work->key);
	if (entry && monitor_is_refused(pkt, entry)) {
		host_count((__u8)door, COUNTER_frames_refused);
		WRITE_ONCE(entry->start_ns, pkt->now_ns);
		return WAY_DONE;
	}
	if (entry && entry->kind == HALF_OPEN_REFUSED) {
		host_close_half_open(&work->key, entry);
		entry = (struct half_open *)0;
	}
	if (!entry) {
		/* A flow enters the second room before it leaves the first: just now, maybe. */
		if (!(pkt->flags & TCP_SYN) && host_seek_flow(&work->key))
			return WAY_FOUND;
		way = monitor_open(pkt, door);
		if (way != WAY_ENTRY)
			return way;
		entry = host_find_half_open(&work->key);
		if (!entry) {
			host_count((__u8)door, COUNTER_frames_no_room);
			return WAY_DONE;
		}
	}
	work->entry = *entry;
	if (!half_open_answer(&work->entry, host_config(), pkt))
		return WAY_ENTRY;
	*entry = work->entry;
	monitor_count_tracked((__u8)door, pkt);
	return WAY_DONE;
}

core_inline void monitor_end_half_open(__u8 door, struct half_open_work *work, __u8 close)
{
	if (host_close_half_open(&work->key, &work->entry))
		return;
	host_count(door, COUNTER_half_open_ended);
	monitor_post_flow(door, &work->key, &work->whole, close);
}

/* The connection does not go on with this packet: its record leaves. */
core_inline int monitor_half_open_ends(__u8 door, const struct packet *pkt,
				       struct half_open_work *work)
{
	__u8 close = CLOSE_REUSED;

	if (half_open_is_over(&work->entry, host_config(), pkt->now_ns))
		close = flow_close_reason(&work->flow);
	else if (!(pkt->flags & TCP_SYN) || !handshake_reopens(&work->flow, pkt))
		return 0;
	monitor_end_half_open(door, work, close);
	return 1;
}

/*
 * Does a SYN wait here beside a live connection? It never comes into that one's room, and what does not
 * fit beside it any more ends it. Where the same connection is found there, another CPU was faster.
 */
core_inline int monitor_waits_beside(const struct half_open_work *work)
{
	const struct flow *flow = host_seek_flow(&work->key);
	const struct side *waits = &work->flow.side[work->flow.opener & 1];
	const struct side *lives;

	if (!flow || !(waits->bits & SIDE_ISN))
		return 0;
	lives = &flow->side[work->flow.opener & 1];
	return !(lives->bits & SIDE_ISN) || lives->first_seq != waits->first_seq;
}

/* The work holds the entry, and the flow it stands for. */
core_cut int monitor_judge(const struct packet *pkt, __u32 door);

core_cut int core_body(monitor_judge)(const struct packet *pkt, __u32 door)
{
	struct half_open_work *work = host_half_open_work((__u8)door);
	enum room_answer answer;
	int ends;

	if (!pkt || !work)
		return WAY_DONE;
	ends = monitor_half_open_ends((__u8)door, pkt, work);
	if (!ends && half_open_takes(&work->entry, pkt))
		return WAY_APART;
	/* Where a live connection is, only a SYN comes here: monitor_flow() has found it for all else. */
	if (!ends && (pkt->flags & TCP_SYN) && monitor_waits_beside(work)) {
		monitor_end_half_open((__u8)door, work, CLOSE_REUSED);
		ends = 1;
	}
	if (ends) {
		int way = monitor_open(pkt, door);

		if (way != WAY_ENTRY)
			return way;
		host_count((__u8)door, COUNTER_frames_no_room); /* two CPUs opened the next */
		return WAY_DONE;
	}
	answer = monitor_enter_flow((__u8)door, work);
	if (answer == ROOM_FULL)
		return WAY_REFUSE;
	if (answer == ROOM_KNOWN) /* who was faster closes it, once the flow can be found */
		return WAY_FOUND;
	host_close_half_open(&work->key, &work->entry);
	return WAY_MOVED;
}

core_inline void monitor_put_half_open(__u8 door, struct half_open_work *work)
{
	struct half_open *entry = host_find_half_open(&work->key);

	if (entry)
		*entry = work->entry;
	else /* the full room forgot it just now, or it never was there */
		host_enter_half_open(door, &work->key, &work->entry);
}

/*
 * The full flow table did not take it. Its record leaves now, with what the opening told; the entry
 * stays, so that what follows belongs to a flow that was refused and opens no other.
 */
core_inline void monitor_refuse(__u8 door, const struct packet *pkt, struct half_open_work *work)
{
	host_count(door, COUNTER_flows_refused);
	monitor_post_flow(door, &work->key, &work->whole, CLOSE_EVICTED);
	work->entry.kind = HALF_OPEN_REFUSED;
	work->entry.start_ns = pkt->now_ns;
	work->entry.last_after_ns = 0;
	work->entry.has_rst = 0;
	monitor_put_half_open(door, work);
}

/* The packet was tracked in the work. */
core_cut int monitor_settle(const struct packet *pkt, __u32 door, __u32 way);

core_cut int core_body(monitor_settle)(const struct packet *pkt, __u32 door, __u32 way)
{
	struct half_open_work *work = host_half_open_work((__u8)door);
	enum room_answer answer;

	if (!pkt || !work)
		return 0;
	if (way == WAY_REFUSE) {
		monitor_refuse((__u8)door, pkt, work);
		return 0;
	}
	if (half_open_keep(&work->entry, &work->flow, pkt)) {
		monitor_put_half_open((__u8)door, work);
		return 0;
	}
	if (monitor_waits_beside(work)) {
		monitor_end_half_open((__u8)door, work, CLOSE_REUSED);
		return 0;
	}
	answer = monitor_enter_flow((__u8)door, work);
	if (answer == ROOM_FULL) {
		monitor_refuse((__u8)door, pkt, work);
		return 0;
	}
	host_close_half_open(&work->key, &work->entry);
	if (answer == ROOM_TAKEN) {
		host_count((__u8)door, COUNTER_flows_early);
		if (flow_is_closed(&work->flow))
			host_note_closed(&work->key);
	}
	return 0;
}

core_inline int monitor_half_open(__u8 door, const struct packet *pkt, struct half_open_work *work)
{
	int way = monitor_find(pkt, door);

	if (way != WAY_ENTRY)
		return way;
	half_open_expand(work);
	return monitor_judge(pkt, door);
}

#endif

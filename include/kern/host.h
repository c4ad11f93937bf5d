/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel as the hall's host: flows in maps, events in a ring buffer. */
#ifndef ACKMON_KERN_HOST_H
#define ACKMON_KERN_HOST_H

#include "kern/maps.h"

#include "core/claim.h"
#include "core/monitor.h"
#include "core/owner.h"
#include "core/transit.h"
#include "kern/beside.h"
#include "kern/labels.h"
#include "kern/table.h"

core_inline const volatile struct monitor_config *host_config(void)
{
	/* Constant after load: the verifier drops what a false constant guards. */
	return &config;
}

core_inline void host_count(__u8 door, enum counter counter)
{
	__u32 index = door;
	struct door_counters *door_counters = bpf_map_lookup_elem(&counters, &index);

	if (door_counters && counter < COUNTER_COUNT)
		door_counters->value[counter]++;
}

/*
 * The hops of a door, each in a function the verifier walks apart. It wants to see the door's own type
 * of context there, from which the function finds the frame again (5.6: a context and numbers; pointers
 * to anything else need 5.12).
 */
int xdp_hops(struct xdp_md *ctx, int hop);
int tc_hops(struct __sk_buff *skb, __u32 door, int hop);

core_inline int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	(void)pkt;
	if (frame->door == DOOR_XDP)
		return xdp_hops(frame->context, hop);
	return tc_hops(frame->context, frame->door, hop);
}

core_inline struct half_open_work *host_half_open_work(__u8 door)
{
	__u32 index = door;
	struct scratch *space = bpf_map_lookup_elem(&scratch, &index);

	if (!space)
		return (struct half_open_work *)0;
	/* clang 16 would add the offset before the check, which no verifier takes. */
	barrier_var(space);
	return &space->half_open;
}

core_inline struct flow *host_find_flow(const struct flow_key *key)
{
	struct flow_place *place = table_find_flow(key);

	if (!place)
		return (struct flow *)0;
	barrier_var(place); /* the same */
	return &place->flow;
}

core_inline struct flow *host_seek_flow(const struct flow_key *key)
{
	struct flow_place *place = table_seek_flow(key);

	if (!place)
		return (struct flow *)0;
	barrier_var(place);
	return &place->flow;
}

core_inline struct flow *host_find_entered(const struct flow_key *key, const struct flow *flow)
{
	__u32 at = table_search_entered(key, flow->place);
	struct flow_place *place = bpf_map_lookup_elem(&flows, &at);

	if (!place)
		return (struct flow *)0;
	barrier_var(place);
	return &place->flow;
}

core_leaf int host_enter_flow_apart(const struct flow_key *key, struct flow *flow)
{
	const struct table_about *about = table_about();
	struct flow_place *place;
	__u32 at, life;
	__u64 hash;

	if (!key || !flow || !about)
		return ROOM_FULL;
	hash = table_hash(key, about);
	at = table_enter_flow(key, hash);
	if (at == TABLE_IS_KNOWN)
		return ROOM_KNOWN;
	place = bpf_map_lookup_elem(&flows, &at);
	if (!place)
		return ROOM_FULL;
	life = place->flow.life + 1;
	place->flow = *flow;
	place->flow.place = flow->place = at;
	place->flow.life = flow->life = life;
	table_fill(&place->head, at, key, hash);
	return ROOM_TAKEN;
}

core_inline enum room_answer host_enter_flow(const struct flow_key *key, struct flow *flow)
{
	return (enum room_answer)host_enter_flow_apart(key, flow);
}

core_inline void host_note_closed(const struct flow_key *key)
{
	table_note_closed(key);
}

core_inline struct half_open *host_find_half_open(const struct flow_key *key)
{
	struct half_open_place *place = table_find_half_open(key);

	if (!place)
		return (struct half_open *)0;
	barrier_var(place);
	return &place->entry;
}

core_leaf int host_enter_half_open_apart(const struct flow_key *key, const struct half_open *entry, __u32 door)
{
	const struct table_about *about = table_about();
	struct half_open_place *place;
	int pushed;
	__u64 hash;
	__u32 at;

	if (!key || !entry || !about)
		return ROOM_FULL;
	hash = table_hash(key, about);
	at = table_enter_half_open(key, hash);
	if (at == TABLE_NOWHERE) {
		pushed = table_push_half_open(hash);
		if (pushed < 0)
			pushed = table_push_half_open(hash);
		if (pushed > 0)
			host_count((__u8)door, COUNTER_half_open_forgotten);
		at = table_enter_half_open(key, hash);
	}
	if (at == TABLE_IS_KNOWN)
		return ROOM_KNOWN;
	place = bpf_map_lookup_elem(&half_open, &at);
	if (!place)
		return ROOM_FULL;
	place->entry = *entry;
	table_fill(&place->head, at, key, hash);
	return ROOM_TAKEN;
}

core_inline enum room_answer host_enter_half_open(__u8 door, const struct flow_key *key,
						  const struct half_open *entry)
{
	return (enum room_answer)host_enter_half_open_apart(key, entry, door);
}

core_inline int host_close_half_open(const struct flow_key *key, const struct half_open *entry)
{
	struct half_open_place *place = table_find_half_open(key);
	__u32 tag;

	if (!place)
		return -1;
	tag = READ_ONCE(place->head.live);
	if (READ_ONCE(place->entry.start_ns) != entry->start_ns || !table_part(&place->head, tag))
		return -1;
	table_release_half_open(place);
	return 0;
}

/* The claim stands as long as the flow it speaks of does. */
core_inline int host_claim_holds(const struct claim *claim, const struct claim *own,
				 const struct flow_key *key)
{
	struct flow_key holder = *key;

	if (claim->ifindex == own->ifindex || !claim_is_same(claim, own))
		return 0;
	holder.ifindex = claim->ifindex;
	return host_seek_flow(&holder) || host_find_half_open(&holder);
}

/* 1: another interface has claimed the connection that this packet opens here. */
core_apart int host_claim_apart(const struct packet *pkt)
{
	struct flow_key tuple;
	struct claim own, *claim;

	if (!pkt)
		return 0;
	tuple = pkt->key;
	tuple.ifindex = 0;
	own = claim_of(pkt);
	/* Fails when there is one: then it is the one found next. */
	if (!bpf_map_update_elem(&claims, &tuple, &own, BPF_NOEXIST))
		return 0;
	claim = bpf_map_lookup_elem(&claims, &tuple);
	if (!claim)
		return 0;
	if (host_claim_holds(claim, &own, &pkt->key)) {
		claim_add(claim, own.ifindex);
		return 1;
	}
	*claim = own;
	return 0;
}

core_inline int host_claim(const struct packet *pkt)
{
	return config.several ? host_claim_apart(pkt) : 0;
}

/* What is rare about a side of a flow that was taken. */
core_apart int host_take_rare(struct half_open_work *work, __u32 direction)
{
	const struct rare *rare;
	struct rare *taken;

	if (!work)
		return 0;
	taken = &work->rare[direction & 1];
	__builtin_memset(taken, 0, sizeof(*taken));
	if (!(work->flow.side[direction & 1].bits & SIDE_RARE))
		return 0;
	rare = host_find_rare(&work->flow, direction & 1);
	if (rare)
		*taken = *rare;
	return 0;
}

/* From then on nobody finds it: what is given back is all that was ever learned of it. */
core_inline struct flow_whole *host_take_flow(__u8 door, const struct flow_key *key, struct flow *flow)
{
	struct half_open_work *work = host_half_open_work(door);
	struct flow_place *place = table_seek_flow(key); /* of `flow` the verifier knows too little */

	if (!work || !place || place->flow.start_ns != flow->start_ns ||
	    !table_part(&place->head, READ_ONCE(place->head.live)))
		return (struct flow_whole *)0;
	work->flow = place->flow;
	table_release_flow(place);
	host_take_rare(work, 0);
	host_take_rare(work, 1);
	return &work->whole;
}

core_inline void host_close_flow(const struct flow_key *key, struct flow_whole *whole)
{
	(void)key;
	host_close_side(&whole->flow, 0);
	host_close_side(&whole->flow, 1);
}

core_inline void host_settle(struct flow_whole *copy, __u32 direction)
{
	__u32 bits = copy->flow.side[direction].bits;

	flow_settle(copy, direction,
		    bits & SIDE_HOLES ? host_find_holes(&copy->flow, direction) : (struct holes *)0,
		    bits & SIDE_HISTOGRAM ? host_find_histogram(&copy->flow, direction)
					  : (struct histogram *)0);
}

core_cut int host_post_apart(const struct flow_key *key, const struct flow_whole *whole);

core_cut int core_body(host_post_apart)(const struct flow_key *key, const struct flow_whole *whole)
{
	struct flow_event *event;

	if (!key || !whole)
		return -1;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return -1;
	event->type = EVENT_FLOW_CLOSED;
	event->reserved = 0;
	event->key = *key;
	event->whole = *whole;
	host_settle(&event->whole, 0);
	host_settle(&event->whole, 1);
	/* Waking the reader costs 9 us; it comes by on its own timer. */
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

core_inline int host_post_flow(const struct flow_key *key, const struct flow_whole *whole)
{
	return host_post_apart(key, whole);
}

core_inline int host_post_notice(enum event_type type, const struct flow *flow,
				 const struct packet *pkt)
{
	struct segment_event *event;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return -1;
	notice_fill(event, type, flow, pkt);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

core_inline void host_add_transit(const struct packet *pkt, __u8 door, __u64 ns)
{
	struct transit_key key = {.flow = pkt->key, .direction = pkt->direction & 1};
	struct transit none = {}, *transit;

	key.flow.ifindex = 0;
	transit = bpf_map_lookup_elem(&transits, &key);
	if (!transit) {
		bpf_map_update_elem(&transits, &key, &none, BPF_NOEXIST);
		transit = bpf_map_lookup_elem(&transits, &key);
	}
	if (transit)
		transit_add(transit, ns);
	else
		host_count(door, COUNTER_transits_refused);
}

/* A segment of a proven flow came in, or goes out. */
core_apart int host_transit(const struct packet *pkt, __u32 door)
{
	struct transit_mark *mark;
	__u64 tag, ns;
	__u32 slot;

	if (!pkt)
		return 0;
	tag = transit_tag(pkt);
	slot = (__u32)(tag >> 32) & (TRANSIT_MARKS - 1);
	mark = bpf_map_lookup_elem(&transit_marks, &slot);
	if (!mark)
		return 0;
	if (door != DOOR_TC_EGRESS)
		transit_arrive(mark, tag, pkt->now_ns);
	else if (transit_leave(mark, tag, pkt->now_ns, &ns))
		host_add_transit(pkt, (__u8)door, ns);
	return 0;
}

/* Working space of this door and CPU. */
core_inline struct packet *host_packet(__u8 door)
{
	__u32 index = door;
	struct scratch *space = bpf_map_lookup_elem(&scratch, &index);

	return space ? &space->pkt : (struct packet *)0;
}

/* Time and length of a rehearsed frame come from the test, not from the kernel. */
core_inline void host_rehearse(struct frame *frame)
{
	if (!config.rehearsing)
		return;
	frame->time_ns = rehearsal.time_ns;
	frame->wire_bytes = rehearsal.wire_bytes;
	frame->segments = 0;
	frame->ifindex = 0;
	frame->link = (__u8)rehearsal.link;
}

/* Before anything else is done with a frame. */
#ifdef ACKMON_OLDER
#include "kern/older.h"

core_inline void host_enter(__u32 door)
{
	older_enter(door);
}
#else
core_inline void host_enter(__u32 door)
{
	(void)door;
}
#endif

#endif

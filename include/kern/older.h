/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions apart for kernels before 5.12, which hand them numbers alone; host.h includes it at its end. */
#ifndef ACKMON_KERN_OLDER_H
#define ACKMON_KERN_OLDER_H

#include "kern/maps.h"

#include "core/monitor.h"

/*
 * A core_cut function hands `where` to a function of numbers, which finds the packet in the working space
 * of its door and the flow where it is kept, and goes on in the function's body. A flow of the table is
 * looked up once more for that: the price of an old kernel.
 */
enum older_where {
	WHERE_DOOR = 3,  /* enum door */
	WHERE_WORK = 4,  /* the flow is that of the working space */
	WHERE_PAST = 8,  /* so is the packet, a remembered one */
	WHERE_HOLES = 16, /* the sender's side has a list at hand */
	WHERE_PEER_HOLES = 32,
};

_Static_assert(DOOR_COUNT <= WHERE_DOOR + 1, "a door fits");

/* Programs of two doors never interrupt each other: both run with the bottom halves of their CPU off. */
core_inline void older_enter(__u32 door)
{
	__u32 zero = 0, *now = bpf_map_lookup_elem(&door_now, &zero);

	if (now)
		*now = door;
}

core_inline __u32 older_door(void)
{
	__u32 zero = 0, *now = bpf_map_lookup_elem(&door_now, &zero);

	return now ? *now & WHERE_DOOR : 0;
}

core_inline struct half_open_work *older_work(__u32 where)
{
	return host_half_open_work(where & WHERE_DOOR);
}

/* One path for both packets: the offset is a number, of which the verifier knows the greatest value. */
core_inline struct packet *older_packet(__u32 where)
{
	__u32 past = offsetof(struct scratch, half_open.past), door = where & WHERE_DOOR;
	struct scratch *space = bpf_map_lookup_elem(&scratch, &door);
	__u32 offset = 0u - !!(where & WHERE_PAST);

	if (!space)
		return (struct packet *)0;
	compiler_forgets(offset);
	return (void *)space + (offset & past);
}

/* What the pointers of a core_cut function pointed to. */
struct older_view {
	struct packet *pkt;
	struct flow *flow;
	struct side *side, *peer;
	struct holes *holes, *peer_holes;
};

/* 0: another CPU ended the flow. */
core_inline int older_see(__u32 where, struct older_view *ret_view)
{
	struct packet *pkt = older_packet(where);
	struct holes *holes = (struct holes *)0, *peer_holes = (struct holes *)0;
	struct half_open_work *work;
	struct flow *flow;

	if (!pkt)
		return 0;
	if (where & WHERE_WORK) { /* which has no holes */
		work = older_work(where);
		if (!work)
			return 0;
		flow = &work->flow;
	} else {
		flow = host_seek_flow(&pkt->key);
		if (!flow)
			return 0;
		if (where & WHERE_HOLES)
			holes = host_find_holes(flow, pkt->direction & 1);
		if (where & WHERE_PEER_HOLES)
			peer_holes = host_find_holes(flow, !(pkt->direction & 1));
	}
	*ret_view = (struct older_view){
		.pkt = pkt,
		.flow = flow,
		.side = &flow->side[pkt->direction & 1],
		.peer = &flow->side[!(pkt->direction & 1)],
		.holes = holes,
		.peer_holes = peer_holes,
	};
	return 1;
}

core_apart __u32 older_where_flow(const struct flow *flow)
{
	__u32 door = older_door();
	struct half_open_work *work = older_work(door);

	return door | (work && flow == &work->flow ? WHERE_WORK : 0);
}

core_apart __u32 older_where(const struct flow *flow, const struct packet *pkt)
{
	__u32 where = older_where_flow(flow);
	struct half_open_work *work = older_work(where);

	return where | (work && pkt == &work->past ? WHERE_PAST : 0);
}

core_apart __u32 older_where_side(const struct side *side, const struct packet *pkt)
{
	struct half_open_work *work = older_work(older_door());
	const struct flow *flow = (const struct flow *)0;

	if (work && (side == &work->flow.side[0] || side == &work->flow.side[1]))
		flow = &work->flow;
	return older_where(flow, pkt);
}

/* ------------------------------------------------------------------ options */

core_numbers __u32 older_options_step(__u32 door, __u32 offset)
{
	struct packet *pkt = older_packet(door);

	return pkt ? core_body(options_step)(pkt, offset) : OPTIONS_OVER;
}

core_inline __u32 options_step(struct packet *pkt, __u32 offset)
{
	(void)pkt;
	return older_options_step(older_door(), offset);
}

/* ------------------------------------------------------------------ tracking */

core_numbers int older_place(__u32 where)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(track_place)(view.flow, view.pkt, view.holes);
}

core_inline int track_place(struct flow *flow, struct packet *pkt, struct holes *holes)
{
	return older_place(older_where(flow, pkt) | (holes ? WHERE_HOLES : 0));
}

core_numbers int older_learn(__u32 where)
{
	struct older_view view;

	if (!older_see(where & ~WHERE_PEER_HOLES, &view))
		return 0;
	/* All it asks of the list is whether there is one; window_note_dsack() finds it itself. */
	return core_body(track_learn)(view.flow, view.pkt,
				      (struct holes *)(long)(where & WHERE_PEER_HOLES));
}

core_inline int track_learn(struct flow *flow, struct packet *pkt, struct holes *peer_holes)
{
	return older_learn(older_where(flow, pkt) | (peer_holes ? WHERE_PEER_HOLES : 0));
}

core_numbers int older_classify_seen(__u32 where, __u32 end)
{
	struct older_view view;

	if (!older_see(where, &view))
		return SEGMENT_RETRANSMITTED;
	return core_body(loss_classify_seen)(view.side, view.peer, view.pkt, view.holes, end);
}

core_inline int loss_classify_seen(const struct side *side, const struct side *peer,
				   struct packet *pkt, struct holes *holes, __u32 end)
{
	(void)peer;
	return older_classify_seen(older_where_side(side, pkt) | (holes ? WHERE_HOLES : 0), end);
}

core_numbers int older_note_again(__u32 where, __u32 end)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(loss_note_again)(view.side, view.peer, view.pkt, view.holes, end);
}

core_inline int loss_note_again(struct side *side, const struct side *peer, struct packet *pkt,
				struct holes *holes, __u32 end)
{
	(void)peer;
	return older_note_again(older_where_side(side, pkt) | (holes ? WHERE_HOLES : 0), end);
}

core_numbers int older_gap(__u32 where, __u32 start, __u32 end, __u32 before_start)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(loss_gap)(view.side, view.peer, view.pkt, view.holes, start, end,
				   before_start);
}

core_inline int loss_gap(struct side *side, const struct side *peer, struct packet *pkt,
			 struct holes *holes, __u32 start, __u32 end, __u32 before_start)
{
	(void)peer;
	return older_gap(older_where_side(side, pkt) | (holes ? WHERE_HOLES : 0), start, end,
			 before_start);
}

core_numbers __u32 older_fill(__u32 where, __u32 start, __u32 end)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(loss_fill)(view.side, view.peer, view.pkt, view.holes, start, end);
}

core_inline __u32 loss_fill(struct side *side, const struct side *peer, struct packet *pkt,
			    struct holes *holes, __u32 start, __u32 end)
{
	(void)peer;
	return older_fill(older_where_side(side, pkt) | (holes ? WHERE_HOLES : 0), start, end);
}

core_numbers int older_move(__u32 where)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(loss_move)(view.side, view.peer, view.pkt, view.holes);
}

core_inline int loss_move(struct side *side, const struct side *peer, const struct packet *pkt,
			  struct holes *holes)
{
	(void)peer;
	return older_move(older_where_side(side, pkt) | (holes ? WHERE_HOLES : 0));
}

core_numbers int older_look_through(__u32 where)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return view.holes ? core_body(loss_look_through)(view.side, view.peer, view.pkt, view.holes) : 0;
}

core_inline int loss_look_through(struct side *side, const struct side *peer,
				  const struct packet *pkt, struct holes *holes)
{
	(void)peer;
	return older_look_through(older_where_side(side, pkt) | (holes ? WHERE_HOLES : 0));
}

core_numbers int older_note_dsack(__u32 where)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(window_note_dsack)(view.side, view.pkt, view.peer_holes);
}

core_inline int window_note_dsack(const struct side *side, struct packet *pkt,
				  struct holes *peer_holes)
{
	return older_note_dsack(older_where_side(side, pkt) |
				(peer_holes ? WHERE_PEER_HOLES : 0));
}

/* ------------------------------------------------------------------ the first room */

core_numbers int older_open(__u32 door)
{
	struct packet *pkt = older_packet(door);

	return pkt ? core_body(monitor_open)(pkt, door) : WAY_DONE;
}

core_inline int monitor_open(const struct packet *pkt, __u32 door)
{
	(void)pkt;
	return older_open(door);
}

core_numbers int older_find(__u32 door)
{
	struct packet *pkt = older_packet(door);

	return pkt ? core_body(monitor_find)(pkt, door) : WAY_DONE;
}

core_inline int monitor_find(const struct packet *pkt, __u32 door)
{
	(void)pkt;
	return older_find(door);
}

core_numbers int older_judge(__u32 door)
{
	struct packet *pkt = older_packet(door);

	return pkt ? core_body(monitor_judge)(pkt, door) : WAY_DONE;
}

core_inline int monitor_judge(const struct packet *pkt, __u32 door)
{
	(void)pkt;
	return older_judge(door);
}

core_numbers int older_settle(__u32 door, __u32 way)
{
	struct packet *pkt = older_packet(door);

	return pkt ? core_body(monitor_settle)(pkt, door, way) : 0;
}

core_inline int monitor_settle(const struct packet *pkt, __u32 door, __u32 way)
{
	(void)pkt;
	return older_settle(door, way);
}

core_numbers int older_recall(__u32 door, __u32 step)
{
	struct half_open_work *work = older_work(door);

	return work ? core_body(half_open_recall)(work, step) : 0;
}

core_inline int half_open_recall(struct half_open_work *work, __u32 step)
{
	(void)work;
	return older_recall(older_door(), step);
}

core_numbers int older_amend(__u32 door, __u32 step)
{
	struct half_open_work *work = older_work(door);

	return work ? core_body(half_open_amend)(work, step) : 0;
}

core_inline int half_open_amend(struct half_open_work *work, __u32 step)
{
	(void)work;
	return older_amend(older_door(), step);
}

/* ------------------------------------------------------------------ what flows give when they leave */

core_numbers int older_post(__u32 door)
{
	struct half_open_work *work = older_work(door);
	struct packet *pkt = older_packet(door);

	return work && pkt ? core_body(host_post_apart)(&pkt->key, &work->whole) : -1;
}

/* A flow ends in the working space, under the key of the packet at hand. */
core_inline int host_post_apart(const struct flow_key *key, const struct flow_whole *whole)
{
	(void)key;
	(void)whole;
	return older_post(older_door());
}

core_numbers int older_aggregate_leaving(__u32 door)
{
	struct half_open_work *work = older_work(door);
	struct packet *pkt = older_packet(door);

	return work && pkt ? core_body(aggregate_leaving)(&pkt->key, &work->whole) : 0;
}

core_inline int aggregate_leaving(const struct flow_key *key, struct flow_whole *whole)
{
	(void)key;
	(void)whole;
	return older_aggregate_leaving(older_door());
}

core_numbers int older_aggregate_packet(__u32 where)
{
	struct older_view view;

	if (!older_see(where, &view))
		return 0;
	return core_body(aggregate_packet)(view.flow, view.pkt);
}

core_inline int aggregate_packet(struct flow *flow, const struct packet *pkt)
{
	return older_aggregate_packet(older_where(flow, pkt));
}

/* ------------------------------------------------------------------ one at a time */

core_inline struct lock *older_lock(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&locks, &zero);
}

core_inline __u32 atomic_add(__u32 *at, __u32 value)
{
	struct lock *one = older_lock();
	__u32 before;

	if (!one)
		return 0;
	bpf_spin_lock(&one->lock);
	before = *at;
	*at = before + value;
	bpf_spin_unlock(&one->lock);
	return before;
}

core_inline __u32 atomic_or(__u32 *at, __u32 bits)
{
	struct lock *one = older_lock();
	__u32 before;

	if (!one)
		return 0;
	bpf_spin_lock(&one->lock);
	before = *at;
	*at = before | bits;
	bpf_spin_unlock(&one->lock);
	return before;
}

core_inline __u32 atomic_change(__u32 *at, __u32 before, __u32 after)
{
	struct lock *one = older_lock();
	__u32 found;

	if (!one)
		return 0;
	bpf_spin_lock(&one->lock);
	found = *at;
	if (found == before)
		*at = after;
	bpf_spin_unlock(&one->lock);
	return found;
}

#endif

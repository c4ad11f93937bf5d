/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel as the hall's host: flows in maps, events in a ring buffer. */
#ifndef ACKMON_KERN_HOST_H
#define ACKMON_KERN_HOST_H

#include "kern/maps.h"

#include "core/claim.h"
#include "core/monitor.h"
#include "core/owner.h"
#include "core/transit.h"
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

core_leaf int host_enter_flow_apart(const struct flow_key *key, const struct flow *flow)
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
	place->flow.place = at;
	place->flow.life = life;
	table_fill(&place->head, at, key, hash);
	return ROOM_TAKEN;
}

core_inline enum room_answer host_enter_flow(const struct flow_key *key, const struct flow *flow)
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

/* The entries beside a side of a flow, where its bits say that it owns any. */
core_apart int host_close_side(const struct flow *flow, __u32 direction)
{
	struct beside_key beside;
	__u32 bits;

	if (!flow)
		return 0;
	beside = table_beside_key(flow, direction & 1);
	bits = flow->side[direction & 1].bits;
	if (bits & SIDE_HOLES)
		bpf_map_delete_elem(&holes, &beside);
	if (bits & SIDE_HISTOGRAM)
		bpf_map_delete_elem(&histograms, &beside);
	if (bits & SIDE_RARE)
		bpf_map_delete_elem(&rares, &beside);
	return 0;
}

core_inline struct rare *host_find_rare(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);

	return bpf_map_lookup_elem(&rares, &beside);
}

core_inline struct rare *host_open_rare(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);
	__u32 zero = 0;
	struct rare *none = bpf_map_lookup_elem(&no_rare, &zero);

	if (!none)
		return (struct rare *)0;
	bpf_map_update_elem(&rares, &beside, none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&rares, &beside);
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

core_inline struct holes *host_find_holes(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);

	return bpf_map_lookup_elem(&holes, &beside);
}

core_inline struct holes *host_open_holes(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);
	__u32 zero = 0;
	struct holes *empty = bpf_map_lookup_elem(&no_holes, &zero);

	if (!empty)
		return (struct holes *)0;
	bpf_map_update_elem(&holes, &beside, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&holes, &beside);
}

core_inline struct histogram *host_find_histogram(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);

	return bpf_map_lookup_elem(&histograms, &beside);
}

core_inline struct histogram *host_open_histogram(const struct flow *flow, __u32 direction)
{
	struct beside_key beside = table_beside_key(flow, direction);
	__u32 zero = 0;
	struct histogram *empty = bpf_map_lookup_elem(&no_samples, &zero);

	if (!empty)
		return (struct histogram *)0;
	bpf_map_update_elem(&histograms, &beside, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&histograms, &beside);
}

core_inline int host_take_samples(struct flow *flow, __u32 direction,
				  const __u16 buckets[RTT_WAITING], int opens)
{
	struct histogram *histogram = host_find_histogram(flow, direction);

	if (!histogram && opens) {
		histogram = host_open_histogram(flow, direction);
		if (!histogram)
			return -1;
	}
	if (!histogram)
		return 0;
	histogram_take(histogram, buckets, RTT_WAITING);
	return 1;
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

core_inline struct aggregate_state *host_aggregate_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pair_state, &zero);
}

core_inline __u8 host_label_generation(void)
{
	struct aggregate_state *state = host_aggregate_state();

	return state ? (__u8)READ_ONCE(state->generation) : 0;
}

core_apart __u32 host_group_apart(const struct ip_addr *addr, __u32 port)
{
	struct label_prefix prefix = {.bits = 128};
	struct label_value *value;
	struct label_ports *ports = (struct label_ports *)0;
	__u32 at;

	if (!addr)
		return GROUP_EXTERNAL;
	prefix.addr = *addr;
	value = host_label_generation() & 1 ? bpf_map_lookup_elem(&labels_odd, &prefix)
					    : bpf_map_lookup_elem(&labels_even, &prefix);
	if (value && value->ports) {
		at = value->ports;
		ports = bpf_map_lookup_elem(&label_ports, &at);
	}
	return labels_group_of(&prefix.addr, (__u16)port, value, ports);
}

core_inline __u32 host_waiting_owner(const struct flow_key *key, __u32 end)
{
	__u64 hash = owner_hash(key, end);
	__u32 at = owner_place(hash);
	const struct owner_place *place = bpf_map_lookup_elem(&owner_marks, &at);

	return place ? owner_get(place, hash) : 0;
}

/* The group of an end of that cgroup whose address has this one. */
core_numbers __u32 host_owned_group(__u32 cgroup, __u32 group)
{
	__u32 *owner = bpf_map_lookup_elem(&owners, &cgroup), *owned;
	struct aggregate_state *state = host_aggregate_state();
	struct owner_key key = {.group = group};

	if (!owner) {
		if (state)
			__sync_fetch_and_add(&state->owners_unknown, 1);
		return group;
	}
	key.owner = *owner;
	owned = bpf_map_lookup_elem(&owner_groups, &key);
	return owned ? *owned : group;
}

core_inline __u32 host_group(const struct flow_key *key, struct flow *flow, __u32 end)
{
	__u32 group = host_group_apart(&key->addr[end & 1], be16_to_host(key->port_be16[end & 1]));

	if (!config.owners)
		return group;
	if (!flow->side[end & 1].cgroup)
		flow->side[end & 1].cgroup = host_waiting_owner(key, end);
	return flow->side[end & 1].cgroup ? host_owned_group(flow->side[end & 1].cgroup, group) : group;
}

/* A flow that was counted without its owner is looked up again: what it had so far stays where it is. */
core_inline void host_count_late_owner(struct flow *flow)
{
	struct aggregate_state *state = host_aggregate_state();
	__u32 counted = READ_ONCE(flow->counted);

	if (!(counted & COUNTED_WHOLE) || flow->secondary || !state)
		return;
	atomic_change(&flow->counted, counted, counted & COUNTED_BITS);
	__sync_fetch_and_add(&state->owners_late, 1);
}

/* Whose socket the sender's end is; 0: none of this host. Asked for at its first segments, and once a flow. */
core_apart int host_note_owner(const struct packet *pkt, __u64 cgroup_id)
{
	struct owner_place *place;
	struct flow_key key;
	struct flow *flow;
	__u64 hash;
	__u32 at;

	if (!pkt)
		return 0;
	key = pkt->key;
	flow = host_seek_flow(&key);
	if (flow) {
		if (config.aggregate && cgroup_id && !flow->side[pkt->direction & 1].cgroup)
			host_count_late_owner(flow);
		flow->side[pkt->direction & 1].cgroup = (__u32)cgroup_id;
		flow->side[pkt->direction & 1].bits |= SIDE_OWNER;
		return 0;
	}
	if (!config.aggregate)
		return 0;
	hash = owner_hash(&key, pkt->direction & 1);
	at = owner_place(hash);
	place = bpf_map_lookup_elem(&owner_marks, &at);
	if (place)
		owner_put(place, hash, (__u32)cgroup_id);
	return 0;
}

/* A number for a pair that has none. Two CPUs may do so at once: one number is then given to nobody. */
core_numbers __u32 host_new_pair(__u32 opener_group, __u32 responder_group)
{
	struct pair_key key = {.opener = opener_group, .responder = responder_group};
	struct aggregate_state *state = host_aggregate_state();
	__u32 number, *found;

	if (!state)
		return PAIR_OTHER;
	number = READ_ONCE(state->pairs);
	if (number < config.pairs_max)
		number = atomic_add(&state->pairs, 1);
	if (number >= config.pairs_max || bpf_map_update_elem(&pair_numbers, &key, &number, BPF_NOEXIST)) {
		found = bpf_map_lookup_elem(&pair_numbers, &key);
		if (found)
			return *found;
		__sync_fetch_and_add(&state->pairs_refused, 1);
		return PAIR_OTHER;
	}
	return number;
}

core_inline __u32 host_pair(__u32 opener_group, __u32 responder_group)
{
	struct pair_key key = {.opener = opener_group, .responder = responder_group};
	__u32 *number = bpf_map_lookup_elem(&pair_numbers, &key);

	return number ? *number : host_new_pair(opener_group, responder_group);
}

core_inline struct pair_counters *host_pair_counters(__u32 pair)
{
	return bpf_map_lookup_elem(&pairs, &pair);
}

/* The other CPU may have been faster: then its chunk is ours too, and one is given to nobody. */
core_numbers __u32 host_new_chunk(__u32 pair, __u32 place)
{
	struct pair_chunks *own = bpf_map_lookup_elem(&pair_chunks, &pair);
	struct aggregate_state *state = host_aggregate_state();
	__u32 chunk, before;

	if (!own || !state || place >= PAIR_PLACES)
		return CHUNK_OTHER;
	chunk = READ_ONCE(state->chunks);
	if (pair != PAIR_OTHER && chunk < config.chunks_max)
		chunk = atomic_add(&state->chunks, 1);
	if (pair == PAIR_OTHER || chunk >= config.chunks_max) {
		if (pair != PAIR_OTHER)
			__sync_fetch_and_add(&state->chunks_refused, 1);
		return CHUNK_OTHER + place;
	}
	before = atomic_change(&own->chunk[place & (PAIR_PLACES_ROOM - 1)], 0, chunk);
	return before ? before : chunk;
}

core_inline __u32 host_pair_chunk(__u32 pair, __u32 place)
{
	struct pair_chunks *own = bpf_map_lookup_elem(&pair_chunks, &pair);
	__u32 chunk = 0;

	if (own)
		chunk = READ_ONCE(own->chunk[place & (PAIR_PLACES_ROOM - 1)]);
	return chunk ? chunk : host_new_chunk(pair, place);
}

core_inline struct chunk *host_chunk(__u32 chunk)
{
	return bpf_map_lookup_elem(&chunks, &chunk);
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

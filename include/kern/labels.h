/* SPDX-License-Identifier: GPL-2.0-only */
/* Labels, owners and pairs in the kernel's maps. */
#ifndef ACKMON_KERN_LABELS_H
#define ACKMON_KERN_LABELS_H

#include "kern/maps.h"
#include "core/aggregate.h"
#include "core/labels.h"
#include "core/owner.h"

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

#endif

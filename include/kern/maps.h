/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map and global of the kernel side, declared once; weak, so that all programs share them. */
#ifndef ACKMON_KERN_MAPS_H
#define ACKMON_KERN_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/aggregate.h"
#include "abi/claim.h"
#include "abi/config.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "abi/half_open.h"
#include "abi/histogram.h"
#include "abi/key.h"
#include "abi/outbox.h"
#include "abi/owner.h"
#include "abi/table.h"
#include "abi/transit.h"
#include "core/half_open.h"
#include "core/packet.h"

/*
 * Proven flows. Refuses when full; the reader takes out what is over. Hash tables of our own, see abi/table.h: a
 * place is found without a call, where its key likes best to be with one look, and readers look at all of
 * them without asking the kernel. Sizes are set before loading, by user/table.c.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table_bucket);
} flow_tags __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TABLE_WAYS);
	__type(key, __u32);
	__type(value, struct flow_place);
} flows __weak SEC(".maps");

/* Flows that have yet to prove themselves. A flood churns this room and no other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table_bucket);
} half_open_tags __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TABLE_WAYS);
	__type(key, __u32);
	__type(value, struct half_open_place);
} half_open __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table_about);
} tables __weak SEC(".maps");

/* Hole lists, made on demand: few flows ever own one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct beside_key);
	__type(value, struct holes);
} holes __weak SEC(".maps");

/* What few segments say, by direction. As many as there are flows; see attach_resize(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct beside_key);
	__type(value, struct rare);
} rares __weak SEC(".maps");

/* Round trips of flows with many samples. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct beside_key);
	__type(value, struct histogram);
} histograms __weak SEC(".maps");

/* Who counts a connection that several interfaces see; not used when only one is watched. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key); /* ifindex is 0 */
	__type(value, struct claim);
} claims __weak SEC(".maps");

/* Segments inside this box, by their tag; and what came of it, by the key without the interface. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRANSIT_MARKS);
	__type(key, __u32);
	__type(value, struct transit_mark);
} transit_marks __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct transit_key);
	__type(value, struct transit);
} transits __weak SEC(".maps");

/* By enum door. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DOOR_COUNT);
	__type(key, __u32);
	__type(value, struct door_counters);
} counters __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events __weak SEC(".maps");

/* Readers' own; no program looks at it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct outbox);
} outbox __weak SEC(".maps");

/*
 * Working space, by enum door and CPU: too large for the stack, and the verifier walks less when it
 * need not follow every value. Programs of one door never interrupt each other on a CPU.
 */
struct scratch {
	struct packet pkt;
	struct half_open_work half_open;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DOOR_COUNT);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch __weak SEC(".maps");

/* What a new hole list, a new histogram and new rare counts look like; never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct holes);
} no_holes __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} no_samples __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rare);
} no_rare __weak SEC(".maps");

/*
 * Labels: groups by prefix, one map for odd generations and one for even ones, so that new labels are
 * complete before the first packet sees them. A prefix with ports points into label_ports, whose halves
 * take turns the same way.
 */
#define LABEL_PREFIXES_MAX (8 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LABEL_PREFIXES_MAX);
	__type(key, struct label_prefix);
	__type(value, struct label_value);
} labels_odd __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LABEL_PREFIXES_MAX);
	__type(key, struct label_prefix);
	__type(value, struct label_value);
} labels_even __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * LABEL_PORTS_HALF);
	__type(key, __u32);
	__type(value, struct label_ports);
} label_ports __weak SEC(".maps");

/* Readers' own, as the outbox is: names of groups, where programs outlive their reader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct label_name_key);
	__type(value, struct label_name);
} label_names __weak SEC(".maps");

/* Whose sockets are which cgroup's, and which group that makes of an address's; the reader fills both. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, OWNERS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} owners __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, OWNERS_MAX);
	__type(key, struct owner_key);
	__type(value, __u32);
} owner_groups __weak SEC(".maps");

/* Cgroups of connections that have not proved themselves; the reader maps it into its memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OWNER_PLACES);
	__type(key, __u32);
	__type(value, struct owner_place);
} owner_marks __weak SEC(".maps");

/*
 * Pairs of labels: their numbers, what each has counted on each CPU, and where its histograms are. Sizes
 * are set at load, by config.pairs_max and chunks_max.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, struct pair_key);
	__type(value, __u32);
} pair_numbers __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct pair_counters);
} pairs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct pair_chunks);
} pair_chunks __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CHUNK_FIRST);
	__type(key, __u32);
	__type(value, struct chunk);
} chunks __weak SEC(".maps");

/* The reader maps this into its memory, as it does what it counts itself of flows that it takes out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct aggregate_state);
} pair_state __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct pair_reader);
} pair_reader __weak SEC(".maps");

/* Of programs for kernels before 5.12, see older.h: whose frame a CPU is at. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32); /* enum door */
} door_now __weak SEC(".maps");

struct lock {
	struct bpf_spin_lock lock;
};

/* For what takes a place in a table: which of them, the home of its key says. */
#define LOCKS 1024u /* a power of two */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOCKS);
	__type(key, __u32);
	__type(value, struct lock);
} locks __weak SEC(".maps");

const volatile struct monitor_config config __weak = {};
struct rehearsal rehearsal __weak = {};

#endif

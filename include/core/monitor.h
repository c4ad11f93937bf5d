/* SPDX-License-Identifier: GPL-2.0-only */
/* The hall: parse, find the flow, let TCP knowledge update it, post an event. */
#ifndef ACKMON_CORE_MONITOR_H
#define ACKMON_CORE_MONITOR_H

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/flow.h"
#include "core/aggregate.h"
#include "core/compiler.h"
#include "core/expire.h"
#include "core/frame.h"
#include "core/half_open.h"
#include "core/notice.h"
#include "core/packet.h"
#include "core/parse.h"
#include "core/rare.h"
#include "core/track.h"

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
/* Into the flow table, if the key is not there yet. */
static enum room_answer host_enter_flow(const struct flow_key *key, const struct flow *flow);
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

/* Every frame comes through here once. pkt is working space, which the host owns. */
core_inline void monitor_frame(const struct frame *frame, struct packet *pkt);

/*
 * The same in two steps, for a host that reads ahead: monitor_look() counts the frame and says whether
 * there is a packet to look into; monitor_packet() does it, in the order in which frames came.
 */
core_inline int monitor_look(const struct frame *frame, struct packet *pkt);
core_inline void monitor_packet(__u8 door, struct packet *pkt);

core_inline int filter_net_matches(const volatile struct filter_term *term,
				   const struct ip_addr *addr)
{
	__u32 i;

	for (i = 0; i < 4; i++) {
		if ((addr->words_be32[i] & term->mask.words_be32[i]) != term->addr.words_be32[i])
			return 0;
	}
	return 1;
}

core_inline int filter_is_ipv4(const struct ip_addr *addr)
{
	return !addr->words_be32[0] && !addr->words_be32[1] &&
	       load_u32(&addr->words_be32[2]) == 0xffff;
}

core_inline int filter_port_matches(const volatile struct filter_term *term, __be16 port_be16)
{
	__u16 port = be16_to_host(port_be16);

	return port >= term->port_first && port <= term->port_last;
}

core_inline int filter_term_matches(const volatile struct filter_term *term,
				    const struct flow_key *key)
{
	switch (term->kind) {
	case FILTER_NET:
		return filter_net_matches(term, &key->addr[0]) ||
		       filter_net_matches(term, &key->addr[1]);
	case FILTER_PORT:
		return filter_port_matches(term, key->port_be16[0]) ||
		       filter_port_matches(term, key->port_be16[1]);
	case FILTER_IP4:
		return filter_is_ipv4(&key->addr[0]);
	case FILTER_IP6:
		return !filter_is_ipv4(&key->addr[0]);
	}
	return 1;
}

core_inline int filter_matches(const volatile struct monitor_config *config,
			       const struct flow_key *key)
{
	__u32 i;

	for (i = 0; i < FILTER_TERMS_MAX; i++) {
		if (config->filter[i].kind == FILTER_NONE)
			return 1;
		if (!filter_term_matches(&config->filter[i], key))
			return 0;
	}
	return 1;
}

core_inline void monitor_post_flow(__u8 door, const struct flow_key *key, struct flow_whole *whole,
				   __u8 close)
{
	whole->flow.close = close;
	if (host_config()->aggregate && !whole->flow.secondary)
		aggregate_leaving(key, whole);
	if (host_post_flow(key, whole))
		host_count(door, COUNTER_events_lost);
}

core_apart int monitor_end_flow(struct flow *found, const struct packet *pkt, __u32 door, __u32 close)
{
	struct half_open_work *work = host_half_open_work((__u8)door);
	struct flow_whole *whole;

	if (!found || !pkt || !work)
		return 0;
	work->key = pkt->key; /* 6.1 takes no key that lies in an argument of a function apart */
	whole = host_take_flow((__u8)door, &work->key, found);
	if (!whole)
		return 0;
	host_count((__u8)door, COUNTER_flows_ended);
	monitor_post_flow((__u8)door, &work->key, whole, (__u8)close);
	host_close_flow(&work->key, whole);
	return 0;
}

/* The flow of the table this packet belongs to, unless it is over: then it is ended. */
core_inline struct flow *monitor_flow(__u8 door, const struct packet *pkt)
{
	struct flow *flow = pkt->flags & TCP_SYN ? host_seek_flow(&pkt->key) : host_find_flow(&pkt->key);
	__u8 close = CLOSE_REUSED;

	if (!flow)
		return flow;
	if (flow_is_over(flow, host_config(), pkt->now_ns))
		close = flow_close_reason(flow);
	else if (!(pkt->flags & TCP_SYN) || !handshake_reopens(flow, pkt))
		return flow;
	else if (!(pkt->flags & TCP_ACK) && handshake_is_alive(flow, pkt->now_ns))
		return (struct flow *)0; /* it waits in the first room, until it is answered */
	monitor_end_flow(flow, pkt, door, close);
	return (struct flow *)0;
}

core_inline struct holes *monitor_list(__u8 door, const struct flow *flow, const struct packet *pkt)
{
	struct holes *holes;

	holes = host_find_holes(flow, pkt->direction & 1);
	if (holes)
		return holes;
	holes = host_open_holes(flow, pkt->direction & 1);
	if (!holes)
		host_count(door, COUNTER_holes_refused);
	return holes;
}

core_inline struct holes *monitor_holes(__u8 door, const struct flow *flow,
					const struct packet *pkt)
{
	if (!loss_needs_holes(&flow->side[pkt->direction & 1], pkt))
		return (struct holes *)0;
	return monitor_list(door, flow, pkt);
}

/* A common segment in a direction that remembers them all for a while; rare, so apart. */
core_apart int monitor_echo(struct flow *flow, const struct packet *pkt, __u32 door)
{
	struct holes *holes;

	if (!flow || !pkt)
		return 0;
	holes = monitor_list((__u8)door, flow, pkt);
	if (holes)
		track_echo(flow, pkt, holes);
	return 0;
}

/* What the other end repeated, when this one reports a duplicate. */
core_inline struct holes *monitor_peer_holes(const struct flow *flow, const struct packet *pkt)
{
	__u32 peer = !(pkt->direction & 1);

	if (!window_is_dsack(pkt) || !(flow->side[peer].bits & SIDE_HOLES))
		return (struct holes *)0;
	return host_find_holes(flow, peer);
}

/* A flow with few samples needs no histogram: its minimum, mean and maximum say as much. */
#define MONITOR_HISTOGRAM_SAMPLES 32u

/* Four samples; apart, for the sake of the verifier. */
core_apart int monitor_rtt_take(struct flow *flow, const struct packet *pkt, __u32 door)
{
	struct side *side;
	int taken;

	if (!flow || !pkt)
		return 0;
	side = &flow->side[pkt->direction & 1];
	taken = host_take_samples(flow, pkt->direction & 1, side->rtt_waiting,
				  side->rtt_samples == MONITOR_HISTOGRAM_SAMPLES + RTT_WAITING);
	if (taken > 0)
		side->bits |= SIDE_HISTOGRAM;
	else if (taken < 0)
		host_count((__u8)door, COUNTER_histograms_refused);
	return 0;
}

/* Finding the histogram costs more than all else that a sample costs, so samples go there by fours. */
core_inline void monitor_rtt(__u8 door, struct flow *flow, const struct packet *pkt)
{
	struct side *side = &flow->side[pkt->direction & 1];

	if (!pkt->verdict.has_rtt || side->rtt_samples <= MONITOR_HISTOGRAM_SAMPLES)
		return;
	side->rtt_waiting[(side->rtt_samples - 1) % RTT_WAITING] =
		(__u16)histogram_bucket(pkt->verdict.rtt_ns);
	if (!(side->rtt_samples % RTT_WAITING))
		monitor_rtt_take(flow, pkt, door);
}

core_inline void monitor_notice(__u8 door, enum event_type type, const struct flow *flow,
				const struct packet *pkt)
{
	if (host_post_notice(type, flow, pkt))
		host_count(door, COUNTER_events_lost);
}

/* Verified apart: two rooms' flows come here. */
core_apart int monitor_notices(const struct notice_before *before, const struct flow *flow,
			       const struct packet *pkt, __u32 door_number)
{
	__u8 door = (__u8)door_number;

	if (!before || !flow || !pkt)
		return 0;
	if (!before->proven && flow->proven)
		monitor_notice(door, EVENT_OPENED, flow, pkt);
	if (notice_is_refusal(before, flow, pkt))
		monitor_notice(door, EVENT_REFUSED, flow, pkt);
	if (notice_is_about_segment(pkt))
		monitor_notice(door, EVENT_SEGMENT, flow, pkt);
	if (pkt->verdict.dsack_spurious)
		monitor_notice(door, EVENT_SPURIOUS, flow, pkt);
	if (pkt->verdict.marks & MARK_CLOSED)
		monitor_notice(door, EVENT_ZERO_WINDOW, flow, pkt);
	return 0;
}

core_inline void monitor_count_tracked(__u8 door, const struct packet *pkt)
{
	host_count(door, FRAMES_TRACKED);
	if (pkt->first_fragment)
		host_count(door, COUNTER_frames_first_fragments);
	if (pkt->tunnel)
		host_count(door, COUNTER_frames_decapsulated);
}

/* ------------------------------------------------------------------ the first room */

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
 * interfaces are watched it is, for who claims a connection does so once.
 */
core_inline int monitor_enters_at_once(const struct packet *pkt)
{
	return (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && !host_config()->several;
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

/* ------------------------------------------------------------------ what is rare */

/* A segment was tracked: does it say something of what is rare? */
core_apart int monitor_rare(struct flow *flow, struct packet *pkt, __u32 door)
{
	__u32 direction;
	struct rare *rare;
	struct side *side;

	if (!flow || !pkt || !rare_has_news(pkt))
		return 0;
	if (pkt->in_work)
		return half_open_note(host_half_open_work((__u8)door), pkt);
	direction = pkt->direction & 1;
	side = &flow->side[direction];
	rare = host_find_rare(flow, direction);
	if (!rare)
		rare = host_open_rare(flow, direction);
	side->bits |= rare ? SIDE_RARE : SIDE_RARE_REFUSED;
	if (rare)
		rare_note(rare, pkt);
	else
		host_count((__u8)door, COUNTER_rares_refused);
	return 0;
}

/* Of one side of a flow that has just been counted as a whole. */
core_apart int monitor_aggregate_rare(const struct flow *flow, const struct packet *pkt, __u32 door,
				      __u32 direction)
{
	const struct half_open_work *work = host_half_open_work((__u8)door);
	struct pair_counters *pair;
	const struct rare *rare;

	if (!flow || !pkt || !work || !(flow->side[direction & 1].bits & SIDE_RARE))
		return 0;
	rare = pkt->in_work ? &work->rare[direction & 1]
			    : host_find_rare(flow, direction & 1);
	pair = host_pair_counters(flow->pair);
	if (rare && pair)
		pair_add_rare(pair, rare);
	return 0;
}

/* ------------------------------------------------------------------ the second room */

core_inline void monitor_segment(__u8 door, struct packet *pkt)
{
	struct flow *flow = monitor_flow(door, pkt);
	struct holes *holes = (struct holes *)0, *peer_holes = (struct holes *)0;
	struct notice_before before = {0};
	int way = WAY_FOUND, common;

	if (!flow) {
		struct half_open_work *work = host_half_open_work(door);

		if (!work)
			return;
		pkt->asks_owner = door == DOOR_TC_EGRESS && host_config()->aggregate;
		way = monitor_half_open(door, pkt, work);
		if (way == WAY_DONE)
			return;
		flow = &work->flow;
		pkt->in_work = way == WAY_APART || way == WAY_REFUSE;
		if (!pkt->in_work)
			flow = host_seek_flow(&pkt->key);
		if (!flow) { /* another CPU ended it */
			host_count(door, COUNTER_frames_no_room);
			return;
		}
	}
	monitor_count_tracked(door, pkt);
	if (pkt->now_ns < flow_last_ns(flow))
		host_count(door, COUNTER_times_backwards);
	if (host_config()->events)
		before = notice_before(flow);
	common = track_common(flow, pkt);
	if (common == TRACK_ECHOED && way == WAY_FOUND)
		monitor_echo(flow, pkt, door);
	if (common == TRACK_OTHER) {
		if (way == WAY_MOVED || way == WAY_FOUND) { /* nothing of the first room has holes */
			holes = monitor_holes(door, flow, pkt);
			peer_holes = monitor_peer_holes(flow, pkt);
		}
		if (track_segment(flow, pkt, holes, peer_holes) == SEGMENT_SUSPECT)
			host_count(door, COUNTER_segments_suspect);
		monitor_rare(flow, pkt, door);
	}
	monitor_rtt(door, flow, pkt);
	if (!flow->proven && handshake_proves(flow))
		flow->proven = 1;
	if (way == WAY_MOVED)
		host_count(door, flow->proven ? COUNTER_flows_promoted : COUNTER_flows_early);
	if (host_config()->transit)
		pkt->of_proven = flow->proven;
	if (door == DOOR_TC_EGRESS && flow->proven)
		pkt->asks_owner = !(flow->side[pkt->direction & 1].bits & SIDE_OWNER);
	if (host_config()->aggregate && flow->proven && !flow->secondary && aggregate_packet(flow, pkt) > 0) {
		monitor_aggregate_rare(flow, pkt, door, 0);
		monitor_aggregate_rare(flow, pkt, door, 1);
	}
	if (host_config()->events && !flow->secondary)
		monitor_notices(&before, flow, pkt, door);
	if (way == WAY_APART || way == WAY_REFUSE)
		monitor_settle(pkt, door, way);
	else if ((pkt->flags & (TCP_FIN | TCP_RST)) && flow_is_closed(flow))
		host_note_closed(&pkt->key);
}

/*
 * An ICMP error about a SYN without an answer, with the number it had: not from somebody who only guesses
 * what is open. pkt is the quoted segment, as far as it is quoted.
 */
core_inline void monitor_unreachable(__u8 door, const struct packet *pkt)
{
	struct flow *flow = host_seek_flow(&pkt->key);
	struct half_open *entry = flow ? (struct half_open *)0 : host_find_half_open(&pkt->key);

	if (flow && handshake_is_unanswered(flow, pkt))
		flow->icmp = pkt->icmp;
	else if (entry && half_open_is_unanswered(entry, pkt))
		entry->icmp = pkt->icmp & 15;
	else
		return;
	host_count(door, COUNTER_unreachables);
}

core_inline void monitor_packet(__u8 door, struct packet *pkt)
{
	if (unlikely(pkt->icmp))
		monitor_unreachable(door, pkt);
	else
		monitor_segment(door, pkt);
}

core_inline enum counter monitor_parse(const struct frame *frame, struct packet *pkt)
{
	int hop = parse_plain(frame, host_config()->decap, pkt);
	enum counter reason;

	if (hop > 0)
		hop = host_parse_hops(frame, pkt, hop);
	reason = (enum counter)verifier_joins(&pkt->joint, parse_segment(frame, pkt, hop));
	if (unlikely(pkt->parsing.options_len))
		host_parse_hops(frame, pkt, HOP_OPTIONS);
	return reason;
}

core_inline int monitor_look(const struct frame *frame, struct packet *pkt)
{
	enum counter reason = monitor_parse(frame, pkt);
	/* What an ICMP error quotes is looked at, though the frame is counted as one. */
	int has_key = !reason || (reason == COUNTER_frames_icmp_errors && pkt->icmp);

	host_count(frame->door, FRAMES_SEEN);
	if (has_key && !filter_matches(host_config(), &pkt->key)) {
		reason = COUNTER_frames_filtered;
		has_key = 0;
	}
	if (reason)
		host_count(frame->door, reason);
	return has_key;
}

core_inline void monitor_frame(const struct frame *frame, struct packet *pkt)
{
	if (monitor_look(frame, pkt))
		monitor_packet(frame->door, pkt);
}

#endif

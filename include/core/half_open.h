/* SPDX-License-Identifier: GPL-2.0-only */
/* The first room: how the few segments of an unproven connection are kept, and become a flow again. */
#ifndef ACKMON_CORE_HALF_OPEN_H
#define ACKMON_CORE_HALF_OPEN_H

#include "abi/config.h"
#include "abi/flow.h"
#include "abi/half_open.h"
#include "core/compiler.h"
#include "core/packet.h"
#include "core/rare.h"
#include "core/seq.h"
#include "core/track.h"

/*
 * A flow takes more than half a kilobyte, and a flood opens a million of them. So before it proves itself a connection is
 * kept as its segments, and these are tracked once more whenever another one comes: the same code as
 * for any segment makes the flow, so nothing is learned twice. What fits is what handshakes and
 * floods are made of; anything else makes the connection a flow early.
 */

/* A connection of the first room, while one of its segments is looked at. */
struct half_open_work {
	struct flow_key key;
	struct half_open entry;
	union { /* what it stands for; SIDE_RARE says which of rare is in use, be it here or in an entry to come */
		struct flow_whole whole;
		struct {
			struct flow flow;
			struct rare rare[2];
		};
	};
	struct packet past;
};

/* A first segment. 0: it does not fit. */
core_apart int half_open_begin(struct half_open *ret_entry, const struct packet *pkt);

/* work->flow becomes what key and entry would be, had they been a flow from the start. */
core_inline void half_open_expand(struct half_open_work *work);

/*
 * What nearly every SYN-ACK is: the first answer to one SYN. 1: the entry has taken it, and is what it would
 * be, had the segment been tracked and kept. 0: it is something else, and nothing was done.
 */
core_inline int half_open_answer(struct half_open *entry, const volatile struct monitor_config *config,
				 const struct packet *pkt);

/* Does another segment fit, as far as can be told before it is tracked? It proves nothing then. */
core_apart int half_open_takes(const struct half_open *entry, const struct packet *pkt);

/* Keeps the segment that takes() let in and flow has tracked. 0: it turned out not to fit. */
core_apart int half_open_keep(struct half_open *entry, const struct flow *flow,
			      const struct packet *pkt);

/* As flow_is_over() would say of the flow. */
core_inline int half_open_is_over(const struct half_open *entry,
				  const volatile struct monitor_config *config, __u64 now_ns);

/* As handshake_is_unanswered() would say of the flow. */
core_inline int half_open_is_unanswered(const struct half_open *entry, const struct packet *quoted);

core_inline __u64 half_open_last_ns(const struct half_open *entry)
{
	__u64 after_ns = entry->last_after_ns;

	if (entry->kind == HALF_OPEN_PAIR) {
		if (entry->pair.answer_after_ns > after_ns)
			after_ns = entry->pair.answer_after_ns;
		if (entry->pair.answer_last_after_ns > after_ns)
			after_ns = entry->pair.answer_last_after_ns;
	}
	return entry->start_ns + after_ns;
}

core_inline int half_open_is_over(const struct half_open *entry,
				  const volatile struct monitor_config *config, __u64 now_ns)
{
	__u64 last_ns = half_open_last_ns(entry), timeout_ns = config->half_open_timeout_ns;

	if (entry->has_rst || (entry->kind == HALF_OPEN_LONE && (entry->lone.flags & TCP_RST)))
		timeout_ns = config->closed_timeout_ns;
	else if (entry->kind == HALF_OPEN_LONE && !(entry->lone.flags & TCP_SYN))
		timeout_ns = config->idle_timeout_ns;
	return now_ns > last_ns && now_ns - last_ns > timeout_ns;
}

core_inline int half_open_is_unanswered(const struct half_open *entry, const struct packet *quoted)
{
	if ((quoted->direction & 1) != entry->direction)
		return 0;
	if (entry->kind == HALF_OPEN_PAIR)
		return !entry->pair.answer_frames && entry->pair.seq[0] == quoted->seq;
	return entry->kind == HALF_OPEN_LONE &&
	       (entry->lone.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
	       entry->lone.seq == quoted->seq;
}

/* ------------------------------------------------------------------ from packets */

core_inline __u32 half_open_said(const struct packet *pkt)
{
	__u32 said = 0;

	if (pkt->has_ts)
		said |= HALF_OPEN_TS;
	if (pkt->has_wscale)
		said |= HALF_OPEN_WSCALE;
	if (pkt->sack_permitted)
		said |= HALF_OPEN_SACK_PERMITTED;
	if (pkt->has_ip_id)
		said |= HALF_OPEN_IP_ID;
	if (pkt->flags & TCP_ECE)
		said |= HALF_OPEN_ECE;
	if (pkt->flags & TCP_CWR)
		said |= HALF_OPEN_CWR;
	said |= (pkt->ecn & 3u) << HALF_OPEN_ECN_SHIFT;
	return said | (pkt->wscale & 15u) << HALF_OPEN_WSCALE_SHIFT;
}

core_apart int half_open_begin(struct half_open *ret_entry, const struct packet *pkt)
{
	if (!ret_entry || !pkt || pkt->sack_count > !pkt->tunnel || pkt->segments > 0xffff)
		return 0;
	*ret_entry = (struct half_open){
		.start_ns = pkt->now_ns,
		.vlan = pkt->vlan,
		.kind = HALF_OPEN_LONE,
		.direction = pkt->direction & 1,
		.lone = {
			.seq = pkt->seq,
			.ack = pkt->ack,
			.tsval = pkt->tsval,
			.tsecr = pkt->tsecr,
			.payload_bytes = pkt->payload_bytes,
			.wire_bytes = pkt->wire_bytes,
			.window = pkt->window,
			.ip_id = pkt->ip_id,
			.mss = pkt->mss,
			.segments = (__u16)pkt->segments,
			.said = (__u16)half_open_said(pkt),
			.flags = pkt->flags,
			.ttl = pkt->ttl,
		},
	};
	if (pkt->sack_count) {
		ret_entry->lone.sack_start = pkt->sack[0].start;
		ret_entry->lone.sack_end = pkt->sack[0].end;
	}
	if (pkt->tunnel) {
		ret_entry->lone.said |= HALF_OPEN_TUNNEL;
		ret_entry->lone.sack_start = pkt->tunnel_id;
		ret_entry->lone.sack_end = pkt->tunnel;
	}
	return 1;
}

/* ------------------------------------------------------------------ what fits */

/* Flags beside SYN and ACK that a SYN may carry: ECN is negotiated by them (RFC 3168, 6.1.1). */
#define HALF_OPEN_SYN_FLAGS (TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR)

core_inline int half_open_is_bare(const struct packet *pkt)
{
	return !pkt->payload_bytes && pkt->segments <= 1 && pkt->wire_bytes <= 255 &&
	       !pkt->sack_count;
}

core_inline int half_open_begins_with_syn(const struct half_open *entry)
{
	const struct half_open_lone *lone = &entry->lone;

	if (entry->kind == HALF_OPEN_PAIR)
		return 1;
	return entry->kind == HALF_OPEN_LONE && (lone->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
	       !(lone->flags & ~HALF_OPEN_SYN_FLAGS) && !lone->payload_bytes &&
	       lone->segments <= 1 && lone->wire_bytes <= 255 &&
	       !(lone->sack_start | lone->sack_end); /* and no tunnel: there is no place for its number */
}

/* The same but for time, TSval and IP-ID, which counts or is zero. */
core_inline int half_open_repeats(const struct half_open_pair *pair, __u32 end, __u32 said,
				  __u32 frames, const struct packet *pkt)
{
	return pair->seq[end] == pkt->seq && said == half_open_said(pkt) &&
	       pair->mss[end] == pkt->mss && pair->ttl[end] == pkt->ttl &&
	       pair->wire_bytes[end] == pkt->wire_bytes && !pair->ip_id[end] == !pkt->ip_id &&
	       !seq_before(pkt->tsval, pair->tsval[end]) && frames < HALF_OPEN_FRAMES_MAX;
}

core_inline int half_open_takes_syn(const struct half_open *entry, const struct packet *pkt)
{
	const struct half_open_lone *lone = &entry->lone;
	const struct half_open_pair *pair = &entry->pair;

	if ((pkt->direction & 1) != entry->direction)
		return 0;
	if (entry->kind == HALF_OPEN_LONE)
		return lone->seq == pkt->seq && lone->said == half_open_said(pkt) &&
		       lone->mss == pkt->mss && lone->ttl == pkt->ttl &&
		       lone->wire_bytes == pkt->wire_bytes && !lone->ip_id == !pkt->ip_id &&
		       !seq_before(pkt->tsval, lone->tsval);
	if (pair->answer_frames && pair->syn_frames > 1 && !entry->late)
		return 0;
	return half_open_repeats(pair, 0, pair->syn_said, pair->syn_frames, pkt);
}

core_inline int half_open_takes_answer(const struct half_open *entry, const struct packet *pkt)
{
	const struct half_open_pair *pair = &entry->pair;
	__u32 syn_seq = entry->kind == HALF_OPEN_LONE ? entry->lone.seq : pair->seq[0];

	if ((pkt->direction & 1) == entry->direction || pkt->ack != syn_seq + 1)
		return 0;
	if (entry->kind == HALF_OPEN_LONE || !pair->answer_frames)
		return 1;
	return half_open_repeats(pair, 1, pair->answer_said, pair->answer_frames, pkt);
}

core_inline int half_open_takes_rst(const struct half_open *entry, const struct packet *pkt)
{
	if (pkt->flags & ~(TCP_RST | TCP_ACK) || pkt->has_ts || pkt->ecn)
		return 0;
	return entry->kind == HALF_OPEN_LONE || entry->pair.answer_frames <= 1;
}

core_apart int half_open_takes(const struct half_open *entry, const struct packet *pkt)
{
	if (!entry || !pkt)
		return 0;
	if (entry->has_rst || !half_open_is_bare(pkt) || pkt->now_ns < half_open_last_ns(entry) ||
	    pkt->now_ns - entry->start_ns > HALF_OPEN_AFTER_MAX)
		return 0;
	if (pkt->flags & TCP_RST)
		return half_open_takes_rst(entry, pkt);
	if (!(pkt->flags & TCP_SYN) || pkt->flags & ~HALF_OPEN_SYN_FLAGS ||
	    !half_open_begins_with_syn(entry))
		return 0;
	if (pkt->flags & TCP_ACK)
		return half_open_takes_answer(entry, pkt);
	return half_open_takes_syn(entry, pkt);
}

/* ------------------------------------------------------------------ keeping */

core_inline void half_open_keep_rst(struct half_open *entry, const struct packet *pkt)
{
	__u64 after_ns = pkt->now_ns - entry->start_ns;

	entry->has_rst = 1;
	entry->rst_direction = pkt->direction & 1;
	entry->rst_has_ack = !!(pkt->flags & TCP_ACK);
	if (entry->kind == HALF_OPEN_LONE) {
		entry->last_after_ns = after_ns;
		entry->lone.rst_ip_id = pkt->ip_id;
		entry->lone.rst_ttl = pkt->ttl;
		entry->lone.rst_wire_bytes = (__u8)pkt->wire_bytes;
		return;
	}
	entry->pair.answer_last_after_ns = after_ns;
	if (entry->pair.answer_frames) {
		entry->pair.first_tsval = pkt->ip_id | (__u32)pkt->ttl << 16 |
					  (pkt->wire_bytes & 255) << 24;
		return;
	}
	entry->pair.ip_id[1] = pkt->ip_id;
	entry->pair.ttl[1] = pkt->ttl;
	entry->pair.wire_bytes[1] = (__u8)pkt->wire_bytes;
}

/* A lone SYN that gets company. */
core_inline void half_open_pair_up(struct half_open *entry)
{
	struct half_open_lone lone = entry->lone;

	entry->kind = HALF_OPEN_PAIR;
	entry->pair = (struct half_open_pair){
		.syn_said = lone.said,
		.syn_frames = 1,
		.seq = {lone.seq},
		.tsval = {lone.tsval},
		.ip_id = {lone.ip_id},
		.mss = {lone.mss},
		.ttl = {lone.ttl},
		.wire_bytes = {(__u8)lone.wire_bytes},
	};
}

core_inline void half_open_keep_syn(struct half_open *entry, const struct side *side,
				    const struct packet *pkt)
{
	struct half_open_pair *pair = &entry->pair;

	if (pair->answer_frames)
		entry->late = 1;
	else if (pair->syn_frames == 1)
		pair->first_tsval = pair->tsval[0];
	entry->last_after_ns = pkt->now_ns - entry->start_ns;
	pair->syn_frames++;
	pair->tsval[0] = pkt->tsval;
	pair->ip_id[0] = side->ip_id;
	pair->syn_ip_ids = side->ip_ids;
	pair->syn_ip_ids_upward = side->ip_ids_upward;
}

/* Where nobody can tell, one SYN or two at once, it is the last. */
core_inline __u32 half_open_leg(const struct flow *flow)
{
	if (!flow->has_responder_handshake)
		return HALF_OPEN_LEG_NONE;
	return flow->syns > 1 && flow->responder_handshake_ns == flow->synack_ns - flow->syn_ns
		       ? HALF_OPEN_LEG_FIRST
		       : HALF_OPEN_LEG_LAST;
}

/* What does not change when it is repeated, and what does. */
core_inline void half_open_first_answer(struct half_open *entry, const struct packet *pkt)
{
	struct half_open_pair *pair = &entry->pair;

	pair->answer_after_ns = pkt->now_ns - entry->start_ns;
	pair->answer_said = half_open_said(pkt);
	pair->seq[1] = pkt->seq;
	pair->mss[1] = pkt->mss;
	pair->ttl[1] = pkt->ttl;
	pair->wire_bytes[1] = (__u8)pkt->wire_bytes;
	pair->answer_last_after_ns = pair->answer_after_ns;
	pair->answer_frames = 1;
	pair->tsval[1] = pkt->tsval;
	pair->ip_id[1] = pkt->ip_id;
}

core_inline void half_open_keep_answer(struct half_open *entry, const struct flow *flow,
				       const struct side *side, const struct packet *pkt)
{
	struct half_open_pair *pair = &entry->pair;

	if (!pair->answer_frames) {
		half_open_first_answer(entry, pkt);
		entry->leg = half_open_leg(flow);
		return;
	}
	if (pair->answer_frames == 1)
		pair->first_tsval = pair->tsval[1];
	pair->answer_last_after_ns = pkt->now_ns - entry->start_ns;
	pair->answer_frames++;
	pair->tsval[1] = pkt->tsval;
	pair->ip_id[1] = side->ip_id;
	pair->answer_ip_ids = side->ip_ids;
	pair->answer_ip_ids_upward = side->ip_ids_upward;
}

/* Repeats were counted as such, and not as copies; an RST was believed; an answer is the first. */
core_inline int half_open_is_plain(const struct half_open *entry, const struct packet *pkt)
{
	if (pkt->flags & TCP_RST)
		return pkt->verdict.class == SEGMENT_PLAIN;
	if ((pkt->flags & TCP_ACK) &&
	    (entry->kind == HALF_OPEN_LONE || !entry->pair.answer_frames))
		return pkt->verdict.class == SEGMENT_NEW;
	return pkt->verdict.class == SEGMENT_RETRANSMITTED;
}

core_apart int half_open_keep(struct half_open *entry, const struct flow *flow,
			      const struct packet *pkt)
{
	const struct side *side;

	if (!entry || !flow || !pkt || !half_open_is_plain(entry, pkt))
		return 0;
	if (pkt->flags & TCP_RST) {
		half_open_keep_rst(entry, pkt);
		return 1;
	}
	side = &flow->side[pkt->direction & 1];
	if (entry->kind == HALF_OPEN_LONE)
		half_open_pair_up(entry);
	if (pkt->flags & TCP_ACK)
		half_open_keep_answer(entry, flow, side, pkt);
	else
		half_open_keep_syn(entry, side, pkt);
	return 1;
}

/* The way back to a flow and forth again would find nothing out but this. */
core_inline int half_open_answer(struct half_open *entry, const volatile struct monitor_config *config,
				 const struct packet *pkt)
{
	if ((pkt->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != (TCP_SYN | TCP_ACK) ||
	    entry->kind != HALF_OPEN_LONE || half_open_is_over(entry, config, pkt->now_ns) ||
	    !half_open_takes(entry, pkt))
		return 0;
	half_open_pair_up(entry);
	half_open_first_answer(entry, pkt);
	entry->leg = HALF_OPEN_LEG_LAST;
	return 1;
}

/* ------------------------------------------------------------------ back to a flow */

/* In the order in which they are tracked. Late SYNs come behind the answer, others before it. */
enum half_open_step {
	HALF_OPEN_FIRST,
	HALF_OPEN_SYN_AGAIN,
	HALF_OPEN_ANSWER,
	HALF_OPEN_SYN_LATE,
	HALF_OPEN_ANSWER_AGAIN,
	HALF_OPEN_RST,
	HALF_OPEN_STEPS,
};

core_inline void half_open_clear(struct half_open_work *work)
{
	__builtin_memset(&work->whole, 0, sizeof(work->whole));
}

/* A packet that was remembered, as far as all have it. */
core_inline void half_open_recall_any(struct packet *past, const struct flow_key *key, __u32 said)
{
	past->key = *key;
	past->ack = past->tsecr = 0;
	past->payload_bytes = 0;
	past->segments = 1;
	past->window = 0;
	past->vlan = 0;
	past->tunnel = 0;
	past->tunnel_id = 0;
	past->has_ts = !!(said & HALF_OPEN_TS);
	past->has_wscale = !!(said & HALF_OPEN_WSCALE);
	past->wscale = said >> HALF_OPEN_WSCALE_SHIFT & 15;
	past->sack_permitted = !!(said & HALF_OPEN_SACK_PERMITTED);
	past->has_ip_id = !!(said & HALF_OPEN_IP_ID);
	past->ecn = said >> HALF_OPEN_ECN_SHIFT & 3;
	past->sack_count = 0;
	past->first_fragment = 0;
	past->options_len = 0;
}

core_inline void half_open_recall_lone(struct packet *past, const struct flow_key *key,
				       const struct half_open *entry)
{
	const struct half_open_lone *lone = &entry->lone;

	half_open_recall_any(past, key, lone->said);
	past->now_ns = entry->start_ns;
	past->seq = lone->seq;
	past->ack = lone->ack;
	past->tsval = lone->tsval;
	past->tsecr = lone->tsecr;
	past->payload_bytes = lone->payload_bytes;
	past->wire_bytes = lone->wire_bytes;
	past->segments = lone->segments;
	past->window = lone->window;
	past->ip_id = lone->ip_id;
	past->mss = lone->mss;
	past->vlan = entry->vlan;
	past->direction = entry->direction;
	past->flags = lone->flags;
	past->ttl = lone->ttl;
	if (lone->said & HALF_OPEN_TUNNEL) {
		past->tunnel_id = lone->sack_start;
		past->tunnel = (__u8)lone->sack_end;
		return;
	}
	past->sack_count = lone->sack_start || lone->sack_end;
	past->sack[0].start = lone->sack_start;
	past->sack[0].end = lone->sack_end;
}

core_inline void half_open_recall_end(struct packet *past, const struct flow_key *key,
				      const struct half_open *entry, __u32 end)
{
	const struct half_open_pair *pair = &entry->pair;
	__u32 said = end ? pair->answer_said : pair->syn_said;

	half_open_recall_any(past, key, said);
	past->seq = pair->seq[end];
	past->ack = end ? pair->seq[0] + 1 : 0;
	past->tsval = pair->tsval[end];
	past->ip_id = pair->ip_id[end];
	past->mss = pair->mss[end];
	past->ttl = pair->ttl[end];
	past->wire_bytes = pair->wire_bytes[end];
	past->direction = (__u8)(entry->direction ^ end);
	past->flags = end ? TCP_SYN | TCP_ACK : TCP_SYN;
	if (said & HALF_OPEN_ECE)
		past->flags |= TCP_ECE;
	if (said & HALF_OPEN_CWR)
		past->flags |= TCP_CWR;
}

/* The first of several had another IP-ID than the last: that they are two packets is known. */
core_inline void half_open_unlike(struct packet *past)
{
	if (past->ip_id)
		past->ip_id ^= 0x8000;
}

core_inline void half_open_recall_first(struct packet *past, const struct flow_key *key,
					const struct half_open *entry)
{
	const struct half_open_pair *pair = &entry->pair;

	if (entry->kind == HALF_OPEN_LONE) {
		half_open_recall_lone(past, key, entry);
		return;
	}
	half_open_recall_end(past, key, entry, 0);
	past->now_ns = entry->start_ns;
	past->vlan = entry->vlan;
	if (pair->syn_frames <= 1)
		return;
	if (!pair->answer_frames)
		past->tsval = pair->first_tsval;
	else if (past->has_ts) /* forgotten, but an older one */
		past->tsval--;
	half_open_unlike(past);
}

core_inline void half_open_recall_answer(struct packet *past, const struct flow_key *key,
					 const struct half_open *entry)
{
	const struct half_open_pair *pair = &entry->pair;

	half_open_recall_end(past, key, entry, 1);
	past->now_ns = entry->start_ns + pair->answer_after_ns;
	if (pair->answer_frames <= 1)
		return;
	past->tsval = pair->first_tsval;
	half_open_unlike(past);
}

core_inline void half_open_recall_rst(struct packet *past, const struct flow_key *key,
				      const struct half_open *entry, const struct flow *flow)
{
	const struct half_open_pair *pair = &entry->pair;
	int is_lone = entry->kind == HALF_OPEN_LONE;

	/* IPv4 or IPv6, as all of a connection. */
	half_open_recall_any(past, key,
			     (is_lone ? entry->lone.said : pair->syn_said) & HALF_OPEN_IP_ID);
	past->direction = entry->rst_direction;
	past->flags = entry->rst_has_ack ? TCP_RST | TCP_ACK : TCP_RST;
	past->seq = flow->side[past->direction & 1].next;
	past->tsval = 0;
	past->mss = 0;
	if (is_lone) {
		past->now_ns = entry->start_ns + entry->last_after_ns;
		past->ip_id = entry->lone.rst_ip_id;
		past->ttl = entry->lone.rst_ttl;
		past->wire_bytes = entry->lone.rst_wire_bytes;
		return;
	}
	past->now_ns = entry->start_ns + pair->answer_last_after_ns;
	if (pair->answer_frames) {
		past->ip_id = (__u16)pair->first_tsval;
		past->ttl = (__u8)(pair->first_tsval >> 16);
		past->wire_bytes = pair->first_tsval >> 24;
		return;
	}
	past->ip_id = pair->ip_id[1];
	past->ttl = pair->ttl[1];
	past->wire_bytes = pair->wire_bytes[1];
}

core_inline int half_open_has_step(const struct half_open *entry, __u32 step)
{
	const struct half_open_pair *pair = &entry->pair;
	int is_pair = entry->kind == HALF_OPEN_PAIR;

	switch (step) {
	case HALF_OPEN_FIRST:
		return 1;
	case HALF_OPEN_SYN_AGAIN:
		return is_pair && pair->syn_frames > 1 && !entry->late;
	case HALF_OPEN_ANSWER:
		return is_pair && pair->answer_frames;
	case HALF_OPEN_SYN_LATE:
		return is_pair && pair->syn_frames > 1 && entry->late;
	case HALF_OPEN_ANSWER_AGAIN:
		return is_pair && pair->answer_frames > 1;
	case HALF_OPEN_RST:
		return entry->has_rst;
	}
	return 0;
}

/* What a segment that was tracked here says of what is rare. */
core_apart int half_open_note(struct half_open_work *work, struct packet *pkt)
{
	__u32 direction;

	if (!work || !pkt || !rare_has_news(pkt))
		return 0;
	direction = pkt->direction & 1;
	rare_note(&work->rare[direction], pkt);
	work->flow.side[direction].bits |= SIDE_RARE;
	return 0;
}

/* work->past becomes the segment of this step. 0: there is none. */
core_cut int half_open_recall(struct half_open_work *work, __u32 step);

core_cut int core_body(half_open_recall)(struct half_open_work *work, __u32 step)
{
	const struct half_open *entry;
	struct packet *past;

	if (!work)
		return 0;
	entry = &work->entry;
	past = &work->past;
	if (!half_open_has_step(entry, step))
		return 0;
	switch (step) {
	case HALF_OPEN_FIRST:
		half_open_recall_first(past, &work->key, entry);
		half_open_clear(work);
		track_open(&work->flow, past);
		work->flow.secondary = entry->secondary;
		work->flow.icmp = entry->icmp;
		break;
	case HALF_OPEN_ANSWER:
		half_open_recall_answer(past, &work->key, entry);
		break;
	case HALF_OPEN_RST:
		half_open_recall_rst(past, &work->key, entry, &work->flow);
		break;
	case HALF_OPEN_ANSWER_AGAIN:
		half_open_recall_end(past, &work->key, entry, 1);
		past->now_ns = entry->start_ns + entry->pair.answer_last_after_ns;
		break;
	default:
		half_open_recall_end(past, &work->key, entry, 0);
		past->now_ns = entry->start_ns + entry->last_after_ns;
	}
	return 1;
}

/* The last of an end's repeats was tracked; those between it and the first are only counted. */
core_inline void half_open_count_between(struct half_open_work *work, __u32 between)
{
	const struct packet *past = &work->past;
	struct side *side = &work->flow.side[past->direction & 1];
	struct rare *rare = &work->rare[past->direction & 1];
	struct flow *flow = &work->flow;

	side->bits |= SIDE_RARE;
	side->frames += between;
	side->segments += between;
	side->wire_bytes += (__u64)between * past->wire_bytes;
	rare->retransmitted_segments += between;
	rare->syn_retrans += between;
	rare->rto += between;
	rare->ecn_ce += past->ecn == 3 ? between : 0;
	if (past->flags & TCP_ACK)
		flow->synacks += between;
	else if (!flow->has_synack)
		flow->syns += between;
}

/* Which SYN the answer named by its echo was found out when it came. */
core_inline void half_open_set_leg(const struct half_open *entry, struct flow *flow)
{
	/* SYNs that were repeated before the answer: late ones came behind it. */
	__u64 last_after_ns = entry->pair.syn_frames > 1 && !entry->late ? entry->last_after_ns : 0;

	flow->has_responder_handshake = entry->leg != HALF_OPEN_LEG_NONE;
	flow->responder_handshake_ns = 0;
	if (entry->leg == HALF_OPEN_LEG_FIRST)
		flow->responder_handshake_ns = entry->pair.answer_after_ns;
	else if (entry->leg == HALF_OPEN_LEG_LAST)
		flow->responder_handshake_ns = entry->pair.answer_after_ns - last_after_ns;
}

core_inline void half_open_set_ip_ids(const struct half_open *entry, struct flow *flow)
{
	const struct half_open_pair *pair = &entry->pair;
	struct side *side = &flow->side[entry->direction & 1];

	side->ip_id = pair->ip_id[0];
	side->ip_ids = pair->syn_ip_ids;
	side->ip_ids_upward = pair->syn_ip_ids_upward;
	if (!pair->answer_frames)
		return;
	side = &flow->side[!entry->direction];
	side->ip_id = pair->ip_id[1];
	side->ip_ids = pair->answer_ip_ids;
	side->ip_ids_upward = pair->answer_ip_ids_upward;
}

/* What tracking the segment of this step could not know. */
core_cut int half_open_amend(struct half_open_work *work, __u32 step);

core_cut int core_body(half_open_amend)(struct half_open_work *work, __u32 step)
{
	if (!work || work->entry.kind != HALF_OPEN_PAIR || step == HALF_OPEN_RST)
		return 0;
	if (step == HALF_OPEN_ANSWER)
		half_open_set_leg(&work->entry, &work->flow);
	else if (step == HALF_OPEN_ANSWER_AGAIN)
		half_open_count_between(work, work->entry.pair.answer_frames - 2);
	else if (step != HALF_OPEN_FIRST)
		half_open_count_between(work, work->entry.pair.syn_frames - 2);
	half_open_set_ip_ids(&work->entry, &work->flow);
	return 0;
}

core_inline void half_open_expand_steps(struct half_open_work *work)
{
	__u32 step;

	for (step = 0; step < HALF_OPEN_STEPS; step++) {
		if (!half_open_recall(work, step))
			continue;
		track_segment(&work->flow, &work->past, (struct holes *)0,
			      (struct holes *)0);
		half_open_note(work, &work->past);
		half_open_amend(work, step);
	}
}

/* ------------------------------------------------------------------ what nearly all of them are */

_Static_assert(TCP_ECE * HALF_OPEN_CWR == TCP_CWR * HALF_OPEN_ECE &&
		       SIDE_WSCALE * HALF_OPEN_SACK_PERMITTED == SIDE_SACK_PERMITTED * HALF_OPEN_WSCALE,
	       "bits that move together lie alike");

/* One SYN and one answer, and nothing else. */
core_inline int half_open_is_simple(const struct half_open *entry)
{
	return entry->kind == HALF_OPEN_PAIR && !entry->has_rst && entry->leg == HALF_OPEN_LEG_LAST &&
	       entry->pair.syn_frames == 1 && entry->pair.answer_frames == 1;
}

/* The side of a flow that has sent its SYN, or its SYN-ACK, and nothing else. */
core_inline void half_open_simple_side(struct side *side, struct rare *rare,
				       const struct half_open_pair *pair, __u32 end, __u32 said,
				       __u32 flags, __u64 sent_ns)
{
	__u32 seq = pair->seq[end], bits = SIDE_SEQ | SIDE_ISN | SIDE_FLOOR | SIDE_TTL;
	__u32 ce = said >> HALF_OPEN_ECN_SHIFT & said >> (HALF_OPEN_ECN_SHIFT + 1) & 1; /* 3: CE */

	/* Without a branch: each would double the ways of the verifier. What was not said is zero. */
	flags |= (said & (HALF_OPEN_ECE | HALF_OPEN_CWR)) * (TCP_ECE / HALF_OPEN_ECE);
	bits |= (said & HALF_OPEN_TS) * (SIDE_TSVAL / HALF_OPEN_TS);
	bits |= (said & (HALF_OPEN_WSCALE | HALF_OPEN_SACK_PERMITTED)) * (SIDE_WSCALE / HALF_OPEN_WSCALE);
	bits |= evidence_is_some(pair->ip_id[end]) * SIDE_IP_ID;
	bits |= ce * SIDE_RARE;
	rare->ecn_ce = ce;
	side->tsval = pair->tsval[end];
	side->wscale = (said >> HALF_OPEN_WSCALE_SHIFT & 15) * !!(said & HALF_OPEN_WSCALE);
	side->bits = bits;
	side->last_ns = side->octets_ns = sent_ns;
	side->wire_bytes = pair->wire_bytes[end];
	side->frames = side->segments = 1;
	side->first_seq = seq;
	side->next = seq + 1;
	side->ip_id = pair->ip_id[end];
	side->mss = pair->mss[end];
	side->ttl = pair->ttl[end];
	side->flags = (__u8)flags;
	side->probes = 1;
	side->probe_id[0] = seq + 1;
	side->probe_sent_ns[0] = sent_ns;
	side->recent_next = 1;
	side->recent[0] = (struct recent){
		.seq = seq,
		.tsval = pair->tsval[end],
		.time_us = evidence_us(sent_ns),
		.ip_id = pair->ip_id[end],
		.shape = (__u16)(flags << 8),
	};
}

/*
 * What half_open_expand_steps() makes of a simple entry, at once: tracking both segments again is most of
 * what a promotion takes. A unit test holds the two to the same flows.
 */
core_apart int half_open_expand_simple(struct half_open_work *work)
{
	const struct half_open_pair *pair;
	const struct half_open *entry;
	struct side *answerer;
	struct flow *flow;
	__u64 after_ns;

	if (!work)
		return 0;
	entry = &work->entry;
	pair = &entry->pair;
	flow = &work->flow;
	after_ns = pair->answer_after_ns;
	half_open_clear(work);
	flow->start_ns = flow->syn_ns = entry->start_ns;
	flow->synack_ns = flow->synack_last_ns = entry->start_ns + after_ns;
	flow->vlan = entry->vlan;
	flow->secondary = entry->secondary;
	flow->icmp = entry->icmp;
	flow->opener = entry->direction;
	flow->role = ROLE_SEEN;
	flow->has_syn = flow->has_synack = 1;
	flow->syns = flow->synacks = 1;
	flow->syn_tsval = pair->tsval[0];
	flow->synack_tsval = flow->synack_last_tsval = pair->tsval[1];
	flow->syn_has_ts = !!(pair->syn_said & HALF_OPEN_TS);
	flow->synack_has_ts = !!(pair->answer_said & HALF_OPEN_TS);
	flow->has_responder_handshake = 1;
	flow->responder_handshake_ns = after_ns;
	half_open_simple_side(&flow->side[entry->direction & 1], &work->rare[entry->direction & 1], pair, 0,
			      pair->syn_said, TCP_SYN, entry->start_ns);
	answerer = &flow->side[!entry->direction];
	half_open_simple_side(answerer, &work->rare[!entry->direction], pair, 1, pair->answer_said, TCP_SYN | TCP_ACK,
			      entry->start_ns + after_ns);
	answerer->ack = answerer->synack_ack = pair->seq[0] + 1;
	answerer->bits |= SIDE_ACK | SIDE_SYNACK;
	/* It answers the probe of the SYN. */
	answerer->probes_done = answerer->rtt_samples = 1;
	answerer->rtt_sum_ns = answerer->rtt_min_ns = answerer->rtt_max_ns = after_ns;
	answerer->rtt_smoothed_ns = after_ns < ~0u ? (__u32)after_ns : ~0u;
	return 0;
}

core_inline void half_open_expand(struct half_open_work *work)
{
	if (half_open_is_simple(&work->entry))
		half_open_expand_simple(work);
	else
		half_open_expand_steps(work);
}

#endif

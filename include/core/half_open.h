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
#include "core/side.h"
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
	side = side_from(flow, pkt);
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

#endif

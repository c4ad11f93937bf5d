/* SPDX-License-Identifier: GPL-2.0-only */
/* What a half-open connection becomes: its few segments, tracked once more. */
#ifndef ACKMON_CORE_HALF_OPEN_FLOW_H
#define ACKMON_CORE_HALF_OPEN_FLOW_H

#include "abi/flow.h"
#include "abi/half_open.h"
#include "core/compiler.h"
#include "core/half_open.h"
#include "core/packet.h"
#include "core/rare.h"
#include "core/seq.h"
#include "core/track.h"

/* work->flow becomes what key and entry would be, had they been a flow from the start. */
core_inline void half_open_expand(struct half_open_work *work);

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
	past->ack = flow->side[!(past->direction & 1)].next; /* it was believed */
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
	answerer->bits |= (pair->answer_said & HALF_OPEN_CWR) * (SIDE_ACCECN / HALF_OPEN_CWR);
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

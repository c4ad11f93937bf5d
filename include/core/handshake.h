/* SPDX-License-Identifier: GPL-2.0-only */
/* The opening: which SYN was answered, how long each leg took, and where one connection ends and the next begins. */
#ifndef ACKMON_CORE_HANDSHAKE_H
#define ACKMON_CORE_HANDSHAKE_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/expire.h"
#include "core/packet.h"
#include "core/seq.h"
#include "core/side.h"

/*
 * Does this SYN or SYN-ACK open another connection on the same tuple? A SYN with another initial
 * sequence number does; the same SYN again is a retransmission, unless the connection has ended.
 */
core_apart int handshake_reopens(const struct flow *flow, const struct packet *pkt);

/*
 * Do both ends keep this connection up? Then a SYN with another number may be forged, and is answered
 * by a challenge ACK, after which all goes on as before (RFC 9293, 3.10.7.4; RFC 5961, 4). Only a
 * SYN-ACK shows that the responder knows of another connection.
 */
core_inline int handshake_is_alive(const struct flow *flow, __u64 now_ns);

/*
 * Is this segment, which comes while the opener waits for its answer, of another connection? What acknowledges anything
 * but its SYN is of an older one, or forged; the opener does not believe it, and resets that one by the number
 * it named (RFC 9293, 3.5.1, 3.10.7.3).
 */
core_inline int handshake_is_foreign(const struct flow *flow, const struct side *side,
				     const struct side *peer, const struct packet *pkt);

/* Ends, times and counts of the opening. */
core_inline void handshake_note(struct flow *flow, const struct packet *pkt);

/* Is this, as far as an ICMP error quotes it, the flow's own SYN, and nothing came back for it? */
core_inline int handshake_is_unanswered(const struct flow *flow, const struct packet *quoted);

/* Has the flow shown that both ends, or one end twice, mean it? (DESIGN 7: the second room) */
core_inline int handshake_proves(const struct flow *flow);

/* A SYN that was captured late lies at most this far below what its side sent before; and so far may go what did not pass. */
#define HANDSHAKE_LATE_SYN_MAX (1 << 16)

core_inline int handshake_fits_below(const struct side *side, __u32 seq)
{
	__s32 below = seq_distance(seq, side->first_seq);

	return below >= 0 && below <= HANDSHAKE_LATE_SYN_MAX;
}

core_inline int handshake_syn_reopens(const struct flow *flow, const struct side *side, __u32 seq)
{
	int over = flow_is_closed(flow) && flow->is_established;

	if (side->bits & SIDE_ISN)
		return side->first_seq != seq || over;
	if (!(side->bits & SIDE_SEQ))
		return over;
	return !handshake_fits_below(side, seq) || flow_is_closed(flow);
}

core_inline int handshake_synack_reopens(const struct side *side, const struct side *peer,
					 const struct packet *pkt)
{
	/* Split handshakes and SYN cookies change their number; another connection answers another SYN. */
	if (side->bits & SIDE_ISN)
		return side->first_seq != pkt->seq && (side->bits & SIDE_SYNACK) &&
		       side->synack_ack != pkt->ack &&
		       !((peer->bits & SIDE_ISN) && peer->first_seq + 1 == pkt->ack);
	return (side->bits & SIDE_SEQ) && !handshake_fits_below(side, pkt->seq);
}

core_apart int handshake_reopens(const struct flow *flow, const struct packet *pkt)
{
	const struct side *side, *peer;

	if (!flow || !pkt)
		return 0;
	side = side_from(flow, pkt);
	peer = side_to(flow, pkt);
	if ((pkt->flags & (TCP_SYN | TCP_RST)) != TCP_SYN)
		return 0;
	if (pkt->flags & TCP_ACK)
		return handshake_synack_reopens(side, peer, pkt);
	return handshake_syn_reopens(flow, side, pkt->seq);
}

/* A host that came up again may use the tuple after a silence like this. */
#define HANDSHAKE_ALIVE_NS (60 * 1000000000ull)

core_inline int handshake_is_alive(const struct flow *flow, __u64 now_ns)
{
	const struct side *a = &flow->side[0], *b = &flow->side[1];
	__u64 last_ns = flow_last_ns(flow);

	return flow->proven && !((a->flags | b->flags) & (TCP_FIN | TCP_RST)) &&
	       (a->bits & b->bits & SIDE_ACK) &&
	       (now_ns < last_ns || now_ns - last_ns < HANDSHAKE_ALIVE_NS);
}

/* A number that the opener has sent, from its SYN on; some of it may not have passed here. */
core_inline int handshake_is_of_opener(const struct side *opener, __u32 seq)
{
	return seq - opener->first_seq <= opener->next - opener->first_seq + HANDSHAKE_LATE_SYN_MAX;
}

core_inline int handshake_is_foreign(const struct flow *flow, const struct side *side,
				     const struct side *peer, const struct packet *pkt)
{
	if (!flow->has_syn || flow->has_synack)
		return 0;
	/* One that has gone on was answered, on another road. */
	if ((pkt->direction & 1) == flow->opener)
		return (pkt->flags & TCP_RST) && !side->orderly && !handshake_is_of_opener(side, pkt->seq);
	if ((side->bits & SIDE_SEQ) || !(peer->bits & SIDE_ISN))
		return 0;
	if (!(pkt->flags & TCP_ACK)) /* a SYN may cross the other one */
		return !!(pkt->flags & TCP_RST);
	return pkt->ack == peer->first_seq || !handshake_is_of_opener(peer, pkt->ack);
}

/*
 * One leg of the handshake, from a request seen `count` times to its answer. With repeats the answer
 * must name the request by its timestamp, else nobody knows which one it answers (Karn; RFC 7323, 4.1).
 */
core_inline int handshake_leg(__u32 count, __u64 first_ns, __u64 last_ns, __u32 first_tsval,
			      __u32 last_tsval, int has_ts, const struct packet *pkt, __u64 *ret_ns)
{
	__u64 sent_ns = last_ns;

	if (count > 1) {
		if (!has_ts || !pkt->has_ts || first_tsval == last_tsval)
			return 0;
		if (pkt->tsecr == first_tsval)
			sent_ns = first_ns;
		else if (pkt->tsecr != last_tsval)
			return 0;
	}
	if (pkt->now_ns < sent_ns) /* captured in the wrong order */
		return 0;
	*ret_ns = pkt->now_ns - sent_ns;
	return 1;
}

core_inline void handshake_syn(struct flow *flow, const struct packet *pkt)
{
	if (!flow->has_syn) {
		flow->has_syn = 1;
		flow->opener = pkt->direction & 1;
		flow->role = ROLE_SEEN;
		flow->syn_ns = pkt->now_ns;
		flow->syn_tsval = pkt->tsval;
		flow->syn_has_ts = pkt->has_ts;
	} else if (flow->opener != pkt->direction) {
		flow->simultaneous = 1;
		return;
	}
	if (flow->has_synack)
		return;
	flow->syns += flow->syns < 0xffff;
	flow->syn_last_ns = pkt->now_ns;
	flow->syn_last_tsval = pkt->tsval;
}

/* A SYN-ACK counts when it acknowledges the SYN, or the data that came with it (RFC 7413, 3). */
core_inline int handshake_answers(const struct flow *flow, const struct side *peer,
				  const struct packet *pkt)
{
	__u32 acked;

	if (flow->simultaneous)
		return !flow->has_synack;
	if (pkt->direction == flow->opener)
		return 0;
	if (!flow->has_syn || !(peer->bits & SIDE_ISN))
		return 1;
	acked = pkt->ack - peer->first_seq;
	return acked == 1 ||
	       (acked > 1 && acked <= HANDSHAKE_LATE_SYN_MAX && !seq_after(pkt->ack, peer->next));
}

core_inline void handshake_synack(struct flow *flow, const struct side *peer,
				  const struct packet *pkt)
{
	if (flow->role == ROLE_GUESSED) {
		flow->opener = !(pkt->direction & 1);
		flow->role = ROLE_SEEN;
	}
	if (!handshake_answers(flow, peer, pkt))
		return;
	if (!flow->has_synack) {
		/* The leg, and then the TSval, take the place of what is known of the last SYN. */
		if (flow->has_syn)
			flow->has_responder_handshake = (__u8)handshake_leg(
				flow->syns, flow->syn_ns, flow->syn_last_ns, flow->syn_tsval,
				flow->syn_last_tsval, flow->syn_has_ts, pkt,
				&flow->responder_handshake_ns);
		if (!flow->has_responder_handshake)
			flow->responder_handshake_ns = 0;
		flow->has_synack = 1;
		flow->synack_ns = pkt->now_ns;
		flow->synack_tsval = pkt->tsval;
		flow->synack_has_ts = pkt->has_ts;
	}
	if (flow->is_established)
		return;
	flow->synacks += flow->synacks < 0xffff;
	flow->synack_last_ns = pkt->now_ns;
	flow->synack_last_tsval = pkt->tsval;
}

core_inline void handshake_ack(struct flow *flow, const struct side *peer, const struct packet *pkt)
{
	__u32 acked = pkt->ack - peer->first_seq;

	if (!flow->has_synack || flow->is_established || pkt->direction != flow->opener ||
	    !(peer->bits & SIDE_ISN) || !acked || acked > SEQ_WINDOW_MAX ||
	    pkt->now_ns < flow->synack_ns)
		return;
	flow->is_established = 1;
	flow->has_opener_handshake = (__u8)handshake_leg(
		flow->synacks, flow->synack_ns, flow->synack_last_ns, flow->synack_tsval,
		flow->synack_last_tsval, flow->synack_has_ts, pkt, &flow->opener_handshake_ns);
	if (!flow->has_opener_handshake)
		flow->opener_handshake_ns = 0;
}

core_inline void handshake_note(struct flow *flow, const struct packet *pkt)
{
	const struct side *peer = side_to(flow, pkt);

	if (pkt->flags & TCP_RST)
		return;
	if ((pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		handshake_syn(flow, pkt);
	else if (pkt->flags & TCP_SYN)
		handshake_synack(flow, peer, pkt);
	else if (pkt->flags & TCP_ACK)
		handshake_ack(flow, peer, pkt);
}

core_inline int handshake_proves(const struct flow *flow)
{
	return flow->is_established || flow->side[0].orderly + flow->side[1].orderly >= 2;
}

core_inline int handshake_is_unanswered(const struct flow *flow, const struct packet *quoted)
{
	const struct side *opener = &flow->side[quoted->direction & 1];

	return flow->role == ROLE_SEEN && flow->has_syn && !flow->has_synack &&
	       (quoted->direction & 1) == flow->opener && (opener->bits & SIDE_ISN) &&
	       opener->first_seq == quoted->seq;
}

#endif

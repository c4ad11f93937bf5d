/* SPDX-License-Identifier: GPL-2.0-only */
/* Any script of segments leaves flows that make sense, wherever sequence numbers start. */
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

#include "core/options.h"
#include "replay.h"

/* Steps of a script are this long; what is left over at its end is not played. */
#define STEP_BYTES 8
#define STEPS_MAX 512
#define PORTS 4
#define SHOWN_MAX (STEPS_MAX + PORTS)
#define PAYLOAD_MAX 65400u

/*
 * One run of a script, with each end's sequence space moved by as much: multiples of 2^28, so that
 * the core may keep house whenever a stream enters another part of its space.
 */
struct run {
	struct replay *replay;
	__u32 shift[2];
	__u64 now_ns;
	__u32 next[PORTS][2]; /* where the script believes each stream to be, before the shift */
	struct flow_whole shown[SHOWN_MAX];
	__u64 noticed[SEGMENT_SUSPECT + 1]; /* wire segments, by class */
	unsigned int ended;
};

static const struct monitor_config config = {
	.idle_timeout_ns = 100 * S,
	.half_open_timeout_ns = 30 * S,
	.closed_timeout_ns = 5 * S,
	.events = 1,
};

/* ------------------------------------------------------------------ what must always be true */

#define must(claim)                                                                                \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #claim);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_side(const struct side *side, const struct rare *rare)
{
	__u64 unique_bytes = side->payload_bytes - rare->again_bytes;

	must(side->holes <= HOLES_MAX);
	must(rare->again_bytes <= side->payload_bytes);
	must(rare->retransmitted_bytes <= side->payload_bytes);
	must(unique_bytes + rare->retransmitted_bytes <= side->payload_bytes);
	must(rare->syn_retrans + rare->fin_retrans <= rare->retransmitted_segments);
	must(rare->retransmitted_segments <= side->segments);
	must(side->segments >= side->frames);
	must(rare->fast + rare->rto + rare->probe ==
	     rare->retransmitted_segments + rare->recovered_segments);
	must(rare->spurious <= rare->retransmitted_segments + rare->recovered_segments);
	must(rare->recovered_bytes <= unique_bytes);
	must(rare->keepalives + rare->window_probes <= side->frames);
	must(rare->suspects <= side->frames);
	must(side->suspect_run < LOSS_SUSPECTS_MAX);
	must(side->dup_acks <= side->frames);
	must(side->orderly <= 2);
	must(side->wscale <= WSCALE_MAX);
	must(!side->rtt_samples || side->rtt_min_ns <= side->rtt_max_ns);
	must(!side->rtt_samples || side->rtt_max_ns <= side->rtt_sum_ns);
	must(side->rtt_smoothed_ns <= side->rtt_max_ns);
	must(!side->frames || (side->bits & SIDE_TTL));
	/* One more: a probe's octet may be settled by the segment that moves the floor down. */
	if (side->bits & SIDE_FLOOR)
		must(side->next - side->first_seq <= SEQ_WINDOW_MAX + 1);
}

static void check_opening(const struct flow *flow)
{
	must(!flow->is_established || flow->has_synack);
	must(!flow->has_responder_handshake || (flow->has_syn && flow->has_synack));
	must(!flow->has_opener_handshake || flow->is_established);
	must(!flow->has_syn || flow->role == ROLE_SEEN);
}

static void check_flow(const struct flow_whole *whole)
{
	const struct flow *flow = &whole->flow;

	must(flow->opener <= 1);
	must(flow->close <= CLOSE_END_OF_CAPTURE);
	must(flow->start_ns <= flow_last_ns(flow));
	check_opening(flow);
	check_side(&flow->side[0], &whole->rare[0]);
	check_side(&flow->side[1], &whole->rare[1]);
}

static void check_counters(const struct run *run)
{
	const __u64 *value = replay_counters(run->replay)->value;
	__u64 accounted = value[FRAMES_TRACKED];
	int i;

	for (i = FRAMES_TRACKED + 1; i <= COUNTER_REASONS_LAST; i++)
		accounted += value[i];
	must(accounted == value[FRAMES_SEEN]);
	must(value[COUNTER_flows_promoted] <= value[COUNTER_flows_opened]);
}

/* ------------------------------------------------------------------ playing */

static void show_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	struct run *run = context;

	(void)key;
	check_flow(whole);
	if (whole->flow.close == CLOSE_OPEN)
		return;
	must(run->ended < SHOWN_MAX);
	run->shown[run->ended++] = *whole;
}

static void note_event(void *context, const struct segment_event *event)
{
	struct run *run = context;

	must(event->class <= SEGMENT_SUSPECT);
	if (getenv("TRACE"))
		fprintf(stderr, "  type %d class %d segments %u\n", event->type, event->class,
			event->segments);
	if (event->type == EVENT_SEGMENT)
		run->noticed[event->class] += event->segments;
}

/* What was told while frames passed explains what the records count. */
static void check_events(const struct run *run)
{
	__u64 counted[SEGMENT_SUSPECT + 1] = {0};
	unsigned int i;

	for (i = 0; i < 2 * run->ended; i++) {
		const struct rare *rare = &run->shown[i / 2].rare[i % 2];

		counted[SEGMENT_COPY] += rare->copies;
		counted[SEGMENT_LATE] += rare->late;
		counted[SEGMENT_RETRANSMITTED] += rare->retransmitted_segments;
		counted[SEGMENT_RECOVERED] += rare->recovered_segments;
		counted[SEGMENT_REORDERED] += rare->reordered;
		counted[SEGMENT_UNRESOLVED] += rare->unresolved;
	}
	for (i = SEGMENT_COPY; i <= SEGMENT_UNRESOLVED; i++)
		must(run->noticed[i] == counted[i]);
}

static __u32 far(__u8 kind, __u8 amount)
{
	static const __u32 distance[16] = {
		0,	     1,	       ~0u,	    100,
		-100u,	     1448,     -1448u,	    65400,
		-65400u,     1u << 29, -(1u << 29), 1u << 30,
		-(1u << 30), 1u << 31, 3u << 30,    (1u << 30) + 1,
	};

	return distance[kind & 15] * (1 + (amount & 3)) + (amount >> 2 & 1);
}

static __u32 length(__u8 kind, __u8 amount)
{
	static const __u32 lengths[8] = {0, 1, 100, 1448, 2896, 14480, PAYLOAD_MAX, 0};

	return kind & 8 ? amount : lengths[kind & 7];
}

static __u64 later(__u8 kind)
{
	static const __u64 steps_ns[16] = {
		1 * US, 10 * US, 100 * US, 1 * MS,  5 * MS, 40 * MS, 200 * MS, 1 * S,
		3 * S,	6 * S,	 31 * S,   101 * S, 0,	    -1 * US, -1 * MS,  -1 * S,
	};

	return steps_ns[kind & 15];
}

/* Eight bytes of the script: who, flags, where, acknowledging, length, when, options, amount. */
static struct segment segment_of(const struct run *run, const __u8 *step)
{
	enum end from = step[0] & 1;
	__u8 port = step[0] >> 1 & (PORTS - 1), amount = step[7], options = step[6];
	__u32 next = run->next[port][from], peer_next = run->next[port][!from];
	__u32 received = peer_next + run->shift[!from] + far(step[3], amount >> 3);
	struct segment segment = {
		.from = from,
		.client_port = 40000 + port,
		.now_ns = run->now_ns,
		.flags = step[1],
		.no_flags = !step[1],
		.seq = next + run->shift[from] + far(step[2], amount),
		.ack = received,
		.payload_bytes = length(step[4], amount),
		.window = options & 1 ? 0 : 1000,
		.has_window = 1,
		.has_ts = !!(options & 2),
		.tsval = (__u32)(run->now_ns / MS),
		.tsecr = (__u32)(run->now_ns / MS) - (amount & 31),
		.mss = options & 4 ? 1460 : 0,
		.has_wscale = !!(options & 8),
		.wscale = amount,
		.ecn = options >> 6,
		.ip_id = (__u16)(amount * 257),
	};

	if (options & 16) {
		segment.sack_count = 1;
		segment.sack[0].start = received + far(step[5] >> 4, amount);
		segment.sack[0].end = segment.sack[0].start + 100;
	}
	return segment;
}

/* With TRACE in the environment a reproducer tells its story. */
static void tell(const struct run *run, const struct segment *segment, const struct frame *frame)
{
	if (!getenv("TRACE"))
		return;
	fprintf(stderr, "%s %d: %llu us %s flags %02x seq %u ack %u payload %u captured %ld\n",
		run->shift[CLIENT] ? "moved" : "plain", segment->client_port,
		(unsigned long long)(segment->now_ns / US),
		segment->from == CLIENT ? "client" : "server", segment->flags,
		segment->seq - run->shift[segment->from], segment->ack - run->shift[!segment->from],
		segment->payload_bytes,
		(long)((const __u8 *)frame->end - (const __u8 *)frame->data));
}

static void play_step(struct run *run, const __u8 *step)
{
	__u8 port = step[0] >> 1 & (PORTS - 1), buffer[FRAME_MAX];
	struct segment segment;
	struct frame frame;
	__u32 end;

	run->now_ns += later(step[5]);
	segment = segment_of(run, step);
	frame = segment_frame(&segment, buffer);
	if (step[0] & 8) /* cut by the capture */
		frame.end = buffer + step[7] % (__u32)((const __u8 *)frame.end - buffer + 1);
	tell(run, &segment, &frame);
	replay_frame(run->replay, &frame);
	if (step[0] & 16)
		replay_sweep(run->replay, run->now_ns);
	replay_interval(run->replay);
	check_counters(run);
	end = segment.seq - run->shift[segment.from] + segment.payload_bytes;
	end += !!(segment.flags & TCP_SYN) + !!(segment.flags & TCP_FIN);
	if (!(step[0] & 32))
		run->next[port][segment.from] = end;
}

static void play(struct run *run, const __u8 *data, size_t size)
{
	size_t steps = size / STEP_BYTES, i;

	if (replay_open(&run->replay, &config, show_flow, note_event, run))
		abort();
	run->now_ns = 1000 * S;
	for (i = 0; i < steps && i < STEPS_MAX; i++)
		play_step(run, data + i * STEP_BYTES);
	replay_finish(run->replay);
	check_events(run);
	must(run->ended == replay_counters(run->replay)->value[COUNTER_flows_opened]);
	check_counters(run);
	replay_close(run->replay);
}

/* --------------------------------------------------- where numbers start says nothing */

static void forget_numbers(struct side *side)
{
	int i;

	side->next = side->ack = side->first_seq = side->synack_ack = 0;
	side->sack_high = side->holes_checked = 0;
	for (i = 0; i < RTT_PROBES; i++)
		side->probe_id[i] = 0;
	for (i = 0; i < RECENT_SEGMENTS; i++)
		side->recent[i].seq = 0;
}

static void check_same_flow(const struct flow_whole *a, const struct flow_whole *b)
{
	const __u8 *x = (const __u8 *)a, *y = (const __u8 *)b;
	size_t at;

	for (at = 0; at < sizeof(*a); at++) {
		if (x[at] == y[at])
			continue;
		fprintf(stderr,
			"moved by a constant, byte %zu of the flow differs (side %zu, byte %zu)\n",
			at, at / sizeof(struct side), at % sizeof(struct side));
		abort();
	}
}

static void check_same(struct run *a, struct run *b)
{
	unsigned int i;

	must(a->ended == b->ended);
	for (i = 0; i < a->ended; i++) {
		forget_numbers(&a->shown[i].flow.side[0]);
		forget_numbers(&a->shown[i].flow.side[1]);
		forget_numbers(&b->shown[i].flow.side[0]);
		forget_numbers(&b->shown[i].flow.side[1]);
		check_same_flow(&a->shown[i], &b->shown[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run plain, moved;

	plain = (struct run){0};
	moved = (struct run){.shift = {0x80000000u, 0xf0000000u}};
	play(&plain, data, size);
	play(&moved, data, size);
	check_same(&plain, &moved);
	return 0;
}

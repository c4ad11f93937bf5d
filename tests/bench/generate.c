/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Captures of any size for measuring: many TCP flows at once, both directions, from one seed.
 *
 * Each flow opens with a handshake, then its responder answers requests with segments, of which
 * every second one is acknowledged, and it closes with two FINs. The next packet is always of a
 * flow picked at random: no traffic in the wild is harder on a cache. A lost segment comes again
 * after three more, while the other end asks for it by duplicate ACKs with SACK; half of the losses are
 * after this point (seen twice), half before it (seen once, late). Some segments swap places. The
 * frames are cut off behind the headers, as with tcpdump -s 128.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

#define SNAPLEN 128u
#define MSS_BYTES 1448u
#define REQUEST_BYTES 200u
#define SEGMENTS_PER_REQUEST 16u
#define NS_PER_PACKET 2000u
#define BUFFER_BYTES (1 << 20)

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };
enum end { OPENER, RESPONDER };

struct plan {
	const char *path;
	uint64_t seed;
	uint64_t packets;
	uint32_t flows;
	uint32_t ipv6_percent;
	uint32_t timestamps_percent;
	uint32_t loss_per_10000;
	uint32_t reorder_per_10000;
};

struct flow {
	uint32_t next[2];  /* sequence number of each end's next octet */
	uint32_t acked[2]; /* last acknowledgment each end sent */
	uint32_t lost;     /* first octet of the responder's missing segment */
	uint32_t echo[2];  /* newest TSval of the other end */
	uint16_t left;     /* packets until the close */
	uint8_t step;      /* of the opening, of a request's answer, of the close */
	uint8_t unacked;   /* segments of the responder since the last ACK */
	uint8_t repair_in; /* segments until the lost one comes again; 0: none is lost */
	uint8_t acks_due;
	bool swapped;      /* a segment was overtaken and comes next */
	bool ipv6;
	bool timestamps;
	uint8_t phase;     /* enum phase */
};

enum phase { OPENING, TALKING, CLOSING, OVER };

struct packet {
	enum end from;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint32_t payload_bytes;
	uint32_t sack_start; /* equal to sack_end: no SACK block */
	uint32_t sack_end;
};

struct generator {
	struct plan plan;
	struct flow *flows;
	uint32_t *active; /* flows that are not over */
	uint32_t active_count;
	uint64_t random;
	uint64_t now_ns;
	uint64_t written;
	FILE *file;
};

static uint64_t next_random(struct generator *gen)
{
	uint64_t x = gen->random;

	/* xorshift64: quick, and the same everywhere. */
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	gen->random = x;
	return x * 0x9e3779b97f4a7c15ull >> 16;
}

static bool happens(struct generator *gen, uint32_t per_10000)
{
	return next_random(gen) % 10000 < per_10000;
}

/* ------------------------------------------------------------------ bytes */

static uint8_t *put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value >> 16), value);
}

/* 10.x.x.x to 172.16.0.x, or the same numbers below fd00:: */
static uint8_t *put_addr(uint8_t *at, const struct flow *flow, uint32_t number, enum end end)
{
	uint32_t addr = end == OPENER ? 0x0a000000 + number / 50000 : 0xac100000 + number % 200;

	if (flow->ipv6) {
		memset(at, 0, 12);
		at[0] = 0xfd;
		at += 12;
	}
	return put32(at, addr);
}

static uint8_t *put_ports(uint8_t *at, uint32_t number, enum end from)
{
	uint32_t ports[2] = { 10000 + number % 50000, 443 };

	return put16(put16(at, ports[from]), ports[!from]);
}

/* Octets of the one's complement sum over the IPv4 header (RFC 791, 3.1). */
static uint32_t ipv4_checksum(const uint8_t *ip)
{
	uint32_t sum = 0, i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static uint8_t *put_ip(struct generator *gen, uint8_t *ip, const struct flow *flow, uint32_t number,
		       const struct packet *pkt, uint32_t tcp_bytes)
{
	uint8_t *at = ip;

	if (flow->ipv6) {
		at = put32(at, 0x60000000);
		at = put16(at, tcp_bytes);
		at = put16(at, 6 << 8 | 64);
	} else {
		at = put16(at, 0x4500);
		at = put16(at, 20 + tcp_bytes);
		at = put16(at, (uint32_t)gen->written);
		at = put16(at, 0x4000);
		at = put16(at, 64 << 8 | 6);
		at = put16(at, 0);
	}
	at = put_addr(at, flow, number, pkt->from);
	at = put_addr(at, flow, number, !pkt->from);
	if (!flow->ipv6)
		put16(ip + 10, ipv4_checksum(ip));
	return at;
}

static uint8_t *put_options(struct generator *gen, uint8_t *at, struct flow *flow,
			    const struct packet *pkt)
{
	if (pkt->flags & SYN) {
		at = put32(at, 0x02040000 | (MSS_BYTES + 12));
		at = put32(at, 0x01030307);
		at = put32(at, 0x01010402);
	}
	if (flow->timestamps) {
		uint32_t tsval = (uint32_t)(gen->now_ns / 1000000) + 1;

		at = put32(at, 0x0101080a);
		at = put32(at, tsval);
		at = put32(at, flow->echo[pkt->from]);
		flow->echo[!pkt->from] = tsval;
	}
	if (pkt->sack_start != pkt->sack_end) {
		at = put32(at, 0x0101050a);
		at = put32(at, pkt->sack_start);
		at = put32(at, pkt->sack_end);
	}
	return at;
}

static uint32_t options_bytes(const struct flow *flow, const struct packet *pkt)
{
	return (pkt->flags & SYN ? 12u : 0) + (flow->timestamps ? 12u : 0) +
	       (pkt->sack_start != pkt->sack_end ? 12u : 0);
}

/* The file's numbers are in this machine's order, as every writer of pcap does. */
static void write_header(struct generator *gen)
{
	uint32_t words[6] = { 0xa1b23c4d, 4 << 16 | 2, 0, 0, SNAPLEN, 1 };

	fwrite(words, sizeof(words), 1, gen->file);
}

static void write_packet(struct generator *gen, uint32_t number, const struct packet *pkt)
{
	struct flow *flow = &gen->flows[number];
	uint32_t tcp_bytes = 20 + options_bytes(flow, pkt);
	struct {
		uint32_t record[4];
		uint8_t bytes[SNAPLEN + 64];
	} out = { .bytes = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 } };
	uint8_t *at = put16(out.bytes + 12, flow->ipv6 ? 0x86dd : 0x0800);
	uint32_t wire, captured;

	at = put_ip(gen, at, flow, number, pkt, tcp_bytes + pkt->payload_bytes);
	at = put_ports(at, number, pkt->from);
	at = put32(at, pkt->seq);
	at = put32(at, pkt->ack);
	at = put16(at, tcp_bytes / 4 << 12 | pkt->flags);
	at = put32(at, 0x20000000); /* window 8192, no checksum */
	at = put16(at, 0);
	at = put_options(gen, at, flow, pkt);
	wire = (uint32_t)(at - out.bytes) + pkt->payload_bytes;
	captured = wire < SNAPLEN ? wire : SNAPLEN;
	out.record[0] = 1700000000 + (uint32_t)(gen->now_ns / 1000000000);
	out.record[1] = (uint32_t)(gen->now_ns % 1000000000);
	out.record[2] = captured;
	out.record[3] = wire;
	fwrite(&out, sizeof(out.record) + captured, 1, gen->file);
	gen->written++;
	gen->now_ns += next_random(gen) % (2 * NS_PER_PACKET);
}

/* ------------------------------------------------------------------ what a flow says next */

static void say(struct generator *gen, uint32_t number, enum end from, uint8_t flags,
		uint32_t payload_bytes)
{
	struct flow *flow = &gen->flows[number];
	struct packet pkt = {
		.from = from,
		.flags = flags,
		.seq = flow->next[from],
		.ack = flags & ACK ? flow->acked[from] : 0,
		.payload_bytes = payload_bytes,
	};

	write_packet(gen, number, &pkt);
	flow->next[from] += payload_bytes + !!(flags & (SYN | FIN));
}

static void say_caught_up(struct generator *gen, uint32_t number, enum end from, uint8_t flags,
			  uint32_t payload_bytes)
{
	gen->flows[number].acked[from] = gen->flows[number].next[!from];
	say(gen, number, from, flags, payload_bytes);
}

/* The receiver saw everything but the lost segment, and says so. */
static void ask_again(struct generator *gen, uint32_t number)
{
	struct flow *flow = &gen->flows[number];
	struct packet pkt = {
		.from = OPENER,
		.flags = ACK,
		.seq = flow->next[OPENER],
		.ack = flow->lost,
		.sack_start = flow->lost + MSS_BYTES,
		.sack_end = flow->next[RESPONDER],
	};

	write_packet(gen, number, &pkt);
}

static void say_at(struct generator *gen, uint32_t number, uint32_t seq)
{
	struct flow *flow = &gen->flows[number];
	struct packet pkt = {
		.from = RESPONDER,
		.flags = ACK,
		.seq = seq,
		.ack = flow->acked[RESPONDER],
		.payload_bytes = MSS_BYTES,
	};

	write_packet(gen, number, &pkt);
}

static void send_segment(struct generator *gen, uint32_t number)
{
	struct flow *flow = &gen->flows[number];
	bool quiet = !flow->repair_in && !flow->swapped;

	flow->unacked++;
	if (flow->swapped) {
		say_at(gen, number, flow->next[RESPONDER] - 2 * MSS_BYTES);
		flow->swapped = false;
		return;
	}
	if (quiet && flow->left > 16 && happens(gen, gen->plan.reorder_per_10000)) {
		say_at(gen, number, flow->next[RESPONDER] + MSS_BYTES);
		flow->next[RESPONDER] += 2 * MSS_BYTES;
		flow->swapped = true;
		return;
	}
	if (quiet && flow->left > 16 && happens(gen, gen->plan.loss_per_10000)) {
		flow->lost = flow->next[RESPONDER];
		flow->repair_in = 4;
		if (next_random(gen) & 1)
			flow->next[RESPONDER] += MSS_BYTES; /* lost before this point */
	}
	say(gen, number, RESPONDER, ACK, MSS_BYTES);
}

/* While a segment is missing, each of the next three is answered by a duplicate ACK. */
static void talk_with_loss(struct generator *gen, uint32_t number)
{
	struct flow *flow = &gen->flows[number];

	if (flow->acks_due) {
		flow->acks_due = 0;
		ask_again(gen, number);
		return;
	}
	if (--flow->repair_in) {
		flow->acks_due = 1;
		say(gen, number, RESPONDER, ACK, MSS_BYTES);
		return;
	}
	say_at(gen, number, flow->lost);
	flow->unacked = 2;
}

static void talk(struct generator *gen, uint32_t number)
{
	struct flow *flow = &gen->flows[number];

	if (flow->repair_in) {
		talk_with_loss(gen, number);
	} else if (flow->unacked >= 2 && !flow->swapped) {
		flow->unacked = 0;
		say_caught_up(gen, number, OPENER, ACK, 0);
	} else if (!flow->swapped && flow->step++ % SEGMENTS_PER_REQUEST == 0) {
		say_caught_up(gen, number, OPENER, ACK | PSH, REQUEST_BYTES);
	} else {
		flow->acked[RESPONDER] = flow->next[OPENER];
		send_segment(gen, number);
	}
}

static void flow_close(struct flow *flow)
{
	flow->phase = CLOSING;
	flow->step = 0;
}

/* One packet of the flow. */
static void flow_step(struct generator *gen, uint32_t number)
{
	struct flow *flow = &gen->flows[number];

	switch (flow->phase) {
	case OPENING:
		if (flow->step == 0)
			say(gen, number, OPENER, SYN, 0);
		else if (flow->step == 1)
			say_caught_up(gen, number, RESPONDER, SYN | ACK, 0);
		else
			say_caught_up(gen, number, OPENER, ACK, 0);
		break;
	case TALKING:
		talk(gen, number);
		if (flow->left)
			flow->left--;
		if (!flow->left && !flow->repair_in && !flow->swapped)
			flow_close(flow);
		return;
	case CLOSING:
		if (flow->step == 0)
			say_caught_up(gen, number, OPENER, FIN | ACK, 0);
		else if (flow->step == 1)
			say_caught_up(gen, number, RESPONDER, FIN | ACK, 0);
		else
			say_caught_up(gen, number, OPENER, ACK, 0);
		break;
	case OVER:
		return;
	}
	if (++flow->step == 3) {
		flow->phase++;
		flow->step = 0;
	}
}

/* ------------------------------------------------------------------ the capture */

static int generator_open(struct generator *gen)
{
	const struct plan *plan = &gen->plan;
	uint64_t each = plan->packets / plan->flows;
	uint32_t i;

	gen->random = plan->seed * 0x9e3779b97f4a7c15ull | 1;
	gen->flows = calloc(plan->flows, sizeof(*gen->flows));
	gen->active = calloc(plan->flows, sizeof(*gen->active));
	if (!gen->flows || !gen->active)
		return -ENOMEM;
	for (i = 0; i < plan->flows; i++) {
		struct flow *flow = &gen->flows[i];

		flow->next[OPENER] = (uint32_t)next_random(gen);
		flow->next[RESPONDER] = (uint32_t)next_random(gen);
		flow->left = (uint16_t)(each > 6 ? (each > 65000 ? 65000 : each) - 6 : 1);
		flow->ipv6 = happens(gen, plan->ipv6_percent * 100);
		flow->timestamps = happens(gen, plan->timestamps_percent * 100);
		gen->active[i] = i;
	}
	gen->active_count = plan->flows;
	gen->file = strcmp(plan->path, "-") ? fopen(plan->path, "wb") : stdout;
	if (!gen->file)
		return -errno;
	setvbuf(gen->file, NULL, _IOFBF, BUFFER_BYTES);
	return 0;
}

static void generate(struct generator *gen)
{
	write_header(gen);
	while (gen->active_count) {
		uint32_t pick = (uint32_t)(next_random(gen) % gen->active_count);
		uint32_t number = gen->active[pick];

		flow_step(gen, number);
		if (gen->flows[number].phase == OVER)
			gen->active[pick] = gen->active[--gen->active_count];
	}
}

static int generator_close(struct generator *gen)
{
	int err = gen->file && (fflush(gen->file) || ferror(gen->file)) ? -EIO : 0;

	if (gen->file && gen->file != stdout && fclose(gen->file) && !err)
		err = -errno;
	free(gen->flows);
	free(gen->active);
	return err;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: generate [-s seed] [-n packets] [-f flows] [-6 percent] [-t percent]\n"
		"                [-l losses per 10000] [-r reorderings per 10000] FILE\n");
	return 2;
}

static int parse_plan(int argc, char **argv, struct plan *ret_plan)
{
	int option;

	while ((option = getopt(argc, argv, "s:n:f:6:t:l:r:")) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (option) {
		case 's': ret_plan->seed = number; break;
		case 'n': ret_plan->packets = number; break;
		case 'f': ret_plan->flows = (uint32_t)number; break;
		case '6': ret_plan->ipv6_percent = (uint32_t)number; break;
		case 't': ret_plan->timestamps_percent = (uint32_t)number; break;
		case 'l': ret_plan->loss_per_10000 = (uint32_t)number; break;
		case 'r': ret_plan->reorder_per_10000 = (uint32_t)number; break;
		default: return -EINVAL;
		}
	}
	if (optind != argc - 1 || !ret_plan->flows)
		return -EINVAL;
	ret_plan->path = argv[optind];
	return 0;
}

int main(int argc, char **argv)
{
	struct generator gen = {
		.plan = {
			.seed = 1,
			.packets = 2100000,
			.flows = 10000,
			.ipv6_percent = 25,
			.timestamps_percent = 90,
			.loss_per_10000 = 50,
			.reorder_per_10000 = 20,
		},
	};
	int err;

	if (parse_plan(argc, argv, &gen.plan))
		return usage();
	err = generator_open(&gen);
	if (!err)
		generate(&gen);
	err = generator_close(&gen) ?: err;
	if (err) {
		fprintf(stderr, "generate: %s: %s\n", gen.plan.path, strerror(-err));
		return 1;
	}
	fprintf(stderr, "%s: %llu packets in %u flows\n", gen.plan.path,
		(unsigned long long)gen.written, gen.plan.flows);
	return 0;
}

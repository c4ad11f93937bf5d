/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a packet costs in the XDP and TC programs, over an empty program and beside the one-lookup
 * floor, by BPF_PROG_RUN. Every round runs each kind of packet through all three programs in turn;
 * medians over the rounds are compared. Counters and flow state say afterwards whether the packets
 * were what they were meant to be.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "abi/aggregate.h"
#include "abi/config.h"
#include "abi/counters.h"
#include "abi/flow.h"
#include "config.h"
#include "attach_form.h"
#include "table.h"
#include "prog_bench.h"
#include "prog_bench.skel.h"

#define ROUNDS_MAX 32
#define HEADERS_BYTES 54 /* Ethernet, IPv4, TCP */
#define PAYLOAD_BYTES 200
#define OPENINGS 8192u             /* flows opened in each round, to time the opening */
#define OPENINGS_FIRST (1u << 22)  /* their numbers, away from the flows that last */
#define FLOOD_FIRST (1u << 23)
#define FLOOD_PACKETS (1u << 17)   /* four times what the half-open room holds */
#define FLOWS_USUAL 131072u    /* what the monitor's own maps hold */
#define HALF_OPEN_USUAL 32768u

enum kind {
	KIND_DATA,
	KIND_ACK,
	KIND_REPEAT,
	KIND_HOLE,
	KIND_BEHIND,
	KIND_SYN,
	KIND_SYNACK,
	KIND_PROMOTE,
	KIND_FLOOD,
	KIND_COUNT,
};

static const char *const kind_names[KIND_COUNT] = {
	[KIND_DATA] = "data, both directions",
	[KIND_ACK] = "pure ACK",
	[KIND_REPEAT] = "data sent again",
	[KIND_HOLE] = "hole made or filled",
	[KIND_BEHIND] = "data, repeats just before",
	[KIND_SYN] = "SYN that opens",
	[KIND_SYNACK] = "SYN-ACK",
	[KIND_PROMOTE] = "ACK that promotes",
	[KIND_FLOOD] = "SYN, half-open room full",
};

enum door_kind { THROUGH_XDP, THROUGH_TC, DOOR_KINDS };

static const char *const door_names[DOOR_KINDS] = { "XDP", "TC" };

struct workload {
	uint32_t flows;
	uint32_t visits; /* even: each flow's packets of one kind in one round */
	uint32_t rounds;
	bool repeats; /* also data sent again, and holes */
	bool openings;
};

static const struct workload workloads[] = {
	{ 1, 1 << 15, 31, true, false },
	{ 16384, 8, 13, true, true },
	{ 1 << 20, 2, 3, false, false },
	{ 1 << 22, 2, 1, false, false },
};

/* Where the two ends are, counted from their initial numbers; the same in all flows. */
struct place {
	uint64_t visit;
	uint32_t next[2];
};

static bool aggregates, best;

struct bench {
	struct rig *rig;
	struct monitor *monitor;
	enum door_kind door;
	const struct workload *workload;
	struct place place;
	uint64_t driven; /* packets through our program: it must have tracked as many */
	double ns[KIND_COUNT][TARGET_COUNT][ROUNDS_MAX];
	unsigned int samples[KIND_COUNT][TARGET_COUNT];
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "prog_bench: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

/* ------------------------------------------------------------------ packets */

struct test_packet {
	uint8_t bytes[HEADERS_BYTES + 40 + PAYLOAD_BYTES];
	uint32_t len;
};

#define SYN_OPTIONS_BYTES 20
#define OPTIONS_BYTES 12

/* Addresses, ports and numbers are the driver's; options are those of Linux. */
static struct test_packet packet_make(bool syn, bool ack, uint32_t payload_bytes)
{
	static const uint8_t options[OPTIONS_BYTES] = { 1, 1, 8, 10 };
	static const uint8_t syn_options[SYN_OPTIONS_BYTES] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, [16] = 1, 3, 3, 14,
	};
	uint32_t options_len = syn ? SYN_OPTIONS_BYTES : OPTIONS_BYTES;
	struct test_packet packet = { .len = HEADERS_BYTES + options_len + payload_bytes };
	struct ethhdr *eth = (void *)packet.bytes;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	eth->h_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	ip->tot_len = htons((uint16_t)(packet.len - sizeof(*eth)));
	tcp->doff = (uint16_t)((20 + options_len) / 4) & 15;
	tcp->syn = syn;
	tcp->ack = ack;
	tcp->psh = payload_bytes != 0;
	tcp->window = htons(65535);
	memcpy(tcp + 1, syn ? syn_options : options, options_len);
	return packet;
}

/* ------------------------------------------------------------------ runs */

/*
 * ns per packet, by the kernel's own clock around its loop: whole numbers, but the call itself must
 * stay out, because for XDP it waits for RCU each time (some 15 ms).
 */
static double run_packets(struct bench *bench, const struct test_packet *packet, uint32_t count)
{
	struct bpf_program *program = bench->door == THROUGH_XDP ? bench->rig->progs.drive_xdp
								 : bench->rig->progs.drive_tc;
	uint32_t expected = bench->door == THROUGH_XDP ? 2 : (uint32_t)-1;
	struct test_packet in = *packet;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.bytes, .data_size_in = in.len,
		    .repeat = (int)count);
	int err = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	if (err)
		fail("BPF_PROG_RUN", err);
	if (opts.retval != expected) {
		fprintf(stderr, "prog_bench: verdict %u instead of %u: the tail call failed\n",
			opts.retval, expected);
		exit(1);
	}
	return opts.duration;
}

static uint32_t shift_of(uint32_t flows)
{
	return (uint32_t)__builtin_ctz(flows);
}

/* Drives `visits` packets of each flow through one program. Opening and measuring order differ. */
static double drive(struct bench *bench, enum target target, const struct test_packet *packet,
		    struct drive plan, uint32_t flows, uint32_t visits)
{
	plan.index = 0;
	plan.first_visit = bench->place.visit;
	plan.flow_mask = flows - 1;
	plan.flow_shift = shift_of(flows);
	plan.target = target;
	if (!plan.scatter)
		plan.scatter = 0x2c1b3c6du;
	if (target == TARGET_OURS)
		bench->driven += (uint64_t)flows * visits;
	bench->rig->bss->drive = plan;
	return run_packets(bench, packet, flows * visits);
}

/* One kind of packet through all programs; which goes first changes from round to round. */
static void measure(struct bench *bench, enum kind kind, const struct test_packet *packet,
		    const struct drive *plan, uint32_t flows, uint32_t visits)
{
	uint32_t i, first = bench->samples[kind][TARGET_EMPTY] % TARGET_COUNT;

	for (i = 0; i < TARGET_COUNT; i++) {
		uint32_t target = (first + i) % TARGET_COUNT;
		double ns = drive(bench, target, packet, *plan, flows, visits);

		if (bench->samples[kind][target] < ROUNDS_MAX)
			bench->ns[kind][target][bench->samples[kind][target]] = ns;
	}
	for (i = 0; i < TARGET_COUNT; i++)
		bench->samples[kind][i]++;
	bench->place.visit += visits;
}

/* ------------------------------------------------------------------ kinds */

static void open_chunk(struct bench *bench, uint32_t first_flow, uint32_t flows)
{
	struct test_packet syn = packet_make(true, false, 0), synack = packet_make(true, true, 0);
	struct test_packet ack = packet_make(false, true, 0);
	struct drive plan = { .first_flow = first_flow, .scatter = 0x9e3779b1u, .is_syn = 1 };

	measure(bench, KIND_SYN, &syn, &plan, flows, 1);
	plan.leg[0] = (struct leg){ .from = 1, .ack = 1 };
	measure(bench, KIND_SYNACK, &synack, &plan, flows, 1);
	plan.leg[0] = (struct leg){ .from = 0, .seq = 1, .ack = 1 };
	plan.is_syn = 0;
	measure(bench, KIND_PROMOTE, &ack, &plan, flows, 1);
}

static uint32_t half_open_max(const struct workload *workload)
{
	return workload->flows > FLOWS_USUAL / 2 ? 8 * HALF_OPEN_USUAL : HALF_OPEN_USUAL;
}

/* So many flows are opened at a time: the half-open room must hold them, on any CPU. */
static uint32_t chunk_max(const struct workload *workload)
{
	return half_open_max(workload) / 4;
}

/* Not timed: these flows are the background. */
static void open_flows(struct bench *bench)
{
	uint32_t flows = bench->workload->flows, first;
	uint32_t chunk = flows < chunk_max(bench->workload) ? flows : chunk_max(bench->workload);

	for (first = 0; first < flows; first += chunk)
		open_chunk(bench, first, chunk);
	bench->place.next[0] = bench->place.next[1] = 1;
	memset(bench->samples, 0, sizeof(bench->samples));
}

/* The ends take turns, and each acknowledges what the other sent. */
static void measure_data(struct bench *bench, enum kind kind)
{
	struct test_packet data = packet_make(false, true, PAYLOAD_BYTES);
	uint32_t visits = bench->workload->visits, *next = bench->place.next;
	struct drive plan = {
		.both = 1,
		.leg = {
			{ next[0], PAYLOAD_BYTES, next[1], PAYLOAD_BYTES, 0 },
			{ next[1], PAYLOAD_BYTES, next[0] + PAYLOAD_BYTES, PAYLOAD_BYTES, 1 },
		},
	};

	measure(bench, kind, &data, &plan, bench->workload->flows, visits);
	next[0] += visits / 2 * PAYLOAD_BYTES;
	next[1] += visits / 2 * PAYLOAD_BYTES;
}

/* Data of the opener, untimed; with `again` all of it once more; then the ACKs of the first. */
static void measure_one_way(struct bench *bench, bool again)
{
	struct test_packet data = packet_make(false, true, PAYLOAD_BYTES);
	struct test_packet ack = packet_make(false, true, 0);
	const struct workload *workload = bench->workload;
	uint32_t *next = bench->place.next, target;
	struct drive plan = { .leg = { { next[0], PAYLOAD_BYTES, next[1], 0, 0 } } };

	for (target = 0; target < TARGET_COUNT; target++)
		drive(bench, target, &data, plan, workload->flows, workload->visits);
	bench->place.visit += workload->visits;
	if (again)
		measure(bench, KIND_REPEAT, &data, &plan, workload->flows, workload->visits);

	plan.leg[0] = (struct leg){ next[1], 0, next[0] + PAYLOAD_BYTES, PAYLOAD_BYTES, 1 };
	if (again) {
		drive(bench, TARGET_OURS, &ack, plan, workload->flows, workload->visits);
		bench->place.visit += workload->visits;
	} else {
		measure(bench, KIND_ACK, &ack, &plan, workload->flows, workload->visits);
	}
	next[0] += workload->visits * PAYLOAD_BYTES;
}

/* Every second segment of the opener passes before the one in front of it. */
static void measure_holes(struct bench *bench)
{
	struct test_packet data = packet_make(false, true, PAYLOAD_BYTES);
	uint32_t visits = bench->workload->visits, *next = bench->place.next;
	struct drive plan = {
		.both = 1,
		.leg = {
			{ next[0] + PAYLOAD_BYTES, 2 * PAYLOAD_BYTES, next[1], 0, 0 },
			{ next[0], 2 * PAYLOAD_BYTES, next[1], 0, 0 },
		},
	};

	measure(bench, KIND_HOLE, &data, &plan, bench->workload->flows, visits);
	next[0] += visits * PAYLOAD_BYTES;
}

static void measure_flood(struct bench *bench, uint32_t round)
{
	struct test_packet syn = packet_make(true, false, 0);
	struct drive plan = { .first_flow = FLOOD_FIRST + round * FLOOD_PACKETS, .is_syn = 1 };

	measure(bench, KIND_FLOOD, &syn, &plan, FLOOD_PACKETS, 1);
}

/* ------------------------------------------------------------------ was it what we meant? */

static uint64_t counter_sum(struct bench *bench, enum counter counter)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct door_counters *values = calloc((size_t)cpus, sizeof(*values));
	uint32_t door = bench->door == THROUGH_XDP ? DOOR_XDP : DOOR_TC_EGRESS;
	uint64_t sum = 0;

	if (!values ||
	    bpf_map_lookup_elem(bpf_map__fd(bench->monitor->maps.counters), &door, values))
		fail("counters", errno);
	for (cpu = 0; cpu < cpus; cpu++)
		sum += values[cpu].value[counter];
	free(values);
	return sum;
}

static void expect(uint64_t is, uint64_t meant, const char *what)
{
	if (is == meant)
		return;
	fprintf(stderr, "prog_bench: %s: %llu, meant to be %llu: the figures mean nothing\n", what,
		(unsigned long long)is, (unsigned long long)meant);
	exit(1);
}

/* What the first flow, by its key, has of what is rare: on any interface. */
struct first {
	struct bench *bench;
	struct flow_whole whole;
};

static int is_first(void *context, const struct table_head *head, bool is_closed)
{
	struct first *first = context;

	(void)is_closed;
	if (ntohl(head->key.addr[0].words_be32[3]) != OPENER_BASE ||
	    ntohs(head->key.port_be16[0]) != OPENER_PORT_FIRST)
		return 0;
	first->whole.flow = ((const struct flow_place *)head)->flow;
	for (__u32 i = 0; i < 2; i++) {
		struct beside_key beside = table_beside(&first->whole.flow, i);

		bpf_map_lookup_elem(bpf_map__fd(first->bench->monitor->maps.rares), &beside, &first->whole.rare[i]);
	}
	return 0;
}

static struct flow_whole first_flow(struct bench *bench)
{
	struct first first = {.bench = bench};
	struct table table;

	if (table_open(&table, bench->monitor->obj, "flows", true) ||
	    table_walk(&table, 0, table.buckets, is_first, &first) || !first.whole.flow.start_ns)
		fail("the first flow is not in the table", ENOENT);
	table_close(&table);
	return first.whole;
}

static void verify(struct bench *bench)
{
	const struct workload *workload = bench->workload;
	uint64_t sent = (uint64_t)workload->rounds * workload->visits, filled;
	struct flow_whole whole = first_flow(bench);

	expect(counter_sum(bench, FRAMES_TRACKED), bench->driven, "packets tracked");
	expect(counter_sum(bench, COUNTER_segments_suspect), 0, "suspect segments");
	expect(counter_sum(bench, COUNTER_flows_refused), 0, "flows refused");
	expect(whole.rare[0].retransmitted_segments, workload->repeats ? sent : 0, "repeats");
	expect(whole.rare[1].retransmitted_segments, 0, "repeats of the responder");
	/* Which of the three depends on how much time passed between two packets. */
	filled = whole.rare[0].recovered_segments + whole.rare[0].reordered + whole.rare[0].unresolved;
	expect(filled, workload->repeats ? sent / 2 : 0, "holes filled");
	expect(whole.rare[0].holes_dropped, 0, "holes dropped");
	expect(whole.rare[1].gap_bytes, 0, "gap bytes");
}

/* ------------------------------------------------------------------ figures */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *values, unsigned int count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), by_value);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double least(const double *values, unsigned int count)
{
	double found = values[0];
	unsigned int i;

	for (i = 1; i < count; i++)
		found = values[i] < found ? values[i] : found;
	return found;
}

/* Over the empty program of the same round, then the median: both saw the same weather. */
static double over_empty(const struct bench *bench, enum kind kind, enum target target)
{
	double differences[ROUNDS_MAX];
	unsigned int i, count = bench->samples[kind][target];

	if (best)
		return least(bench->ns[kind][target], count) -
		       least(bench->ns[kind][TARGET_EMPTY], count);
	for (i = 0; i < count; i++)
		differences[i] = bench->ns[kind][target][i] - bench->ns[kind][TARGET_EMPTY][i];
	return median(differences, count);
}

static void print_figures(const struct bench *bench)
{
	double floor_ns = over_empty(bench, KIND_DATA, TARGET_FLOOR);
	uint32_t kind;

	for (kind = 0; kind < KIND_COUNT; kind++) {
		double ours_ns, empty_ns;

		if (!bench->samples[kind][TARGET_OURS])
			continue;
		ours_ns = over_empty(bench, kind, TARGET_OURS);
		empty_ns = median(bench->ns[kind][TARGET_EMPTY],
				  bench->samples[kind][TARGET_EMPTY]);
		printf("%-4s %8u  %-26s %6.0f ", door_names[bench->door], bench->workload->flows,
		       kind_names[kind], empty_ns);
		if (kind == KIND_FLOOD) /* the floor's table has no such room, and is full */
			printf("%6s", "-");
		else
			printf("%6.0f", over_empty(bench, kind, TARGET_FLOOR));
		printf(" %6.0f %8.2f %8.2f\n", ours_ns, ours_ns / floor_ns,
		       (ours_ns + empty_ns) / empty_ns);
	}
	fflush(stdout);
}

/* ------------------------------------------------------------------ setting up */

static void point(struct bpf_map *map, uint32_t target, const struct bpf_program *program)
{
	int fd = bpf_program__fd(program);

	if (bpf_map_update_elem(bpf_map__fd(map), &target, &fd, BPF_ANY))
		fail(bpf_program__name(program), errno);
}

static uint32_t flows_max(const struct workload *workload)
{
	return workload->flows > FLOWS_USUAL / 2 ? workload->flows + FLOWS_USUAL : FLOWS_USUAL;
}

/* As the program does it for metrics; all flows are one pair of labels. */
static void size_pairs(struct monitor *monitor, struct monitor_config *config)
{
	config->aggregate = 1;
	config->pairs_max = 1000;
	config->chunks_max = 30000;
	bpf_map__set_max_entries(monitor->maps.pair_numbers, config->pairs_max);
	bpf_map__set_max_entries(monitor->maps.pairs, config->pairs_max);
	bpf_map__set_max_entries(monitor->maps.pair_chunks, config->pairs_max);
	bpf_map__set_max_entries(monitor->maps.chunks, config->chunks_max);
}

static void begin_pairs(struct monitor *monitor)
{
	struct aggregate_state state = {.pairs = PAIR_FIRST, .chunks = CHUNK_FIRST, .generation = 1};
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(monitor->maps.pair_state), &zero, &state, BPF_ANY))
		fail("pair_state", errno);
}

static void set_up(struct bench *bench)
{
	struct monitor_config config = config_defaults();
	uint32_t max = flows_max(bench->workload);
	struct monitor *monitor;
	struct rig *rig;

	monitor = bench->monitor = form_open(form_is_older() || getenv("ACKMON_OLDER"));
	rig = bench->rig = rig__open();
	if (!monitor || !rig)
		fail("open", errno);
	if (aggregates)
		size_pairs(monitor, &config);
	memcpy((void *)&monitor->rodata->config, &config, sizeof(config));
	table_resize(monitor->obj, "flows", max);
	table_resize(monitor->obj, "half_open", half_open_max(bench->workload));
	bpf_map__set_max_entries(rig->maps.floor_flows, max);
	if (monitor__load(monitor) || table_begin(monitor->obj) || rig__load(rig))
		fail("load", errno);
	if (aggregates)
		begin_pairs(monitor);
	point(rig->maps.xdp_targets, TARGET_EMPTY, rig->progs.empty_xdp);
	point(rig->maps.xdp_targets, TARGET_FLOOR, rig->progs.floor_xdp);
	point(rig->maps.xdp_targets, TARGET_OURS, monitor->progs.ackmon_xdp);
	point(rig->maps.tc_targets, TARGET_EMPTY, rig->progs.empty_tc);
	point(rig->maps.tc_targets, TARGET_FLOOR, rig->progs.floor_tc);
	point(rig->maps.tc_targets, TARGET_OURS, monitor->progs.ackmon_egress);
}

static void tear_down(struct bench *bench)
{
	monitor__destroy(bench->monitor);
	rig__destroy(bench->rig);
}

static void bench_run(enum door_kind door, const struct workload *workload)
{
	static struct bench bench;
	uint32_t round;

	bench = (struct bench){ .door = door, .workload = workload };
	set_up(&bench);
	open_flows(&bench);
	for (round = 0; round < workload->rounds; round++) {
		measure_data(&bench, KIND_DATA);
		measure_one_way(&bench, false);
		if (workload->openings)
			open_chunk(&bench, OPENINGS_FIRST + round * OPENINGS, OPENINGS);
	}
	for (round = 0; workload->repeats && round < workload->rounds; round++)
		measure_holes(&bench);
	/* Last: for some time a direction with repeats remembers all it sends. */
	for (round = 0; workload->repeats && round < workload->rounds; round++) {
		measure_one_way(&bench, true);
		measure_data(&bench, KIND_BEHIND);
	}
	verify(&bench);
	/* Only now: a flood pushes half-open flows out, as it should, and verify() counts. */
	for (round = 0; workload->openings && round < workload->rounds; round++)
		measure_flood(&bench, round);
	print_figures(&bench);
	tear_down(&bench);
}

static void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static const char usage[] =
	"usage: prog_bench [-d xdp|tc] [-f FLOWS] [-l FLOWS] [-b] [-p]\n"
	"-d one door only; -f the workload with so many flows, -l those with at most so many;\n"
	"-b the best round instead of the median, for a busy machine; -p flows count in pairs of labels\n";

struct choice {
	uint32_t flows;
	uint32_t flows_limit;
	const char *door;
};

static int parse_choice(int argc, char **argv, struct choice *ret_choice)
{
	int option;

	while ((option = getopt(argc, argv, "d:f:l:bp")) != -1) {
		switch (option) {
		case 'd': ret_choice->door = optarg; break;
		case 'f': ret_choice->flows = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'l': ret_choice->flows_limit = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'b': best = true; break;
		case 'p': aggregates = true; break;
		default: return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static bool is_chosen(const struct choice *choice, uint32_t door, const struct workload *workload)
{
	return (!choice->door || !strcasecmp(choice->door, door_names[door])) &&
	       (!choice->flows || choice->flows == workload->flows) &&
	       workload->flows <= choice->flows_limit;
}

int main(int argc, char **argv)
{
	struct choice choice = { .flows_limit = UINT32_MAX };
	uint32_t door, i;

	if (parse_choice(argc, argv, &choice)) {
		fputs(usage, stderr);
		return 2;
	}
	stay_on_one_cpu();
	printf("ns per packet: empty is the empty program with the driver in front; +floor and\n"
	       "+ours are over it; /floor is ours beside the floor's data packet (the ratio to\n"
	       "reach), /empty is empty and ours beside empty. Flows come in scattered order.\n"
	       "Of several rounds the %s.\n\n", best ? "best" : "median");
	printf("%-4s %8s  %-26s %6s %6s %6s %8s %8s\n", "door", "flows", "packet", "empty",
	       "+floor", "+ours", "/floor", "/empty");
	for (door = 0; door < DOOR_KINDS; door++)
		for (i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
			if (is_chosen(&choice, door, &workloads[i]))
				bench_run(door, &workloads[i]);
	return 0;
}

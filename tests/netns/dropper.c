/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads the dropper with one rule onto one interface, and says at the end what it did. */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dropper.h"
#include "dropper.skel.h"

/* Not in this release's headers (kernel 6.6). */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47

#define NS_PER_MS 1000000ULL
#define QUEUE_MAX 4096

struct arguments {
	const char *interface;
	bool ingress;
	uint64_t delay_ns;
	struct dropper_rule rule;
};

/* Packets held back, in the order they came: all wait equally long, so that is the order they go. */
struct queue {
	struct dropper_held *slot;
	size_t head;
	size_t count;
	uint64_t delay_ns;
	int socket;
	uint64_t lost; /* no room, or the interface did not take it */
};

struct attachment {
	int link_fd; /* TCX; it goes with the process */
	struct bpf_tc_hook hook;
	struct bpf_tc_opts options;
	bool is_clsact;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static const char usage[] =
	"usage: dropper --dev IFACE [--ingress] [--action drop|duplicate|delay] [--delay MS]\n"
	"               [--match any|tcp|syn|synack|ack|data|push|fin|rst] [--port PORT]\n"
	"               (--loss PERCENT [--seed N] [--up-to N] | --nth FIRST[-LAST] | --every N)\n"
	"Prints \"ready\", works until SIGINT or SIGTERM, prints what it counted.\n";

static int name_index(const char *name, const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return (int)i;
	fprintf(stderr, "dropper: what is \"%s\"?\n%s", name, usage);
	exit(2);
}

static uint32_t parse_action(const char *name)
{
	static const char *const names[] = { "drop", "duplicate", "delay" };

	return (uint32_t)name_index(name, names, sizeof(names) / sizeof(names[0]));
}

static uint32_t parse_match(const char *name)
{
	static const char *const names[] = { "any",  "tcp",  "syn", "synack", "ack",
					     "data", "push", "fin", "rst" };

	return (uint32_t)name_index(name, names, sizeof(names) / sizeof(names[0]));
}

static void parse_range(const char *text, struct dropper_rule *rule)
{
	char *end;

	rule->first = (uint32_t)strtoul(text, &end, 10);
	rule->last = *end == '-' ? (uint32_t)strtoul(end + 1, NULL, 10) : rule->first;
}

static uint32_t parse_chance(const char *percent)
{
	double chance = strtod(percent, NULL) / 100 * 4294967296.0;

	return chance >= 4294967295.0 ? UINT32_MAX : (uint32_t)chance;
}

static void parse_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
	static const struct option options[] = {
		{ "dev", required_argument, NULL, 'i' },
		{ "ingress", no_argument, NULL, 'I' },
		{ "action", required_argument, NULL, 'a' },
		{ "delay", required_argument, NULL, 'd' },
		{ "match", required_argument, NULL, 'm' },
		{ "port", required_argument, NULL, 'p' },
		{ "loss", required_argument, NULL, 'l' },
		{ "seed", required_argument, NULL, 's' },
		{ "nth", required_argument, NULL, 'n' },
		{ "every", required_argument, NULL, 'e' },
		{ "up-to", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	struct arguments arguments = { .rule.match = MATCH_TCP, .rule.seed = 1 };
	struct dropper_rule *rule = &arguments.rule;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			arguments.interface = optarg;
			break;
		case 'I':
			arguments.ingress = true;
			break;
		case 'a':
			rule->action = parse_action(optarg);
			break;
		case 'd':
			rule->action = ACTION_DELAY;
			arguments.delay_ns = (uint64_t)(strtod(optarg, NULL) * (double)NS_PER_MS);
			break;
		case 'm':
			rule->match = parse_match(optarg);
			break;
		case 'p':
			rule->port = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			rule->chance = parse_chance(optarg);
			break;
		case 's':
			rule->seed = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			parse_range(optarg, rule);
			break;
		case 'e':
			rule->every = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'u':
			rule->up_to = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (!arguments.interface || (arguments.ingress && rule->action != ACTION_DROP)) {
		fputs(arguments.interface ? "dropper: --ingress can only drop\n" : usage, stderr);
		exit(2);
	}
	*ret_arguments = arguments;
}

static int attach_tcx(struct attachment *attachment, int program_fd, int ifindex, bool ingress)
{
	enum bpf_attach_type type =
		(enum bpf_attach_type)(ingress ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS);

	attachment->link_fd = bpf_link_create(program_fd, ifindex, type, NULL);
	return attachment->link_fd < 0 ? attachment->link_fd : 0;
}

static int attach_clsact(struct attachment *attachment, int program_fd, int ifindex, bool ingress)
{
	int err;

	attachment->hook = (struct bpf_tc_hook){ .sz = sizeof(attachment->hook),
						 .ifindex = ifindex,
						 .attach_point = ingress ? BPF_TC_INGRESS
									 : BPF_TC_EGRESS };
	attachment->options = (struct bpf_tc_opts){ .sz = sizeof(attachment->options),
						    .prog_fd = program_fd };
	err = bpf_tc_hook_create(&attachment->hook);
	if (err && err != -EEXIST)
		return err;
	err = bpf_tc_attach(&attachment->hook, &attachment->options);
	attachment->is_clsact = !err;
	return err;
}

static int attach(struct attachment *attachment, int program_fd, int ifindex, bool ingress)
{
	if (!attach_tcx(attachment, program_fd, ifindex, ingress))
		return 0;
	return attach_clsact(attachment, program_fd, ifindex, ingress);
}

static void detach(struct attachment *attachment)
{
	if (attachment->link_fd >= 0)
		close(attachment->link_fd);
	attachment->link_fd = -1;
	if (attachment->is_clsact) {
		attachment->options.prog_fd = 0;
		attachment->options.flags = 0;
		attachment->options.prog_id = 0;
		bpf_tc_detach(&attachment->hook, &attachment->options);
	}
	attachment->is_clsact = false;
}

/* What the network card would have filled in: the stack left the TCP checksum to it. */

static uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (len & 1)
		sum += (uint32_t)(bytes[len - 1] << 8);
	return sum;
}

static void checksum_tcp(uint8_t *tcp, size_t len, const uint8_t *addresses, size_t addresses_len)
{
	uint32_t sum = 6 + (uint32_t)len; /* protocol and length of the pseudo header */

	tcp[16] = 0;
	tcp[17] = 0;
	sum = checksum_add(sum, addresses, addresses_len);
	sum = checksum_add(sum, tcp, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
}

static void checksum_frame(uint8_t *bytes, size_t len)
{
	uint8_t *ip = bytes + ETH_HLEN;
	uint16_t eth_type = (uint16_t)(bytes[12] << 8 | bytes[13]);

	if (eth_type == ETH_P_IP && len >= ETH_HLEN + 40 && ip[9] == 6) {
		size_t header = (ip[0] & 15u) * 4;
		size_t total = (size_t)(ip[2] << 8 | ip[3]);

		if (total >= header + 20 && ETH_HLEN + total <= len)
			checksum_tcp(ip + header, total - header, ip + 12, 8);
	}
	if (eth_type == ETH_P_IPV6 && len >= ETH_HLEN + 60 && ip[6] == 6) {
		size_t total = (size_t)(ip[4] << 8 | ip[5]);

		if (total >= 20 && ETH_HLEN + 40 + total <= len)
			checksum_tcp(ip + 40, total, ip + 8, 32);
	}
}

static uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

static int queue_open(struct queue *queue, int ifindex, uint64_t delay_ns)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	int mark = DROPPER_PASS_MARK;

	*queue = (struct queue){ .delay_ns = delay_ns, .socket = -1 };
	queue->slot = calloc(QUEUE_MAX, sizeof(*queue->slot));
	if (!queue->slot)
		return -ENOMEM;
	queue->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (queue->socket < 0 ||
	    setsockopt(queue->socket, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
	    bind(queue->socket, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return 0;
}

static void queue_close(struct queue *queue)
{
	if (queue->socket >= 0)
		close(queue->socket);
	free(queue->slot);
}

static int queue_push(void *context, void *data, size_t size)
{
	struct queue *queue = context;

	if (queue->count == QUEUE_MAX || size < sizeof(*queue->slot)) {
		queue->lost++;
		return 0;
	}
	memcpy(&queue->slot[(queue->head + queue->count) % QUEUE_MAX], data,
	       sizeof(*queue->slot));
	queue->count++;
	return 0;
}

static void queue_send_due(struct queue *queue)
{
	uint64_t now_ns = clock_now_ns();

	while (queue->count) {
		struct dropper_held *held = &queue->slot[queue->head];

		if (held->seen_ns + queue->delay_ns > now_ns)
			return;
		checksum_frame(held->bytes, held->len);
		if (send(queue->socket, held->bytes, held->len, 0) < 0)
			queue->lost++;
		queue->head = (queue->head + 1) % QUEUE_MAX;
		queue->count--;
	}
}

/* Shorter than a millisecond is waited for awake: epoll counts in milliseconds. */
static int queue_patience_ms(const struct queue *queue)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t due_ns;

	if (!queue->count)
		return 200;
	due_ns = queue->slot[queue->head].seen_ns + queue->delay_ns;
	return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns) / NS_PER_MS);
}

/* Without a delay nothing is ever held, and this only waits. What is held when it ends is still sent. */
static int run_until_stopped(struct queue *queue, struct attachment *attachment, int map_fd)
{
	struct ring_buffer *ring = ring_buffer__new(map_fd, queue_push, queue, NULL);
	int err = 0;

	if (!ring)
		return -errno;
	while (!err && (!stopping || queue->count)) {
		int result = ring_buffer__poll(ring, queue_patience_ms(queue));

		if (result < 0 && result != -EINTR)
			err = result;
		if (stopping) {
			detach(attachment);
			ring_buffer__consume(ring);
		}
		queue_send_due(queue);
	}
	ring_buffer__free(ring);
	return err;
}

static void print_counts(const struct arguments *arguments, const struct dropper_counts *counts,
			 uint64_t lost)
{
	printf("%s %s: packets %llu, matched %llu, chosen %llu, segments %llu, passed_on %llu, "
	       "lost %llu\n",
	       arguments->interface, arguments->ingress ? "ingress" : "egress",
	       (unsigned long long)counts->packets, (unsigned long long)counts->matched,
	       (unsigned long long)counts->chosen, (unsigned long long)counts->segments,
	       (unsigned long long)counts->too_long, (unsigned long long)lost);
}

static int run(const struct arguments *arguments, struct dropper_bpf *skel, int ifindex)
{
	struct attachment attachment = { .link_fd = -1 };
	struct queue queue = { .socket = -1 };
	int err = queue_open(&queue, ifindex, arguments->delay_ns);

	if (err)
		goto out;
	err = attach(&attachment, bpf_program__fd(skel->progs.dropper), ifindex,
		     arguments->ingress);
	if (err)
		goto out;
	puts("ready");
	fflush(stdout);

	err = run_until_stopped(&queue, &attachment, bpf_map__fd(skel->maps.held));
	print_counts(arguments, &skel->bss->counts, queue.lost);
out:
	if (err)
		fprintf(stderr, "dropper: %s: %s\n", arguments->interface, strerror(-err));
	detach(&attachment);
	queue_close(&queue);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct sigaction stop = { .sa_handler = on_signal };
	struct arguments arguments;
	struct dropper_bpf *skel;
	int ifindex;
	int status;

	parse_arguments(argc, argv, &arguments);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	ifindex = (int)if_nametoindex(arguments.interface);
	if (!ifindex) {
		fprintf(stderr, "dropper: %s: no such interface here\n", arguments.interface);
		return 1;
	}

	skel = dropper_bpf__open();
	if (skel)
		memcpy((void *)&skel->rodata->rule, &arguments.rule, sizeof(arguments.rule));
	if (!skel || dropper_bpf__load(skel)) {
		fprintf(stderr, "dropper: the program does not load: %s\n", strerror(errno));
		dropper_bpf__destroy(skel);
		return 1;
	}
	status = run(&arguments, skel, ifindex);
	dropper_bpf__destroy(skel);
	return status;
}

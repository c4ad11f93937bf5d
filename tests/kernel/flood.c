/* SPDX-License-Identifier: GPL-2.0-only */
/* Floods an interface from inside: frames appear on it as if they had been received, as fast as asked. */
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include "flood.h"
#include "flood.skel.h"

/* Since 5.18; the headers of older releases do not know it. */
#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define NS_PER_S 1000000000ull
#define BURST 65536u

static const char usage[] =
	"usage: flood [-o] [-f FIRST] syn|scan|data|reuse|known|churn IFACE FRAMES [FRAMES_PER_SECOND]\n"
	"-o  out of the interface, instead of up to the stack\n"
	"-f  number of the first connection of syn, known and churn (0)\n"
	"Says how many frames it sent, and in how many ms.\n";

struct request {
	__u32 mode;
	__u32 first;
	bool goes_out;
	unsigned int ifindex;
	unsigned long long frames;
	unsigned long long rate; /* 0: as fast as it goes */
};

/* To an Ethernet address that is nobody's: the stack throws it away behind every hook. */
static void first_frame(unsigned char *frame, unsigned int bytes)
{
	memset(frame, 0, bytes);
	memcpy(frame, "\x02\0\0\0\0\x99\x02\0\0\0\0\x98\x08\0", ETH_HLEN);
	frame[14] = 0x45;
	frame[17] = (unsigned char)(bytes - ETH_HLEN);
	frame[20] = 0x40; /* do not fragment */
	frame[22] = 64;
	frame[23] = 6;
	frame[46] = 5 << 4;
	frame[48] = 0x10; /* some window */
}

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void wait_until(unsigned long long when_ns)
{
	const struct timespec when = {.tv_sec = when_ns / NS_PER_S, .tv_nsec = when_ns % NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static int send_burst(int program_fd, unsigned int ifindex, unsigned int frames, unsigned int bytes)
{
	unsigned char frame[FLOOD_BYTES + FLOOD_PAYLOAD_BYTES];
	struct xdp_md context = {.data_end = bytes, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = bytes,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)frames,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	first_frame(frame, bytes);
	return bpf_prog_test_run_opts(program_fd, &options);
}

static bool find_mode(const char *name, __u32 *ret_mode)
{
	static const char *const names[] = {
		[FLOOD_SYN] = "syn", [FLOOD_SCAN] = "scan", [FLOOD_DATA] = "data",
		[FLOOD_REUSE] = "reuse", [FLOOD_KNOWN] = "known",
		[FLOOD_CHURN] = "churn",
	};

	for (__u32 i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(names[i], name)) {
			*ret_mode = i;
			return true;
		}
	}
	return false;
}

static int load(struct flood **ret_flood, const struct request *request)
{
	struct flood *flood = flood__open();

	if (!flood)
		return -errno;
	flood->rodata->mode = request->mode;
	flood->rodata->first = request->first;
	flood->rodata->goes_out = request->goes_out;
	*ret_flood = flood;
	return flood__load(flood);
}

static int send_all(struct flood *flood, const struct request *request)
{
	unsigned long long sent = 0, begin_ns = now_ns();

	while (sent < request->frames) {
		unsigned long long rate = request->rate;
		unsigned long long burst = rate && rate / 50 < BURST ? rate / 50 + 1 : BURST;
		int err;

		if (burst > request->frames - sent)
			burst = request->frames - sent;
		err = send_burst(bpf_program__fd(flood->progs.flood), request->ifindex, (unsigned int)burst,
				 FLOOD_BYTES + (request->mode == FLOOD_KNOWN ? FLOOD_PAYLOAD_BYTES : 0));
		if (err && err != -EINTR && err != -EAGAIN)
			return err;
		sent = flood->bss->next;
		if (rate)
			wait_until(begin_ns + sent * NS_PER_S / rate);
	}
	printf("%llu frames in %llu ms\n", sent, (now_ns() - begin_ns) / 1000000);
	return 0;
}

static bool read_request(int argc, char **argv, struct request *ret_request)
{
	int option;

	while ((option = getopt(argc, argv, "of:")) != -1) {
		if (option == 'o')
			ret_request->goes_out = true;
		else if (option == 'f')
			ret_request->first = (__u32)strtoul(optarg, NULL, 10);
		else
			return false;
	}
	argv += optind;
	argc -= optind;
	if (argc < 3 || argc > 4 || !find_mode(argv[0], &ret_request->mode))
		return false;
	ret_request->ifindex = if_nametoindex(argv[1]);
	ret_request->frames = strtoull(argv[2], NULL, 10);
	if (argc == 4)
		ret_request->rate = strtoull(argv[3], NULL, 10);
	return true;
}

int main(int argc, char **argv)
{
	struct request request = {0};
	struct flood *flood = NULL;
	int err;

	if (!read_request(argc, argv, &request)) {
		fputs(usage, stderr);
		return 2;
	}
	err = request.ifindex ? load(&flood, &request) : -ENODEV;
	if (!err)
		err = send_all(flood, &request);
	if (err)
		fprintf(stderr, "flood: %s: %s\n", argv[optind + 1], strerror(-err));
	flood__destroy(flood);
	return err ? 1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends numbered frames into one interface and compares what comes out of another, byte by byte. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire_put.h"

#define BATCH 128
#define FRAME_MAX 1514
#define POOL_BYTES (1 << 20)
#define PATIENCE_MS 3000
#define SOCKET_BYTES (16 << 20)

/* Bytes that do not repeat soon; frames take theirs from a place that depends on their number. */
static uint8_t pool[POOL_BYTES + FRAME_MAX];

static void fill_pool(void)
{
	uint64_t state = 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < sizeof(pool); i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		pool[i] = (uint8_t)(state >> 32);
	}
}

/*
 * Frame number n: TCP between 1,000 pairs of ends with every length there is; each eighth has random
 * bytes where its IP header should be. To nobody's address, so that the stack lets it be.
 */
static size_t make_frame(uint64_t n, uint8_t *frame)
{
	size_t len = 60 + n * 7919 % (FRAME_MAX - 59);
	uint8_t *ip = frame + ETH_HLEN, *tcp = ip + 20;

	memcpy(frame, &pool[n * 104729 % POOL_BYTES], len);
	memcpy(frame, "\x02\xac\x00\x00\x00\x02\x02\xac\x00\x00\x00\x01\x08\x00", ETH_HLEN);
	if (n % 8 == 7)
		return len;
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(len - ETH_HLEN));
	put16(ip + 4, (uint32_t)n);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, 0x0a600000 + (uint32_t)(n % 1000));
	put32(ip + 16, 0x0a610001);
	put16(tcp, 1024 + (uint32_t)(n % 1000));
	put16(tcp + 2, 443);
	put32(tcp + 4, (uint32_t)(n / 1000) * 1000);
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	return len;
}

/*
 * protocol 0 only sends. ETH_P_IP and not ETH_P_ALL: a socket for everything would see the frame
 * before the TC programs do.
 */
static int packet_socket(const char *name, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int bytes = SOCKET_BYTES, fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || !address.sll_ifindex ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "same_bytes: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static uint8_t sent[BATCH][FRAME_MAX], got[BATCH][FRAME_MAX + 64];
static size_t sent_len[BATCH];

static void send_batch(int fd, uint64_t first, unsigned int count)
{
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH] = {};
	unsigned int done = 0;

	for (unsigned int i = 0; i < count; i++) {
		sent_len[i] = make_frame(first + i, sent[i]);
		vectors[i] = (struct iovec){.iov_base = sent[i], .iov_len = sent_len[i]};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	while (done < count) {
		int n = sendmmsg(fd, &messages[done], count - done, 0);

		if (n < 0 && errno != EINTR && errno != ENOBUFS) {
			perror("same_bytes: sendmmsg");
			exit(1);
		}
		done += n > 0 ? (unsigned int)n : 0;
	}
}

/* Frames stay in order. Returns how many came; counts those that are not as they were sent. */
static unsigned int receive_batch(int fd, unsigned int count, uint64_t *altered)
{
	unsigned int came = 0;

	while (came < count) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		struct iovec vectors[BATCH];
		struct mmsghdr messages[BATCH] = {};
		int n;

		for (unsigned int i = 0; i < count - came; i++) {
			vectors[i] = (struct iovec){got[i], sizeof(got[i])};
			messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
		}
		n = recvmmsg(fd, messages, count - came, MSG_DONTWAIT, NULL);
		if (n < 0 && errno == EAGAIN && poll(&ready, 1, PATIENCE_MS) == 0)
			return came;
		for (int i = 0; i < n; i++, came++)
			*altered += messages[i].msg_len != sent_len[came] ||
				    memcmp(got[i], sent[came], sent_len[came]) != 0;
	}
	return came;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint64_t frames, altered = 0, dropped = 0;
	double begin_s = now_s();
	int out, in;

	if (argc != 4) {
		fprintf(stderr, "usage: same_bytes FROM-INTERFACE TO-INTERFACE FRAMES\n");
		return 2;
	}
	out = packet_socket(argv[1], 0);
	in = packet_socket(argv[2], ETH_P_IP);
	frames = strtoull(argv[3], NULL, 10);
	fill_pool();
	for (uint64_t n = 0; n < frames; n += BATCH) {
		unsigned int count = frames - n < BATCH ? (unsigned int)(frames - n) : BATCH;

		send_batch(out, n, count);
		dropped += count - receive_batch(in, count, &altered);
		if (dropped > 10 * BATCH)
			break; /* each lost batch costs seconds */
	}
	printf("%llu frames: %llu altered, %llu dropped, %.1f s\n", (unsigned long long)frames,
	       (unsigned long long)altered, (unsigned long long)dropped, now_s() - begin_s);
	return altered || dropped;
}

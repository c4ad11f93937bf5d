/* SPDX-License-Identifier: GPL-2.0-only */
/* What a label costs: a look-up among N prefixes (1000, 100 k, 1 M), and reading them. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "labels.h"

#define LOOKUPS (1u << 22)
#define ADDRS (1u << 16)

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Half of them IPv4 of 16 to 28 bits, half IPv6 of 32 to 56 below 2000::/4; each only once. */
static void write_file(const char *path, uint32_t prefixes)
{
	FILE *file = fopen(path, "w");

	if (!file)
		exit(1);
	fputs("prefix,name,namespace,region\n", file);
	for (uint32_t i = 0; i < prefixes; i++) {
		unsigned int bits = 20 + i % 9;
		uint32_t addr = i * 2654435761u >> (32 - bits) << (32 - bits);

		if (i % 2)
			fprintf(file, "2%03x:%x:%x::/48,n%u,ns%u,r%u\n", i % 997, i >> 8 & 0xffff,
				(i * 40503u) & 0xffff, i, i % 50, i % 20);
		else
			fprintf(file, "%u.%u.%u.%u/%u,n%u,ns%u,r%u\n", addr >> 24, addr >> 16 & 255,
				addr >> 8 & 255, addr & 255, bits, i, i % 50, i % 20);
	}
	fclose(file);
}

static double lookup_ns(const struct labels *labels, const struct ip_addr *addrs)
{
	uint64_t sum = 0;
	double begin = now_s();

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		/* The next depends on the one before, as nothing else is in between. */
		sum += labels_find(labels, &addrs[(i ^ (sum & 1)) % ADDRS], 443)->group;
	}
	begin = (now_s() - begin) / LOOKUPS * 1e9;
	return sum == 1 ? 0 : begin;
}

static void bench(const char *path, uint32_t prefixes)
{
	static struct ip_addr ipv4[ADDRS], ipv6[ADDRS];
	struct labels *labels;
	char error[512];
	double begin;

	write_file(path, prefixes);
	begin = now_s();
	if (labels_open(&labels, path, error, sizeof(error))) {
		fprintf(stderr, "labels_bench: %s\n", error);
		exit(1);
	}
	begin = now_s() - begin;
	for (uint32_t i = 0; i < ADDRS; i++) {
		uint32_t words[4] = {0x20000000u | (uint32_t)(next_random() % 997) << 16 | (next_random() & 0xffff),
				     (uint32_t)next_random(), (uint32_t)next_random(), (uint32_t)next_random()};

		for (int word = 0; word < 4; word++)
			ipv6[i].words_be32[word] = htonl(words[word]);
		ipv4[i] = (struct ip_addr){.bytes = {[10] = 0xff, [11] = 0xff}};
		ipv4[i].words_be32[3] = htonl((uint32_t)next_random());
	}
	printf("%8u prefixes: read in %.2f s; IPv4 %.0f ns, IPv6 %.0f ns a look-up\n",
	       labels_prefix_count(labels), begin, lookup_ns(labels, ipv4), lookup_ns(labels, ipv6));
	labels_close(labels);
}

int main(void)
{
	char path[] = "/tmp/ackmon-labels-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	bench(path, 1000);
	bench(path, 100000);
	bench(path, 1000000);
	unlink(path);
	return 0;
}

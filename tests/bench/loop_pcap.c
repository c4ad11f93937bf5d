/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least a capture reader can do: libpcap walks the file (-w), or each packet is also parsed,
 * looked up once by addresses and ports, and counted. It opens, closes and prints nothing more.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcap.h>

#define SLOTS_AT_FIRST (1u << 16)

struct slot {
	uint8_t key[36]; /* two addresses, two ports, the lower end first; zeros after IPv4's */
	uint32_t used;
	uint64_t packets;
	uint64_t bytes;
};

struct table {
	struct slot *slots;
	uint32_t mask;
	uint32_t count;
};

static uint64_t hash_key(const uint8_t *key)
{
	uint64_t words[5] = {0}, hash = 0x9e3779b97f4a7c15ull;
	uint32_t i;

	memcpy(words, key, 36);
	for (i = 0; i < 5; i++) {
		hash = (hash ^ words[i]) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash;
}

static struct slot *slot_find(const struct table *table, const uint8_t *key)
{
	uint32_t i = (uint32_t)hash_key(key) & table->mask;

	while (table->slots[i].used && memcmp(table->slots[i].key, key, 36))
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static void table_open(struct table *table, uint32_t size)
{
	*table = (struct table){ .slots = calloc(size, sizeof(*table->slots)), .mask = size - 1 };
	if (!table->slots) {
		fprintf(stderr, "loop_pcap: out of memory\n");
		exit(1);
	}
}

static void table_grow(struct table *table)
{
	struct table larger;
	uint32_t i;

	table_open(&larger, (table->mask + 1) * 2);
	for (i = 0; i <= table->mask; i++)
		if (table->slots[i].used)
			*slot_find(&larger, table->slots[i].key) = table->slots[i];
	larger.count = table->count;
	free(table->slots);
	*table = larger;
}

static struct slot *table_slot(struct table *table, const uint8_t *key)
{
	struct slot *slot = slot_find(table, key);

	if (slot->used)
		return slot;
	if (++table->count > table->mask / 3 * 2) {
		table_grow(table);
		slot = slot_find(table, key);
	}
	memcpy(slot->key, key, sizeof(slot->key));
	slot->used = 1;
	return slot;
}

/* False: not TCP over IPv4 or IPv6, or too short. */
static bool packet_key(const uint8_t *bytes, uint32_t captured, uint8_t ret_key[36])
{
	const uint8_t *ip = bytes + 14, *addrs, *ports;
	uint32_t size, offset, first;

	if (captured < 54)
		return false;
	if (bytes[12] == 0x08 && bytes[13] == 0x00 && ip[9] == 6) {
		addrs = ip + 12;
		size = 4;
		offset = (ip[0] & 15u) * 4;
	} else if (bytes[12] == 0x86 && bytes[13] == 0xdd && ip[6] == 6) {
		addrs = ip + 8;
		size = 16;
		offset = 40;
	} else {
		return false;
	}
	if (captured < 14 + offset + 20)
		return false;
	ports = ip + offset;
	first = memcmp(addrs, addrs + size, size) > 0;
	memset(ret_key, 0, 36);
	memcpy(ret_key, addrs + first * size, size);
	memcpy(ret_key + 16, addrs + !first * size, size);
	memcpy(ret_key + 32, ports + first * 2, 2);
	memcpy(ret_key + 34, ports + !first * 2, 2);
	return true;
}

int main(int argc, char **argv)
{
	bool only_walk = argc == 3 && !strcmp(argv[1], "-w");
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	uint64_t packets = 0;
	struct table table;
	uint8_t key[36];
	pcap_t *pcap;

	if (argc != 2 + only_walk) {
		fprintf(stderr, "usage: loop_pcap [-w] FILE\n");
		return 2;
	}
	pcap = pcap_open_offline(argv[argc - 1], error);
	if (!pcap) {
		fprintf(stderr, "loop_pcap: %s\n", error);
		return 1;
	}
	table_open(&table, SLOTS_AT_FIRST);
	while (pcap_next_ex(pcap, &header, &bytes) == 1) {
		packets++;
		if (only_walk || !packet_key(bytes, header->caplen, key))
			continue;
		struct slot *slot = table_slot(&table, key);

		slot->packets++;
		slot->bytes += header->len;
	}
	pcap_close(pcap);
	printf("%llu packets, %u flows\n", (unsigned long long)packets, table.count);
	free(table.slots);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of labels as the kernel side counts them: labels in, pairs out, and what the reader adds. */
#include "pair_maps.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/labels.h"
#include "core/owner.h"
#include "core/pair.h"

#define CHUNK_BYTES_MAX (64u << 20)
#define CHUNKS_PER_PAIR 40u /* six histograms, of which each seldom spans more than four octaves */

struct pair_maps {
	int numbers_fd;
	int pairs_fd;
	int places_fd;
	int chunks_fd;
	int labels_fd[2]; /* by generation & 1 */
	int ports_fd;
	int owners_fd; /* -1: nobody asks whose sockets they are */
	int owner_groups_fd;
	int names_fd; /* -1: nobody comes after this reader */
	uint32_t names; /* of groups, that are written there */
	size_t cpus;
	uint32_t pairs_max;
	uint32_t chunks_max;
	struct aggregate_state *state; /* both are the maps themselves */
	struct pair_reader *own;
	struct owner_place *marks; /* NULL: as owners_fd */
	size_t own_size;
};

uint32_t pair_maps_chunks(uint32_t pairs)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t wanted = (uint64_t)pairs * CHUNKS_PER_PAIR;
	uint64_t most = CHUNK_BYTES_MAX / (sizeof(struct chunk) * (cpus > 0 ? (uint64_t)cpus : 1));

	return CHUNK_FIRST + (uint32_t)(wanted < most ? wanted : most);
}

/* Opening */

static int fd_of(const struct attach *attach, const char *name)
{
	const struct bpf_map *map = attach_map(attach, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

static void *map_memory(const struct attach *attach, const char *name, size_t size)
{
	int fd = fd_of(attach, name);
	void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int pair_maps_open(struct pair_maps **ret_maps, const struct attach *attach,
		   const struct monitor_config *config)
{
	struct pair_maps *maps = calloc(1, sizeof(*maps));
	int cpus = libbpf_num_possible_cpus();
	long page = sysconf(_SC_PAGESIZE);

	if (!maps)
		return -ENOMEM;
	maps->numbers_fd = fd_of(attach, "pair_numbers");
	maps->pairs_fd = fd_of(attach, "pairs");
	maps->places_fd = fd_of(attach, "pair_chunks");
	maps->chunks_fd = fd_of(attach, "chunks");
	maps->labels_fd[0] = fd_of(attach, "labels_even");
	maps->labels_fd[1] = fd_of(attach, "labels_odd");
	maps->ports_fd = fd_of(attach, "label_ports");
	maps->owners_fd = config->owners ? fd_of(attach, "owners") : -1;
	maps->owner_groups_fd = fd_of(attach, "owner_groups");
	maps->names_fd = config->kept ? fd_of(attach, "label_names") : -1;
	maps->cpus = cpus > 0 ? (size_t)cpus : 1;
	maps->pairs_max = config->pairs_max;
	maps->chunks_max = config->chunks_max;
	maps->own_size = ((size_t)config->pairs_max * sizeof(*maps->own) + (size_t)page - 1) &
			 ~((size_t)page - 1);
	maps->state = map_memory(attach, "pair_state", (size_t)page);
	maps->own = map_memory(attach, "pair_reader", maps->own_size);
	if (config->owners)
		maps->marks = map_memory(attach, "owner_marks", OWNER_PLACES * sizeof(*maps->marks));
	if (!maps->state || !maps->own || (config->owners && !maps->marks)) {
		int err = errno ? -errno : -EBADF;

		pair_maps_close(maps);
		return err;
	}
	*ret_maps = maps;
	return 0;
}

void pair_maps_close(struct pair_maps *maps)
{
	if (!maps)
		return;
	if (maps->state)
		munmap(maps->state, (size_t)sysconf(_SC_PAGESIZE));
	if (maps->own)
		munmap(maps->own, maps->own_size);
	if (maps->marks)
		munmap(maps->marks, OWNER_PLACES * sizeof(*maps->marks));
	free(maps);
}

/* Names of groups */

static size_t name_bytes(const struct label_group *group)
{
	return strlen(group->namespace) + strlen(group->region) + 3;
}

static int put_name(int fd, uint32_t number, const struct label_group *group)
{
	size_t bytes = name_bytes(group), parts = (bytes + LABEL_NAME_PART - 1) / LABEL_NAME_PART;
	char *text = calloc(parts, LABEL_NAME_PART);
	int err = 0;

	if (!text)
		return -ENOMEM;
	text[0] = group->external ? '1' : '0';
	strcpy(stpcpy(text + 1, group->namespace) + 1, group->region);
	for (size_t part = parts; part-- && !err;) {
		struct label_name_key key = {number, (uint32_t)part};
		struct label_name name = {.bytes = (uint32_t)bytes};

		memcpy(name.text, text + part * LABEL_NAME_PART, LABEL_NAME_PART);
		err = bpf_map_update_elem(fd, &key, &name, BPF_ANY);
	}
	free(text);
	return err;
}

int pair_maps_name_groups(struct pair_maps *maps, const struct labels *labels)
{
	int err = 0;

	if (maps->names_fd < 0)
		return 0;
	while (!err && maps->names < labels_group_count(labels)) {
		err = put_name(maps->names_fd, maps->names, labels_group(labels, maps->names));
		if (!err)
			maps->names++;
	}
	return err;
}

/* -ENOENT: there are no more. The texts are one allocation, from the namespace on. */
static int get_name(int fd, uint32_t number, struct label_group *ret_group)
{
	struct label_name_key key = {.group = number};
	struct label_name name;
	int err = bpf_map_lookup_elem(fd, &key, &name);
	size_t bytes = name.bytes, parts = (bytes + LABEL_NAME_PART - 1) / LABEL_NAME_PART;
	char *text;

	if (err)
		return err;
	text = calloc(parts + 1, LABEL_NAME_PART); /* ends in zeros, whatever was written */
	if (!text)
		return -ENOMEM;
	for (; key.part < parts && !err; key.part++) {
		err = bpf_map_lookup_elem(fd, &key, &name);
		memcpy(text + key.part * LABEL_NAME_PART, name.text, LABEL_NAME_PART);
	}
	if (err) {
		free(text);
		return err == -ENOENT ? -EBADMSG : err;
	}
	ret_group->external = text[0] == '1';
	memmove(text, text + 1, bytes);
	ret_group->namespace = text;
	ret_group->region = text + strlen(text) + 1;
	return 0;
}

int pair_maps_adopt_names(struct pair_maps *maps, struct labels *labels)
{
	struct label_group *groups = NULL, *larger;
	uint32_t count = 0;
	int err = 0;

	while (maps->names_fd >= 0 && !err) {
		larger = reallocarray(groups, count + 1, sizeof(*groups));
		if (!larger) {
			err = -ENOMEM;
			break;
		}
		groups = larger;
		err = get_name(maps->names_fd, count, &groups[count]);
		count += !err;
	}
	if (!err || err == -ENOENT)
		err = count ? labels_number_after(labels, groups, count) : 0;
	if (!err)
		maps->names = count;
	while (count)
		free((void *)groups[--count].namespace);
	free(groups);
	return err;
}

/* Labels */

struct filling {
	int fd;
	uint32_t first_ports; /* of this generation's half */
};

static int put_prefix(void *context, const struct label_prefix *prefix,
		      const struct label_value *value)
{
	const struct filling *filling = context;
	struct label_value own = *value;

	if (own.ports)
		own.ports += filling->first_ports;
	return bpf_map_update_elem(filling->fd, prefix, &own, BPF_ANY);
}

static int put_ports(const struct pair_maps *maps, const struct labels *labels, uint32_t first)
{
	uint32_t count;
	const struct label_ports *ports = labels_ports(labels, &count);

	if (count > LABEL_PORTS_HALF)
		return -E2BIG;
	for (uint32_t i = 1; i < count; i++) {
		uint32_t at = first + i;
		int err = bpf_map_update_elem(maps->ports_fd, &at, &ports[i], BPF_ANY);

		if (err)
			return err;
	}
	return 0;
}

/* What the generation before the last one left there. */
static int empty_labels(int fd)
{
	struct label_prefix prefix;
	int err = 0;

	while (!err && !bpf_map_get_next_key(fd, NULL, &prefix))
		err = bpf_map_delete_elem(fd, &prefix);
	return err;
}

int pair_maps_set_labels(struct pair_maps *maps, const struct labels *labels)
{
	/* It must fit into a byte of struct flow, and never be 0 there. */
	uint32_t generation = maps->state->generation % 255 + 1;
	struct filling filling = {
		.fd = maps->labels_fd[generation & 1],
		.first_ports = (generation & 1) * LABEL_PORTS_HALF,
	};
	int err;

	/* From 255 to 1 both are odd: one more, and the map in use stays untouched. */
	if ((generation & 1) == (maps->state->generation & 1)) {
		generation++;
		filling.fd = maps->labels_fd[generation & 1];
		filling.first_ports = (generation & 1) * LABEL_PORTS_HALF;
	}
	err = pair_maps_name_groups(maps, labels);
	if (!err)
		err = empty_labels(filling.fd);
	if (!err)
		err = put_ports(maps, labels, filling.first_ports);
	if (!err)
		err = labels_walk(labels, put_prefix, &filling);
	if (!err)
		__atomic_store_n(&maps->state->generation, generation, __ATOMIC_RELEASE);
	return err;
}

/* What the reader counts */

/* As the kernel side does it. */
static uint32_t number_of(struct pair_maps *maps, const struct pair_key *key)
{
	uint32_t number;

	if (!bpf_map_lookup_elem(maps->numbers_fd, key, &number))
		return number;
	number = __atomic_load_n(&maps->state->pairs, __ATOMIC_RELAXED);
	if (number < maps->pairs_max)
		number = __atomic_fetch_add(&maps->state->pairs, 1, __ATOMIC_RELAXED);
	if (number < maps->pairs_max &&
	    !bpf_map_update_elem(maps->numbers_fd, key, &number, BPF_NOEXIST))
		return number;
	if (!bpf_map_lookup_elem(maps->numbers_fd, key, &number))
		return number;
	__atomic_fetch_add(&maps->state->pairs_refused, 1, __ATOMIC_RELAXED);
	return PAIR_OTHER;
}

/* By the labels the kernel side has: this reader may have been given none. */
static uint32_t group_of_address(const struct pair_maps *maps, const struct flow_key *key, uint32_t end)
{
	struct label_prefix prefix = {.bits = 128, .addr = key->addr[end]};
	struct label_ports ports, *some_ports = NULL;
	struct label_value value;
	int fd = maps->labels_fd[maps->state->generation & 1];

	if (bpf_map_lookup_elem(fd, &prefix, &value))
		return labels_group_of(&prefix.addr, 0, NULL, NULL);
	if (value.ports && !bpf_map_lookup_elem(maps->ports_fd, &value.ports, &ports))
		some_ports = &ports;
	return labels_group_of(&prefix.addr, ntohs(key->port_be16[end]), &value, some_ports);
}

/* As the kernel side does it: by whose socket it is, where that is known. */
static uint32_t group_of(const struct pair_maps *maps, const struct flow_key *key, const struct flow *flow,
			 uint32_t end)
{
	struct owner_key owner = {.group = group_of_address(maps, key, end)};
	uint64_t hash = owner_hash(key, end);
	uint32_t cgroup = flow->side[end & 1].cgroup, group;

	if (!maps->marks)
		return owner.group;
	if (!cgroup)
		cgroup = owner_get(&maps->marks[owner_place(hash)], hash);
	if (!cgroup)
		return owner.group;
	if (bpf_map_lookup_elem(maps->owners_fd, &cgroup, &owner.owner)) {
		__atomic_fetch_add(&maps->state->owners_unknown, 1, __ATOMIC_RELAXED);
		return owner.group;
	}
	return bpf_map_lookup_elem(maps->owner_groups_fd, &owner, &group) ? owner.group : group;
}

static uint32_t pair_of(struct pair_maps *maps, const struct flow_key *key, const struct flow *flow)
{
	uint32_t opener = flow->opener & 1;
	struct pair_key pair_key;

	if (flow->counted & COUNTED_WHOLE && flow->pair < maps->pairs_max)
		return flow->pair;
	pair_key = (struct pair_key){group_of(maps, key, flow, opener), group_of(maps, key, flow, !opener)};
	return number_of(maps, &pair_key);
}

static uint64_t name_of_flow(const struct flow_key *key, const struct flow *flow)
{
	const uint8_t *bytes = (const uint8_t *)key;
	uint64_t hash = 0xcbf29ce484222325ull ^ flow->start_ns;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash | 1;
}

static void note_leaving(struct pair_maps *maps, const struct flow_key *key,
			 const struct flow_whole *whole, uint64_t name)
{
	struct pair_reader *note = &maps->own[PAIR_NONE];
	uint32_t number = pair_of(maps, key, &whole->flow);

	__atomic_store_n(&note->leaving, 0, __ATOMIC_SEQ_CST);
	note->counters = maps->own[number].counters;
	note->leaving_pair = number;
	pair_add_leaving(&note->counters, whole, whole->flow.close != CLOSE_OPEN);
	__atomic_store_n(&note->leaving, name, __ATOMIC_SEQ_CST);
}

void pair_maps_leaving(struct pair_maps *maps, const struct flow_key *key,
		       const struct flow_whole *whole)
{
	const struct pair_reader *note = &maps->own[PAIR_NONE];
	uint64_t name = name_of_flow(key, &whole->flow);

	if (whole->flow.secondary)
		return;
	if (note->leaving != name)
		note_leaving(maps, key, whole, name);
	maps->own[note->leaving_pair].counters = note->counters;
}

/* Reading */

struct reading {
	struct pair_maps *maps;
	struct pairs *pairs;
	struct pair_counters *counters; /* one for each CPU, as are these: */
	struct chunk *chunks;           /* of chunk i from i * cpus on */
	uint32_t *chunk_keys;
	uint32_t chunk_count;
};

static int read_counters(struct reading *reading, uint32_t number, struct pair_counters *ret_counters)
{
	struct pair_maps *maps = reading->maps;
	int err = bpf_map_lookup_elem(maps->pairs_fd, &number, reading->counters);

	if (err)
		return err;
	*ret_counters = maps->own[number].counters;
	for (size_t cpu = 0; cpu < maps->cpus; cpu++)
		pair_counters_add(ret_counters, &reading->counters[cpu]);
	return 0;
}

static int read_chunks_one_by_one(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->chunk_count; i++) {
		int err = bpf_map_lookup_elem(reading->maps->chunks_fd, &i,
					      &reading->chunks[i * reading->maps->cpus]);

		if (err)
			return err;
	}
	return 0;
}

/* All that were given out, at once: a million buckets are one call. */
static int read_chunks(struct reading *reading)
{
	struct pair_maps *maps = reading->maps;
	uint32_t used = __atomic_load_n(&maps->state->chunks, __ATOMIC_RELAXED), next, count;
	int err;

	reading->chunk_count = used < maps->chunks_max ? used : maps->chunks_max;
	reading->chunks = calloc((size_t)reading->chunk_count * maps->cpus, sizeof(struct chunk));
	reading->chunk_keys = calloc(reading->chunk_count, sizeof(uint32_t));
	if (!reading->chunks || !reading->chunk_keys)
		return -ENOMEM;
	count = reading->chunk_count;
	err = bpf_map_lookup_batch(maps->chunks_fd, NULL, &next, reading->chunk_keys,
				   reading->chunks, &count, NULL);
	if ((!err || err == -ENOENT) && count == reading->chunk_count)
		return 0;
	return read_chunks_one_by_one(reading);
}

static int read_chunk(struct reading *reading, uint32_t place, uint32_t chunk)
{
	const struct chunk *by_cpu = &reading->chunks[chunk * reading->maps->cpus];
	struct chunk sum = by_cpu[0];

	for (size_t cpu = 1; cpu < reading->maps->cpus; cpu++)
		for (int i = 0; i < CHUNK_BUCKETS; i++)
			sum.count[i] += by_cpu[cpu].count[i];
	return pairs_add_chunk(reading->pairs, place, &sum);
}

/* Has the world been told more? A D-SACK took some back since; a counter must not fall. */
static uint64_t tell_lost_after(struct pair_reader *own, uint64_t lost_after)
{
	if (lost_after > own->lost_after_told)
		own->lost_after_told = lost_after;
	return own->lost_after_told;
}

static int read_pair(struct reading *reading, const struct pair_key *key, uint32_t number)
{
	struct pair_chunks places;
	struct pair_counters counters;
	int err = read_counters(reading, number, &counters);
	struct pair *pair;

	if (!err)
		err = bpf_map_lookup_elem(reading->maps->places_fd, &number, &places);
	if (!err)
		err = pairs_begin(reading->pairs, key->opener, key->responder,
				  number == PAIR_OTHER, &counters);
	for (uint32_t place = 0; place < PAIR_PLACES && !err; place++) {
		uint32_t chunk = number == PAIR_OTHER ? CHUNK_OTHER + place : places.chunk[place];

		/* One that was given out since the chunks were read is in the next reading. */
		if (chunk && chunk < reading->chunk_count)
			err = read_chunk(reading, place, chunk);
	}
	if (err)
		return err;
	pair = &reading->pairs->pairs[reading->pairs->count - 1];
	pair->lost_after = tell_lost_after(&reading->maps->own[number], pair->lost_after);
	return 0;
}

static int read_pairs(struct reading *reading)
{
	struct pair_key key, *previous = NULL, other = {};
	int err = read_chunks(reading);
	uint32_t number;

	if (!err && (reading->pairs->refused || reading->pairs->samples_refused))
		err = read_pair(reading, &other, PAIR_OTHER);
	while (!err && !bpf_map_get_next_key(reading->maps->numbers_fd, previous, &key)) {
		previous = &key;
		err = bpf_map_lookup_elem(reading->maps->numbers_fd, &key, &number);
		if (!err && number < reading->maps->pairs_max)
			err = read_pair(reading, &key, number);
	}
	return err;
}

int pair_maps_read(struct pair_maps *maps, struct pairs *ret_pairs)
{
	struct pairs pairs = {
		.refused = __atomic_load_n(&maps->state->pairs_refused, __ATOMIC_RELAXED),
		.samples_refused = __atomic_load_n(&maps->state->chunks_refused, __ATOMIC_RELAXED),
		.owners_unknown = __atomic_load_n(&maps->state->owners_unknown, __ATOMIC_RELAXED),
		.owners_late = __atomic_load_n(&maps->state->owners_late, __ATOMIC_RELAXED),
	};
	struct reading reading = {
		.maps = maps,
		.pairs = &pairs,
		.counters = calloc(maps->cpus, sizeof(struct pair_counters)),
	};
	int err = reading.counters ? read_pairs(&reading) : -ENOMEM;

	free(reading.counters);
	free(reading.chunks);
	free(reading.chunk_keys);
	if (err)
		pairs_free(&pairs);
	else
		*ret_pairs = pairs;
	return err;
}

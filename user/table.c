/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel side's tables of connections as userspace sees them: sizes, looks, and what is taken out. */
#include "table.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/table.h"

/* Connections to a bucket: with 15 ways the first one that finds no place comes at 12.3 and later. */
#define TABLE_USUAL 12u
/* Small tables are filled less evenly. */
#define TABLE_SPARE 3u

/* Buckets that are copied at once where the table is not shared. */
#define COPIED_BUCKETS 256u

/* Sizes */

static const char *tags_name(const char *name)
{
	return strcmp(name, "flows") ? "half_open_tags" : "flow_tags";
}

static const struct bpf_map *map_of(const struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_by_name(object, name);
}

static uint32_t buckets_for(uint32_t connections)
{
	return connections / TABLE_USUAL + !!(connections % TABLE_USUAL) + TABLE_SPARE;
}

int table_resize(struct bpf_object *object, const char *name, uint32_t connections)
{
	struct bpf_map *tags = bpf_object__find_map_by_name(object, tags_name(name));
	struct bpf_map *places = bpf_object__find_map_by_name(object, name);
	uint32_t buckets = buckets_for(connections);
	int err;

	if (!tags || !places)
		return -ENOENT;
	if (buckets > UINT32_MAX / 2 / TABLE_WAYS)
		return -E2BIG;
	err = bpf_map__set_max_entries(tags, buckets);
	return err ? err : bpf_map__set_max_entries(places, buckets * TABLE_WAYS);
}

uint32_t table_room(const struct bpf_object *object, const char *name, uint32_t asked)
{
	const struct bpf_map *tags = map_of(object, tags_name(name));
	uint32_t buckets = tags ? bpf_map__max_entries(tags) : 0;

	if (buckets == buckets_for(asked))
		return asked;
	return buckets > TABLE_SPARE ? (buckets - TABLE_SPARE) * TABLE_USUAL : 0;
}

static uint64_t bytes_of(const struct bpf_object *object, const char *name, uint64_t buckets)
{
	const struct bpf_map *tags = map_of(object, tags_name(name)), *places = map_of(object, name);

	if (!tags || !places)
		return 0;
	return buckets * (bpf_map__value_size(tags) + TABLE_WAYS * (uint64_t)bpf_map__value_size(places));
}

uint64_t table_bytes(const struct bpf_object *object, const char *name)
{
	const struct bpf_map *tags = map_of(object, tags_name(name));

	return tags ? bytes_of(object, name, bpf_map__max_entries(tags)) : 0;
}

uint64_t table_bytes_for(const struct bpf_object *object, const char *name, uint32_t connections)
{
	return bytes_of(object, name, buckets_for(connections));
}

/* Beginning */

static int draw_seeds(struct table_about *about)
{
	ssize_t len = getrandom(about->seed, sizeof(about->seed), 0);

	if (len != (ssize_t)sizeof(about->seed))
		return len < 0 ? -errno : -EIO;
	return 0;
}

int table_begin(const struct bpf_object *object)
{
	const struct bpf_map *flow_tags = map_of(object, "flow_tags");
	const struct bpf_map *half_open_tags = map_of(object, "half_open_tags");
	const struct bpf_map *tables = map_of(object, "tables");
	struct table_about about = {};
	__u32 zero = 0;
	int err;

	if (!flow_tags || !half_open_tags || !tables)
		return -ENOENT;
	err = bpf_map_lookup_elem(bpf_map__fd(tables), &zero, &about);
	if (err || about.flow_buckets)
		return err;
	err = draw_seeds(&about);
	if (err)
		return err;
	about.flow_buckets = bpf_map__max_entries(flow_tags);
	about.half_open_buckets = bpf_map__max_entries(half_open_tags);
	return bpf_map_update_elem(bpf_map__fd(tables), &zero, &about, BPF_ANY);
}

/* Opening and closing */

static size_t mapped_bytes(uint64_t entries, uint64_t entry_bytes)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	return (entries * entry_bytes + page_bytes - 1) / page_bytes * page_bytes;
}

static int map_memory(int fd, uint64_t entries, uint64_t entry_bytes, void *ret_memory)
{
	void *memory = mmap(NULL, mapped_bytes(entries, entry_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*(void **)ret_memory = memory;
	return 0;
}

static int share(struct table *table)
{
	int err = map_memory(table->tags_fd, table->buckets, sizeof(*table->tags), &table->tags);

	if (err)
		return err;
	return map_memory(table->places_fd, table->buckets * (uint64_t)TABLE_WAYS, table->place_bytes,
			  &table->places);
}

static int make_copies(struct table *table)
{
	table->tags = calloc(COPIED_BUCKETS, sizeof(*table->tags));
	table->places = malloc(table->place_bytes);
	return table->tags && table->places ? 0 : -ENOMEM;
}

/* How many values of that size the array has. 0: it is something else. */
static uint32_t values_of(int fd, uint32_t bytes)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_MAP_TYPE_ARRAY || info.value_size != bytes)
		return 0;
	return info.max_entries;
}

int table_open_fds(struct table *ret_table, int tags_fd, int places_fd, int about_fd, bool is_flows, bool is_shared)
{
	__u32 zero = 0;
	int err;

	*ret_table = (struct table){
		.tags_fd = tags_fd,
		.places_fd = places_fd,
		.is_shared = is_shared,
		.is_flows = is_flows,
		.place_bytes = is_flows ? sizeof(struct flow_place) : sizeof(struct half_open_place),
	};
	if (values_of(about_fd, sizeof(ret_table->about)) != 1 || !values_of(tags_fd, sizeof(struct table_bucket)) ||
	    values_of(places_fd, ret_table->place_bytes) != TABLE_WAYS * values_of(tags_fd, sizeof(struct table_bucket)))
		return -EPROTO; /* another version's */
	err = bpf_map_lookup_elem(about_fd, &zero, &ret_table->about);
	if (err)
		return err;
	ret_table->buckets = values_of(tags_fd, sizeof(struct table_bucket));
	return is_shared ? share(ret_table) : make_copies(ret_table);
}

int table_open(struct table *ret_table, const struct bpf_object *object, const char *name, bool is_shared)
{
	const struct bpf_map *tags = map_of(object, tags_name(name)), *places = map_of(object, name);
	const struct bpf_map *tables = map_of(object, "tables");

	*ret_table = (struct table){};
	if (!tags || !places || !tables)
		return -ENOENT;
	return table_open_fds(ret_table, bpf_map__fd(tags), bpf_map__fd(places), bpf_map__fd(tables),
			      !strcmp(name, "flows"), is_shared);
}

void table_close(struct table *table)
{
	if (table->is_shared) {
		if (table->tags)
			munmap(table->tags, mapped_bytes(table->buckets, sizeof(*table->tags)));
		if (table->places)
			munmap(table->places,
			       mapped_bytes(table->buckets * (uint64_t)TABLE_WAYS, table->place_bytes));
	} else {
		free(table->tags);
		free(table->places);
	}
	*table = (struct table){};
}

/* Looking */

static struct table_head *shared_head(const struct table *table, uint32_t place)
{
	return (struct table_head *)(table->places + (size_t)place * table->place_bytes);
}

/* NULL: it cannot be read. */
static const struct table_head *look_at(struct table *table, uint32_t place)
{
	if (table->is_shared)
		return shared_head(table, place);
	return bpf_map_lookup_elem(table->places_fd, &place, table->places) ? NULL : (void *)table->places;
}

static int walk_bucket(struct table *table, const struct table_bucket *bucket, uint32_t number, table_visit visit,
		       void *context)
{
	for (uint32_t way = 0; way < TABLE_WAYS; way++) {
		uint32_t tag = __atomic_load_n(&bucket->tag[way], __ATOMIC_ACQUIRE);
		const struct table_head *head;
		int err;

		if (!tag)
			continue;
		head = look_at(table, number * TABLE_WAYS + way);
		err = head ? visit(context, head, tag & TABLE_CLOSED) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* The next ones into the copy. */
static int copy_buckets(struct table *table, uint32_t from, uint32_t *ret_count)
{
	uint32_t count = table->buckets - from < COPIED_BUCKETS ? table->buckets - from : COPIED_BUCKETS;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = from + i;
		int err = bpf_map_lookup_elem(table->tags_fd, &number, &table->tags[i]);

		if (err)
			return err;
	}
	*ret_count = count;
	return 0;
}

int table_walk(struct table *table, uint32_t from, uint32_t to, table_visit visit, void *context)
{
	uint32_t first = 0, copied = 0;

	if (to > table->buckets)
		to = table->buckets;
	for (uint32_t number = from; number < to; number++) {
		int err = 0;

		if (!table->is_shared && number >= first + copied) {
			first = number;
			err = copy_buckets(table, first, &copied);
		}
		if (!err)
			err = walk_bucket(table, &table->tags[table->is_shared ? number : number - first], number,
					  visit, context);
		if (err)
			return err;
	}
	return 0;
}

int table_walk_all(struct table *table, table_visit visit, void *context)
{
	return table_walk(table, 0, table->buckets, visit, context);
}

uint64_t table_count(const struct table *table)
{
	uint64_t count = 0;

	for (uint32_t number = 0; number < table->buckets; number++) {
		struct table_bucket copy, *bucket = table->is_shared ? &table->tags[number] : &copy;

		if (!table->is_shared && bpf_map_lookup_elem(table->tags_fd, &number, &copy))
			continue;
		for (uint32_t way = 0; way < TABLE_WAYS; way++)
			count += !!__atomic_load_n(&bucket->tag[way], __ATOMIC_RELAXED);
	}
	return count;
}

static bool is_live(const struct table_head *head, uint32_t *ret_tag)
{
	*ret_tag = __atomic_load_n(&head->live, __ATOMIC_ACQUIRE);
	return *ret_tag && !(*ret_tag & ~TABLE_TAG_BITS);
}

bool table_copy_apart(const struct table *table, const struct table_head *head, struct flow_key *ret_key, void *ret_value)
{
	uint32_t tag, after, place = head->place;

	if (!is_live(head, &tag))
		return false;
	*ret_key = head->key;
	if (table->is_flows)
		*(struct flow *)ret_value = *(const struct flow *)(head + 1);
	else
		*(struct half_open *)ret_value = *(const struct half_open *)(head + 1);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	/* What was looked at is a copy itself: was it whole? */
	if (!table->is_shared && bpf_map_lookup_elem(table->places_fd, &place, table->places))
		return false;
	if (!is_live(head, &after) || after != tag)
		return false;
	/* In between it may have gone, and another come that has the same tag. */
	return !memcmp(ret_key, &head->key, sizeof(*ret_key));
}

bool table_copy(const struct table *table, const struct table_head *head, void *ret_place)
{
	struct table_head *copy = ret_place;

	*copy = *head;
	return table_copy_apart(table, head, &copy->key, copy + 1);
}

bool table_is_live(const struct table_head *head)
{
	uint32_t tag;

	return is_live(head, &tag);
}

struct beside_key table_beside(const struct flow *flow, uint32_t direction)
{
	return table_beside_key(flow, direction);
}

bool table_owns(const struct table *flows, const struct beside_key *beside)
{
	const struct table_head *head = table_place(flows, beside->side / 2);

	return head && table_is_live(head) && ((const struct flow_place *)head)->flow.life == beside->life;
}

static bool find_in(struct table *table, uint32_t number, uint32_t tag, const struct flow_key *key, void *ret_place)
{
	const struct table_bucket *bucket = &table->tags[table->is_shared ? number : 0];

	if (!table->is_shared && bpf_map_lookup_elem(table->tags_fd, &number, table->tags))
		return false;
	for (uint32_t ways = table_alike(bucket, tag); ways; ways &= ways - 1) {
		const struct table_head *head = look_at(table, number * TABLE_WAYS + table_any(ways));

		if (head && table_holds(head, tag, key) && table_copy(table, head, ret_place))
			return true;
	}
	return false;
}

bool table_find(struct table *table, const struct flow_key *key, void *ret_place)
{
	uint32_t buckets = table->is_flows ? table->about.flow_buckets : table->about.half_open_buckets;
	uint64_t hash = table_hash(key, &table->about);
	uint32_t tag = table_tag(hash);

	return find_in(table, table_home(hash, buckets), tag, key, ret_place) ||
	       find_in(table, table_other(hash, buckets), tag, key, ret_place);
}

/* Taking out */

bool table_take(struct table *table, const struct table_head *head)
{
	struct table_head *own = (struct table_head *)head; /* the memory is shared to be written, too */
	uint32_t tag = __atomic_load_n(&own->live, __ATOMIC_ACQUIRE);

	(void)table;
	if (!tag || (tag & ~TABLE_TAG_BITS))
		return false;
	return __atomic_compare_exchange_n(&own->live, &tag, tag | TABLE_READER, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

void table_put_back(const struct table_head *head)
{
	__atomic_and_fetch(&((struct table_head *)head)->live, ~TABLE_READER, __ATOMIC_RELEASE);
}

/* Whoever is killed in between leaves `live` without a tag: then all is done but the last step, or nearly all. */
void table_release(struct table *table, const struct table_head *head)
{
	uint32_t buckets = table->is_flows ? table->about.flow_buckets : table->about.half_open_buckets;
	uint32_t home = table_home(table_hash(&head->key, &table->about), buckets);
	uint32_t bucket = head->place / TABLE_WAYS, way = head->place % TABLE_WAYS;
	uint32_t before = __atomic_exchange_n(&((struct table_head *)head)->live, TABLE_READER, __ATOMIC_ACQ_REL);

	/* Counted too high costs a look; too low, and somebody would not be found. */
	if (bucket != home && (before & TABLE_TAG_BITS))
		__atomic_sub_fetch(&table->tags[home].spilled, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&table->tags[bucket].tag[way], 0, __ATOMIC_RELEASE);
}

const struct table_head *table_place(const struct table *table, uint32_t place)
{
	return place < table->buckets * TABLE_WAYS ? shared_head(table, place) : NULL;
}

bool table_is_taken(const struct table_head *head)
{
	uint32_t live = __atomic_load_n(&head->live, __ATOMIC_ACQUIRE);

	return (live & TABLE_READER) && (live & TABLE_TAG_BITS);
}

bool table_is_released_half(const struct table *table, const struct table_head *head)
{
	uint32_t bucket = head->place / TABLE_WAYS, way = head->place % TABLE_WAYS;

	return __atomic_load_n(&head->live, __ATOMIC_ACQUIRE) == TABLE_READER &&
	       (table->tags[bucket].tag[way] & ~TABLE_CLOSED) == table_tag(table_hash(&head->key, &table->about));
}

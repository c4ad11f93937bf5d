/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for addresses: prefixes become ranges without overlap, and one search finds the range. */
#include "labels.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/labels.h"
#include "geoip.h"
#include "labels_file.h"

#define NONE UINT32_MAX
#define INDEX_BITS_MIN 4
#define INDEX_BITS_MAX 20

typedef unsigned __int128 wide; /* an address as a number */

/* A distinct prefix, with what it says itself and what it leaves to the one around it. */
struct node {
	struct label_prefix prefix;
	uint32_t label; /* index of a rule; NONE: as its kind of address */
	uint32_t ports; /* index of label_ports and port_labels; 0: none */
	bool is_geoip;  /* no file speaks of it */
};

struct port_labels {
	uint32_t label[LABEL_PORTS_MAX];
};

/* Each ends where the next begins. value: NONE, a label, or with HAS_PORTS a node; first a node. */
#define HAS_PORTS (1u << 31)

struct range_ipv4 {
	uint32_t start;
	uint32_t value;
};

struct range_ipv6 {
	wide start;
	uint32_t value;
};

struct ranges {
	union {
		struct range_ipv4 *ipv4;
		struct range_ipv6 *ipv6;
		void *all;
	};
	uint32_t *index; /* by the highest bits of an address: ranges that begin before these */
	uint32_t count;
	uint32_t room;
	unsigned int index_bits;
};

struct table {
	struct labels_file file;
	struct label *labels; /* one for each rule */
	struct node *nodes;
	uint32_t node_count;
	struct label_ports *ports; /* [0] is empty */
	struct port_labels *port_labels;
	uint32_t ports_count;
	uint32_t ports_room;
	struct ranges ipv4;
	struct ranges ipv6;
};

struct groups {
	struct label_group *entries;
	uint32_t *slots; /* hash table of indices, NONE: free */
	uint32_t count;
	uint32_t room;
	uint32_t slot_count; /* a power of two, more than twice count */
};

struct labels {
	char *path;
	const char *const *geoip;
	size_t geoip_count;
	struct table table;
	struct groups groups;
	struct label plain[2]; /* of GROUP_INTERNAL and GROUP_EXTERNAL */
};

/* Groups */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
	} while (*text++);
	return hash;
}

static uint64_t group_hash(const struct label_group *group)
{
	uint64_t hash = hash_text(hash_text(0xcbf29ce484222325ull, group->namespace), group->region);

	return (hash ^ group->external) * 0x9e3779b97f4a7c15ull >> 16;
}

static bool group_equals(const struct label_group *a, const struct label_group *b)
{
	return a->external == b->external && !strcmp(a->namespace, b->namespace) &&
	       !strcmp(a->region, b->region);
}

static uint32_t *groups_slot(const struct groups *groups, const struct label_group *group)
{
	uint32_t at = (uint32_t)group_hash(group) & (groups->slot_count - 1);

	while (groups->slots[at] != NONE &&
	       !group_equals(&groups->entries[groups->slots[at]], group))
		at = (at + 1) & (groups->slot_count - 1);
	return &groups->slots[at];
}

static int groups_grow(struct groups *groups)
{
	uint32_t room = groups->room ? groups->room * 2 : 64;
	struct label_group *entries = reallocarray(groups->entries, room, sizeof(*entries));
	uint32_t *slots;

	if (!entries)
		return -ENOMEM;
	groups->entries = entries;
	slots = malloc(4ull * room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(groups->slots);
	groups->slots = slots;
	groups->slot_count = 4 * room;
	groups->room = room;
	memset(slots, 0xff, 4ull * room * sizeof(*slots));
	for (uint32_t i = 0; i < groups->count; i++)
		*groups_slot(groups, &entries[i]) = i;
	return 0;
}

/* The group of that content, new or not. Texts are copied: they outlive the file they come from. */
static int groups_intern(struct groups *groups, const struct label_group *group, uint32_t *ret_group)
{
	struct label_group copy = {.external = group->external};
	uint32_t *slot;
	int err;

	if (groups->count == groups->room) {
		err = groups_grow(groups);
		if (err)
			return err;
	}
	slot = groups_slot(groups, group);
	if (*slot == NONE) {
		copy.namespace = strdup(group->namespace);
		copy.region = strdup(group->region);
		if (!copy.namespace || !copy.region) {
			free((void *)copy.namespace);
			free((void *)copy.region);
			return -ENOMEM;
		}
		*slot = groups->count;
		groups->entries[groups->count++] = copy;
	}
	*ret_group = *slot;
	return 0;
}

static void groups_close(struct groups *groups)
{
	for (uint32_t i = 0; i < groups->count; i++) {
		free((void *)groups->entries[i].namespace);
		free((void *)groups->entries[i].region);
	}
	free(groups->entries);
	free(groups->slots);
}

/* Numbers of addresses */

static wide prefix_first(const struct label_prefix *prefix)
{
	wide first = 0;

	for (int i = 0; i < 16; i++)
		first = first << 8 | prefix->addr.bytes[i];
	return first;
}

static wide prefix_last(const struct label_prefix *prefix)
{
	wide behind = prefix->bits ? ((wide)1 << (128 - prefix->bits)) - 1 : ~(wide)0;

	return prefix_first(prefix) | (prefix->bits == 128 ? 0 : behind);
}

#define IPV4_FIRST ((wide)0xffff << 32)
#define IPV4_LAST (IPV4_FIRST | 0xffffffffu)

static bool addr_is_ipv4(const struct ip_addr *addr)
{
	return !addr->words_be32[0] && !addr->words_be32[1] &&
	       load_u32(&addr->words_be32[2]) == 0xffff;
}

/* Ranges */

static wide ranges_start(const struct ranges *ranges, uint32_t i, bool is_ipv4)
{
	return is_ipv4 ? ranges->ipv4[i].start : ranges->ipv6[i].start;
}

static uint32_t *ranges_value(const struct ranges *ranges, uint32_t i, bool is_ipv4)
{
	return is_ipv4 ? &ranges->ipv4[i].value : &ranges->ipv6[i].value;
}

static int ranges_grow(struct ranges *ranges, bool is_ipv4)
{
	uint32_t room = ranges->room ? ranges->room * 2 : 64;
	void *all = reallocarray(ranges->all, room,
				 is_ipv4 ? sizeof(*ranges->ipv4) : sizeof(*ranges->ipv6));

	if (!all)
		return -ENOMEM;
	ranges->all = all;
	ranges->room = room;
	return 0;
}

/* From `start` on it is that node's, which overrules who said the same before. */
static int ranges_begin(struct ranges *ranges, wide start, uint32_t node, bool is_ipv4)
{
	uint32_t last = ranges->count - 1;
	int err = 0;

	if (ranges->count && ranges_start(ranges, last, is_ipv4) == start) {
		*ranges_value(ranges, last, is_ipv4) = node;
		return 0;
	}
	if (ranges->count && *ranges_value(ranges, last, is_ipv4) == node)
		return 0;
	if (ranges->count == ranges->room)
		err = ranges_grow(ranges, is_ipv4);
	if (err)
		return err;
	if (is_ipv4)
		ranges->ipv4[ranges->count] = (struct range_ipv4){(uint32_t)start, node};
	else
		ranges->ipv6[ranges->count] = (struct range_ipv6){start, node};
	ranges->count++;
	return 0;
}

/* Nodes in order of their address, the shorter first: those around one another are a stack. */
static int ranges_build(struct ranges *ranges, const struct node *nodes, uint32_t count,
			bool is_ipv4)
{
	wide first = is_ipv4 ? IPV4_FIRST : 0, end = is_ipv4 ? IPV4_LAST : ~(wide)0;
	uint32_t around[130], depth = 0;
	int err = ranges_begin(ranges, 0, NONE, is_ipv4);

	for (uint32_t i = 0; !err && i <= count; i++) {
		while (!err && depth &&
		       (i == count || prefix_last(&nodes[around[depth - 1]].prefix) <
					      prefix_first(&nodes[i].prefix))) {
			wide last = prefix_last(&nodes[around[--depth]].prefix);

			if (last != end)
				err = ranges_begin(ranges, last + 1 - first,
						   depth ? around[depth - 1] : NONE, is_ipv4);
		}
		if (err || i == count)
			break;
		err = ranges_begin(ranges, prefix_first(&nodes[i].prefix) - first, i, is_ipv4);
		around[depth++] = i;
	}
	return err;
}

static int ranges_index(struct ranges *ranges, bool is_ipv4)
{
	unsigned int width = is_ipv4 ? 32 : 128, bits = INDEX_BITS_MIN;
	uint32_t at = 0;

	while (bits < INDEX_BITS_MAX && 1u << bits < ranges->count)
		bits++;
	ranges->index_bits = bits;
	ranges->index = malloc(((1ull << bits) + 1) * sizeof(*ranges->index));
	if (!ranges->index)
		return -ENOMEM;
	for (uint32_t i = 0; i < 1u << bits; i++) {
		while (at < ranges->count &&
		       ranges_start(ranges, at, is_ipv4) < (wide)i << (width - bits))
			at++;
		ranges->index[i] = at;
	}
	ranges->index[1u << bits] = ranges->count;
	return 0;
}

/* The last range that begins at or before the address; the first begins at 0. */
static uint32_t ranges_find_ipv4(const struct ranges *ranges, uint32_t addr)
{
	uint32_t top = addr >> (32 - ranges->index_bits);
	uint32_t low = ranges->index[top], high = ranges->index[top + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ranges->ipv4[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return ranges->ipv4[low - 1].value;
}

static uint32_t ranges_find_ipv6(const struct ranges *ranges, wide addr)
{
	uint32_t top = (uint32_t)(addr >> (128 - ranges->index_bits));
	uint32_t low = ranges->index[top], high = ranges->index[top + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ranges->ipv6[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return ranges->ipv6[low - 1].value;
}

static void ranges_close(struct ranges *ranges)
{
	free(ranges->all);
	free(ranges->index);
}

/* From rules to nodes */

static bool rule_has_port(const struct label_rule *rule)
{
	return rule->port_first || rule->port_last != UINT16_MAX;
}

static int compare_prefixes(const struct label_prefix *a, const struct label_prefix *b)
{
	int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	return order ? order : (int)a->bits - (int)b->bits;
}

/* One prefix's rules together, the narrow ports first, every port last. */
static int by_prefix(const void *x, const void *y, void *context)
{
	const struct label_rule *rules = context;
	const struct label_rule *a = &rules[*(const uint32_t *)x], *b = &rules[*(const uint32_t *)y];
	int order = compare_prefixes(&a->prefix, &b->prefix);

	if (!order)
		order = (a->port_last - a->port_first) - (b->port_last - b->port_first);
	if (!order)
		order = (int)a->port_first - (int)b->port_first;
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

struct building {
	struct table *table;
	const char *path;
	uint32_t *order;
	char *error;
	size_t error_size;
};

static int same_as_before(struct building *building, const struct label_rule *rule,
			  const struct label_rule *previous)
{
	snprintf(building->error, building->error_size,
		 "%s: line %u, column \"prefix\": the same prefix and port as in line %u",
		 building->path, rule->line, previous->line);
	return -EINVAL;
}

static int ports_open(struct table *table, uint32_t *ret_ports)
{
	if (table->ports_count == table->ports_room) {
		uint32_t room = table->ports_room ? table->ports_room * 2 : 16;
		struct label_ports *ports = reallocarray(table->ports, room, sizeof(*ports));
		struct port_labels *labels;

		if (!ports)
			return -ENOMEM;
		table->ports = ports;
		labels = reallocarray(table->port_labels, room, sizeof(*labels));
		if (!labels)
			return -ENOMEM;
		table->port_labels = labels;
		table->ports_room = room;
	}
	*ret_ports = table->ports_count++;
	table->ports[*ret_ports] = (struct label_ports){0};
	return 0;
}

static int ports_add(struct building *building, uint32_t at, const struct label_rule *rule,
		     struct label_port port, uint32_t label)
{
	struct label_ports *ports = &building->table->ports[at];

	if (ports->count == LABEL_PORTS_MAX) {
		snprintf(building->error, building->error_size,
			 "%s: line %u, column \"port\": more than %u port ranges for this prefix, "
			 "those of the prefixes around it included; give some of them to a longer one",
			 building->path, rule->line, LABEL_PORTS_MAX);
		return -EINVAL;
	}
	building->table->port_labels[at].label[ports->count] = label;
	ports->port[ports->count++] = port;
	return 0;
}

/* Rules order[first..end) have one prefix. What they leave open is what the node around says. */
static int make_node(struct building *building, uint32_t first, uint32_t end,
		     const struct node *around, struct node *ret_node)
{
	struct table *table = building->table;
	const struct label_rule *rules = table->file.rules, *previous = NULL, *rule = NULL;
	struct node node = {.prefix = rules[building->order[first]].prefix, .label = NONE};
	uint32_t inherited = around ? around->ports : 0;
	int err = 0;

	for (uint32_t i = first; i < end && !err; i++, previous = rule) {
		uint32_t label = building->order[i];

		rule = &rules[label];
		if (previous && previous->port_first == rule->port_first &&
		    previous->port_last == rule->port_last) {
			if (rule->line == LABEL_LINE_GEOIP)
				continue;
			return same_as_before(building, rule, previous);
		}
		if (!rule_has_port(rule)) {
			node.label = label;
			continue;
		}
		if (!node.ports)
			err = ports_open(table, &node.ports);
		if (!err)
			err = ports_add(building, node.ports, rule,
					(struct label_port){rule->port_first, rule->port_last,
							    table->labels[label].group},
					label);
	}
	if (err || node.label != NONE || !around) {
		*ret_node = node;
		return err;
	}
	node.label = around->label;
	if (inherited && !node.ports) {
		node.ports = inherited;
		inherited = 0;
	}
	for (uint32_t i = 0; inherited && i < table->ports[inherited].count && !err; i++)
		err = ports_add(building, node.ports, rule, table->ports[inherited].port[i],
				table->port_labels[inherited].label[i]);
	*ret_node = node;
	return err;
}

/* IPv6 prefixes do not reach into the part of them where IPv4 is mapped to. */
static bool reaches_into(const struct label_prefix *around, const struct label_prefix *prefix)
{
	return around->bits >= 96 || prefix->bits < 96 || !addr_is_ipv4(&prefix->addr);
}

static int make_nodes(struct building *building)
{
	struct table *table = building->table;
	const struct label_rule *rules = table->file.rules;
	uint32_t around[130], depth = 0, i = 0, end, unused;
	int err = ports_open(table, &unused);

	while (!err && i < table->file.count) {
		const struct label_prefix *prefix = &rules[building->order[i]].prefix;
		const struct node *outer = NULL;
		bool is_geoip;

		for (end = i + 1; end < table->file.count; end++) {
			if (compare_prefixes(&rules[building->order[end]].prefix, prefix))
				break;
		}
		while (depth && prefix_last(&table->nodes[around[depth - 1]].prefix) <
					prefix_first(prefix))
			depth--;
		if (depth && reaches_into(&table->nodes[around[depth - 1]].prefix, prefix))
			outer = &table->nodes[around[depth - 1]];
		is_geoip = rules[building->order[i]].line == LABEL_LINE_GEOIP;
		/* Where the file says something, what a database knows more closely is not asked. */
		if (!is_geoip || !outer || outer->is_geoip) {
			struct node *node = &table->nodes[table->node_count];

			err = make_node(building, i, end, outer, node);
			node->is_geoip = is_geoip;
			around[depth++] = table->node_count++;
		}
		i = end;
	}
	return err;
}

static int make_labels(struct table *table, struct groups *groups)
{
	for (size_t i = 0; i < table->file.count; i++) {
		const struct label_rule *rule = &table->file.rules[i];
		struct label_group group = {rule->namespace, rule->region, rule->external};
		int err = groups_intern(groups, &group, &table->labels[i].group);

		if (err)
			return err;
		table->labels[i].name = rule->name;
		table->labels[i].zone = rule->zone;
	}
	return 0;
}

/* From nodes to what they say, so that a look-up need not visit them. */
static void settle_values(struct table *table, struct ranges *ranges, uint32_t first, bool is_ipv4)
{
	for (uint32_t i = 0; i < ranges->count; i++) {
		uint32_t *value = ranges_value(ranges, i, is_ipv4);
		const struct node *node = &table->nodes[first + (*value == NONE ? 0 : *value)];

		if (*value == NONE)
			continue;
		*value = node->ports ? HAS_PORTS | (first + *value) : node->label;
	}
}

/* Nodes of IPv4 are one run of the order; the prefixes around it belong to both families. */
static int make_ranges(struct table *table)
{
	uint32_t first = 0, last = table->node_count;
	int err;

	while (first < table->node_count &&
	       (prefix_first(&table->nodes[first].prefix) < IPV4_FIRST || table->nodes[first].prefix.bits < 96))
		first++;
	while (last > first && prefix_first(&table->nodes[last - 1].prefix) > IPV4_LAST)
		last--;
	err = ranges_build(&table->ipv6, table->nodes, table->node_count, false);
	if (!err)
		err = ranges_build(&table->ipv4, table->nodes + first, last - first, true);
	if (!err) {
		settle_values(table, &table->ipv6, 0, false);
		settle_values(table, &table->ipv4, first, true);
		err = ranges_index(&table->ipv4, true);
	}
	return err ? err : ranges_index(&table->ipv6, false);
}

static void table_close(struct table *table)
{
	ranges_close(&table->ipv4);
	ranges_close(&table->ipv6);
	free(table->labels);
	free(table->nodes);
	free(table->ports);
	free(table->port_labels);
	labels_file_close(&table->file);
	*table = (struct table){0};
}

static int table_build(struct building *building, struct groups *groups)
{
	struct table *table = building->table;
	size_t count = table->file.count;
	int err = -ENOMEM;

	table->labels = calloc(count + 1, sizeof(*table->labels));
	table->nodes = calloc(count + 1, sizeof(*table->nodes));
	building->order = calloc(count + 1, sizeof(*building->order));
	if (table->labels && table->nodes && building->order) {
		for (uint32_t i = 0; i < count; i++)
			building->order[i] = i;
		qsort_r(building->order, count, sizeof(*building->order), by_prefix,
			table->file.rules);
		err = make_labels(table, groups);
	}
	if (!err)
		err = make_nodes(building);
	if (!err)
		err = make_ranges(table);
	free(building->order);
	if (err == -ENOMEM)
		snprintf(building->error, building->error_size, "%s: does not fit into memory",
			 building->path);
	return err;
}

static int table_open(struct table *ret_table, struct labels *labels, char *error, size_t error_size)
{
	const char *path = labels->path;
	struct table table = {0};
	struct building building = {.table = &table, .path = path ? path : "labels",
				    .error = error, .error_size = error_size};
	int err = path ? labels_file_read(&table.file, path, error, error_size) : 0;

	if (!err && labels->geoip_count)
		err = geoip_read(&table.file, labels->geoip, labels->geoip_count, error, error_size);
	if (!err)
		err = table_build(&building, &labels->groups);
	if (err)
		table_close(&table);
	else
		*ret_table = table;
	return err;
}

/* Public */

static int open_plain_groups(struct labels *labels)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct label_group group = {"", "", i == GROUP_EXTERNAL};
		int err = groups_intern(&labels->groups, &group, &labels->plain[i].group);

		if (err)
			return err;
		labels->plain[i].name = labels->plain[i].zone = "";
	}
	return 0;
}

int labels_open(struct labels **ret_labels, const char *path, char *error, size_t error_size)
{
	return labels_open_geoip(ret_labels, path, NULL, 0, error, error_size);
}

int labels_open_geoip(struct labels **ret_labels, const char *path, const char *const *geoip, size_t geoip_count,
		      char *error, size_t error_size)
{
	struct labels *labels = calloc(1, sizeof(*labels));
	int err = -ENOMEM;

	if (labels) {
		labels->geoip = geoip;
		labels->geoip_count = geoip_count;
		labels->path = path ? strdup(path) : NULL;
		err = path && !labels->path ? -ENOMEM : open_plain_groups(labels);
	}
	if (err)
		snprintf(error, error_size, "labels: %s", strerror(-err));
	else
		err = table_open(&labels->table, labels, error, error_size);
	if (err)
		labels_close(labels);
	else
		*ret_labels = labels;
	return err;
}

int labels_reload(struct labels *labels, char *error, size_t error_size)
{
	struct table table;
	int err = table_open(&table, labels, error, error_size);

	if (err)
		return err;
	table_close(&labels->table);
	labels->table = table;
	return 0;
}

static void renumber(struct labels *labels, const uint32_t *number)
{
	struct table *table = &labels->table;

	for (size_t i = 0; i < table->file.count; i++)
		table->labels[i].group = number[table->labels[i].group];
	for (uint32_t i = 0; i < table->ports_count; i++)
		for (uint32_t j = 0; j < table->ports[i].count; j++)
			table->ports[i].port[j].group = number[table->ports[i].port[j].group];
	for (int i = 0; i < 2; i++)
		labels->plain[i].group = number[labels->plain[i].group];
}

int labels_number_after(struct labels *labels, const struct label_group *before, uint32_t count)
{
	struct groups groups = {0}, *old = &labels->groups;
	uint32_t *number = calloc(old->count, sizeof(*number)), unused;
	int err = number ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !err; i++)
		err = groups_intern(&groups, &before[i], &unused);
	for (uint32_t i = 0; i < old->count && !err; i++)
		err = groups_intern(&groups, &old->entries[i], &number[i]);
	if (!err) {
		renumber(labels, number);
		groups_close(old);
		*old = groups;
	} else {
		groups_close(&groups);
	}
	free(number);
	return err;
}

void labels_close(struct labels *labels)
{
	if (!labels)
		return;
	table_close(&labels->table);
	groups_close(&labels->groups);
	free(labels->path);
	free(labels);
}

struct labels *labels_groups_now(const struct labels *labels)
{
	struct labels *copy = calloc(1, sizeof(*copy));
	size_t bytes = labels->groups.count * sizeof(*labels->groups.entries);

	if (!copy)
		return NULL;
	copy->groups.count = labels->groups.count;
	copy->groups.entries = malloc(bytes);
	if (!copy->groups.entries) {
		free(copy);
		return NULL;
	}
	memcpy(copy->groups.entries, labels->groups.entries, bytes);
	return copy;
}

void labels_groups_free(struct labels *groups)
{
	if (groups)
		free(groups->groups.entries);
	free(groups);
}

bool labels_has_file(const struct labels *labels)
{
	return labels->path || labels->geoip_count;
}

const char *labels_path(const struct labels *labels)
{
	return labels->path ? labels->path : labels->geoip_count ? labels->geoip[0] : "labels";
}

uint32_t labels_prefix_count(const struct labels *labels)
{
	return labels->table.node_count;
}

static uint32_t find_value(const struct table *table, const struct ip_addr *addr)
{
	wide number;

	if (addr_is_ipv4(addr))
		return ranges_find_ipv4(&table->ipv4, load_u32(&addr->words_be32[3]));
	number = (wide)load_u32(&addr->words_be32[0]) << 96 |
		 (wide)load_u32(&addr->words_be32[1]) << 64 |
		 (wide)load_u32(&addr->words_be32[2]) << 32 | load_u32(&addr->words_be32[3]);
	return ranges_find_ipv6(&table->ipv6, number);
}

static uint32_t find_port(const struct table *table, const struct node *node, uint16_t port)
{
	const struct label_ports *ports = &table->ports[node->ports];

	for (uint32_t i = 0; i < ports->count; i++) {
		if (port >= ports->port[i].first && port <= ports->port[i].last)
			return table->port_labels[node->ports].label[i];
	}
	return node->label;
}

const struct label *labels_find(const struct labels *labels, const struct ip_addr *addr,
				uint16_t port)
{
	const struct table *table = &labels->table;
	uint32_t label = find_value(table, addr);

	if (label != NONE && label & HAS_PORTS)
		label = find_port(table, &table->nodes[label & ~HAS_PORTS], port);
	if (label == NONE)
		return &labels->plain[labels_is_internal(addr) ? GROUP_INTERNAL : GROUP_EXTERNAL];
	return &table->labels[label];
}

const struct label_group *labels_group(const struct labels *labels, uint32_t group)
{
	return &labels->groups.entries[group < labels->groups.count ? group : GROUP_EXTERNAL];
}

int labels_group_within(struct labels *labels, uint32_t group, const char *namespace, uint32_t *ret_group)
{
	struct label_group other = *labels_group(labels, group);

	other.namespace = namespace;
	return groups_intern(&labels->groups, &other, ret_group);
}

uint32_t labels_group_count(const struct labels *labels)
{
	return labels->groups.count;
}

int labels_walk(const struct labels *labels, labels_prefix_fn visit, void *context)
{
	static const struct label_prefix ipv4 = {96, {.bytes = {[10] = 0xff, [11] = 0xff}}};
	static const struct label_value unnamed = {.group = GROUP_UNNAMED};
	const struct table *table = &labels->table;
	int err = table->node_count ? visit(context, &ipv4, &unnamed) : 0;

	for (uint32_t i = 0; i < table->node_count && !err; i++) {
		const struct node *node = &table->nodes[i];
		struct label_value value = {.group = GROUP_UNNAMED, .ports = node->ports};

		if (node->label != NONE)
			value.group = table->labels[node->label].group;
		err = visit(context, &node->prefix, &value);
	}
	return err;
}

const struct label_ports *labels_ports(const struct labels *labels, uint32_t *ret_count)
{
	*ret_count = labels->table.ports_count;
	return labels->table.ports;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for addresses: rules become nodes, these ranges, and one search finds whose an address is. */
#include "labels.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/labels.h"
#include "geoip.h"
#include "label_groups.h"
#include "label_ranges.h"
#include "labels_file.h"

struct port_labels {
	uint32_t label[LABEL_PORTS_MAX];
};

/* The value of a range: a label, or with HAS_PORTS a node; LABEL_NONE: no prefix. */
#define HAS_PORTS (1u << 31)

struct table {
	struct labels_file file;
	struct label *labels; /* one for each rule */
	struct label_node *nodes;
	uint32_t node_count;
	struct label_ports *ports; /* [0] is empty */
	struct port_labels *port_labels;
	uint32_t ports_count;
	uint32_t ports_room;
	struct label_ranges ipv4;
	struct label_ranges ipv6;
};

struct labels {
	char *path;
	const char *const *geoip;
	size_t geoip_count;
	struct table table;
	struct label_groups groups;
	struct label plain[2]; /* of GROUP_INTERNAL and GROUP_EXTERNAL */
};

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
		     const struct label_node *around, struct label_node *ret_node)
{
	struct table *table = building->table;
	const struct label_rule *rules = table->file.rules, *previous = NULL, *rule = NULL;
	struct label_node node = {.prefix = rules[building->order[first]].prefix, .label = LABEL_NONE};
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
	if (err || node.label != LABEL_NONE || !around) {
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
	return around->bits >= 96 || prefix->bits < 96 || !label_addr_is_ipv4(&prefix->addr);
}

static int make_nodes(struct building *building)
{
	struct table *table = building->table;
	const struct label_rule *rules = table->file.rules;
	uint32_t around[130], depth = 0, i = 0, end, unused;
	int err = ports_open(table, &unused);

	while (!err && i < table->file.count) {
		const struct label_prefix *prefix = &rules[building->order[i]].prefix;
		const struct label_node *outer = NULL;
		bool is_geoip;

		for (end = i + 1; end < table->file.count; end++) {
			if (compare_prefixes(&rules[building->order[end]].prefix, prefix))
				break;
		}
		while (depth && label_prefix_last(&table->nodes[around[depth - 1]].prefix) <
					label_prefix_first(prefix))
			depth--;
		if (depth && reaches_into(&table->nodes[around[depth - 1]].prefix, prefix))
			outer = &table->nodes[around[depth - 1]];
		is_geoip = rules[building->order[i]].line == LABEL_LINE_GEOIP;
		/* Where the file says something, what a database knows more closely is not asked. */
		if (!is_geoip || !outer || outer->is_geoip) {
			struct label_node *node = &table->nodes[table->node_count];

			err = make_node(building, i, end, outer, node);
			node->is_geoip = is_geoip;
			around[depth++] = table->node_count++;
		}
		i = end;
	}
	return err;
}

static int make_labels(struct table *table, struct label_groups *groups)
{
	for (size_t i = 0; i < table->file.count; i++) {
		const struct label_rule *rule = &table->file.rules[i];
		struct label_group group = {rule->namespace, rule->region, rule->external};
		int err = label_groups_intern(groups, &group, &table->labels[i].group);

		if (err)
			return err;
		table->labels[i].name = rule->name;
		table->labels[i].zone = rule->zone;
	}
	return 0;
}

/* From nodes to what they say, so that a look-up need not visit them. */
static void settle_values(struct table *table, struct label_ranges *ranges, uint32_t first, bool is_ipv4)
{
	for (uint32_t i = 0; i < ranges->count; i++) {
		uint32_t *value = label_ranges_value(ranges, i, is_ipv4);
		const struct label_node *node = &table->nodes[first + (*value == LABEL_NONE ? 0 : *value)];

		if (*value == LABEL_NONE)
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
	       (label_prefix_first(&table->nodes[first].prefix) < IPV4_FIRST || table->nodes[first].prefix.bits < 96))
		first++;
	while (last > first && label_prefix_first(&table->nodes[last - 1].prefix) > IPV4_LAST)
		last--;
	err = label_ranges_build(&table->ipv6, table->nodes, table->node_count, false);
	if (!err)
		err = label_ranges_build(&table->ipv4, table->nodes + first, last - first, true);
	if (!err) {
		settle_values(table, &table->ipv6, 0, false);
		settle_values(table, &table->ipv4, first, true);
		err = label_ranges_index(&table->ipv4, true);
	}
	return err ? err : label_ranges_index(&table->ipv6, false);
}

static void table_close(struct table *table)
{
	label_ranges_close(&table->ipv4);
	label_ranges_close(&table->ipv6);
	free(table->labels);
	free(table->nodes);
	free(table->ports);
	free(table->port_labels);
	labels_file_close(&table->file);
	*table = (struct table){0};
}

static int table_build(struct building *building, struct label_groups *groups)
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
		int err = label_groups_intern(&labels->groups, &group, &labels->plain[i].group);

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
	struct label_groups groups = {0}, *old = &labels->groups;
	uint32_t *number = calloc(old->count, sizeof(*number)), unused;
	int err = number ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !err; i++)
		err = label_groups_intern(&groups, &before[i], &unused);
	for (uint32_t i = 0; i < old->count && !err; i++)
		err = label_groups_intern(&groups, &old->entries[i], &number[i]);
	if (!err) {
		renumber(labels, number);
		label_groups_close(old);
		*old = groups;
	} else {
		label_groups_close(&groups);
	}
	free(number);
	return err;
}

void labels_close(struct labels *labels)
{
	if (!labels)
		return;
	table_close(&labels->table);
	label_groups_close(&labels->groups);
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

	if (label_addr_is_ipv4(addr))
		return label_ranges_find_ipv4(&table->ipv4, load_u32(&addr->words_be32[3]));
	number = (wide)load_u32(&addr->words_be32[0]) << 96 |
		 (wide)load_u32(&addr->words_be32[1]) << 64 |
		 (wide)load_u32(&addr->words_be32[2]) << 32 | load_u32(&addr->words_be32[3]);
	return label_ranges_find_ipv6(&table->ipv6, number);
}

static uint32_t find_port(const struct table *table, const struct label_node *node, uint16_t port)
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

	if (label != LABEL_NONE && label & HAS_PORTS)
		label = find_port(table, &table->nodes[label & ~HAS_PORTS], port);
	if (label == LABEL_NONE)
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
	return label_groups_intern(&labels->groups, &other, ret_group);
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
		const struct label_node *node = &table->nodes[i];
		struct label_value value = {.group = GROUP_UNNAMED, .ports = node->ports};

		if (node->label != LABEL_NONE)
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

/* SPDX-License-Identifier: GPL-2.0-only */
/* Regions and networks of public addresses, from MaxMind databases, as rules of labels. */
#include "geoip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 64

struct database {
	const char *path;
	MMDB_s mmdb;
};

struct reading {
	struct labels_file *file;
	struct database databases[GEOIP_FILES_MAX];
	size_t count;
	const struct database *walked;
	uint32_t visited; /* of its nodes */
	char *error;
	size_t error_size;
};

/* Texts */

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	while (*text)
		hash = (hash ^ (uint8_t)*text++) * 0x100000001b3ull;
	return hash;
}

static int grow_texts(struct labels_file *file)
{
	size_t slots = file->text_slots ? file->text_slots * 2 : 1024;
	char **texts = calloc(slots, sizeof(*texts));

	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < file->text_slots; i++) {
		size_t at;

		if (!file->texts[i])
			continue;
		at = hash_text(file->texts[i]) & (slots - 1);
		while (texts[at])
			at = (at + 1) & (slots - 1);
		texts[at] = file->texts[i];
	}
	free(file->texts);
	file->texts = texts;
	file->text_slots = slots;
	return 0;
}

/* Few texts, of millions of networks: each is kept once. NULL: no memory. */
static const char *keep_text(struct labels_file *file, const char *text)
{
	size_t at;

	if (file->text_count * 2 >= file->text_slots && grow_texts(file))
		return NULL;
	at = hash_text(text) & (file->text_slots - 1);
	while (file->texts[at] && strcmp(file->texts[at], text))
		at = (at + 1) & (file->text_slots - 1);
	if (!file->texts[at]) {
		file->texts[at] = strdup(text);
		file->text_count += file->texts[at] != NULL;
	}
	return file->texts[at];
}

/* What a record says */

static bool get_text(MMDB_entry_s *entry, char *ret_text, size_t size, const char *const *path)
{
	MMDB_entry_data_s data;

	if (MMDB_aget_value(entry, &data, path) || !data.has_data ||
	    data.type != MMDB_DATA_TYPE_UTF8_STRING || !data.data_size || data.data_size >= size)
		return false;
	memcpy(ret_text, data.utf8_string, data.data_size);
	ret_text[data.data_size] = '\0';
	return true;
}

static void add_region(MMDB_entry_s *entry, char region[TEXT_MAX])
{
	static const char *const country[] = {"country", "iso_code", NULL};
	static const char *const registered[] = {"registered_country", "iso_code", NULL};
	static const char *const continent[] = {"continent", "code", NULL};
	static const char *const subdivision[] = {"subdivisions", "0", "iso_code", NULL};
	char part[TEXT_MAX / 2 - 2];
	bool is_country = get_text(entry, part, sizeof(part), country);

	if (!is_country && !get_text(entry, part, sizeof(part), registered) &&
	    !get_text(entry, part, sizeof(part), continent))
		return;
	strcpy(region, part);
	if (is_country && get_text(entry, part, sizeof(part), subdivision)) {
		strcat(region, "-");
		strcat(region, part);
	}
}

static void add_system(MMDB_entry_s *entry, char namespace[TEXT_MAX])
{
	static const char *const number[] = {"autonomous_system_number", NULL};
	MMDB_entry_data_s data;

	if (!MMDB_aget_value(entry, &data, number) && data.has_data && data.type == MMDB_DATA_TYPE_UINT32)
		snprintf(namespace, TEXT_MAX, "AS%u", data.uint32);
}

/* Networks */

/* What another database says of all of this network: what it divides, its own walk adds. */
static bool find_around(const struct database *database, const struct label_prefix *prefix,
			MMDB_entry_s *ret_entry)
{
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	bool is_ipv4 = prefix->bits >= 96 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)&prefix->addr);
	MMDB_lookup_result_s found;
	uint32_t bits;
	int err;

	memcpy(&ipv6.sin6_addr, &prefix->addr, sizeof(ipv6.sin6_addr));
	memcpy(&ipv4.sin_addr, prefix->addr.bytes + 12, sizeof(ipv4.sin_addr));
	if (!is_ipv4 && database->mmdb.metadata.ip_version == 4)
		return false;
	found = MMDB_lookup_sockaddr(&database->mmdb, is_ipv4 ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6,
				     &err);
	if (err || !found.found_entry)
		return false;
	/* A database of IPv4 alone counts from the first bit of the IPv4 address. */
	bits = found.netmask + (database->mmdb.metadata.ip_version == 4 ? 96 : 0);
	*ret_entry = found.entry;
	return bits <= prefix->bits;
}

static int add_rule(struct labels_file *file, const struct label_rule *rule)
{
	if (file->count == file->room) {
		size_t room = file->room ? file->room * 2 : 1024;
		struct label_rule *larger = reallocarray(file->rules, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		file->rules = larger;
		file->room = room;
	}
	file->rules[file->count++] = *rule;
	return 0;
}

static int add_network(struct reading *reading, const struct label_prefix *prefix, MMDB_entry_s *entry)
{
	char region[TEXT_MAX] = "", namespace[TEXT_MAX] = "";
	struct label_rule rule = {
		.prefix = *prefix,
		.port_last = UINT16_MAX,
		.line = LABEL_LINE_GEOIP,
		.name = "",
		.zone = "",
		.external = true,
	};

	add_region(entry, region);
	add_system(entry, namespace);
	for (size_t i = 0; i < reading->count; i++) {
		MMDB_entry_s other;

		if (&reading->databases[i] == reading->walked ||
		    !find_around(&reading->databases[i], prefix, &other))
			continue;
		if (!*region)
			add_region(&other, region);
		if (!*namespace)
			add_system(&other, namespace);
	}
	if (!*region && !*namespace)
		return 0;
	rule.region = keep_text(reading->file, region);
	rule.namespace = keep_text(reading->file, namespace);
	if (!rule.region || !rule.namespace)
		return -ENOMEM;
	return add_rule(reading->file, &rule);
}

/* IPv4 lies in ::/96 there, and in ::ffff:0:0/96 here. */
static struct label_prefix prefix_of(const struct database *database, const uint8_t bytes[16], uint32_t bits)
{
	struct label_prefix prefix = {.bits = bits};

	memcpy(prefix.addr.bytes, bytes, 16);
	if (database->mmdb.metadata.ip_version == 4) {
		memmove(prefix.addr.bytes + 12, prefix.addr.bytes, 4);
		memset(prefix.addr.bytes, 0, 12);
		prefix.bits += 96;
	}
	if (prefix.bits >= 96 && !memcmp(prefix.addr.bytes, "\0\0\0\0\0\0\0\0\0\0\0", 12))
		prefix.addr.bytes[10] = prefix.addr.bytes[11] = 0xff;
	return prefix;
}

static int damaged(struct reading *reading)
{
	snprintf(reading->error, reading->error_size, "%s: damaged: its tree leads nowhere; fetch it again",
		 reading->walked->path);
	return -EBADMSG;
}

static int walk(struct reading *reading, uint32_t node_number, uint8_t bytes[16], uint32_t depth);

static int walk_record(struct reading *reading, uint64_t record, uint8_t type, MMDB_entry_s *entry,
		       uint8_t bytes[16], uint32_t depth)
{
	static const uint8_t zeros[12];
	const MMDB_s *mmdb = &reading->walked->mmdb;
	struct label_prefix prefix;

	switch (type) {
	case MMDB_RECORD_TYPE_EMPTY:
		return 0;
	case MMDB_RECORD_TYPE_DATA:
		prefix = prefix_of(reading->walked, bytes, depth);
		return add_network(reading, &prefix, entry);
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		/* 6to4, Teredo and mapped addresses lead to the same networks of IPv4 once more. */
		if (mmdb->metadata.ip_version == 6 && record == mmdb->ipv4_start_node.node_value &&
		    mmdb->ipv4_start_node.netmask == 96 && (depth != 96 || memcmp(bytes, zeros, 12)))
			return 0;
		return walk(reading, (uint32_t)record, bytes, depth);
	default:
		return damaged(reading);
	}
}

static int walk(struct reading *reading, uint32_t node_number, uint8_t bytes[16], uint32_t depth)
{
	const MMDB_s *mmdb = &reading->walked->mmdb;
	MMDB_search_node_s node;
	int err;

	/* In a tree each is come by once. */
	if (++reading->visited > mmdb->metadata.node_count || depth >= (mmdb->metadata.ip_version == 4 ? 32 : 128) ||
	    MMDB_read_node(mmdb, node_number, &node))
		return damaged(reading);
	err = walk_record(reading, node.left_record, node.left_record_type, &node.left_record_entry, bytes,
			  depth + 1);
	if (err)
		return err;
	bytes[depth / 8] |= (uint8_t)(0x80 >> depth % 8);
	err = walk_record(reading, node.right_record, node.right_record_type, &node.right_record_entry, bytes,
			  depth + 1);
	bytes[depth / 8] &= (uint8_t)~(0x80 >> depth % 8);
	return err;
}

/* Public */

static int open_databases(struct reading *reading, const char *const *paths, size_t count)
{
	for (size_t i = 0; i < count && i < GEOIP_FILES_MAX; i++) {
		struct database *database = &reading->databases[i];
		int status = MMDB_open(paths[i], MMDB_MODE_MMAP, &database->mmdb);

		if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR) {
			snprintf(reading->error, reading->error_size, "%s: cannot be read: %s", paths[i],
				 strerror(errno));
			return -EINVAL;
		}
		if (status) {
			snprintf(reading->error, reading->error_size,
				 "%s: not a MaxMind database: %s; fetch it again", paths[i],
				 MMDB_strerror(status));
			return status == MMDB_OUT_OF_MEMORY_ERROR ? -ENOMEM : -EINVAL;
		}
		database->path = paths[i];
		reading->count++;
	}
	return 0;
}

int geoip_read(struct labels_file *file, const char *const *paths, size_t count, char *error,
	       size_t error_size)
{
	struct reading reading = {.file = file, .error = error, .error_size = error_size};
	int err = open_databases(&reading, paths, count);

	for (size_t i = 0; i < reading.count && !err; i++) {
		uint8_t bytes[16] = {0};

		reading.walked = &reading.databases[i];
		reading.visited = 0;
		err = walk(&reading, 0, bytes, 0);
		if (err == -ENOMEM)
			snprintf(error, error_size, "%s: does not fit into memory", paths[i]);
	}
	for (size_t i = 0; i < reading.count; i++)
		MMDB_close(&reading.databases[i].mmdb);
	return err;
}

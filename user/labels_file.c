/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads label files: CSV after RFC 4180, and a sentence with line and column for what is wrong. */
#include "labels_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/labels.h"
#include "escape.h"

#define FIELDS_MAX 64
#define FIELD_BYTES_MAX (64 * 1024)
#define FILE_BYTES_MAX (4ull << 30)
#define EVERY_PORT 65535

enum column {
	COLUMN_PREFIX,
	COLUMN_NAME,
	COLUMN_NAMESPACE,
	COLUMN_REGION,
	COLUMN_ZONE,
	COLUMN_EXTERNAL,
	COLUMN_PORT,
	COLUMN_COUNT,
	COLUMN_UNKNOWN = COLUMN_COUNT,
};

/* Our own names first; then those of akvorado's network table and of netobserv's subnets and flows. */
static const struct {
	const char *name;
	enum column column;
} column_names[] = {
	{"prefix", COLUMN_PREFIX},
	{"network", COLUMN_PREFIX},
	{"cidr", COLUMN_PREFIX},
	{"cidrs", COLUMN_PREFIX},
	{"subnet", COLUMN_PREFIX},
	{"name", COLUMN_NAME},
	{"subnetlabel", COLUMN_NAME},
	{"k8s_name", COLUMN_NAME},
	{"namespace", COLUMN_NAMESPACE},
	{"tenant", COLUMN_NAMESPACE},
	{"k8s_namespace", COLUMN_NAMESPACE},
	{"region", COLUMN_REGION},
	{"zone", COLUMN_ZONE},
	{"site", COLUMN_ZONE},
	{"k8s_zone", COLUMN_ZONE},
	{"external", COLUMN_EXTERNAL},
	{"port", COLUMN_PORT},
	{"ports", COLUMN_PORT},
};

struct parser {
	const char *path;
	char *at;
	char *end;
	uint32_t line;       /* of the row being read */
	uint32_t lines_read; /* a quoted field may hold line ends */
	enum column columns[FIELDS_MAX];
	size_t column_count;
	const char *names[COLUMN_COUNT]; /* as this file calls them, for sentences */
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 3, 4))) static int complain(struct parser *parser, const char *column,
							  const char *format, ...)
{
	va_list args;
	int len;

	if (column)
		len = snprintf(parser->error, parser->error_size, "%s: line %u, column \"%s\": ",
			       parser->path, parser->line, column);
	else
		len = snprintf(parser->error, parser->error_size, "%s: line %u: ", parser->path,
			       parser->line);
	if (len < 0 || (size_t)len >= parser->error_size)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(parser->error + len, parser->error_size - (size_t)len, format, args);
	va_end(args);
	return -EINVAL;
}

/* Fields */

/* RFC 4180, 2.5 to 2.7. Unquoted in place; *ret_last says that the row ends behind it. */
static int read_quoted(struct parser *parser, char **ret_field)
{
	char *to = ++parser->at;

	*ret_field = to;
	for (;;) {
		if (parser->at == parser->end)
			return complain(parser, NULL, "a quote is opened and never closed");
		if (*parser->at == '\n')
			parser->lines_read++;
		if (*parser->at == '"') {
			if (parser->at + 1 == parser->end || parser->at[1] != '"')
				break;
			parser->at++;
		}
		*to++ = *parser->at++;
	}
	parser->at++;
	*to = '\0'; /* at the closing quote at the latest */
	return 0;
}

static char *read_plain(struct parser *parser)
{
	char *field = parser->at;

	while (parser->at < parser->end && *parser->at != ',' && *parser->at != '\n' &&
	       *parser->at != '\r')
		parser->at++;
	return field;
}

/* Reads one field and the separator behind it. */
static int read_field(struct parser *parser, char **ret_field, bool *ret_last)
{
	bool quoted = parser->at < parser->end && *parser->at == '"';
	char *end;
	int err;

	if (quoted) {
		err = read_quoted(parser, ret_field);
		if (err)
			return err;
	} else {
		*ret_field = read_plain(parser);
	}
	end = parser->at;
	*ret_last = true;
	if (parser->at < parser->end && *parser->at == '\r')
		parser->at++;
	if (parser->at < parser->end && *parser->at == ',') {
		if (end != parser->at)
			return complain(parser, NULL, "a carriage return inside the line");
		*ret_last = false;
		parser->at++;
	} else if (parser->at < parser->end && *parser->at == '\n') {
		parser->at++;
		parser->lines_read++;
	} else if (parser->at < parser->end) {
		return complain(parser, NULL, "text between a closing quote and the next comma");
	}
	if (!quoted)
		*end = '\0'; /* over the separator; the file has one byte more for the last */
	return 0;
}

static int read_row(struct parser *parser, char **ret_fields, size_t *ret_count)
{
	bool is_last = false;
	size_t count = 0;
	int err;

	parser->line = parser->lines_read + 1;
	while (!is_last) {
		if (count == FIELDS_MAX)
			return complain(parser, NULL, "more than %d columns", FIELDS_MAX);
		err = read_field(parser, &ret_fields[count++], &is_last);
		if (err)
			return err;
	}
	*ret_count = count;
	return 0;
}

/* Blank lines, and lines that begin with #, are for people. */
static void skip_remarks(struct parser *parser)
{
	while (parser->at < parser->end) {
		char first = *parser->at;

		if (first != '#' && first != '\n' && first != '\r')
			return;
		while (parser->at < parser->end && *parser->at != '\n')
			parser->at++;
		if (parser->at < parser->end) {
			parser->at++;
			parser->lines_read++;
		}
	}
}

/* Values */

static enum column column_of(const char *name)
{
	for (size_t i = 0; i < sizeof(column_names) / sizeof(*column_names); i++) {
		if (!strcasecmp(column_names[i].name, name))
			return column_names[i].column;
	}
	return COLUMN_UNKNOWN;
}

static int read_header(struct parser *parser)
{
	char *fields[FIELDS_MAX];
	int err;

	skip_remarks(parser);
	if (parser->at == parser->end)
		return complain(parser, NULL,
				"nothing in it; the first line names the columns, as in "
				"prefix,name,namespace,region,zone,external");
	err = read_row(parser, fields, &parser->column_count);
	if (err)
		return err;
	for (size_t i = 0; i < parser->column_count; i++) {
		enum column column = column_of(fields[i]);

		parser->columns[i] = column;
		if (column == COLUMN_UNKNOWN)
			continue;
		if (parser->names[column])
			return complain(parser, fields[i], "means the same as column \"%s\"",
					parser->names[column]);
		parser->names[column] = fields[i];
	}
	if (!parser->names[COLUMN_PREFIX])
		return complain(parser, NULL,
				"no column is called prefix; the first line names the columns, as "
				"in prefix,name,namespace,region,zone,external");
	return 0;
}

static bool parse_decimal(const char *text, const char *end, uint32_t max, uint32_t *ret_number)
{
	uint32_t number = 0;

	if (text == end || end - text > 5)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (uint32_t)(*text - '0');
	}
	*ret_number = number;
	return number <= max;
}

static bool bit_is_set_behind(const struct label_prefix *prefix)
{
	for (uint32_t bit = prefix->bits; bit < 128; bit++) {
		if (prefix->addr.bytes[bit / 8] >> (7 - bit % 8) & 1)
			return true;
	}
	return false;
}

static int parse_prefix(struct parser *parser, const char *text, struct label_prefix *ret_prefix)
{
	const char *column = parser->names[COLUMN_PREFIX], *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct label_prefix prefix = {.addr.bytes = {[10] = 0xff, [11] = 0xff}};
	uint32_t bits_max, bits;
	char addr[INET6_ADDRSTRLEN] = "";

	if (len < sizeof(addr))
		memcpy(addr, text, len);
	if (inet_pton(AF_INET, addr, prefix.addr.bytes + 12) == 1)
		bits_max = 32;
	else if (inet_pton(AF_INET6, addr, prefix.addr.bytes) == 1)
		bits_max = 128;
	else
		return complain(parser, column, "\"%.80s\" is no address or prefix, as 10.1.0.0/16",
				text);
	bits = bits_max;
	if (slash && !parse_decimal(slash + 1, text + strlen(text), bits_max, &bits))
		return complain(parser, column, "\"%.80s\": the length is no number from 0 to %u",
				text, bits_max);
	prefix.bits = bits + 128 - bits_max;
	if (bit_is_set_behind(&prefix))
		return complain(parser, column,
				"\"%.80s\" has bits set behind its length; clear them", text);
	*ret_prefix = prefix;
	return 0;
}

static int parse_port(struct parser *parser, const char *text, struct label_rule *rule)
{
	const char *dash = strchr(text, '-'), *end = text + strlen(text);
	uint32_t first = 0, last = EVERY_PORT;
	bool ok = true;

	if (*text) {
		ok = parse_decimal(text, dash ? dash : end, EVERY_PORT, &first);
		last = first;
		if (ok && dash)
			ok = parse_decimal(dash + 1, end, EVERY_PORT, &last);
	}
	if (!ok || first > last)
		return complain(parser, parser->names[COLUMN_PORT],
				"\"%.80s\" is no port or range, as 443 or 8000-8999", text);
	rule->port_first = (uint16_t)first;
	rule->port_last = (uint16_t)last;
	return 0;
}

static int parse_external(struct parser *parser, const char *text, struct label_rule *rule)
{
	static const char *const words[2][4] = {
		{"no", "false", "0", "internal"},
		{"yes", "true", "1", "external"},
	};

	for (int truth = 0; truth < 2; truth++) {
		for (int i = 0; i < 4; i++) {
			if (!strcasecmp(text, words[truth][i])) {
				rule->external = truth;
				return 0;
			}
		}
	}
	return complain(parser, parser->names[COLUMN_EXTERNAL], "\"%.80s\" is neither yes nor no",
			text);
}

static int read_value(struct parser *parser, enum column column, char *text, struct label_rule *rule)
{
	if (column == COLUMN_UNKNOWN)
		return 0;
	if (strlen(text) > FIELD_BYTES_MAX)
		return complain(parser, parser->names[column], "longer than %d bytes",
				FIELD_BYTES_MAX);
	switch (column) {
	case COLUMN_NAME:
		rule->name = text;
		return 0;
	case COLUMN_NAMESPACE:
		rule->namespace = text;
		return 0;
	case COLUMN_REGION:
		rule->region = text;
		return 0;
	case COLUMN_ZONE:
		rule->zone = text;
		return 0;
	case COLUMN_PORT:
		return parse_port(parser, text, rule);
	case COLUMN_EXTERNAL:
		return *text ? parse_external(parser, text, rule) : 0;
	default:
		return 0;
	}
}

/* The prefix comes first: what the others leave open follows from it. */
static int read_rule(struct parser *parser, char **fields, size_t count, struct label_rule *ret_rule)
{
	struct label_rule rule = {
		.port_last = EVERY_PORT, .line = parser->line,
		.name = "", .namespace = "", .region = "", .zone = "",
	};
	int err = 0;

	if (count != parser->column_count)
		return complain(parser, NULL, "%zu columns, and the first line names %zu", count,
				parser->column_count);
	for (size_t i = 0; i < count && !err; i++) {
		if (parser->columns[i] == COLUMN_PREFIX)
			err = parse_prefix(parser, fields[i], &rule.prefix);
	}
	rule.external = !labels_is_internal(&rule.prefix.addr);
	for (size_t i = 0; i < count && !err; i++)
		err = read_value(parser, parser->columns[i], fields[i], &rule);
	*ret_rule = rule;
	return err;
}

static int add_rule(struct labels_file *file, const struct label_rule *rule)
{
	if (file->count == file->room) {
		size_t room = file->room ? file->room * 2 : 256;
		struct label_rule *rules = reallocarray(file->rules, room, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		file->rules = rules;
		file->room = room;
	}
	file->rules[file->count++] = *rule;
	return 0;
}

/* What others print must be text: no NUL, and UTF-8. */
static int check_text(struct parser *parser)
{
	const uint8_t *at = (const uint8_t *)parser->at, *end = (const uint8_t *)parser->end;

	parser->line = 1;
	while (at < end) {
		size_t len = *at < 0x80 ? !!*at : escape_utf8_length(at);

		if (!len)
			return complain(parser, NULL, "byte 0x%02x is not UTF-8; save the file so",
					*at);
		parser->line += *at == '\n';
		at += len;
	}
	return 0;
}

static int parse(struct parser *parser, struct labels_file *file)
{
	char *fields[FIELDS_MAX];
	struct label_rule rule;
	size_t count;
	int err;

	if (parser->end - parser->at >= 3 && !memcmp(parser->at, "\xef\xbb\xbf", 3))
		parser->at += 3; /* byte order mark */
	err = check_text(parser);
	if (!err)
		err = read_header(parser);
	while (!err) {
		skip_remarks(parser);
		if (parser->at == parser->end)
			break;
		err = read_row(parser, fields, &count);
		if (!err)
			err = read_rule(parser, fields, count, &rule);
		if (!err)
			err = add_rule(file, &rule);
		if (err == -ENOMEM)
			complain(parser, NULL, "does not fit into memory");
	}
	return err;
}

/* The whole file and a NUL behind it; *ret_size is without it. */
static int slurp(const char *path, char **ret_text, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	size_t size = 0, room = 0;
	char *text = NULL;
	ssize_t got = 1;

	if (fd < 0)
		return -errno;
	while (!err && got) {
		if (size == room) {
			char *larger;

			room = room ? room * 2 : 64 * 1024;
			larger = room < FILE_BYTES_MAX ? realloc(text, room + 1) : NULL;
			if (!larger) {
				err = -ENOMEM;
				break;
			}
			text = larger;
		}
		got = read(fd, text + size, room - size);
		if (got < 0)
			err = -errno;
		else
			size += (size_t)got;
	}
	close(fd);
	if (err)
		free(text);
	else
		text[size] = '\0';
	*ret_text = err ? NULL : text;
	*ret_size = size;
	return err;
}

int labels_file_read(struct labels_file *ret_file, const char *path, char *error,
		     size_t error_size)
{
	struct labels_file file = {0};
	struct parser parser = {.path = path, .error = error, .error_size = error_size};
	size_t size = 0;
	int err = slurp(path, &file.text, &size);

	if (err) {
		snprintf(error, error_size, "%s: cannot be read: %s", path, strerror(-err));
		return err;
	}
	parser.at = file.text;
	parser.end = file.text + size;
	err = parse(&parser, &file);
	if (err)
		labels_file_close(&file);
	else
		*ret_file = file;
	return err;
}

void labels_file_close(struct labels_file *file)
{
	for (size_t i = 0; i < file->text_slots; i++)
		free(file->texts[i]);
	free(file->texts);
	free(file->rules);
	free(file->text);
	*file = (struct labels_file){0};
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines are spelled in haste, from prepared pieces; they must say what each field says when it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "escape.h"
#include "export.h"
#include "record_make.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static char path[64];
static int file; /* to read back from */
static char expected[1 << 16], written[1 << 16];

static int name_file(__attribute__((unused)) void **state)
{
	strcpy(path, "/tmp/ackmon-line-XXXXXX");
	file = mkstemp(path);
	return file < 0;
}

static int remove_file(__attribute__((unused)) void **state)
{
	close(file);
	return unlink(path);
}

/* What is expected: field by field, each value by printf. */

static char *slow_text(char *at, const char *text, bool is_json)
{
	return is_json ? escape_json(at, text) : escape_csv(at, text);
}

static char *slow_value(char *at, const struct value *value, bool is_json)
{
	switch (value->kind) {
	case VALUE_NUMBER:
		return at + sprintf(at, "%llu", (unsigned long long)value->number);
	case VALUE_BOOL:
		return at + sprintf(at, "%s", value->number ? "true" : "false");
	case VALUE_WORD:
	case VALUE_TEXT:
		return slow_text(at, value->text, is_json);
	case VALUE_ABSENT:
		break;
	}
	return at;
}

static char *slow_csv(char *at, const struct record_field *const *fields, size_t count,
		      const struct record *record)
{
	struct value value;

	for (size_t i = 0; i < count; i++) {
		if (i)
			*at++ = ',';
		record_read(record, fields[i], &value);
		at = slow_value(at, &value, false);
	}
	return at + sprintf(at, "\r\n");
}

static char *slow_json(char *at, const struct record_field *const *fields, size_t count,
		       const struct record *record)
{
	const char *separator = "";
	struct value value;

	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		record_read(record, fields[i], &value);
		if (value.kind == VALUE_ABSENT)
			continue;
		at += sprintf(at, "%s\"%s\":", separator, fields[i]->name);
		at = slow_value(at, &value, true);
		separator = ",";
	}
	return at + sprintf(at, "}\n");
}

/* Exporters of all fields, or of some, that write one record after the other. */

struct writer {
	enum output_format format;
	struct sink *sink;
	struct exporter *exporter;
	const struct record_field *fields[256];
	size_t count;
};

static void begin(struct writer *writer, enum output_format format, const char *const *names, size_t count)
{
	const char *bad_field = NULL;

	writer->format = format;
	writer->count = count;
	for (size_t i = 0; i < count; i++)
		writer->fields[i] = record_field(names[i]);
	assert_int_equal(sink_open(&writer->sink, path), 0);
	assert_int_equal(export_open(&writer->exporter, format, writer->sink, false, names, count, &bad_field),
			 0);
}

static void end(struct writer *writer)
{
	export_close(writer->exporter);
	assert_int_equal(sink_close(writer->sink), 0);
}

static void begin_all(struct writer *writer, enum output_format format)
{
	size_t count;
	const struct record_field *fields = record_fields(&count);
	const char *names[256];

	for (size_t i = 0; i < count; i++)
		names[i] = fields[i].name;
	begin(writer, format, names, count);
}

static void assert_line(const struct writer *writer, const struct record *record)
{
	char *at = expected;
	ssize_t len;

	at = writer->format == FORMAT_CSV ? slow_csv(at, writer->fields, writer->count, record)
					  : slow_json(at, writer->fields, writer->count, record);
	*at = '\0';
	export_record(writer->exporter, record);
	assert_int_equal(sink_flush(writer->sink), 0);
	len = pread(file, written, sizeof(written) - 1, 0);
	assert_true(len > 0);
	written[len] = '\0';
	assert_string_equal(written, expected);
	/* The next one comes to the same place. */
	assert_int_equal(ftruncate(file, 0), 0);
	lseek(sink_descriptor(writer->sink), 0, SEEK_SET);
}

/* What is in a flow is numbers and flags, so any octets are one. */

static void fill_random(void *octets, size_t len)
{
	static unsigned int seed = 1;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)octets)[i] = (uint8_t)(rand_r(&seed) >> 8);
}

static struct record random_record(void)
{
	struct record record = {.wall_offset_ns = (int64_t)(1000 * S)};

	fill_random(&record.key, sizeof(record.key));
	fill_random(&record.whole, sizeof(record.whole));
	return record;
}

static const enum output_format formats[] = {FORMAT_CSV, FORMAT_NDJSON};

/* A single octet that is not zero must not be lost in what is asked for all at once. */
TEST(every_octet_of_a_flow_shows_where_it_is_read)
{
	struct writer writer;

	for (int i = 0; i < 2; i++) {
		begin_all(&writer, formats[i]);
		for (size_t at = 0; at < sizeof(struct flow_whole); at++) {
			struct record record = {0};

			record.flow.opener = at & 1;
			((uint8_t *)&record.whole)[at] ^= (uint8_t)(1 + at % 255);
			assert_line(&writer, &record);
		}
		end(&writer);
	}
}

TEST(flows_of_any_octets_are_spelled_as_they_are_read)
{
	struct writer writer;

	for (int i = 0; i < 2; i++) {
		begin_all(&writer, formats[i]);
		for (int round = 0; round < 500; round++) {
			struct record record = random_record();

			assert_line(&writer, &record);
		}
		end(&writer);
	}
}

/* One end in trouble, the other not, and either of them the opener. */
TEST(ends_are_quiet_one_by_one)
{
	struct writer writer;

	for (int i = 0; i < 2; i++) {
		begin_all(&writer, formats[i]);
		for (int which = 0; which < 4; which++) {
			struct record record = established_record();

			record.flow.opener = which & 1;
			record.rare[which >> 1].late = 7;
			record.rare[which >> 1].zero_window_since_ns = 11 * S;
			assert_line(&writer, &record);
		}
		end(&writer);
	}
}

TEST(every_field_is_spelled_alone)
{
	size_t count;
	const struct record_field *fields = record_fields(&count);
	struct writer writer;

	for (size_t i = 0; i < 2 * count; i++) {
		begin(&writer, formats[i & 1], &fields[i / 2].name, 1);
		for (int round = 0; round < 4; round++) {
			struct record record = round ? random_record() : established_record();

			assert_line(&writer, &record);
		}
		end(&writer);
	}
}

TEST(fields_come_in_the_order_they_are_named)
{
	static const char *const names[] = {"responder_late", "vlan", "opener_fast", "v", "opener_name",
					    "opener_rto", "opener_rto"};
	struct writer writer;

	for (int i = 0; i < 2; i++) {
		struct record record = established_record();

		begin(&writer, formats[i], names, sizeof(names) / sizeof(*names));
		assert_line(&writer, &record);
		record.rare[0].rto = 3;
		record.flow.vlan = 9;
		assert_line(&writer, &record);
		end(&writer);
	}
}

TEST(what_surrounds_a_flow_is_spelled_too)
{
	char longest[2000];
	struct writer writer;

	memset(longest, '"', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		struct record record = established_record();

		begin_all(&writer, formats[i]);
		record.iface = "eth0";
		assert_line(&writer, &record);
		record.netns = longest;
		assert_line(&writer, &record);
		record.also_ifaces = "veth1,br0";
		record.cgroup[1] = "/system.slice/nginx.service";
		assert_line(&writer, &record);
		record.transit[0] = (struct transit){.samples = 2, .sum_ns = 30, .min_ns = 10, .max_ns = 20};
		record.cgroup[0] = longest;
		assert_line(&writer, &record);
		record.netns = NULL;
		assert_line(&writer, &record);
		end(&writer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_octet_of_a_flow_shows_where_it_is_read),
		cmocka_unit_test(flows_of_any_octets_are_spelled_as_they_are_read),
		cmocka_unit_test(ends_are_quiet_one_by_one),
		cmocka_unit_test(every_field_is_spelled_alone),
		cmocka_unit_test(fields_come_in_the_order_they_are_named),
		cmocka_unit_test(what_surrounds_a_flow_is_spelled_too),
	};

	return cmocka_run_group_tests(tests, name_file, remove_file);
}

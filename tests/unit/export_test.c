/* SPDX-License-Identifier: GPL-2.0-only */
/* How records look in each format. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "export.h"
#include "labels.h"
#include "record_make.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static char path[64];
static char text[1 << 20]; /* what was written last */
static struct sink *sink;
static struct exporter *exporter;

static int name_file(__attribute__((unused)) void **state)
{
	int fd;

	setenv("TZ", "UTC", 1);
	tzset();
	strcpy(path, "/tmp/ackmon-export-XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int remove_file(__attribute__((unused)) void **state)
{
	return unlink(path);
}

static void begin(enum output_format format, bool header, const char *const *fields, size_t count)
{
	const char *bad_field = NULL;
	char *head;

	assert_int_equal(sink_open(&sink, path), 0);
	assert_int_equal(export_open(&exporter, format, sink, header, fields, count, &bad_field),
			 0);
	head = export_head(exporter);
	if (head)
		sink_text(sink, head);
	free(head);
}

static void read_back(void)
{
	FILE *file = fopen(path, "r");

	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
}

static const char *end(void)
{
	export_finish(exporter);
	export_close(exporter);
	assert_int_equal(sink_close(sink), 0);
	read_back();
	return text;
}

static const char *written(enum output_format format, bool header, const char *const *fields,
			   size_t count, const struct record *record)
{
	begin(format, header, fields, count);
	export_record(exporter, record);
	return end();
}

#define FIELDS(...)                                                                           \
	(const char *const[]){ __VA_ARGS__ },                                                  \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)

static size_t count_of(const char *in, const char *what)
{
	size_t count = 0;

	for (; (in = strstr(in, what)); in += strlen(what))
		count++;
	return count;
}

static struct record named_record(const char *iface)
{
	struct record record = established_record();

	record.iface = iface;
	return record;
}

TEST(ndjson_is_one_object_a_line_without_what_is_absent)
{
	struct record record = established_record();

	written(FORMAT_NDJSON, true,
		FIELDS("v", "vlan", "opener_addr", "connect_ns", "approximate"), &record);
	assert_string_equal(text, "{\"v\":1,\"opener_addr\":\"10.0.0.1\",\"connect_ns\":300000,"
				  "\"approximate\":false}\n");
}

TEST(ndjson_of_nothing_known_is_an_empty_object)
{
	struct record record = established_record();

	assert_string_equal(written(FORMAT_NDJSON, true, FIELDS("vlan"), &record), "{}\n");
}

TEST(ndjson_escapes_what_json_demands)
{
	struct record record = named_record("a\"\\\n\x01");

	assert_string_equal(written(FORMAT_NDJSON, true, FIELDS("iface"), &record),
			    "{\"iface\":\"a\\\"\\\\\\u000a\\u0001\"}\n");
}

TEST(ndjson_keeps_utf8_and_replaces_other_bytes)
{
	struct record record = named_record("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");

	assert_string_equal(written(FORMAT_NDJSON, true, FIELDS("iface"), &record),
			    "{\"iface\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}\n");
	record.iface = "\xff\xc0\xafx\xe2\x82"; /* never, overlong, cut short */
	assert_string_equal(written(FORMAT_NDJSON, true, FIELDS("iface"), &record),
			    "{\"iface\":\"\\ufffd\\ufffd\\ufffdx\\ufffd\\ufffd\"}\n");
}

TEST(ndjson_text_of_full_length_fits_its_line)
{
	char longest[VALUE_ROOM] = { 0 };
	struct record record = named_record(longest);

	memset(longest, 1, sizeof(longest) - 1);
	written(FORMAT_NDJSON, true, FIELDS("iface"), &record);
	assert_int_equal(count_of(text, "\\u0001"), VALUE_ROOM - 1);
}

TEST(ndjson_has_every_known_field_in_order)
{
	struct record record = established_record();

	written(FORMAT_NDJSON, true, NULL, 0, &record);
	assert_int_equal(strncmp(text, "{\"v\":1,\"id\":\"", 13), 0);
	assert_true(strstr(text, "\"opener_segments\":100") <
		    strstr(text, "\"responder_segments\":200"));
	assert_int_equal(count_of(text, "\"v\":"), 1);
	assert_null(strstr(text, "rtt_p50"));
}

TEST(csv_has_a_header_and_empty_cells)
{
	struct record record = established_record();

	written(FORMAT_CSV, true, FIELDS("v", "vlan", "opener_port", "approximate"), &record);
	assert_string_equal(text, "v,vlan,opener_port,approximate\r\n1,,40000,false\r\n");
}

TEST(csv_header_can_be_left_out)
{
	struct record record = established_record();

	assert_string_equal(written(FORMAT_CSV, false, FIELDS("v"), &record), "1\r\n");
}

static const char *head_of(enum output_format format, bool header)
{
	static char head[64];
	char *made;

	begin(format, header, FIELDS("v", "id"));
	made = export_head(exporter);
	snprintf(head, sizeof(head), "%s", made ? made : "nothing");
	free(made);
	end();
	return head;
}

TEST(csv_begins_with_its_header_unless_that_is_not_wanted)
{
	assert_string_equal(head_of(FORMAT_CSV, true), "v,id\r\n");
	assert_string_equal(head_of(FORMAT_CSV, false), "nothing");
}

TEST(ndjson_and_tables_begin_with_nothing)
{
	assert_string_equal(head_of(FORMAT_NDJSON, true), "nothing");
	assert_string_equal(head_of(FORMAT_TABLE, true), "nothing");
}

TEST(csv_has_as_many_cells_as_fields)
{
	struct record record = established_record();
	size_t count;

	record_fields(&count);
	written(FORMAT_CSV, true, NULL, 0, &record);
	assert_int_equal(count_of(text, "\r\n"), 2);
	assert_int_equal(count_of(text, ","), 2 * (count - 1));
}

TEST(csv_quotes_what_would_be_misread)
{
	struct record record = named_record("a,\"b\"");

	assert_string_equal(written(FORMAT_CSV, false, FIELDS("iface", "v"), &record),
			    "\"a,\"\"b\"\"\",1\r\n");
}

TEST(unknown_field_is_pointed_at)
{
	const char *const fields[] = { "v", "oops" };
	const char *bad_field = NULL;

	assert_int_equal(sink_open(&sink, path), 0);
	assert_int_equal(export_open(&exporter, FORMAT_CSV, sink, true, fields, 2, &bad_field),
			 -EINVAL);
	assert_ptr_equal(bad_field, fields[1]);
	sink_close(sink);
}

TEST(closing_nothing_is_no_error)
{
	export_close(NULL);
}

/* The table */

TEST(table_reads_well)
{
	struct record record = established_record();

	record.rare[0].retransmitted_segments = 1;
	written(FORMAT_TABLE, true, NULL, 0, &record);
	assert_string_equal(
		text,
		"   START         OPENER          RESPONDER     STATE  CONNECT  <RTT  RTT>   SENT"
		"  RECEIVED  RETRANS>  <RETRANS  NOTE\n"
		"   00:00:10.000  10.0.0.1:40000  10.0.0.2:443  fin      300us     -     -  1.2kB"
		"     5.6MB    1 1.0%         0\n");
}

TEST(table_marks_the_worst)
{
	struct record record = established_record();

	record.rare[1].retransmitted_segments = 3; /* of 200: 1.5% */
	assert_int_equal(*written(FORMAT_TABLE, false, NULL, 0, &record), ' ');
	record.rare[1].retransmitted_segments = 4;
	assert_int_equal(*written(FORMAT_TABLE, false, NULL, 0, &record), '!');
	record = unanswered_record();
	assert_int_equal(*written(FORMAT_TABLE, false, NULL, 0, &record), '!');
	assert_non_null(strstr(text, "no_answer"));
}

TEST(table_aligns_rows_of_a_replay_to_the_widest)
{
	struct record narrow = established_record();
	struct record wide = established_record();
	const char *second;

	wide.key.addr[0] = ip6("2001:db8::1111:2222");
	wide.key.addr[1] = ip6("2001:db8::3333:4444");
	begin(FORMAT_TABLE, false, NULL, 0);
	export_record(exporter, &narrow);
	export_record(exporter, &wide);
	end();
	second = strchr(text, '\n') + 1;
	assert_int_equal(strstr(text, "fin") - text, strstr(second, "fin") - second);
}

TEST(table_shows_live_rows_at_once)
{
	struct record record = named_record("eth0");

	begin(FORMAT_TABLE, true, NULL, 0);
	export_record(exporter, &record);
	sink_flush(sink);
	read_back();
	assert_non_null(strstr(text, "eth0"));
	assert_int_equal(count_of(text, "\n"), 2);
	end();
	assert_int_equal(count_of(text, "\n"), 2);
}

TEST(table_holds_back_a_bounded_number_of_rows)
{
	struct record record = established_record();

	begin(FORMAT_TABLE, false, NULL, 0);
	for (int i = 0; i < 2500; i++)
		export_record(exporter, &record);
	assert_int_equal(count_of(end(), "\n"), 2500);
}

TEST(table_without_rows_is_empty)
{
	begin(FORMAT_TABLE, true, NULL, 0);
	assert_string_equal(end(), "");
}

TEST(table_of_chosen_fields_is_for_people)
{
	struct record record = established_record();

	written(FORMAT_TABLE, true,
		FIELDS("responder_payload_bytes", "duration_ns", "state", "vlan", "end_ns"),
		&record);
	assert_string_equal(text,
			    "responder_payload_bytes  duration_ns  state   vlan        end_ns\n"
			    "                  5.6MB         2.0s  closed     -  00:00:12.000\n");
}

TEST(table_does_not_obey_an_interface_name)
{
	struct record record = named_record("\033[2Jx");

	written(FORMAT_TABLE, false, NULL, 0, &record);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "?[2Jx"));
}

TEST(wide_table_has_the_legs_and_the_flags)
{
	struct record record = established_record();

	record.flow.has_responder_handshake = 1;
	record.flow.responder_handshake_ns = 123 * US;
	written(FORMAT_WIDE, true, NULL, 0, &record);
	assert_non_null(strstr(text, "OPEN>"));
	assert_non_null(strstr(text, "123us"));
	assert_non_null(strstr(text, "FSA"));
}

TEST(notes_name_what_went_wrong)
{
	struct record record = established_record();

	record.rare[0].syn_retrans = 2;
	record.rare[1].zero_windows = 1;
	record.rare[1].zero_window_ns = 1200 * US;
	record.rare[1].unresolved = 5;
	record.rare[0].gap_bytes = 3000;
	record.rare[0].holes_dropped = 1;
	written(FORMAT_TABLE, false, NULL, 0, &record);
	assert_non_null(strstr(text, "SYN x3, responder window shut 1.2ms, 5 out of order, "
				     "3.0kB not captured, approximate\n"));
}

/* A label of 10 kB of quotes: every format must double or escape each of them, and go on behind it. */
static const char *long_label_written(enum output_format format)
{
	static const char *const names[] = {"opener_port", "opener_name", "opener_external"};
	static char csv[64], content[25000], error[256];
	struct record record = established_record();
	struct labels *labels;
	const char *written_text;
	size_t len;
	FILE *file;

	strcpy(csv, path);
	strcat(csv, ".csv");
	file = fopen(csv, "w");
	len = (size_t)sprintf(content, "prefix,name\n10.0.0.0/8,\"");
	memset(content + len, '"', 20000);
	strcpy(content + len + 20000, "\"\n");
	fputs(content, file);
	fclose(file);
	assert_int_equal(labels_open(&labels, csv, error, sizeof(error)), 0);
	record.labels = labels;
	written_text = written(format, false, names, 3, &record);
	labels_close(labels);
	unlink(csv);
	return written_text;
}

TEST(a_long_label_is_escaped_whole_in_csv)
{
	const char *line = long_label_written(FORMAT_CSV);

	assert_memory_equal(line, "40000,\"\"\"", 9);
	assert_int_equal(strlen(line), 6 + 1 + 20000 + strlen("\",false\r\n"));
	assert_string_equal(line + 6 + 20000, "\"\",false\r\n");
}

TEST(a_long_label_is_escaped_whole_in_ndjson)
{
	const char *line = long_label_written(FORMAT_NDJSON), *head = "{\"opener_port\":40000,\"opener_name\":\"";

	assert_memory_equal(line, head, strlen(head));
	assert_int_equal(strlen(line), strlen(head) + 20000 + strlen("\",\"opener_external\":false}\n"));
	assert_string_equal(line + strlen(head) + 20000, "\",\"opener_external\":false}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ndjson_is_one_object_a_line_without_what_is_absent),
		cmocka_unit_test(ndjson_of_nothing_known_is_an_empty_object),
		cmocka_unit_test(ndjson_escapes_what_json_demands),
		cmocka_unit_test(ndjson_keeps_utf8_and_replaces_other_bytes),
		cmocka_unit_test(ndjson_text_of_full_length_fits_its_line),
		cmocka_unit_test(ndjson_has_every_known_field_in_order),
		cmocka_unit_test(csv_has_a_header_and_empty_cells),
		cmocka_unit_test(csv_header_can_be_left_out),
		cmocka_unit_test(csv_begins_with_its_header_unless_that_is_not_wanted),
		cmocka_unit_test(ndjson_and_tables_begin_with_nothing),
		cmocka_unit_test(csv_has_as_many_cells_as_fields),
		cmocka_unit_test(csv_quotes_what_would_be_misread),
		cmocka_unit_test(unknown_field_is_pointed_at),
		cmocka_unit_test(closing_nothing_is_no_error),
		cmocka_unit_test(table_reads_well),
		cmocka_unit_test(table_marks_the_worst),
		cmocka_unit_test(table_aligns_rows_of_a_replay_to_the_widest),
		cmocka_unit_test(table_shows_live_rows_at_once),
		cmocka_unit_test(table_holds_back_a_bounded_number_of_rows),
		cmocka_unit_test(table_without_rows_is_empty),
		cmocka_unit_test(table_of_chosen_fields_is_for_people),
		cmocka_unit_test(table_does_not_obey_an_interface_name),
		cmocka_unit_test(wide_table_has_the_legs_and_the_flags),
		cmocka_unit_test(notes_name_what_went_wrong),
		cmocka_unit_test(a_long_label_is_escaped_whole_in_csv),
		cmocka_unit_test(a_long_label_is_escaped_whole_in_ndjson),
	};

	return cmocka_run_group_tests(tests, name_file, remove_file);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines made by several threads are those one thread makes, in the same order, whatever happens to the records given. */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "buffer.h"
#include "export.h"
#include "export_line.h"
#include "record_make.h"
#include "scribes.h"

#define MANY 5000u /* more than all blocks of the ring hold */

static struct sink *sink;
static struct exporter *exporter;
static struct line *slow; /* one line after the other */
static struct buffer expected, written;

static void open_exporter(enum output_format format, const char *const *fields, size_t count)
{
	const char *bad_field;

	assert_int_equal(sink_open(&sink, "/dev/null"), 0);
	assert_int_equal(export_open(&exporter, format, sink, false, fields, count, &bad_field), 0);
	slow = NULL;
	export_line(&slow, exporter);
	expected = written = (struct buffer){0};
}

static void close_exporter(void)
{
	line_close(slow);
	export_close(exporter);
	sink_close(sink);
	buffer_free(&expected);
	buffer_free(&written);
}

static int alone; /* threads of a process that started none: a sanitizer has one of its own */

static int threads_of_process(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	int count = 0;

	while ((task = readdir(tasks)))
		count += task->d_name[0] != '.';
	closedir(tasks);
	return count;
}

/* One that was joined may stay in that list for a moment. */
static bool becomes_alone(void)
{
	time_t end = time(NULL) + 20;

	while (threads_of_process() > alone && time(NULL) < end)
		sched_yield();
	return threads_of_process() == alone;
}

static void on_line(void *context, const char *line, size_t len)
{
	(void)context;
	assert_int_equal(line[len - 1], '\n');
	buffer_add(&written, line, len);
}

static struct record numbered(uint32_t i)
{
	struct record record = i % 5 ? established_record() : unanswered_record();

	record.flow.side[0].payload_bytes = i;
	record.rare[i % 2].retransmitted_segments = i / 7 % 3;
	return record;
}

static void add(struct scribes *scribes, const struct record *record)
{
	size_t len;
	const char *line = line_spell(slow, record, &len);

	buffer_add(&expected, line, len);
	scribes_add(scribes, record);
}

static void assert_written(void)
{
	assert_int_equal(written.len, expected.len);
	if (expected.len)
		assert_memory_equal(written.bytes, expected.bytes, expected.len);
}

static struct scribes *open_scribes(void)
{
	struct scribes *scribes = NULL;

	assert_int_equal(scribes_open(&scribes, exporter, on_line, NULL), 0);
	return scribes;
}

static void use_threads(const char *count)
{
	setenv("ACKMON_THREADS", count, 1);
}

static struct scribes *begin(enum output_format format, const char *threads)
{
	use_threads(threads);
	open_exporter(format, NULL, 0);
	return open_scribes();
}

static void end_with_all_written(struct scribes *scribes)
{
	scribes_finish(scribes);
	assert_written();
	scribes_close(scribes);
	close_exporter();
}

static void lines_are_the_same(enum output_format format, const char *threads, uint32_t count)
{
	struct scribes *scribes;

	scribes = begin(format, threads);
	for (uint32_t i = 0; i < count; i++) {
		struct record record = numbered(i);

		add(scribes, &record);
	}
	end_with_all_written(scribes);
}

static void lines_come_in_the_order_of_their_records(void **state)
{
	static const uint32_t counts[] = {0, 1, 63, 64, 65, MANY};
	static const char *const threads[] = {"2", "3", "4", "100"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < sizeof(counts) / sizeof(*counts); j++) {
			lines_are_the_same(FORMAT_NDJSON, threads[i], counts[j]);
			lines_are_the_same(FORMAT_CSV, threads[i], counts[j]);
		}
	}
}

static void it_can_be_finished_and_goes_on(void **state)
{
	struct scribes *scribes;

	(void)state;
	scribes = begin(FORMAT_NDJSON, "2");
	for (uint32_t i = 0; i < MANY; i++) {
		struct record record = numbered(i);

		add(scribes, &record);
		if (i % 100)
			continue;
		scribes_finish(scribes);
		assert_int_equal(written.len, expected.len);
	}
	end_with_all_written(scribes);
}

/* Who gives a record may use the room of its names for those of the next one. */
static void texts_are_those_of_their_record(void **state)
{
	struct scribes *scribes;
	char iface[16], also[64];

	(void)state;
	scribes = begin(FORMAT_NDJSON, "2");
	for (uint32_t i = 0; i < MANY; i++) {
		struct record record = numbered(i);

		snprintf(iface, sizeof(iface), "veth%u", i / 3);
		snprintf(also, sizeof(also), "br%u,tap\"%u", i, i + 1);
		record.iface = iface;
		record.also_ifaces = i % 4 ? also : NULL;
		record.netns = i % 2 ? iface : NULL;
		add(scribes, &record);
	}
	end_with_all_written(scribes);
}

/* Paths of cgroups: a block has room for some of them, and for none of the last kind. */
static void texts_may_be_longer_than_a_block(void **state)
{
	struct scribes *scribes;
	char *path = malloc(100000);

	(void)state;
	scribes = begin(FORMAT_CSV, "2");
	for (uint32_t i = 0; i < 600; i++) {
		struct record record = numbered(i);
		size_t len = i % 50 == 49 ? 99999 : 4000;

		memset(path, 'a' + (int)(i % 26), len);
		path[len] = '\0';
		record.cgroup[i % 2] = path;
		record.iface = "eth0";
		add(scribes, &record);
	}
	end_with_all_written(scribes);
	free(path);
}

/* Whether its texts have room in the block where it was made, in the next one, or in none. */
static void a_record_may_be_made_where_it_stays(void **state)
{
	struct scribes *scribes;
	char *path = malloc(100000);

	(void)state;
	use_threads("2");
	open_exporter(FORMAT_CSV, NULL, 0);
	scribes = open_scribes();
	for (uint32_t i = 0; i < MANY; i++) {
		struct record *record = scribes_room(scribes);
		size_t len = i % 500 == 499 ? 99999 : i % 5 * 400;

		*record = numbered(i);
		memset(path, 'a' + (int)(i % 26), len);
		path[len] = '\0';
		record->iface = "eth0";
		record->netns = i % 2 ? "other" : NULL;
		record->cgroup[i % 2] = path;
		add(scribes, record);
	}
	scribes_finish(scribes);
	assert_written();
	scribes_close(scribes);
	free(path);
	close_exporter();
}

static void helpers_end_with_it(void **state)
{
	struct scribes *scribes;

	(void)state;
	scribes = begin(FORMAT_CSV, "4");
	alone = threads_of_process();
	for (uint32_t i = 0; i < MANY; i++) {
		struct record record = numbered(i);

		scribes_add(scribes, &record);
		if (i == 500) /* few need nobody */
			assert_int_equal(threads_of_process(), alone);
	}
	assert_int_equal(threads_of_process(), alone + 3);
	scribes_close(scribes); /* with what was not finished */
	assert_true(becomes_alone());
	close_exporter();
}

static void assert_not_worth_it(enum output_format format, const char *const *fields, size_t count)
{
	struct scribes *scribes = NULL;

	open_exporter(format, fields, count);
	assert_int_equal(scribes_open(&scribes, exporter, on_line, NULL), -ENOTSUP);
	close_exporter();
}

static void one_cpu_a_table_or_few_fields_have_none(void **state)
{
	static const char *const few[] = {"start_ns", "close"};

	(void)state;
	use_threads("2");
	assert_not_worth_it(FORMAT_TABLE, NULL, 0);
	assert_not_worth_it(FORMAT_CSV, few, 2);
	use_threads("1");
	assert_not_worth_it(FORMAT_CSV, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_the_order_of_their_records),
		cmocka_unit_test(it_can_be_finished_and_goes_on),
		cmocka_unit_test(texts_are_those_of_their_record),
		cmocka_unit_test(texts_may_be_longer_than_a_block),
		cmocka_unit_test(a_record_may_be_made_where_it_stays),
		cmocka_unit_test(helpers_end_with_it),
		cmocka_unit_test(one_cpu_a_table_or_few_fields_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

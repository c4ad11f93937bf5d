/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything written arrives, or the first error is remembered. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sink.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)
#define LARGE (3 * 256 * 1024 + 17)

static char path[64];

static int name_file(__attribute__((unused)) void **state)
{
	int fd;

	strcpy(path, "/tmp/ackmon-sink-XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int remove_file(__attribute__((unused)) void **state)
{
	return unlink(path);
}

static size_t file_size(void)
{
	struct stat st;

	return stat(path, &st) ? 0 : (size_t)st.st_size;
}

static struct sink *open_sink(const char *name)
{
	struct sink *sink;

	assert_int_equal(sink_open(&sink, name), 0);
	return sink;
}

TEST(text_stays_in_the_buffer_until_it_is_flushed)
{
	struct sink *sink = open_sink(path);

	sink_text(sink, "one line\n");
	assert_int_equal(file_size(), 0);
	assert_int_equal(sink_flush(sink), 0);
	assert_int_equal(file_size(), 9);
	assert_int_equal(sink_close(sink), 0);
}

TEST(closing_writes_the_rest)
{
	struct sink *sink = open_sink(path);

	sink_text(sink, "the rest");
	assert_int_equal(sink_close(sink), 0);
	assert_int_equal(file_size(), 8);
}

TEST(opening_empties_the_file)
{
	closing_writes_the_rest(NULL);
	assert_int_equal(sink_close(open_sink(path)), 0);
	assert_int_equal(file_size(), 0);
}

static void write_behind(const char *text, int holds_something)
{
	struct sink *sink;

	assert_int_equal(sink_append(&sink, path), holds_something);
	sink_text(sink, text);
	assert_int_equal(sink_close(sink), 0);
}

static void assert_holds(const char *text)
{
	char got[64] = "";
	FILE *file = fopen(path, "r");

	assert_int_equal(fread(got, 1, sizeof(got), file), strlen(text));
	fclose(file);
	assert_string_equal(got, text);
}

TEST(appending_leaves_what_is_there)
{
	assert_int_equal(sink_close(open_sink(path)), 0);
	write_behind("one\n", 0);
	write_behind("two\n", 1);
	assert_holds("one\ntwo\n");
}

TEST(appending_ends_a_line_that_was_left_half)
{
	assert_int_equal(sink_close(open_sink(path)), 0);
	write_behind("one\nha", 0);
	write_behind("two\n", 1);
	assert_holds("one\nha\ntwo\n");
}

TEST(more_than_the_buffer_arrives_in_order)
{
	struct sink *sink = open_sink(path);
	char *large = malloc(LARGE), *got = malloc(LARGE + 2);
	FILE *file;

	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)('a' + i % 23);
	sink_text(sink, "<");
	sink_write(sink, large, LARGE);
	sink_text(sink, ">");
	assert_int_equal(sink_close(sink), 0);

	file = fopen(path, "r");
	assert_int_equal(fread(got, 1, LARGE + 2, file), LARGE + 2);
	fclose(file);
	assert_int_equal(got[0], '<');
	assert_memory_equal(got + 1, large, LARGE);
	assert_int_equal(got[LARGE + 1], '>');
	free(large);
	free(got);
}

TEST(many_small_writes_cross_the_buffer_whole)
{
	struct sink *sink = open_sink(path);

	for (int i = 0; i < 100000; i++)
		sink_text(sink, "1234567");
	assert_int_equal(sink_close(sink), 0);
	assert_int_equal(file_size(), 700000);
}

TEST(full_disk_is_remembered)
{
	struct sink *sink = open_sink("/dev/full");

	sink_text(sink, "x");
	assert_int_equal(sink_error(sink), 0);
	assert_int_equal(sink_flush(sink), -ENOSPC);
	sink_text(sink, "y");
	assert_int_equal(sink_flush(sink), -ENOSPC);
	assert_int_equal(sink_error(sink), -ENOSPC);
	assert_int_equal(sink_close(sink), -ENOSPC);
}

/* A pipe that takes no more is a disk that is full, and reading from it makes room. */
TEST(patient_sink_goes_on_behind_the_octet_it_came_to)
{
	static char line[1000], got[200000];
	int ends[2], before;
	size_t len = 0;
	struct sink *sink;
	ssize_t more;

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	sink = open_sink(NULL);
	sink_be_patient(sink);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 150; i++)
		sink_write(sink, line, sizeof(line));
	assert_int_equal(sink_flush(sink), -EAGAIN);
	assert_int_equal(sink_waits_for(sink), -EAGAIN);
	assert_int_equal(sink_error(sink), 0);
	do {
		while ((more = read(ends[0], got + len, sizeof(got) - len)) > 0)
			len += (size_t)more;
	} while (sink_flush(sink) == -EAGAIN);
	while ((more = read(ends[0], got + len, sizeof(got) - len)) > 0)
		len += (size_t)more;
	assert_int_equal(sink_waits_for(sink), 0);
	assert_int_equal(sink_close(sink), 0);
	dup2(before, STDOUT_FILENO);
	close(before);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(len, 150 * sizeof(line));
	for (size_t i = 0; i < 150; i++)
		assert_memory_equal(got + i * sizeof(line), line, sizeof(line));
}

TEST(patient_sink_gives_up_and_counts_the_lines)
{
	struct sink *sink = open_sink("/dev/full");

	sink_be_patient(sink);
	sink_text(sink, "one\ntwo\n");
	assert_int_equal(sink_flush(sink), -ENOSPC);
	sink_text(sink, "three\n");
	assert_int_equal(sink_flush(sink), -ENOSPC);
	assert_int_equal(sink_error(sink), 0);
	assert_int_equal(sink_give_up(sink), 3);
	assert_int_equal(sink_error(sink), -ENOSPC);
	assert_int_equal(sink_close(sink), -ENOSPC);
}

TEST(patient_sink_holds_what_fits_and_no_more)
{
	struct sink *sink = open_sink("/dev/full");
	size_t room;

	sink_be_patient(sink);
	sink_text(sink, "one\n");
	sink_flush(sink);
	for (room = sink_room(sink); sink_room(sink) >= 4; room = sink_room(sink))
		sink_text(sink, "two\n");
	sink_text(sink, "this one is dropped\n");
	assert_int_equal(sink_room(sink), room);
	sink_drop_waiting(sink);
	assert_int_equal(sink_waits_for(sink), 0);
	assert_int_equal(sink_close(sink), 0);
}

TEST(closed_pipe_is_an_error_and_not_the_end)
{
	int ends[2], before;
	struct sink *sink;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	sink = open_sink(NULL);
	sink_text(sink, "x");
	assert_int_equal(sink_flush(sink), -EPIPE);
	assert_int_equal(sink_close(sink), -EPIPE);
	dup2(before, STDOUT_FILENO);
	close(before);
	close(ends[1]);
}

TEST(stdout_stays_open_behind_its_sink)
{
	struct sink *sink = open_sink(NULL);

	assert_string_equal(sink_name(sink), "standard output");
	assert_int_equal(sink_close(sink), 0);
	assert_int_not_equal(fcntl(STDOUT_FILENO, F_GETFD), -1);
}

TEST(path_that_cannot_be_opened_says_why)
{
	struct sink *sink;

	assert_int_equal(sink_open(&sink, "/nonexistent/flows.csv"), -ENOENT);
	assert_int_equal(sink_open(&sink, "/tmp"), -EISDIR);
}

TEST(file_is_no_terminal_and_has_its_path_for_a_name)
{
	struct sink *sink = open_sink(path);
	int columns;

	assert_false(sink_is_terminal(sink, &columns));
	assert_string_equal(sink_name(sink), path);
	sink_close(sink);
}

/* Log rotation: the file is moved away, and what follows goes to a new one. */
TEST(reopening_leaves_a_moved_file_behind)
{
	struct sink *sink = open_sink(path);
	char moved[sizeof(path) + 2];
	struct stat st;

	snprintf(moved, sizeof(moved), "%s.1", path);
	sink_text(sink, "before");
	sink_flush(sink);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(sink_reopen(sink), 1); /* it is empty */
	sink_text(sink, "behind it");
	assert_int_equal(sink_close(sink), 0);
	assert_int_equal(stat(moved, &st), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(file_size(), 9);
	unlink(moved);
}

TEST(reopening_a_file_that_stayed_goes_on_behind_it)
{
	struct sink *sink = open_sink(path);

	sink_text(sink, "before");
	sink_flush(sink);
	assert_int_equal(sink_reopen(sink), 0);
	sink_text(sink, "behind it");
	assert_int_equal(sink_close(sink), 0);
	assert_int_equal(file_size(), 15);
}

TEST(reopening_that_fails_keeps_the_old_file)
{
	char directory[] = "/tmp/ackmon-sink-XXXXXX", name[sizeof(directory) + 2];
	char moved[sizeof(name) + 2];
	struct sink *sink;
	struct stat st;

	assert_non_null(mkdtemp(directory));
	snprintf(name, sizeof(name), "%s/f", directory);
	snprintf(moved, sizeof(moved), "%s.1", name);
	sink = open_sink(name);
	assert_int_equal(rename(name, moved), 0);
	assert_int_equal(mkdir(name, 0700), 0); /* what can be opened by nobody, root included */
	assert_int_equal(sink_reopen(sink), -EISDIR);
	sink_text(sink, "goes on");
	assert_int_equal(sink_close(sink), 0);
	assert_int_equal(stat(moved, &st), 0);
	assert_int_equal(st.st_size, 7);
	unlink(moved);
	rmdir(name);
	rmdir(directory);
}

TEST(reopening_stdout_changes_nothing)
{
	struct sink *sink = open_sink(NULL);

	assert_int_equal(sink_reopen(sink), 0);
	assert_int_equal(sink_close(sink), 0);
	assert_int_not_equal(fcntl(STDOUT_FILENO, F_GETFD), -1);
}

TEST(closing_nothing_is_no_error)
{
	assert_int_equal(sink_close(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_in_the_buffer_until_it_is_flushed),
		cmocka_unit_test(closing_writes_the_rest),
		cmocka_unit_test(opening_empties_the_file),
		cmocka_unit_test(appending_leaves_what_is_there),
		cmocka_unit_test(appending_ends_a_line_that_was_left_half),
		cmocka_unit_test(more_than_the_buffer_arrives_in_order),
		cmocka_unit_test(many_small_writes_cross_the_buffer_whole),
		cmocka_unit_test(full_disk_is_remembered),
		cmocka_unit_test(patient_sink_goes_on_behind_the_octet_it_came_to),
		cmocka_unit_test(patient_sink_gives_up_and_counts_the_lines),
		cmocka_unit_test(patient_sink_holds_what_fits_and_no_more),
		cmocka_unit_test(closed_pipe_is_an_error_and_not_the_end),
		cmocka_unit_test(stdout_stays_open_behind_its_sink),
		cmocka_unit_test(path_that_cannot_be_opened_says_why),
		cmocka_unit_test(file_is_no_terminal_and_has_its_path_for_a_name),
		cmocka_unit_test(reopening_leaves_a_moved_file_behind),
		cmocka_unit_test(reopening_a_file_that_stayed_goes_on_behind_it),
		cmocka_unit_test(reopening_that_fails_keeps_the_old_file),
		cmocka_unit_test(reopening_stdout_changes_nothing),
		cmocka_unit_test(closing_nothing_is_no_error),
	};

	return cmocka_run_group_tests(tests, name_file, remove_file);
}

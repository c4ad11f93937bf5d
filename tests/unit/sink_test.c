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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "ending.h"
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

static void write_behind(const char *text, int holds_something, bool may_cut)
{
	struct sink *sink;

	assert_int_equal(sink_continue(&sink, path), holds_something);
	sink_mend(sink, may_cut);
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

TEST(what_a_file_holds_stays_until_it_is_emptied)
{
	struct sink *sink;

	closing_writes_the_rest(NULL);
	assert_int_equal(sink_continue(&sink, path), 1);
	assert_int_equal(file_size(), 8);
	assert_int_equal(sink_empty(sink), 0);
	assert_int_equal(file_size(), 0);
	assert_int_equal(sink_close(sink), 0);
}

TEST(appending_leaves_what_is_there)
{
	assert_int_equal(sink_close(open_sink(path)), 0);
	write_behind("one\n", 0, false);
	write_behind("two\n", 1, true);
	assert_holds("one\ntwo\n");
}

TEST(line_that_was_left_half_is_ended)
{
	assert_int_equal(sink_close(open_sink(path)), 0);
	write_behind("one\nha", 0, false);
	write_behind("two\n", 1, false);
	assert_holds("one\nha\ntwo\n");
}

TEST(line_that_was_left_half_is_cut_off_where_it_is_ours)
{
	assert_int_equal(sink_close(open_sink(path)), 0);
	write_behind("one\nha", 0, true);
	write_behind("two\nhal", 1, true);
	write_behind("", 1, true);
	assert_holds("one\ntwo\n");
}

TEST(line_that_was_left_half_may_be_all_there_is_and_long)
{
	struct sink *sink = open_sink(path);

	for (int i = 0; i < 1000; i++)
		sink_text(sink, "half a line ");
	assert_int_equal(sink_close(sink), 0);
	write_behind("one\n", 1, true);
	assert_holds("one\n");
}

/* As logrotate's copytruncate does: nothing is written where the file ended before. */
TEST(file_that_somebody_empties_goes_on_at_its_begin)
{
	struct sink *sink = open_sink(path);

	sink_text(sink, "one\n");
	assert_int_equal(sink_flush(sink), 0);
	assert_int_equal(truncate(path, 0), 0);
	sink_text(sink, "two\n");
	assert_int_equal(sink_close(sink), 0);
	assert_holds("two\n");
}

TEST(sink_knows_its_file_by_any_name)
{
	char other[sizeof(path) + 2];
	struct sink *sink = open_sink(path);
	int fd, null = open("/dev/null", O_RDONLY);

	snprintf(other, sizeof(other), "%s.2", path);
	assert_int_equal(symlink(path, other), 0);
	fd = open(other, O_RDONLY);
	assert_true(sink_is_file(sink, fd));
	assert_false(sink_is_file(sink, null));
	assert_false(sink_is_file(sink, -1));
	close(fd);
	close(null);
	unlink(other);
	assert_int_equal(sink_close(sink), 0);
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

/* What is written to standard output, of the kind and with the flags that a test chooses. */
static int stdout_before;

static struct sink *open_sink_of(int fd)
{
	fflush(stdout);
	stdout_before = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
	return open_sink(NULL);
}

static void give_stdout_back(void)
{
	dup2(stdout_before, STDOUT_FILENO);
	close(stdout_before);
}

/* More than a pipe holds, and nobody reads it. */
static void write_much(struct sink *sink)
{
	static char line[1000];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 250; i++)
		sink_write(sink, line, sizeof(line));
}

static uint64_t ms_of_flush(struct sink *sink, int *ret_err)
{
	uint64_t begin_ns = clock_monotonic_ns();

	*ret_err = sink_flush(sink);
	return (clock_monotonic_ns() - begin_ns) / 1000000;
}

static void check_that_it_returns(const int ends[2])
{
	struct sink *sink = open_sink_of(ends[1]);
	uint64_t ms;
	int err;

	sink_be_patient(sink);
	sink_turn(sink, 10000000000);
	write_much(sink);
	ms = ms_of_flush(sink, &err);
	assert_int_equal(err, -EAGAIN);
	assert_in_range(ms, 400, 5000); /* half a second for a reader that is only slow */
	ms = ms_of_flush(sink, &err);
	assert_int_equal(err, -EAGAIN);
	assert_in_range(ms, 0, 300); /* and none for one that is known to sleep */
	sink_give_up(sink);
	assert_int_equal(sink_error(sink), -ETIMEDOUT);
	assert_in_range(sink_lost(sink), 1, 250);
	sink_close(sink);
	give_stdout_back();
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* whoever shares it has it as it was */
	close(ends[0]);
	close(ends[1]);
}

TEST(pipe_that_nobody_reads_holds_up_nobody)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	check_that_it_returns(ends);
}

/* Which cannot be opened once more: it is asked before each write. */
TEST(socket_that_nobody_reads_holds_up_nobody)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	check_that_it_returns(ends);
}

TEST(pipe_without_a_reader_is_not_waited_for_when_it_is_opened_again)
{
	char name[sizeof(path) + 5];
	struct sink *sink;
	int reader;

	snprintf(name, sizeof(name), "%s.fifo", path);
	assert_int_equal(mkfifo(name, 0600), 0);
	reader = open(name, O_RDONLY | O_NONBLOCK);
	sink = open_sink(name);
	close(reader);
	assert_int_equal(sink_reopen(sink, NULL), -ENXIO);
	reader = open(name, O_RDONLY | O_NONBLOCK);
	assert_int_equal(sink_reopen(sink, NULL), 0);
	close(reader);
	sink_close(sink);
	unlink(name);
}

/* As ssh and others leave it: a replay writes all of it, as fast as it is read. */
TEST(standard_output_that_does_not_block_gets_everything)
{
	static char got[4096];
	int ends[2], status;
	size_t len = 0;
	ssize_t more;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	pid = fork();
	if (!pid) {
		struct sink *sink;

		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		sink = open_sink(NULL);
		write_much(sink);
		_exit(sink_close(sink) ? 1 : 0);
	}
	close(ends[1]);
	fcntl(ends[0], F_SETFL, 0);
	while ((more = read(ends[0], got, sizeof(got))) > 0)
		len += (size_t)more;
	close(ends[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(len, 250000);
}

TEST(who_is_asked_to_end_does_not_wait_for_ever)
{
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		struct sink *sink;

		dup2(ends[1], STDOUT_FILENO);
		sink = open_sink(NULL);
		ending_catch();
		write_much(sink);
		_exit(sink_close(sink) == -ETIMEDOUT ? 0 : 1);
	}
	usleep(300000);
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
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
	sink_give_up(sink);
	assert_int_equal(sink_lost(sink), 3);
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
	assert_int_equal(sink_reopen(sink, NULL), 0);
	sink_text(sink, "behind it");
	assert_int_equal(sink_close(sink), 0);
	assert_int_equal(stat(moved, &st), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(file_size(), 9);
	unlink(moved);
}

/* Lines that wait for room stay behind it, and it is none of them. */
TEST(what_a_file_begins_with_comes_before_what_waits)
{
	struct sink *sink = open_sink("/dev/full");
	char line[] = "one\n";

	sink_be_patient(sink);
	sink_text(sink, line);
	assert_int_equal(sink_flush(sink), -ENOSPC);
	sink_put_front(sink, "head\n");
	assert_true(sink_has_front(sink));
	assert_int_equal(sink_flush(sink), -ENOSPC);
	sink_give_up(sink);
	assert_int_equal(sink_lost(sink), 1);
	sink_close(sink);

	sink = open_sink(path);
	sink_text(sink, line);
	sink_put_front(sink, "head\n");
	assert_int_equal(sink_flush(sink), 0);
	assert_false(sink_has_front(sink));
	sink_text(sink, line);
	sink_close(sink);
	assert_holds("head\none\none\n");
}

TEST(what_a_file_begins_with_stays_when_lines_are_dropped)
{
	struct sink *sink = open_sink(path);

	sink_text(sink, "one\n");
	sink_put_front(sink, "head\n");
	sink_drop_waiting(sink);
	assert_int_equal(sink_lost(sink), 1);
	sink_text(sink, "two\n");
	sink_close(sink);
	assert_holds("head\ntwo\n");
}

TEST(reopening_gives_an_empty_file_its_begin_and_no_other)
{
	struct sink *sink = open_sink(path);

	assert_int_equal(sink_reopen(sink, "head\n"), 0);
	sink_text(sink, "one\n");
	sink_flush(sink);
	assert_int_equal(sink_reopen(sink, "head\n"), 0);
	sink_close(sink);
	assert_holds("head\none\n");
}

TEST(reopening_a_file_that_stayed_goes_on_behind_it)
{
	struct sink *sink = open_sink(path);

	sink_text(sink, "before");
	sink_flush(sink);
	assert_int_equal(sink_reopen(sink, NULL), 0);
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
	assert_int_equal(sink_reopen(sink, NULL), -EISDIR);
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

	assert_int_equal(sink_reopen(sink, NULL), 0);
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
		cmocka_unit_test(what_a_file_holds_stays_until_it_is_emptied),
		cmocka_unit_test(line_that_was_left_half_is_ended),
		cmocka_unit_test(line_that_was_left_half_is_cut_off_where_it_is_ours),
		cmocka_unit_test(line_that_was_left_half_may_be_all_there_is_and_long),
		cmocka_unit_test(file_that_somebody_empties_goes_on_at_its_begin),
		cmocka_unit_test(sink_knows_its_file_by_any_name),
		cmocka_unit_test(more_than_the_buffer_arrives_in_order),
		cmocka_unit_test(many_small_writes_cross_the_buffer_whole),
		cmocka_unit_test(full_disk_is_remembered),
		cmocka_unit_test(pipe_that_nobody_reads_holds_up_nobody),
		cmocka_unit_test(socket_that_nobody_reads_holds_up_nobody),
		cmocka_unit_test(pipe_without_a_reader_is_not_waited_for_when_it_is_opened_again),
		cmocka_unit_test(standard_output_that_does_not_block_gets_everything),
		cmocka_unit_test(who_is_asked_to_end_does_not_wait_for_ever),
		cmocka_unit_test(patient_sink_goes_on_behind_the_octet_it_came_to),
		cmocka_unit_test(patient_sink_gives_up_and_counts_the_lines),
		cmocka_unit_test(patient_sink_holds_what_fits_and_no_more),
		cmocka_unit_test(closed_pipe_is_an_error_and_not_the_end),
		cmocka_unit_test(stdout_stays_open_behind_its_sink),
		cmocka_unit_test(path_that_cannot_be_opened_says_why),
		cmocka_unit_test(file_is_no_terminal_and_has_its_path_for_a_name),
		cmocka_unit_test(what_a_file_begins_with_comes_before_what_waits),
		cmocka_unit_test(what_a_file_begins_with_stays_when_lines_are_dropped),
		cmocka_unit_test(reopening_gives_an_empty_file_its_begin_and_no_other),
		cmocka_unit_test(reopening_leaves_a_moved_file_behind),
		cmocka_unit_test(reopening_a_file_that_stayed_goes_on_behind_it),
		cmocka_unit_test(reopening_that_fails_keeps_the_old_file),
		cmocka_unit_test(reopening_stdout_changes_nothing),
		cmocka_unit_test(closing_nothing_is_no_error),
	};

	return cmocka_run_group_tests(tests, name_file, remove_file);
}

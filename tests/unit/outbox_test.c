/* SPDX-License-Identifier: GPL-2.0-only */
/* What a reader that comes after a kill finds, and what it makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "outbox.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static struct outbox outbox;
static char path[] = "/tmp/outbox_test.XXXXXX";
static int fd;

static int begin(__attribute__((unused)) void **state)
{
	memset(&outbox, 0, sizeof(outbox));
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	return fd < 0;
}

static int end(__attribute__((unused)) void **state)
{
	close(fd);
	unlink(path);
	return 0;
}

static void put(const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* `lines` lines are about to be written behind what the file holds. */
static void begin_writing(uint64_t lines)
{
	struct outbox_totals next = outbox_next(&outbox, lines, 0, 0);
	struct outbox_place place;

	outbox_place_of(fd, &place);
	assert_int_not_equal(place.ino, 0);
	outbox_begin(&outbox, &place, &next);
}

static uint64_t written(void)
{
	uint64_t lines = 99;

	assert_int_equal(outbox_lines_written(&outbox, &lines), 0);
	return lines;
}

static void nobody_knows(void)
{
	uint64_t lines;

	assert_int_equal(outbox_lines_written(&outbox, &lines), -EAGAIN);
}

static off_t file_size(void)
{
	struct stat file;

	assert_int_equal(fstat(fd, &file), 0);
	return file.st_size;
}

TEST(nothing_is_written_while_lines_gather)
{
	assert_int_equal(written(), 0);
}

TEST(a_file_tells_that_nothing_was_written)
{
	put("old\n");
	begin_writing(3);
	assert_int_equal(written(), 0);
}

TEST(a_file_tells_that_all_was_written)
{
	put("old\n");
	begin_writing(3);
	put("1\n2\n3\n");
	assert_int_equal(written(), 3);
}

TEST(a_line_written_in_part_is_cut_off)
{
	put("old\n");
	begin_writing(3);
	put("1\n2\n3 and no mo");
	assert_int_equal(written(), 2);
	assert_int_equal(file_size(), strlen("old\n1\n2\n"));
}

TEST(a_first_line_written_in_part_is_cut_off)
{
	put("old\n");
	begin_writing(3);
	put("1");
	assert_int_equal(written(), 0);
	assert_int_equal(file_size(), strlen("old\n"));
}

TEST(lines_of_somebody_else_leave_it_open)
{
	begin_writing(1);
	put("1\nsomebody\n");
	nobody_knows();
}

TEST(a_file_begun_anew_leaves_it_open)
{
	put("old\n");
	begin_writing(1);
	assert_int_equal(ftruncate(fd, 0), 0);
	nobody_knows();
}

TEST(a_file_moved_away_leaves_it_open)
{
	begin_writing(1);
	unlink(path);
	nobody_knows();
}

TEST(a_pipe_leaves_it_open)
{
	struct outbox_totals next = outbox_next(&outbox, 1, 0, 0);
	struct outbox_place place;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	outbox_place_of(ends[1], &place);
	outbox_begin(&outbox, &place, &next);
	nobody_knows();
	close(ends[0]);
	close(ends[1]);
}

TEST(what_was_noted_as_written_needs_no_file)
{
	begin_writing(2);
	outbox_written(&outbox);
	unlink(path);
	assert_int_equal(written(), 2);
}

TEST(ending_adds_to_the_totals_once_however_often_it_is_done)
{
	struct outbox_slot *slot = outbox_slot(&outbox);

	slot->is_half_open = 1;
	outbox_slot_is(slot, SLOT_SETTLED);
	begin_writing(1);
	for (int i = 0; i < 2; i++) {
		outbox_written(&outbox);
		outbox_end(&outbox);
		assert_int_equal(outbox.now.lines, 1);
		assert_int_equal(outbox.now.flows, 1);
	}
}

TEST(slots_run_out_and_are_free_again)
{
	for (int i = 0; i < OUTBOX_SLOTS; i++) {
		struct outbox_slot *slot = outbox_slot(&outbox);

		assert_ptr_equal(slot, &outbox.slot[i]); /* in order */
		outbox_slot_is(slot, SLOT_TAKEN);
	}
	assert_null(outbox_slot(&outbox));
	begin_writing(OUTBOX_SLOTS);
	outbox_written(&outbox);
	outbox_end(&outbox);
	assert_ptr_equal(outbox_slot(&outbox), &outbox.slot[0]);
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(nothing_is_written_while_lines_gather),
		FRESH(a_file_tells_that_nothing_was_written),
		FRESH(a_file_tells_that_all_was_written),
		FRESH(a_line_written_in_part_is_cut_off),
		FRESH(a_first_line_written_in_part_is_cut_off),
		FRESH(lines_of_somebody_else_leave_it_open),
		FRESH(a_file_begun_anew_leaves_it_open),
		FRESH(a_file_moved_away_leaves_it_open),
		FRESH(a_pipe_leaves_it_open),
		FRESH(what_was_noted_as_written_needs_no_file),
		FRESH(ending_adds_to_the_totals_once_however_often_it_is_done),
		FRESH(slots_run_out_and_are_free_again),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}

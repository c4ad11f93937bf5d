/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespaces are found by path and by process, and what is none is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "netns.h"

static void our_own_is_found_by_path_and_by_process(void **state)
{
	struct netns by_path, by_pid;
	char pid[16];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_int_equal(netns_find("/proc/self/ns/net", &by_path), 0);
	assert_int_equal(netns_find(pid, &by_pid), 0);
	assert_int_equal(by_path.ino, by_pid.ino);
	assert_true(netns_is_own(&by_path));
	assert_true(netns_is_there(&by_pid));
}

static void a_name_that_nobody_gave_is_not_found(void **state)
{
	struct netns netns;

	(void)state;
	assert_int_equal(netns_find("no-such-namespace-here", &netns), -ENOENT);
	assert_int_equal(netns_find("", &netns), -ENOENT);
}

static void an_ordinary_file_is_no_namespace(void **state)
{
	struct netns netns;

	(void)state;
	assert_int_equal(netns_find("/proc/self/status", &netns), -EINVAL);
	assert_int_equal(netns_find("/", &netns), -EINVAL);
}

static void another_file_in_its_place_is_not_it(void **state)
{
	struct netns netns;

	(void)state;
	assert_int_equal(netns_find("/proc/self/ns/net", &netns), 0);
	netns.ino++;
	assert_false(netns_is_there(&netns));
	assert_false(netns_is_own(&netns));
}

static void entering_nothing_changes_nothing(void **state)
{
	int home = 7;

	(void)state;
	assert_int_equal(netns_enter(NULL, &home), 0);
	assert_int_equal(home, -1);
	netns_return(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_is_found_by_path_and_by_process),
		cmocka_unit_test(a_name_that_nobody_gave_is_not_found),
		cmocka_unit_test(an_ordinary_file_is_no_namespace),
		cmocka_unit_test(another_file_in_its_place_is_not_it),
		cmocka_unit_test(entering_nothing_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

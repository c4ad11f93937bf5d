/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups are found by their number and named after units, containers and pods. */
#include <ftw.h>
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

#include "cgroups.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void named(const char *path, const char *name)
{
	char text[CGROUP_NAME_MAX];

	cgroup_name(path, text);
	assert_string_equal(text, name);
}

static void a_unit_is_named_by_its_last_part(void **state)
{
	(void)state;
	named("/system.slice/nginx.service", "nginx.service");
	named("/user.slice/user-1000.slice/session-4.scope", "session-4.scope");
	named("/", "");
}

static void a_container_is_named_by_runtime_and_twelve_digits(void **state)
{
	(void)state;
	named("/system.slice/docker-" DIGITS ".scope", "docker:0123456789ab");
	named("/docker/" DIGITS, "docker:0123456789ab");
	named("/machine.slice/libpod-" DIGITS ".scope/container", "libpod:0123456789ab");
	named("/" DIGITS, "container:0123456789ab");
}

static void a_pod_is_named_by_its_uid_whoever_wrote_it(void **state)
{
	(void)state;
	named("/kubepods.slice/kubepods-burstable.slice/"
	      "kubepods-burstable-pod12345678_1234_1234_1234_123456789abc.slice/cri-containerd-" DIGITS
	      ".scope",
	      "pod:12345678-1234-1234-1234-123456789abc/0123456789ab");
	named("/kubepods/besteffort/pod12345678-1234-1234-1234-123456789abc/" DIGITS,
	      "pod:12345678-1234-1234-1234-123456789abc/0123456789ab");
	named("/kubepods.slice/kubepods-podabcdefabcdefabcdefabcdefabcdefab.slice",
	      "pod:abcdefabcdefabcdefabcdefabcdefab");
}

static void what_only_looks_like_one_is_named_by_its_last_part(void **state)
{
	(void)state;
	named("/kubepods.slice/podlike", "podlike");
	named("/x/0123456789ABCDEF", "0123456789ABCDEF");
	/* A name of a length nobody expects is cut, not run over. */
	char longest[400] = "/";
	char text[CGROUP_NAME_MAX];

	memset(longest + 1, 'x', sizeof(longest) - 2);
	cgroup_name(longest, text);
	assert_int_equal(strlen(text), CGROUP_NAME_MAX - 1);
}

/* A tree of directories is as good as a tree of cgroups. */

static char root[] = "/tmp/ackmon-cgroups-XXXXXX";
static struct cgroups *cgroups;

static uint32_t make(const char *path)
{
	char full[128];
	struct stat status;

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(mkdir(full, 0755), 0);
	assert_int_equal(stat(full, &status), 0);
	return (uint32_t)status.st_ino;
}

static void within(const char *path, const char *namespace)
{
	char text[CGROUP_NAMESPACE_MAX];

	cgroup_namespace(path, text);
	assert_string_equal(text, namespace);
}

static void a_namespace_is_the_service_whatever_slice_it_is_in(void **state)
{
	(void)state;
	within("/system.slice/nginx.service", "nginx.service");
	within("/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service");
	within("/system.slice/nginx.service/workers", "nginx.service");
	within("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope", "user@1000.service");
}

static void a_namespace_outlives_sessions_containers_and_pods(void **state)
{
	(void)state;
	within("/user.slice/user-1000.slice/session-4.scope", "user-1000.slice");
	within("/system.slice/docker-" DIGITS ".scope", "docker");
	within("/docker/" DIGITS, "docker");
	within("/kubepods.slice/kubepods-podabcdefabcdefabcdefabcdefabcdefab.slice", "kubepods");
	within("/kubepods/besteffort/pod12345678-1234-1234-1234-123456789abc/" DIGITS, "kubepods");
	within("/init.scope", "init.scope");
	within("/batch/job-17", "batch");
	within("/only.slice", "only.slice");
}

static void the_root_has_no_namespace(void **state)
{
	(void)state;
	within("/", "");
	within("", "");
}

static void a_namespace_is_text_whatever_the_directory_is_called(void **state)
{
	char path[300] = "/", cut[256];

	(void)state;
	within("/a\xff\xc3.service", "a??.service");
	within("/\xc3\xa9.service", "\xc3\xa9.service");
	within("/a\"b\n.service", "a\"b\n.service");
	memset(path + 1, 'x', 254);
	strcpy(path + 255, "\xc3\xa9");
	memset(cut, 'x', 254);
	strcpy(cut + 254, "?");
	within(path, cut);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static int make_root(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return !mkdtemp(root);
}

static int remove_root(void **state)
{
	(void)state;
	cgroups_close(cgroups);
	cgroups = NULL;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void a_number_leads_to_its_path(void **state)
{
	uint32_t slice = make("/a.slice"), unit = make("/a.slice/b.service");

	(void)state;
	assert_int_equal(cgroups_open_at(&cgroups, root), 0);
	assert_string_equal(cgroups_path(cgroups, slice), "/a.slice");
	assert_string_equal(cgroups_path(cgroups, unit), "/a.slice/b.service");
	assert_null(cgroups_path(cgroups, unit + slice + 12345));
}

static void one_that_went_is_still_known(void **state)
{
	uint32_t unit = make("/job.service");
	char path[64];

	(void)state;
	assert_int_equal(cgroups_open_at(&cgroups, root), 0);
	snprintf(path, sizeof(path), "%s/job.service", root);
	assert_int_equal(rmdir(path), 0);
	assert_string_equal(cgroups_path(cgroups, unit), "/job.service");
}

static void many_are_all_found(void **state)
{
	uint32_t ids[1000];
	char path[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/u%d", i);
		ids[i] = make(path);
	}
	assert_int_equal(cgroups_open_at(&cgroups, root), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/u%d", i);
		assert_string_equal(cgroups_path(cgroups, ids[i]), path);
	}
}

static char visited[256];
static int visit_says;

static int visit(void *context, uint32_t id, const char *path)
{
	(void)context;
	(void)id;
	if (!visit_says)
		strcat(strcat(visited, path), " ");
	return visit_says;
}

static void visit_new(int says, const char *paths)
{
	visited[0] = '\0';
	visit_says = says;
	assert_int_equal(cgroups_visit_new(cgroups, visit, NULL), says);
	assert_string_equal(visited, paths);
}

static void those_found_since_are_visited_once(void **state)
{
	(void)state;
	assert_int_equal(cgroups_open_at(&cgroups, root), 0);
	visit_new(0, "/ ");
	visit_new(0, "");
	make("/a.service");
	cgroups_have_news(cgroups);
	do /* a walk takes a fiftieth of the time at most */
		cgroups_refresh(cgroups);
	while (cgroups_visit_new(cgroups, visit, (visit_says = -1, NULL)) == 0);
	visit_new(-7, "");
	visit_new(0, "/a.service ");
	visit_new(0, "");
}

static void those_that_are_gone_are_forgotten_and_the_others_new(void **state)
{
	uint32_t gone = make("/gone.service");
	const char *known;
	char path[64];

	(void)state;
	make("/stays.service");
	assert_int_equal(cgroups_open_at(&cgroups, root), 0);
	assert_int_equal(cgroups_visit_new(cgroups, visit, NULL), 0);
	snprintf(path, sizeof(path), "%s/gone.service", root);
	assert_int_equal(rmdir(path), 0);
	make("/more.service");
	cgroups_have_news(cgroups);
	do
		cgroups_refresh(cgroups);
	while (cgroups_visit_new(cgroups, visit, (visit_says = -1, NULL)) == 0);
	cgroups_forget_gone(cgroups);
	known = cgroups_path(cgroups, gone); /* a directory made since may have its number */
	assert_true(!known || strcmp(known, "/gone.service"));
	visited[0] = '\0';
	visit_says = 0;
	assert_int_equal(cgroups_visit_new(cgroups, visit, NULL), 0);
	assert_non_null(strstr(visited, "/stays.service "));
	assert_non_null(strstr(visited, "/more.service "));
	assert_null(strstr(visited, "/gone.service"));
}

#define tree_test(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit_is_named_by_its_last_part),
		cmocka_unit_test(a_container_is_named_by_runtime_and_twelve_digits),
		cmocka_unit_test(a_pod_is_named_by_its_uid_whoever_wrote_it),
		cmocka_unit_test(what_only_looks_like_one_is_named_by_its_last_part),
		tree_test(a_number_leads_to_its_path),
		tree_test(one_that_went_is_still_known),
		tree_test(many_are_all_found),
		tree_test(those_found_since_are_visited_once),
		tree_test(those_that_are_gone_are_forgotten_and_the_others_new),
		cmocka_unit_test(a_namespace_is_the_service_whatever_slice_it_is_in),
		cmocka_unit_test(a_namespace_outlives_sessions_containers_and_pods),
		cmocka_unit_test(the_root_has_no_namespace),
		cmocka_unit_test(a_namespace_is_text_whatever_the_directory_is_called),
	};

	return cmocka_run_group_tests_name("cgroups", tests, NULL, NULL);
}

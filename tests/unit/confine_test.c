/* SPDX-License-Identifier: GPL-2.0-only */
/* Which system calls are left when everything is set up, each tried in a process of its own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine.h"

#define BPF_MAP_CREATE_COMMAND 0
#define BPF_LOOKUP_COMMAND 1
#define BPF_PROG_LOAD_COMMAND 5

static const struct confinement nothing, reader = {.reads_maps = true}, server = {.networks = true},
				deputy = {.attaches = true};
static char said[512];

/* The errno of the call there; 0: it was done. What is said on stderr is in said. */
static int errno_of(const struct confinement *confinement, long number, long first, long second, long third)
{
	char error[256];
	int ends[2], status;
	ssize_t bytes, len = 0;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[1]);
		if (confine(confinement, error, sizeof(error)))
			_exit(255);
		errno = 0;
		_exit(syscall(number, first, second, third) < 0 ? errno : 0);
	}
	close(ends[1]);
	while ((bytes = read(ends[0], said + len, sizeof(said) - 1 - (size_t)len)) > 0)
		len += bytes;
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void refuses(const struct confinement *confinement, long number, long first, long second, long third)
{
	char words[64];

	snprintf(words, sizeof(words), "system call %ld was refused", number);
	assert_int_equal(errno_of(confinement, number, first, second, third), EPERM);
	assert_non_null(strstr(said, words));
}

static void allows(const struct confinement *confinement, long number, long first, long second, long third)
{
	assert_int_not_equal(errno_of(confinement, number, first, second, third), EPERM);
	assert_string_equal(said, "");
}

static void no_program_is_started_whoever_it_is(void **state)
{
	static char *const argv[] = {(char *)"/bin/true", NULL};

	(void)state;
	refuses(&nothing, SYS_execve, (long)argv[0], (long)argv, 0);
	refuses(&reader, SYS_execve, (long)argv[0], (long)argv, 0);
	refuses(&server, SYS_execve, (long)argv[0], (long)argv, 0);
	refuses(&deputy, SYS_execve, (long)argv[0], (long)argv, 0);
	refuses(&server, SYS_execveat, -1, (long)argv[0], (long)argv);
}

static void no_process_is_made_or_touched(void **state)
{
	(void)state;
	refuses(&server, SYS_clone, SIGCHLD, 0, 0);
	refuses(&server, SYS_kill, getpid(), 0, 0);
	refuses(&server, SYS_ptrace, 0, 0, 0);
	refuses(&server, SYS_process_vm_readv, getpid(), 0, 0);
}

static void rights_and_mounts_stay_as_they_are(void **state)
{
	(void)state;
	refuses(&server, SYS_setuid, 0, 0, 0);
	refuses(&server, SYS_capset, 0, 0, 0);
	refuses(&server, SYS_mount, 0, 0, 0);
	refuses(&server, SYS_unshare, 0, 0, 0);
	refuses(&server, SYS_setns, -1, 0, 0);
	refuses(&server, SYS_init_module, 0, 0, 0);
	refuses(&server, SYS_fchown, -1, 0, 0);
	refuses(&deputy, SYS_setuid, 0, 0, 0);
}

static void sockets_are_for_whom_they_were_meant(void **state)
{
	(void)state;
	refuses(&nothing, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	refuses(&reader, SYS_socket, AF_INET, SOCK_STREAM, 0);
	refuses(&reader, SYS_socket, AF_INET6, SOCK_STREAM, 0);
	refuses(&server, SYS_socket, AF_PACKET, SOCK_RAW, 0);
	refuses(&deputy, SYS_socket, AF_PACKET, SOCK_RAW, 0);
	allows(&reader, SYS_socket, AF_NETLINK, SOCK_RAW, 0);
	allows(&server, SYS_socket, AF_INET, SOCK_STREAM, 0);
	allows(&server, SYS_socket, AF_INET6, SOCK_STREAM, 0);
}

static void maps_are_read_and_nothing_is_loaded(void **state)
{
	(void)state;
	refuses(&nothing, SYS_bpf, BPF_LOOKUP_COMMAND, 0, 0);
	refuses(&reader, SYS_bpf, BPF_PROG_LOAD_COMMAND, 0, 0);
	refuses(&reader, SYS_bpf, BPF_MAP_CREATE_COMMAND, 0, 0);
	/* Not through allows(): of an unprivileged one the kernel may refuse it with the same number. */
	errno_of(&reader, SYS_bpf, BPF_LOOKUP_COMMAND, 0, 0);
	assert_string_equal(said, "");
}

static void nobody_types_into_a_terminal(void **state)
{
	(void)state;
	refuses(&server, SYS_ioctl, 0, TIOCSTI, (long)"x");
	allows(&server, SYS_ioctl, 0, TIOCGWINSZ, 0);
}

static void files_and_time_go_on(void **state)
{
	(void)state;
	allows(&nothing, SYS_openat, -100, (long)"/dev/null", 0);
	allows(&nothing, SYS_getpid, 0, 0, 0);
	allows(&nothing, SYS_clock_gettime, 0, 0, 0);
}

static void *answer(void *argument)
{
	return argument;
}

static void threads_are_made(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		char error[256];
		pthread_t thread;
		void *got = NULL;

		if (confine(&server, error, sizeof(error)))
			_exit(255);
		_exit(pthread_create(&thread, NULL, answer, &status) || pthread_join(thread, &got) || got != &status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_program_is_started_whoever_it_is),
		cmocka_unit_test(no_process_is_made_or_touched),
		cmocka_unit_test(rights_and_mounts_stay_as_they_are),
		cmocka_unit_test(sockets_are_for_whom_they_were_meant),
		cmocka_unit_test(maps_are_read_and_nothing_is_loaded),
		cmocka_unit_test(nobody_types_into_a_terminal),
		cmocka_unit_test(files_and_time_go_on),
		cmocka_unit_test(threads_are_made),
	};

	unsetenv("ACKMON_SECCOMP");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

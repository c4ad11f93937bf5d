/* SPDX-License-Identifier: GPL-2.0-only */
/* The system calls that are left, once there is nothing more to set up. */
#include "confine.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

/* Of enum bpf_cmd, whose header is not for this file: what a reader of maps asks. */
enum {
	MAP_LOOKUP_ELEM = 1,
	MAP_UPDATE_ELEM = 2,
	MAP_DELETE_ELEM = 3,
	MAP_GET_NEXT_KEY = 4,
	OBJ_GET = 7, /* whether an interface is kept */
	OBJ_GET_INFO_BY_FD = 15,
	MAP_LOOKUP_AND_DELETE_ELEM = 21,
	MAP_LOOKUP_BATCH = 24,
	MAP_LOOKUP_AND_DELETE_BATCH = 25,
	MAP_UPDATE_BATCH = 26,
	MAP_DELETE_BATCH = 27,
	ITER_CREATE = 33,
	LINK_DETACH = 34,
};

static const int map_commands[] = {
	MAP_LOOKUP_ELEM,  MAP_UPDATE_ELEM,  MAP_DELETE_ELEM,
	MAP_GET_NEXT_KEY, OBJ_GET, OBJ_GET_INFO_BY_FD, MAP_LOOKUP_AND_DELETE_ELEM,
	MAP_LOOKUP_BATCH, MAP_LOOKUP_AND_DELETE_BATCH, MAP_UPDATE_BATCH,
	MAP_DELETE_BATCH, ITER_CREATE, LINK_DETACH,
};

/* Names, since a system call need not exist on every architecture. */
static const char *const always[] = {
	/* memory */
	"brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "membarrier",
	/* files: the output and the labels are opened again, captures are read */
	"read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "close", "open", "openat",
	"fchmod", "fstat", "stat", "lstat", "newfstatat", "fstatat64", "statx", "readlink", "readlinkat", "access",
	"faccessat", "faccessat2", "fcntl", "fsync", "fdatasync", "ftruncate", "fallocate", "fadvise64",
	"flock", "getdents64", "getcwd", "dup", "dup2", "dup3", "pipe2", "umask", "rename", "renameat",
	"renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "statfs", "fstatfs",
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	/* waiting */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select",
	"pselect6", "eventfd2", "signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	"nanosleep", "clock_nanosleep", "restart_syscall", "pause", "sched_yield", "futex",
	/* signals and the end */
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "tgkill", "exit",
	"exit_group",
	/* questions */
	"clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getpid", "getppid", "gettid",
	"getuid", "geteuid", "getgid", "getegid", "getgroups", "capget", "getrandom", "getrusage",
	"prlimit64", "getrlimit", "wait4", "waitid", "sysinfo", "uname", "sched_getaffinity", "getcpu",
	/* threads of libraries; clone() itself is below */
	"set_robust_list", "set_tid_address", "rseq", "arch_prctl", "prctl",
};

static const char *const sockets[] = {
	"connect", "bind", "listen", "accept", "accept4", "shutdown", "socketpair", "sendto", "sendmsg",
	"sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "getsockopt", "setsockopt", "getsockname",
	"getpeername", "sendfile", "sendfile64",
};

static const char *const attaching[] = {
	"bpf", "setns", "perf_event_open", "memfd_create", "getsockopt", "setsockopt", "bind", "listen",
	"connect", "accept4", "sendto", "sendmsg", "recvfrom", "recvmsg", "recv", "getsockname", "setrlimit",
};

/* A system call that is not on the list: said once each, by nothing that a signal handler must not call. */
static void on_refusal(int signal, siginfo_t *info, void *context)
{
	static volatile sig_atomic_t said[1024];
	unsigned int number = (unsigned int)info->si_syscall;
	char text[128] = "ackmon: system call ", digits[12];
	size_t len = strlen(text), count = 0;
	ucontext_t *state = context;

	(void)signal;
#if defined(__x86_64__)
	state->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	state->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
	(void)state;
#endif
	if (number < 1024 && said[number]++)
		return;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		text[len++] = digits[--count];
	strcpy(text + len, " was refused; please report it, ACKMON_SECCOMP=off goes on without\n");
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static int listen_to_refusals(void)
{
	struct sigaction action = {.sa_sigaction = on_refusal, .sa_flags = SA_SIGINFO | SA_NODEFER};

	return sigaction(SIGSYS, &action, NULL) ? -errno : 0;
}

static int allow_all(scmp_filter_ctx filter, const char *const *calls, size_t count)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		int number = seccomp_syscall_resolve_name(calls[i]);

		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		if (err == -EEXIST || err == -EDOM)
			err = 0;
	}
	return err;
}

#define ALLOW(filter, calls) allow_all(filter, calls, sizeof(calls) / sizeof(*(calls)))

static int allow_when(scmp_filter_ctx filter, int call, unsigned int argument, uint64_t value)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				   SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value));

	return err == -EEXIST ? 0 : err;
}

/* Threads, never processes. clone3() hides its flags behind a pointer, and glibc takes the older one. */
static int allow_threads(scmp_filter_ctx filter)
{
	int clone3 = seccomp_syscall_resolve_name("clone3");
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	if (!err && clone3 != __NR_SCMP_ERROR)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), clone3, 0);
	return err;
}

/* What a terminal is asked, and an interface. Not TIOCSTI: it types. */
static int allow_ioctls(scmp_filter_ctx filter)
{
	static const unsigned int requests[] = {
		TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFFLAGS,
		SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFADDR, SIOCGIFTXQLEN, SIOCETHTOOL,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(requests) / sizeof(*requests); i++)
		err = allow_when(filter, SCMP_SYS(ioctl), 1, requests[i]);
	return err;
}

static int allow_socket(scmp_filter_ctx filter, const struct confinement *confinement)
{
	int err = allow_when(filter, SCMP_SYS(socket), 0, AF_UNIX);

	if (!err)
		err = allow_when(filter, SCMP_SYS(socket), 0, AF_NETLINK);
	if (!err && (confinement->networks || confinement->attaches))
		err = allow_when(filter, SCMP_SYS(socket), 0, AF_INET);
	if (!err && confinement->networks)
		err = allow_when(filter, SCMP_SYS(socket), 0, AF_INET6);
	return err ? err : ALLOW(filter, sockets);
}

static int allow_bpf(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(map_commands) / sizeof(*map_commands); i++)
		err = allow_when(filter, SCMP_SYS(bpf), 0, (uint64_t)map_commands[i]);
	return err;
}

static int fill(scmp_filter_ctx filter, const struct confinement *confinement)
{
	int err = ALLOW(filter, always);

	if (!err)
		err = allow_threads(filter);
	if (!err)
		err = allow_ioctls(filter);
	if (!err && (confinement->networks || confinement->reads_maps || confinement->attaches))
		err = allow_socket(filter, confinement);
	if (!err && confinement->attaches)
		err = ALLOW(filter, attaching);
	else if (!err && confinement->reads_maps)
		err = allow_bpf(filter);
	return err;
}

int confine(const struct confinement *confinement, char *ret_error, size_t error_size)
{
	const char *choice = getenv("ACKMON_SECCOMP");
	scmp_filter_ctx filter;
	int err;

	if (choice && !strcmp(choice, "off"))
		return 0;
	filter = seccomp_init(SCMP_ACT_TRAP);
	err = filter ? fill(filter, confinement) : -ENOMEM;
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = listen_to_refusals();
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	if (err)
		snprintf(ret_error, error_size,
			 "system calls cannot be limited: %s; ACKMON_SECCOMP=off goes on without",
			 strerror(-err));
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting: timers and signals in one place, so that nothing polls and nothing sleeps blindly. */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

struct watcher {
	struct watcher *next;
	loop_fn fn;
	void *context;
	int fd;
	bool is_borrowed; /* its records are for whoever opened it */
};

struct loop {
	struct watcher *watchers;
	int epoll_fd;
	bool stopped;
	uint64_t longest_turn_ns;
};

int loop_open(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int err = -errno;

		free(loop);
		return err;
	}
	*ret_loop = loop;
	return 0;
}

/* Takes fd over, also when it fails. */
static int watch(struct loop *loop, int fd, loop_fn fn, void *context)
{
	struct watcher *watcher;
	struct epoll_event event = {.events = EPOLLIN};
	int err = 0;

	if (fd < 0)
		return -errno;
	watcher = malloc(sizeof(*watcher));
	if (!watcher) {
		close(fd);
		return -ENOMEM;
	}
	*watcher = (struct watcher){
		.next = loop->watchers,
		.fn = fn,
		.context = context,
		.fd = fd,
	};
	event.data.ptr = watcher;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		err = -errno;
		close(fd);
		free(watcher);
		return err;
	}
	loop->watchers = watcher;
	return 0;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
}

static int watch_timer(struct loop *loop, uint64_t first_ns, uint64_t period_ns, loop_fn fn,
		       void *context)
{
	struct itimerspec spec = {
		.it_value = timespec_of(first_ns ? first_ns : 1),
		.it_interval = timespec_of(period_ns),
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0 && timerfd_settime(fd, 0, &spec, NULL)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return watch(loop, fd, fn, context);
}

int loop_every(struct loop *loop, uint64_t period_ns, loop_fn fn, void *context)
{
	return watch_timer(loop, period_ns, period_ns, fn, context);
}

int loop_once(struct loop *loop, uint64_t delay_ns, loop_fn fn, void *context)
{
	return watch_timer(loop, delay_ns, 0, fn, context);
}

int loop_on_signal(struct loop *loop, int signal, loop_fn fn, void *context)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return watch(loop, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), fn, context);
}

int loop_on_fd(struct loop *loop, int fd, loop_fn fn, void *context)
{
	return watch(loop, fd, fn, context);
}

/* A timer that never comes, but tells when its clock is set: reading it says ECANCELED then. */
int loop_on_clock_set(struct loop *loop, loop_fn fn, void *context)
{
	struct itimerspec never = {.it_value.tv_sec = INT32_MAX * INT64_C(100)};
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd >= 0 &&
	    timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return watch(loop, fd, fn, context);
}

int loop_on_input(struct loop *loop, int fd, loop_fn fn, void *context)
{
	/* A descriptor of our own, so that whose it was may close it first. */
	int err = watch(loop, fcntl(fd, F_DUPFD_CLOEXEC, 0), fn, context);

	if (!err)
		loop->watchers->is_borrowed = true;
	return err;
}

/* Timers, signals and inotify give records to read away; how many there were does not matter. */
static void drain(int fd)
{
	char record[4096]; /* inotify refuses a read that is shorter than its record */

	while (read(fd, record, sizeof(record)) > 0)
		continue;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopped) {
		struct epoll_event event;
		struct watcher *watcher;
		uint64_t begin_ns, turn_ns;
		int n = epoll_wait(loop->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		watcher = event.data.ptr;
		begin_ns = clock_monotonic_ns();
		if (!watcher->is_borrowed)
			drain(watcher->fd);
		watcher->fn(watcher->context);
		turn_ns = clock_monotonic_ns() - begin_ns;
		if (turn_ns > loop->longest_turn_ns)
			loop->longest_turn_ns = turn_ns;
	}
	return 0;
}

uint64_t loop_longest_turn_ns(const struct loop *loop)
{
	return loop->longest_turn_ns;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_close(struct loop *loop)
{
	struct watcher *watcher;

	if (!loop)
		return;
	while ((watcher = loop->watchers)) {
		loop->watchers = watcher->next;
		close(watcher->fd);
		free(watcher);
	}
	close(loop->epoll_fd);
	free(loop);
}

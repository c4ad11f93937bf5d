/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that may still attach: it follows interfaces and tells the one that reads, which may not. */
#include "deputy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "confine.h"
#include "log.h"
#include "netns.h"

#define CHECK_MS 1000 /* of namespaces that end there is no news */

struct deputy {
	struct roster *roster;
	struct attach *attach;
	int fd; /* messages with their bounds: struct roster_news one way, any octet the other */
	pid_t pid;
};

/* Between the two */

union claim_message {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* The claim goes along, so that it lives and dies with the one that reads. */
static void tell(void *context, const struct roster_news *news, int claim_fd)
{
	const struct deputy *deputy = context;
	struct iovec text = {.iov_base = (void *)news, .iov_len = sizeof(*news)};
	union claim_message control = {};
	struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};

	if (claim_fd >= 0) {
		control.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.header), &claim_fd, sizeof(claim_fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	if (sendmsg(deputy->fd, &message, MSG_NOSIGNAL) < 0 && errno == EPIPE)
		_exit(EXIT_FAILED); /* nobody reads any more */
}

/* 1: there was something; 0: not now; -EPIPE. */
static int receive(int fd, struct roster_news *ret_news, int *ret_claim_fd, int flags)
{
	struct iovec text = {.iov_base = ret_news, .iov_len = sizeof(*ret_news)};
	union claim_message control = {};
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len;

	do
		len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags);
	while (len < 0 && errno == EINTR);
	if (len < 0 && errno == EAGAIN)
		return 0;
	if (len != sizeof(*ret_news))
		return -EPIPE;
	*ret_claim_fd = -1;
	if (message.msg_controllen && control.header.cmsg_type == SCM_RIGHTS)
		memcpy(ret_claim_fd, CMSG_DATA(&control.header), sizeof(*ret_claim_fd));
	return 1;
}

/* The deputy's side */

static void say_what_is_kept(void)
{
	char kept[128];

	privileges_text(kept, sizeof(kept));
	if (kept[0])
		log_info("%s kept by process %d alone, which attaches to interfaces that come and detaches at "
			 "the end",
			 kept, (int)getpid());
}

static bool are_of_processes(const struct options *options)
{
	for (size_t i = 0; i < options->netns_count; i++)
		if (netns_is_of_process(options->netns[i]))
			return true;
	return false;
}

static int give_up(struct deputy *deputy, const struct options *options, const struct identity *identity)
{
	const struct confinement confinement = {.reads_maps = true, .attaches = true};
	capabilities keep = privileges_to_read_maps() | attach_to_leave(deputy->attach) |
			    privileges_to_attach(options->netns_count, are_of_processes(options));
	char error[512];
	int err;

	err = privileges_drop(identity, keep, error, sizeof(error));
	if (!err)
		err = confine(&confinement, error, sizeof(error));
	if (err)
		log_error("%s", error);
	else
		say_what_is_kept();
	return err;
}

/* Until the other one says so, or is killed: then what it leaves is left as ever. */
static bool serve(struct deputy *deputy, bool has_namespaces)
{
	struct pollfd waits[] = {
		{.fd = deputy->fd, .events = POLLIN},
		{.fd = roster_fd(deputy->roster), .events = POLLIN},
	};
	char word;

	for (;;) {
		int n = poll(waits, 2, has_namespaces ? CHECK_MS : -1);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0 && waits[0].revents)
			return recv(deputy->fd, &word, 1, 0) == 1;
		if (n > 0 && waits[1].revents)
			roster_follow(deputy->roster);
		if (has_namespaces)
			roster_check(deputy->roster);
		roster_bury(deputy->roster);
	}
}

static void __attribute__((noreturn)) be_deputy(struct deputy *deputy, const struct options *options,
						const struct identity *identity)
{
	const struct roster_news ready = {.kind = ROSTER_READY};

	prctl(PR_SET_NAME, "ackmon-attach");
	attach_keep_rest(deputy->attach);
	if (give_up(deputy, options, identity))
		_exit(EXIT_FAILED);
	roster_tell(deputy->roster, tell, deputy);
	tell(deputy, &ready, -1);
	if (serve(deputy, options->netns_count))
		attach_stop(deputy->attach);
	_exit(EXIT_DONE);
}

/* Signals are for the one that reads: all that it takes are blocked here, too, and nobody takes them. */
static void leave_standard_files(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

/* The reader's side */

int deputy_open(struct deputy **ret_deputy, struct roster *roster, struct attach *attach,
		const struct options *options, const struct identity *identity,
		void (*leave_behind)(void *context), void *context, char *ret_error, size_t error_size)
{
	struct deputy *deputy = calloc(1, sizeof(*deputy));
	struct roster_news news;
	int ends[2] = {-1, -1}, claim_fd, err = 0;

	if (!deputy) {
		snprintf(ret_error, error_size, "out of memory");
		return -ENOMEM;
	}
	*deputy = (struct deputy){.roster = roster, .attach = attach, .fd = -1, .pid = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) || (deputy->pid = fork()) < 0)
		err = -errno;
	if (!err && !deputy->pid) {
		close(ends[0]);
		deputy->fd = ends[1];
		leave_behind(context);
		leave_standard_files();
		be_deputy(deputy, options, identity);
	}
	if (ends[1] >= 0)
		close(ends[1]);
	deputy->fd = ends[0];
	/* Ready it has given up what it had. */
	if (!err && receive(deputy->fd, &news, &claim_fd, 0) != 1)
		err = -EPIPE;
	if (err) {
		snprintf(ret_error, error_size, "no process can be made that attaches to interfaces: %s",
			 err == -EPIPE ? "it ended" : strerror(-err));
		deputy_close(deputy);
		return err;
	}
	attach_keep_links(attach);
	*ret_deputy = deputy;
	return 0;
}

int deputy_fd(const struct deputy *deputy)
{
	return deputy->fd;
}

int deputy_hear(struct deputy *deputy)
{
	struct roster_news news;
	int claim_fd, n;

	while ((n = receive(deputy->fd, &news, &claim_fd, MSG_DONTWAIT)) > 0)
		roster_hear(deputy->roster, &news, claim_fd);
	return n;
}

void deputy_close(struct deputy *deputy)
{
	char word = 0;

	if (!deputy)
		return;
	if (deputy->pid > 0) {
		send(deputy->fd, &word, 1, MSG_NOSIGNAL);
		while (waitpid(deputy->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	if (deputy->fd >= 0)
		close(deputy->fd);
	free(deputy);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What a service manager is told: ready, alive, stopping (sd_notify(3), the datagram alone). */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"

struct notify {
	int fd;
};

/* A manager that is gone or busy is no reason to stop watching; a missed watchdog is its to judge. */
static void tell(struct notify *notify, const char *text)
{
	if (notify && write(notify->fd, text, strlen(text)) < 0)
		return;
}

static void on_watchdog(void *context)
{
	tell(context, "WATCHDOG=1");
}

/* A path, or with "@" a name of the abstract kind, which has no zero at its end. */
static int connect_to(const char *name, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	int fd, err;

	if ((*name != '/' && *name != '@') || len >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, name, len);
	if (*name == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* Half of what the manager waits for us; 0: it does not, or it waits for another process. */
static uint64_t watchdog_period_ns(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t period_us;

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	period_us = strtoull(usec, NULL, 10);
	return period_us < UINT64_MAX / 1000 ? period_us * 1000 / 2 : 0;
}

int notify_open(struct notify **ret_notify, struct loop *loop)
{
	const char *name = getenv("NOTIFY_SOCKET");
	uint64_t period_ns = watchdog_period_ns();
	struct notify *notify;
	int err;

	*ret_notify = NULL;
	if (!name || !*name)
		return 0;
	notify = malloc(sizeof(*notify));
	if (!notify)
		return -ENOMEM;
	err = connect_to(name, &notify->fd);
	if (err) {
		free(notify);
		return err;
	}
	if (period_ns)
		err = loop_every(loop, period_ns, on_watchdog, notify);
	if (err) {
		notify_close(notify);
		return err;
	}
	*ret_notify = notify;
	return 0;
}

void notify_ready(struct notify *notify)
{
	tell(notify, "READY=1\nSTATUS=watching");
}

void notify_stopping(struct notify *notify)
{
	tell(notify, "STOPPING=1");
}

void notify_close(struct notify *notify)
{
	if (!notify)
		return;
	close(notify->fd);
	free(notify);
}

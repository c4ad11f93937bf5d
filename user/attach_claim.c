/* SPDX-License-Identifier: GPL-2.0-only */
/* Who watches an interface: an abstract socket is seen in its network namespace only, and dies with its process. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach_internal.h"

static socklen_t claim_address(unsigned int ifindex, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(ret_address->sun_path + 1, sizeof(ret_address->sun_path) - 1, "ackmon/%u",
			ifindex);
}

/* 0 when it does not tell. */
static pid_t claim_owner(const struct sockaddr_un *address, socklen_t len)
{
	struct ucred owner = {};
	socklen_t owner_len = sizeof(owner);
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)address, len) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &owner_len))
		owner.pid = 0;
	close(fd);
	return owner.pid;
}

pid_t attach_claimant(unsigned int ifindex)
{
	struct sockaddr_un address;
	socklen_t len = claim_address(ifindex, &address);

	return claim_owner(&address, len);
}

/* Numbers of namespaces are used again, cookies are not; 0 before Linux 5.14. */
uint64_t attach_netns_cookie(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	if (fd >= 0)
		close(fd);
	return cookie;
}

static int refuse_claimed(const struct place *place, const struct sockaddr_un *address,
			  socklen_t len, char *ret_error, size_t error_size)
{
	const char *name = place->interface.name;
	pid_t owner = claim_owner(address, len);

	if (owner == getpid())
		return attach_fail(ret_error, error_size, -EADDRINUSE,
				   "%s: given twice; once is enough", name);
	if (owner > 0)
		return attach_fail(ret_error, error_size, -EADDRINUSE,
				   "%s: another ackmon (process %d) is watching it; end that one "
				   "first",
				   name, (int)owner);
	return attach_fail(ret_error, error_size, -EADDRINUSE,
			   "%s: another ackmon is watching it; end that one first", name);
}

/* A socket left in another namespace would keep it alive for ever: there we only look. */
int attach_claim_place(struct place *place, char *ret_error, size_t error_size)
{
	struct sockaddr_un address;
	socklen_t len = claim_address(place->interface.ifindex, &address);
	const char *name = place->interface.name;
	int err = 0;

	place->claim_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (place->claim_fd < 0)
		return attach_fail(ret_error, error_size, -errno, "%s: no socket to claim it: %s",
				   name, strerror(errno));
	if (bind(place->claim_fd, (struct sockaddr *)&address, len))
		err = -errno;
	else
		listen(place->claim_fd, SOMAXCONN);
	if (place->netns) {
		close(place->claim_fd);
		place->claim_fd = -1;
	}
	if (err == -EADDRINUSE)
		return refuse_claimed(place, &address, len, ret_error, error_size);
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: cannot be claimed: %s", name,
				   strerror(-err));
	return 0;
}

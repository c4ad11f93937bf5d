/* SPDX-License-Identifier: GPL-2.0-only */
/* Network interfaces that come, go and change: the news of rtnetlink, of one or more namespaces. */
#include "links.h"
#include "interfaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for a burst: a message is 1.5 kB, and a missed one costs listing everything. */
#define NEWS_BYTES (4 << 20)

#define MESSAGE_MAX 65536

static const char *attr_text(const struct rtattr *attr)
{
	const char *text = RTA_DATA(attr);

	return memchr(text, '\0', RTA_PAYLOAD(attr)) ? text : "";
}

/* False when it is news of something else. */
static bool read_link(const struct nlmsghdr *message, int nsid, struct link *ret_link)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const struct rtattr *attr = IFLA_RTA(info);
	int len = IFLA_PAYLOAD(message);

	if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) || len < 0)
		return false;
	/* A bridge tells of its ports in the same words; such an interface has not gone. */
	if (info->ifi_family != AF_UNSPEC)
		return false;
	*ret_link = (struct link){
		.ifindex = (unsigned int)info->ifi_index,
		.nsid = nsid,
		.is_gone = message->nlmsg_type == RTM_DELLINK,
		.is_up = info->ifi_flags & IFF_UP,
		.is_loopback = info->ifi_flags & IFF_LOOPBACK,
		.is_ethernet = info->ifi_type == ARPHRD_ETHER || info->ifi_type == ARPHRD_LOOPBACK,
		.is_raw_ip = interface_type_is_raw_ip(info->ifi_type),
	};
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if (attr->rta_type == IFLA_IFNAME)
			snprintf(ret_link->name, sizeof(ret_link->name), "%.*s", IFNAMSIZ - 1,
				 attr_text(attr));
	return true;
}

int links_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int bytes = NEWS_BYTES;

	if (fd < 0)
		return -errno;
	/* Beyond the system's bound where we may; within it otherwise. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

void links_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int links_listen_to_all(int fd)
{
	int yes = 1;

	return setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &yes, sizeof(yes)) ? -errno : 0;
}

/* Which namespace a message comes from travels beside it; our own is not named. */
static int message_nsid(struct msghdr *header)
{
	struct cmsghdr *control;
	int nsid = LINKS_OWN;

	for (control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control))
		if (control->cmsg_level == SOL_NETLINK &&
		    control->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(control), sizeof(nsid));
	return nsid;
}

/* 1: a datagram was read and handed on, 0: its answer is complete; or -errno. */
static int receive(int fd, link_fn on_link, void *context)
{
	static char buffer[MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct sockaddr_nl sender = {};
	struct iovec vector = {.iov_base = buffer, .iov_len = sizeof(buffer)};
	struct msghdr header = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	ssize_t len = recvmsg(fd, &header, 0);
	struct link link;

	if (len < 0)
		return errno == EINTR ? 1 : -errno;
	if (sender.nl_pid) /* not from the kernel */
		return 1;
	for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
		if (on_link && read_link(message, message_nsid(&header), &link))
			on_link(context, &link);
	}
	return 1;
}

int links_read(int fd, link_fn on_link, void *context)
{
	int err;

	do {
		err = receive(fd, on_link, context);
	} while (err > 0);
	return err == -EAGAIN ? 0 : err;
}

static int request_socket(const struct nlmsghdr *request)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (send(fd, request, request->nlmsg_len, 0) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int links_list(link_fn on_link, void *context)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			},
		.info = {.ifi_family = AF_UNSPEC},
	};
	int fd = request_socket(&request.header), err;

	if (fd < 0)
		return fd;
	do {
		err = receive(fd, on_link, context);
	} while (err > 0);
	close(fd);
	return err;
}

/* Numbers of namespaces */

struct nsid_request {
	struct nlmsghdr header;
	struct rtgenmsg general;
	struct rtattr fd_attr __attribute__((aligned(RTA_ALIGNTO)));
	int32_t fd;
	struct rtattr nsid_attr;
	int32_t nsid;
};

static struct nsid_request nsid_request(uint16_t type, int netns_fd)
{
	return (struct nsid_request){
		.header =
			{
				.nlmsg_len = type == RTM_NEWNSID
						     ? sizeof(struct nsid_request)
						     : offsetof(struct nsid_request, nsid_attr),
				.nlmsg_type = type,
				.nlmsg_flags = NLM_F_REQUEST | (type == RTM_NEWNSID ? NLM_F_ACK : 0),
			},
		.general = {.rtgen_family = AF_UNSPEC},
		.fd_attr = {.rta_len = RTA_LENGTH(sizeof(int32_t)), .rta_type = NETNSA_FD},
		.fd = netns_fd,
		.nsid_attr = {.rta_len = RTA_LENGTH(sizeof(int32_t)), .rta_type = NETNSA_NSID},
		.nsid = NETNSA_NSID_NOT_ASSIGNED,
	};
}

/* Asks for a number to be given; 0 also when there is one already. */
static int assign_nsid(int netns_fd)
{
	struct nsid_request request = nsid_request(RTM_NEWNSID, netns_fd);
	int fd = request_socket(&request.header), err;

	if (fd < 0)
		return fd;
	err = receive(fd, NULL, NULL);
	close(fd);
	return err == -EEXIST ? 0 : err;
}

static int ask_nsid(int netns_fd)
{
	struct nsid_request request = nsid_request(RTM_GETNSID, netns_fd);
	char buffer[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	const struct rtattr *attr;
	int fd = request_socket(&request.header), left, nsid = -ENODATA;
	ssize_t len;

	if (fd < 0)
		return fd;
	len = recv(fd, buffer, sizeof(buffer), 0);
	close(fd);
	if (len < 0 || !NLMSG_OK(message, len))
		return -EIO;
	if (message->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
	attr = (const struct rtattr *)((const char *)NLMSG_DATA(message) +
				       NLMSG_ALIGN(sizeof(struct rtgenmsg)));
	left = (int)NLMSG_PAYLOAD(message, NLMSG_ALIGN(sizeof(struct rtgenmsg)));
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == NETNSA_NSID)
			memcpy(&nsid, RTA_DATA(attr), sizeof(nsid));
	return nsid < 0 ? -ENODATA : nsid;
}

int links_nsid(const char *netns_path)
{
	int netns_fd = open(netns_path, O_RDONLY | O_CLOEXEC), err;

	if (netns_fd < 0)
		return -errno;
	err = assign_nsid(netns_fd);
	if (!err)
		err = ask_nsid(netns_fd);
	close(netns_fd);
	return err;
}

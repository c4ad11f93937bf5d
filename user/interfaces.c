/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of a network interface, and of the filters and qdiscs on it. */
#include "interfaces.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The "netdev" family tells since Linux 6.3 what a driver can do; younger than these headers. */
#define NETDEV_COMMAND_DEV_GET 1
#define NETDEV_ATTR_IFINDEX 1
#define NETDEV_ATTR_XDP_FEATURES 3
#define NETDEV_ATTR_XDP_RX_METADATA 5
#define NETDEV_XDP_BASIC 1
#define NETDEV_XDP_RX_VLAN_TAG 4

/* Bonds on bridges on bonds. */
#define MASTERS_MAX 8

/* Names farther apart than this many edits are not a slip of the finger. */
#define NEAREST_EDITS_MAX 3

static int interface_ioctl(int fd, unsigned long request, const char *name,
			   struct ifreq *request_io)
{
	snprintf(request_io->ifr_name, sizeof(request_io->ifr_name), "%s", name);
	return ioctl(fd, request, request_io) ? -errno : 0;
}

static int interface_ethtool(int fd, const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};

	return interface_ioctl(fd, SIOCETHTOOL, name, &request);
}

static void read_driver(int fd, struct interface *interface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	const char *driver = "-";

	if (interface->is_loopback)
		driver = "loopback";
	else if (!interface_ethtool(fd, interface->name, &info) && info.driver[0])
		driver = info.driver;
	snprintf(interface->driver, sizeof(interface->driver), "%s", driver);
}

static void read_speed(int fd, struct interface *interface)
{
	struct ethtool_cmd command = {.cmd = ETHTOOL_GSET};
	uint32_t speed;

	if (interface_ethtool(fd, interface->name, &command))
		return;
	speed = (uint32_t)command.speed_hi << 16 | command.speed;
	if (speed != (uint32_t)SPEED_UNKNOWN)
		interface->speed_mbit = speed;
}

bool interface_type_is_raw_ip(unsigned int type)
{
	switch (type) {
	case ARPHRD_NONE: /* tun, wireguard, xfrm */
	case ARPHRD_PPP:
	case ARPHRD_RAWIP: /* modems */
	case ARPHRD_SLIP:
	case ARPHRD_TUNNEL: /* ipip, vti */
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case 823: /* ARPHRD_IP6GRE, which libc does not know */
		return true;
	}
	return false;
}

static int read_interface(int fd, const char *name, struct interface *ret_interface)
{
	struct interface interface = {};
	struct ifreq request = {};
	int err;

	err = interface_ioctl(fd, SIOCGIFINDEX, name, &request);
	if (err)
		return err;
	interface.ifindex = request.ifr_ifindex;
	memcpy(interface.name, request.ifr_name, sizeof(interface.name));

	err = interface_ioctl(fd, SIOCGIFFLAGS, name, &request);
	if (err)
		return err;
	interface.is_up = request.ifr_flags & IFF_UP;
	interface.is_loopback = request.ifr_flags & IFF_LOOPBACK;

	err = interface_ioctl(fd, SIOCGIFHWADDR, name, &request);
	if (err)
		return err;
	interface.is_ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
				request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	interface.is_raw_ip = interface_type_is_raw_ip(request.ifr_hwaddr.sa_family);

	err = interface_ioctl(fd, SIOCGIFMTU, name, &request);
	if (err)
		return err;
	interface.mtu = request.ifr_mtu;

	read_driver(fd, &interface);
	read_speed(fd, &interface);
	*ret_interface = interface;
	return 0;
}

int interface_find(const char *name, struct interface *ret_interface)
{
	int fd, err;

	/* A name that does not fit would be cut, and could then name another interface. */
	if (strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = read_interface(fd, name, ret_interface);
	close(fd);
	return err;
}

int interfaces_list(struct interface **ret_interfaces, size_t *ret_count)
{
	struct if_nameindex *names;
	struct interface *interfaces = NULL;
	size_t count = 0, used = 0;
	int fd, err = 0;

	names = if_nameindex();
	if (!names)
		return -errno;
	while (names[count].if_name)
		count++;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	interfaces = calloc(count + 1, sizeof(*interfaces));
	if (!interfaces) {
		err = -ENOMEM;
		goto out;
	}
	/* One that vanishes meanwhile is left out. */
	for (size_t i = 0; i < count; i++)
		if (!read_interface(fd, names[i].if_name, &interfaces[used]))
			used++;
	*ret_interfaces = interfaces;
	*ret_count = used;
out:
	if (fd >= 0)
		close(fd);
	if_freenameindex(names);
	return err;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Characters to insert, remove or replace to make one name the other. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[IFNAMSIZ + 1];
	size_t len_b = strnlen(b, IFNAMSIZ);

	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			unsigned int above = row[j];
			unsigned int replaced = diagonal + (a[i - 1] != b[j - 1]);

			row[j] = least(replaced, least(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}
	return row[len_b];
}

void interface_nearest_name(const char *name, char ret_name[IFNAMSIZ])
{
	struct if_nameindex *names = if_nameindex();
	unsigned int nearest = NEAREST_EDITS_MAX + 1;

	memset(ret_name, 0, IFNAMSIZ);
	for (size_t i = 0; names && names[i].if_name; i++) {
		unsigned int edits = edit_distance(name, names[i].if_name);

		/* A name changed from end to end is another name, however short. */
		if (edits >= nearest || edits >= strlen(names[i].if_name))
			continue;
		nearest = edits;
		strncpy(ret_name, names[i].if_name, IFNAMSIZ - 1);
	}
	if (names)
		if_freenameindex(names);
}

/* Netlink */

typedef void (*message_fn)(const struct nlmsghdr *message, void *context);

/* Hands on the answers, up to the one that ends them. */
static int receive_answers(int fd, message_fn on_message, void *context)
{
	static char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));

	for (;;) {
		ssize_t len = recv(fd, buffer, sizeof(buffer), 0);
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
			on_message(message, context);
		}
	}
}

/* The request asks for a dump or an acknowledgment, else its answers would have no end. */
static int ask_netlink(int protocol, const struct nlmsghdr *request, message_fn on_message,
		       void *context)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int err;

	if (fd < 0)
		return -errno;
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		err = -errno;
	else
		err = receive_answers(fd, on_message, context);
	close(fd);
	return err;
}

/* What a family numbers a name or an interface with: one attribute asked for, one answered. */
struct generic_request {
	struct nlmsghdr header;
	struct genlmsghdr generic;
	struct nlattr attr;
	char payload[16];
};

struct generic_answer {
	uint16_t attr;
	uint64_t number;
	bool is_found;
};

static void read_generic_answer(const struct nlmsghdr *message, void *context)
{
	struct generic_answer *answer = context;
	const struct rtattr *attr = (const struct rtattr *)((const char *)NLMSG_DATA(message) +
							    NLMSG_ALIGN(GENL_HDRLEN));
	int len = NLMSG_PAYLOAD(message, GENL_HDRLEN);

	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
		if (attr->rta_type != answer->attr || RTA_PAYLOAD(attr) > sizeof(answer->number))
			continue;
		answer->is_found = true;
		if (RTA_PAYLOAD(attr) == sizeof(uint16_t))
			answer->number = *(const uint16_t *)RTA_DATA(attr);
		else
			memcpy(&answer->number, RTA_DATA(attr), RTA_PAYLOAD(attr));
	}
}

static int ask_generic(uint16_t family, uint8_t command, uint16_t attr, const void *value,
		       uint16_t value_len, struct generic_answer *answer)
{
	struct generic_request request = {
		.header =
			{
				.nlmsg_len = offsetof(struct generic_request, payload) +
					     NLMSG_ALIGN(value_len),
				.nlmsg_type = family,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			},
		.generic = {.cmd = command, .version = 1},
		.attr = {.nla_len = NLA_HDRLEN + value_len, .nla_type = attr},
	};
	int err;

	memcpy(request.payload, value, value_len);
	err = ask_netlink(NETLINK_GENERIC, &request.header, read_generic_answer, answer);
	if (err)
		return err;
	return answer->is_found ? 0 : -ENODATA;
}

/* 1: the driver can do this, 0: it cannot; or -errno. */
static int has_feature(const struct interface *interface, uint16_t attr, uint64_t feature)
{
	struct generic_answer family = {.attr = CTRL_ATTR_FAMILY_ID};
	struct generic_answer features = {.attr = attr};
	int err;

	err = ask_generic(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "netdev",
			  sizeof("netdev"), &family);
	if (err)
		return err;
	err = ask_generic(family.number, NETDEV_COMMAND_DEV_GET, NETDEV_ATTR_IFINDEX,
			  &interface->ifindex, sizeof(interface->ifindex), &features);
	return err ? err : !!(features.number & feature);
}

int interface_native_xdp(const struct interface *interface)
{
	return has_feature(interface, NETDEV_ATTR_XDP_FEATURES, NETDEV_XDP_BASIC);
}

int interface_xdp_tag(const struct interface *interface)
{
	return has_feature(interface, NETDEV_ATTR_XDP_RX_METADATA, NETDEV_XDP_RX_VLAN_TAG);
}

/* VLANs */

bool interface_takes_tags_off(const struct interface *interface)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return false;
	err = interface_ethtool(fd, interface->name, &flags);
	close(fd);
	return !err && flags.data & ETH_FLAG_RXVLAN;
}

/* Who looks at the tags of one interface, and what that is a part of. */
struct tag_search {
	uint32_t ifindex;
	uint32_t master; /* 0: of nothing */
	bool is_found;
};

static const struct rtattr *find_attr(const struct rtattr *attr, int len, unsigned short type)
{
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if ((attr->rta_type & NLA_TYPE_MASK) == type)
			return attr;
	return NULL;
}

static const struct rtattr *find_inside(const struct rtattr *around, unsigned short type)
{
	return around ? find_attr(RTA_DATA(around), RTA_PAYLOAD(around), type) : NULL;
}

static uint32_t attr_u32(const struct rtattr *attr)
{
	return attr && RTA_PAYLOAD(attr) >= sizeof(uint32_t) ? *(const uint32_t *)RTA_DATA(attr) : 0;
}

static bool attr_is(const struct rtattr *attr, const char *text)
{
	return attr && RTA_PAYLOAD(attr) > strlen(text) && !strcmp(RTA_DATA(attr), text);
}

static void read_tag_user(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);
	const struct rtattr *attrs = IFLA_RTA(link), *info, *data, *kind;
	struct tag_search *search = context;
	int len = IFLA_PAYLOAD(message);

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	info = find_attr(attrs, len, IFLA_LINKINFO);
	kind = find_inside(info, IFLA_INFO_KIND);
	data = find_inside(info, IFLA_INFO_DATA);
	if ((uint32_t)link->ifi_index == search->ifindex) {
		search->master = attr_u32(find_attr(attrs, len, IFLA_MASTER));
		if (attr_is(kind, "bridge")) {
			const struct rtattr *filters = find_inside(data, IFLA_BR_VLAN_FILTERING);

			search->is_found |= filters && *(const uint8_t *)RTA_DATA(filters);
		}
	} else if (attr_is(kind, "vlan") && !find_attr(attrs, len, IFLA_LINK_NETNSID) &&
		   attr_u32(find_attr(attrs, len, IFLA_LINK)) == search->ifindex) {
		const struct rtattr *proto = find_inside(data, IFLA_VLAN_PROTOCOL);

		search->is_found |= proto && *(const uint16_t *)RTA_DATA(proto) == htons(ETH_P_8021Q);
	}
}

bool interface_has_vlans(const struct interface *interface)
{
	const struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			},
	};
	struct tag_search search = {.master = interface->ifindex};

	for (int i = 0; i < MASTERS_MAX && search.master && !search.is_found; i++) {
		search = (struct tag_search){.ifindex = search.master};
		if (ask_netlink(NETLINK_ROUTE, &request.header, read_tag_user, &search))
			break;
	}
	return search.is_found;
}

/* Filters */

struct tc_dump {
	uint32_t ifindex;
	uint32_t parent;
	struct tc_filter *filters;
	size_t room;
	size_t count;
};

static uint32_t bpf_filter_prog_id(const struct rtattr *options)
{
	int len = RTA_PAYLOAD(options);
	const struct rtattr *attr;

	for (attr = RTA_DATA(options); RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if (attr->rta_type == TCA_BPF_ID)
			return *(const uint32_t *)RTA_DATA(attr);
	return 0;
}

static void read_tc_filter(const struct nlmsghdr *message, void *context)
{
	struct tc_dump *dump = context;
	const struct tcmsg *tc = NLMSG_DATA(message);
	const struct rtattr *attr;
	int len = TCA_PAYLOAD(message);
	struct tc_filter filter = {
		.parent = dump->parent,
		.priority = TC_H_MAJ(tc->tcm_info) >> 16,
		.handle = tc->tcm_handle,
	};

	/* Each chain announces itself by a message without a handle; it is not a filter. */
	if (message->nlmsg_type != RTM_NEWTFILTER || !tc->tcm_handle ||
	    (uint32_t)tc->tcm_ifindex != dump->ifindex)
		return;
	for (attr = TCA_RTA(tc); RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if (attr->rta_type == TCA_OPTIONS)
			filter.prog_id = bpf_filter_prog_id(attr);
	if (dump->count < dump->room)
		dump->filters[dump->count] = filter;
	dump->count++;
}

static int dump_tc_filters(struct tc_dump *dump)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg tc;
	} request = {
		.header =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETTFILTER,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			},
		.tc =
			{
				.tcm_family = AF_UNSPEC,
				.tcm_ifindex = (int)dump->ifindex,
				.tcm_parent = dump->parent,
			},
	};

	return ask_netlink(NETLINK_ROUTE, &request.header, read_tc_filter, dump);
}

int interface_tc_filters(const struct interface *interface, struct tc_filter *ret_filters,
			 size_t room, size_t *ret_count)
{
	static const uint32_t hooks[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
	struct tc_dump dump = {
		.ifindex = interface->ifindex,
		.filters = ret_filters,
		.room = room,
	};

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		int err;

		dump.parent = TC_H_MAKE(TC_H_CLSACT, hooks[i]);
		err = dump_tc_filters(&dump);
		if (err)
			return err;
	}
	*ret_count = dump.count;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of a network interface, and of the filters and qdiscs on it. */
#ifndef ACKMON_INTERFACES_H
#define ACKMON_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interface {
	char name[IFNAMSIZ];
	char driver[32]; /* as ethtool names it; "-" when the kernel does not say */
	unsigned int ifindex;
	unsigned int mtu;
	unsigned int speed_mbit; /* 0: not known */
	bool is_up;
	bool is_loopback;
	bool is_ethernet; /* frames start with an Ethernet header */
	bool is_raw_ip;   /* frames start with the IP header: tun, wireguard, ppp, ipip ... */
};

/* ARPHRD_* of interfaces whose frames start with the IP header. */
bool interface_type_is_raw_ip(unsigned int type);

/* 0, or -ENODEV when there is none of that name (in this network namespace). */
int interface_find(const char *name, struct interface *ret_interface);

/* 1: the driver runs XDP itself, 0: it does not; -errno: the kernel does not say (before 6.3). */
int interface_native_xdp(const struct interface *interface);

/*
 * 1: from the driver XDP learns the VLAN tag that was taken out of a frame, 0: it does not; -errno: the
 * kernel does not say (before 6.8, which is when it learned to tell XDP).
 */
int interface_xdp_tag(const struct interface *interface);

/* The hardware takes tags of 802.1Q out of the frame (ethtool: rx-vlan-offload). */
bool interface_takes_tags_off(const struct interface *interface);

/*
 * Somebody looks at tags of 802.1Q there: a VLAN on it, or on the bond or bridge it is a part of, or a
 * bridge that filters by them. What has moved to another namespace is not seen.
 */
bool interface_has_vlans(const struct interface *interface);

/* All of this namespace, by index. The caller frees the array. */
int interfaces_list(struct interface **ret_interfaces, size_t *ret_count);

/* The existing name most like this one, or "" when none is near. */
void interface_nearest_name(const char *name, char ret_name[IFNAMSIZ]);

/* A BPF program on a clsact qdisc. */
struct tc_filter {
	uint32_t parent; /* TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS or TC_H_MIN_EGRESS) */
	uint32_t priority;
	uint32_t handle;
	uint32_t prog_id; /* 0: a filter of another kind */
};

/*
 * The filters of both clsact hooks, foreign ones too. 0 and *ret_count filters, of which at most
 * `room` were written; or -errno.
 */
int interface_tc_filters(const struct interface *interface, struct tc_filter *ret_filters,
			 size_t room, size_t *ret_count);

#endif

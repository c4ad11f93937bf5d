/* SPDX-License-Identifier: GPL-2.0-only */
/* Network interfaces that come, go and change: the news of rtnetlink, of one or more namespaces. */
#ifndef ACKMON_LINKS_H
#define ACKMON_LINKS_H

#include <net/if.h>
#include <stdbool.h>

struct link {
	unsigned int ifindex;
	int nsid; /* LINKS_OWN: the namespace the news are read in, or listed */
	char name[IFNAMSIZ];
	bool is_gone; /* deleted, or moved to another namespace; nothing below is valid then */
	bool is_up;
	bool is_loopback;
	bool is_ethernet; /* frames start with an Ethernet header */
	bool is_raw_ip;   /* or with the IP header */
};

#define LINKS_OWN (-1)

typedef void (*link_fn)(void *context, const struct link *link);

/* A descriptor that has something to read when there are news. Or -errno. */
int links_open(void);
void links_close(int fd); /* -1 is accepted */

/* News of other namespaces too, as far as they have a number here (links_nsid()). */
int links_listen_to_all(int fd);

/* Gives all news there are. -ENOBUFS: some were missed; links_list() tells how things are now. */
int links_read(int fd, link_fn on_link, void *context);

/* Every interface of the namespace we are in. */
int links_list(link_fn on_link, void *context);

/* The number netlink has, or from now on has, for the namespace behind this path. Or -errno. */
int links_nsid(const char *netns_path);

#endif

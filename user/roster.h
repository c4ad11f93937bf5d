/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interfaces are watched: what -i and --netns select, as they come, go and change their names. */
#ifndef ACKMON_ROSTER_H
#define ACKMON_ROSTER_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "cli.h"

struct roster;

/* More than one interface may be watched with these options, now or later. */
bool roster_has_several(const struct options *options);

/*
 * Attaches to every interface there is that is asked for; one asked for by its full name has to be
 * there. Says what it did. 0, or -errno and one sentence in ret_error.
 */
int roster_open(struct roster **ret_roster, const struct options *options, struct attach *attach,
		char *ret_error, size_t error_size);

/* Has something to read when interfaces changed: roster_follow() then. */
int roster_fd(const struct roster *roster);
void roster_follow(struct roster *roster);

/* What the process that follows interfaces tells the one that reads their flows. */
enum roster_news_kind {
	ROSTER_READY, /* from now on there are news */
	ROSTER_CAME,
	ROSTER_RENAMED,
	ROSTER_GONE,
};

struct roster_news {
	uint32_t kind;	      /* enum roster_news_kind */
	uint32_t key_ifindex; /* as in flow_key */
	char name[IFNAMSIZ];
	struct attach_ways ways; /* ROSTER_CAME: how it is watched */
};

/* claim_fd: what says that the interface is ours, or -1; it stays the teller's. */
typedef void (*roster_tell_fn)(void *context, const struct roster_news *news, int claim_fd);

/* Whoever follows tells from now on. */
void roster_tell(struct roster *roster, roster_tell_fn tell, void *context);
/* Instead of roster_follow(). claim_fd is taken over. */
void roster_hear(struct roster *roster, const struct roster_news *news, int claim_fd);

/* Now and then: looks whether namespaces went, or came again. */
void roster_check(struct roster *roster);

/*
 * Interfaces that went since the last roster_bury(), as in flow_key. Their names are known until
 * then, for the records of their flows.
 */
const uint32_t *roster_gone(const struct roster *roster, size_t *ret_count);
void roster_bury(struct roster *roster);

/* By the ifindex of a flow_key: its name and the name of its namespace; NULL: not known, our own. */
const char *roster_name(const struct roster *roster, uint32_t ifindex);
const char *roster_netns(const struct roster *roster, uint32_t ifindex);

void roster_close(struct roster *roster); /* accepts NULL; what is attached stays so */

#endif

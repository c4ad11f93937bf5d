/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interfaces are watched: what -i and --netns select, as they come, go and change their names. */
#include "roster.h"

#include <errno.h>
#include <fnmatch.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/key.h"
#include "links.h"
#include "log.h"
#include "netns.h"

/* An interface that is watched, or that cannot be. */
struct entry {
	uint32_t key_ifindex; /* as in flow_key */
	char name[IFNAMSIZ];
	bool is_refused; /* and the sentence was said */
	bool is_gone;	 /* its flows have yet to leave */
	bool is_listed;	 /* found in the listing that goes on */
};

struct roster {
	const struct options *options;
	struct attach *attach;
	int links_fd;
	struct entry *entries; /* by key_ifindex */
	size_t entry_count;
	size_t entry_room;
	struct netns *netns; /* as in options */
	size_t netns_count;
	uint32_t *gone;
	size_t gone_count;
	bool is_starting; /* the first failure ends it, and is not said here */
	int err;
	char *ret_error;
	size_t error_size;
	roster_tell_fn tell; /* NULL: nobody else wants to know */
	void *tell_context;
	const struct netns *listing; /* whose interfaces are listed; NULL: our own */
};

/* What is asked for */

static bool is_pattern(const char *word)
{
	return strpbrk(word, "*?[");
}

static bool is_all(const char *word)
{
	return !strcmp(word, "all") || !strcmp(word, "any");
}

static bool is_full_name(const char *word)
{
	return !is_all(word) && !is_pattern(word);
}

bool roster_has_several(const struct options *options)
{
	size_t names = 0;

	for (size_t i = 0; i < options->interface_count; i++) {
		if (!is_full_name(options->interfaces[i]))
			return true;
		names++;
	}
	return names * (options->netns_count ? options->netns_count : 1) > 1;
}

/* What has neither an Ethernet nor an IP header gets a sentence when it is asked for by name, else it is not meant. */
static bool word_selects(const char *word, const struct link *link)
{
	if (is_all(word))
		return link->is_up && !link->is_loopback && (link->is_ethernet || link->is_raw_ip);
	if (is_pattern(word))
		return (link->is_ethernet || link->is_raw_ip) && !fnmatch(word, link->name, 0);
	return !strcmp(word, link->name);
}

static bool is_selected(const struct options *options, const struct link *link)
{
	for (size_t i = 0; i < options->interface_count; i++)
		if (word_selects(options->interfaces[i], link))
			return true;
	return false;
}

/* Entries */

static uint32_t key_ifindex(const struct netns *netns, unsigned int ifindex)
{
	return ifindex | (netns ? netns->number << KEY_NETNS_SHIFT : 0);
}

/* Where it is, or would be. */
static size_t entry_place(const struct roster *roster, uint32_t ifindex)
{
	size_t low = 0, high = roster->entry_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (roster->entries[middle].key_ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *entry_find(const struct roster *roster, uint32_t ifindex)
{
	size_t place = entry_place(roster, ifindex);

	if (place < roster->entry_count && roster->entries[place].key_ifindex == ifindex)
		return &roster->entries[place];
	return NULL;
}

static struct entry *entry_add(struct roster *roster, uint32_t ifindex)
{
	size_t place = entry_place(roster, ifindex);

	if (roster->entry_count == roster->entry_room) {
		size_t room = roster->entry_room ? roster->entry_room * 2 : 16;
		struct entry *entries =
			reallocarray(roster->entries, room, sizeof(*roster->entries));

		if (!entries)
			return NULL;
		roster->entries = entries;
		roster->entry_room = room;
	}
	memmove(&roster->entries[place + 1], &roster->entries[place],
		(roster->entry_count - place) * sizeof(*roster->entries));
	roster->entry_count++;
	roster->entries[place] = (struct entry){.key_ifindex = ifindex};
	return &roster->entries[place];
}

static void entry_remove(struct roster *roster, struct entry *entry)
{
	size_t place = (size_t)(entry - roster->entries);

	memmove(entry, entry + 1, (roster->entry_count - place - 1) * sizeof(*entry));
	roster->entry_count--;
}

static struct netns *netns_of(const struct roster *roster, uint32_t ifindex)
{
	uint32_t number = roster ? ifindex >> KEY_NETNS_SHIFT : 0;

	return number && number <= roster->netns_count ? &roster->netns[number - 1] : NULL;
}

/* Coming, changing, going */

static const char *in_netns(const struct netns *netns, char text[64])
{
	text[0] = '\0';
	if (netns)
		snprintf(text, 64, " (namespace %.45s)", netns->name);
	return text;
}

static void tell(const struct roster *roster, enum roster_news_kind kind, const struct entry *entry)
{
	struct roster_news news = {.kind = kind, .key_ifindex = entry->key_ifindex};
	int claim_fd = -1;

	if (!roster->tell)
		return;
	memcpy(news.name, entry->name, sizeof(news.name));
	if (kind == ROSTER_CAME)
		claim_fd = attach_claim(roster->attach, netns_of(roster, entry->key_ifindex),
					entry->key_ifindex & ((1u << KEY_NETNS_SHIFT) - 1), &news.ways);
	roster->tell(roster->tell_context, &news, claim_fd);
	if (claim_fd >= 0)
		close(claim_fd);
}

static int attach_to(struct roster *roster, const struct netns *netns, const char *name,
		     unsigned int *ret_ifindex)
{
	char note[384] = "", error[512] = "", where[64];
	int err = attach_interface(roster->attach, netns, name, roster->options->mode, ret_ifindex,
				   note, sizeof(note), error, sizeof(error));

	if (!err)
		log_info("%s%s", note, in_netns(netns, where));
	else if (roster->is_starting)
		snprintf(roster->ret_error, roster->error_size, "%s%s", error,
			 in_netns(netns, where));
	else
		log_error("%s%s", error, in_netns(netns, where));
	return err;
}

/* By whichever name it has had: the link tells of what was, not of what is by now. */
static bool has_full_name(const struct roster *roster, const char *name)
{
	for (size_t i = 0; i < roster->options->interface_count; i++)
		if (!strcmp(roster->options->interfaces[i], name))
			return true;
	return false;
}

static void come(struct roster *roster, const struct netns *netns, const struct link *link)
{
	uint32_t ifindex = key_ifindex(netns, link->ifindex);
	unsigned int attached = link->ifindex;
	struct entry *entry;
	int err;

	err = attach_to(roster, netns, link->name, &attached);
	/* Gone or renamed since: there are more news of it to come. */
	if (err == -ENODEV && !roster->is_starting)
		return;
	if (err && roster->is_starting && has_full_name(roster, link->name)) {
		roster->err = err;
		return;
	}
	if (err && roster->is_starting)
		log_error("%s", roster->ret_error);
	if (!err)
		ifindex = key_ifindex(netns, attached); /* another one may have taken the name */
	entry = entry_find(roster, ifindex);
	if (!entry)
		entry = entry_add(roster, ifindex);
	if (!entry) {
		log_error("%s: out of memory; it is watched without its name", link->name);
		return;
	}
	snprintf(entry->name, sizeof(entry->name), "%s", link->name);
	entry->is_refused = err;
	entry->is_gone = false;
	entry->is_listed = true;
	if (!err)
		tell(roster, ROSTER_CAME, entry);
}

static void bury_later(struct roster *roster, struct entry *entry)
{
	uint32_t *gone = reallocarray(roster->gone, roster->gone_count + 1, sizeof(*gone));

	entry->is_gone = true;
	if (!gone)
		return; /* its flows leave when they have been silent too long */
	roster->gone = gone;
	roster->gone[roster->gone_count++] = entry->key_ifindex;
}

static void leave(struct roster *roster, const struct entry *entry)
{
	attach_forget(roster->attach, netns_of(roster, entry->key_ifindex),
		      entry->key_ifindex & ((1u << KEY_NETNS_SHIFT) - 1));
}

static void go(struct roster *roster, struct entry *entry)
{
	char where[64];

	if (entry->is_refused) {
		entry_remove(roster, entry);
		return;
	}
	if (entry->is_gone)
		return;
	leave(roster, entry);
	log_info("%s: is gone%s", entry->name, in_netns(netns_of(roster, entry->key_ifindex), where));
	tell(roster, ROSTER_GONE, entry);
	bury_later(roster, entry);
}

static void change(struct roster *roster, struct entry *entry, const struct link *link)
{
	entry->is_listed = true;
	if (!strcmp(entry->name, link->name))
		return;
	if (!entry->is_refused)
		log_info("%s: is called %s now", entry->name, link->name);
	snprintf(entry->name, sizeof(entry->name), "%s", link->name);
	if (!entry->is_refused)
		tell(roster, ROSTER_RENAMED, entry);
	entry->is_refused = false;
}

static void take_link(struct roster *roster, const struct netns *netns, const struct link *link)
{
	struct entry *entry = entry_find(roster, key_ifindex(netns, link->ifindex));

	if (roster->err)
		return;
	if (link->is_gone) {
		if (entry)
			go(roster, entry);
	} else if (entry && !entry->is_gone) {
		change(roster, entry, link);
	} else if (is_selected(roster->options, link)) {
		come(roster, netns, link);
	}
}

/* All of a namespace, as they are now */

static void take_listed(void *context, const struct link *link)
{
	struct roster *roster = context;

	take_link(roster, roster->listing, link);
}

/* netns: NULL is our own. */
static int list_netns(struct roster *roster, const struct netns *netns)
{
	uint32_t number = netns ? netns->number : 0;
	int home, err;

	for (size_t i = 0; i < roster->entry_count; i++)
		roster->entries[i].is_listed = false;
	err = netns_enter(netns, &home);
	if (err)
		return err;
	roster->listing = netns;
	err = links_list(take_listed, roster);
	netns_return(home);
	if (err)
		return err;
	/* From the end: what cannot be watched is taken out at once. */
	for (size_t i = roster->entry_count; i--;) {
		struct entry *entry = &roster->entries[i];

		if (entry->key_ifindex >> KEY_NETNS_SHIFT == number && !entry->is_listed)
			go(roster, entry);
	}
	return roster->err;
}

static int list_all(struct roster *roster)
{
	int err = roster->netns_count ? 0 : list_netns(roster, NULL);

	for (size_t i = 0; !err && i < roster->netns_count; i++)
		if (roster->netns[i].ino)
			err = list_netns(roster, &roster->netns[i]);
	return err;
}

/* News */

static void take_news(void *context, const struct link *link)
{
	struct roster *roster = context;

	if (!roster->netns_count) {
		if (link->nsid == LINKS_OWN)
			take_link(roster, NULL, link);
		return;
	}
	for (size_t i = 0; i < roster->netns_count; i++)
		if (roster->netns[i].ino && roster->netns[i].nsid == link->nsid)
			take_link(roster, &roster->netns[i], link);
}

void roster_follow(struct roster *roster)
{
	int err = links_read(roster->links_fd, take_news, roster);

	if (err == -ENOBUFS) /* too much at once: see how it is now */
		err = list_all(roster);
	if (err)
		log_error("interfaces cannot be followed: %s", strerror(-err));
}

void roster_tell(struct roster *roster, roster_tell_fn tell, void *context)
{
	roster->tell = tell;
	roster->tell_context = context;
}

static struct entry *come_by_news(struct roster *roster, const struct roster_news *news, int claim_fd)
{
	struct entry *entry = entry_find(roster, news->key_ifindex);

	attach_note(roster->attach, netns_of(roster, news->key_ifindex),
		    news->key_ifindex & ((1u << KEY_NETNS_SHIFT) - 1), news->name, &news->ways, claim_fd);
	if (!entry)
		entry = entry_add(roster, news->key_ifindex);
	if (!entry)
		log_error("%s: out of memory; it is watched without its name", news->name);
	else
		entry->is_gone = false;
	return entry;
}

void roster_hear(struct roster *roster, const struct roster_news *news, int claim_fd)
{
	struct entry *entry;

	if (news->kind == ROSTER_CAME)
		entry = come_by_news(roster, news, claim_fd);
	else
		entry = entry_find(roster, news->key_ifindex);
	if (!entry)
		return;
	snprintf(entry->name, sizeof(entry->name), "%.15s", news->name);
	if (news->kind != ROSTER_GONE || entry->is_gone)
		return;
	leave(roster, entry);
	bury_later(roster, entry);
}

/* Namespaces */

static void leave_netns(struct roster *roster, struct netns *netns)
{
	for (size_t i = roster->entry_count; i--;)
		if (roster->entries[i].key_ifindex >> KEY_NETNS_SHIFT == netns->number)
			go(roster, &roster->entries[i]);
	netns->ino = 0;
}

/* Its news come with its number; our own namespace's without one. */
static int number_netns(struct netns *netns)
{
	int nsid = netns_is_own(netns) ? LINKS_OWN : links_nsid(netns->path);

	if (nsid < 0 && nsid != LINKS_OWN)
		return nsid;
	netns->nsid = nsid;
	return 0;
}

static int find_netns(struct roster *roster, size_t index)
{
	struct netns netns;
	int err = netns_find(roster->options->netns[index], &netns);

	if (!err)
		err = number_netns(&netns);
	if (err)
		return err;
	netns.number = (uint32_t)index + 1;
	roster->netns[index] = netns;
	return 0;
}

void roster_check(struct roster *roster)
{
	for (size_t i = 0; i < roster->netns_count; i++) {
		struct netns *netns = &roster->netns[i];

		if (netns->ino && !netns_is_there(netns))
			leave_netns(roster, netns);
		/* A gone one's names are still needed until they are buried. */
		if (!netns->ino && !roster->gone_count && !find_netns(roster, i))
			list_netns(roster, netns);
	}
}

static int open_netns(struct roster *roster, char *ret_error, size_t error_size)
{
	const struct options *options = roster->options;
	int err;

	if (!options->netns_count)
		return 0;
	if (options->netns_count > NETNS_MAX) {
		snprintf(ret_error, error_size, "--netns: at most %d namespaces at once",
			 NETNS_MAX);
		return -E2BIG;
	}
	roster->netns = calloc(options->netns_count, sizeof(*roster->netns));
	if (!roster->netns) {
		snprintf(ret_error, error_size, "out of memory");
		return -ENOMEM;
	}
	err = links_listen_to_all(roster->links_fd);
	if (err) {
		snprintf(ret_error, error_size,
			 "--netns: news of other namespaces need CAP_NET_BROADCAST: %s",
			 strerror(-err));
		return err;
	}
	for (size_t i = 0; i < options->netns_count; i++) {
		err = find_netns(roster, i);
		if (err) {
			snprintf(ret_error, error_size,
				 "--netns %s: %s; give a name of ip netns list, a process number "
				 "or a path",
				 options->netns[i],
				 err == -EINVAL ? "is no network namespace" : strerror(-err));
			return err;
		}
		roster->netns_count++;
	}
	return 0;
}

/* Opening and closing */

/* 1: the namespace (NULL: our own) has an interface of that name, and it is attached; 0: it has none. */
static int find_named_in(struct roster *roster, const struct netns *netns, const char *name)
{
	struct link link = {};
	int home, err = netns_enter(netns, &home);

	if (err) {
		snprintf(roster->ret_error, roster->error_size, "--netns %s: cannot be entered: %s",
			 netns->name, strerror(-err));
		return err;
	}
	link.ifindex = if_nametoindex(name);
	netns_return(home);
	if (!link.ifindex)
		return 0;
	snprintf(link.name, sizeof(link.name), "%s", name);
	take_link(roster, netns, &link);
	return roster->err ? roster->err : 1;
}

/* What is asked for by its full name has to be there, in one of the namespaces at least. */
static int find_named(struct roster *roster, const char *name)
{
	const struct netns *first = roster->netns_count ? roster->netns : NULL;
	int found = roster->netns_count ? 0 : find_named_in(roster, NULL, name);

	for (size_t i = 0; found >= 0 && i < roster->netns_count; i++) {
		int more = find_named_in(roster, &roster->netns[i], name);

		found = more < 0 ? more : found | more;
	}
	if (!found) /* attaching knows the words for it */
		return attach_to(roster, first, name, NULL);
	return found < 0 ? found : 0;
}

static int find_all_named(struct roster *roster)
{
	const struct options *options = roster->options;
	int err = 0;

	for (size_t i = 0; !err && i < options->interface_count; i++)
		if (is_full_name(options->interfaces[i]))
			err = find_named(roster, options->interfaces[i]);
	return err;
}

static void say_when_empty(const struct roster *roster)
{
	for (size_t i = 0; i < roster->entry_count; i++)
		if (!roster->entries[i].is_refused)
			return;
	log_info("no interface is selected yet; one that comes will be watched");
}

int roster_open(struct roster **ret_roster, const struct options *options, struct attach *attach,
		char *ret_error, size_t error_size)
{
	struct roster *roster = calloc(1, sizeof(*roster));
	int err;

	if (!roster) {
		snprintf(ret_error, error_size, "out of memory");
		return -ENOMEM;
	}
	roster->options = options;
	roster->attach = attach;
	roster->is_starting = true;
	roster->ret_error = ret_error;
	roster->error_size = error_size;
	/* News before the listing: whatever comes between the two is told twice, not never. */
	roster->links_fd = links_open();
	err = roster->links_fd < 0 ? roster->links_fd : 0;
	if (err)
		snprintf(ret_error, error_size, "interfaces cannot be followed: %s",
			 strerror(-err));
	if (!err)
		err = open_netns(roster, ret_error, error_size);
	/* What is kept needs none of our programs, unless an interface comes that is not. */
	if (!err && !attach_has_kept(attach))
		err = attach_load(attach, ret_error, error_size);
	if (!err)
		err = find_all_named(roster);
	if (!err) {
		err = list_all(roster);
		if (err && !roster->err)
			snprintf(ret_error, error_size, "interfaces cannot be listed: %s",
				 strerror(-err));
	}
	roster->is_starting = false;
	roster->ret_error = NULL;
	if (err) {
		roster_close(roster);
		return err;
	}
	say_when_empty(roster);
	*ret_roster = roster;
	return 0;
}

int roster_fd(const struct roster *roster)
{
	return roster->links_fd;
}

const uint32_t *roster_gone(const struct roster *roster, size_t *ret_count)
{
	*ret_count = roster->gone_count;
	return roster->gone;
}

void roster_bury(struct roster *roster)
{
	for (size_t i = 0; i < roster->gone_count; i++) {
		struct entry *entry = entry_find(roster, roster->gone[i]);

		if (entry && entry->is_gone) /* it may have come again */
			entry_remove(roster, entry);
	}
	free(roster->gone);
	roster->gone = NULL;
	roster->gone_count = 0;
}

const char *roster_name(const struct roster *roster, uint32_t ifindex)
{
	const struct entry *entry = roster ? entry_find(roster, ifindex) : NULL;

	return entry ? entry->name : NULL;
}

const char *roster_netns(const struct roster *roster, uint32_t ifindex)
{
	const struct netns *netns = netns_of(roster, ifindex);

	return netns ? netns->name : NULL;
}

void roster_close(struct roster *roster)
{
	if (!roster)
		return;
	links_close(roster->links_fd);
	free(roster->entries);
	free(roster->netns);
	free(roster->gone);
	free(roster);
}

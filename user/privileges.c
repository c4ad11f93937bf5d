/* SPDX-License-Identifier: GPL-2.0-only */
/* What this process may do: what watching needs, and how the rest is given up for good. */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BIT(capability) ((capabilities)1 << (capability))

/* Those that are named to people; all others are only ever dropped. */
static const struct {
	unsigned int capability;
	const char *name;
} names[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_PERFMON, "CAP_PERFMON"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
};

static int fail(int err, char *ret_error, size_t error_size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(int err, char *ret_error, size_t error_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, error_size, format, args);
	va_end(args);
	return err;
}

/* The kernel */

static bool kernel_is_before(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int its_major, its_minor;

	if (uname(&name) || sscanf(name.release, "%u.%u", &its_major, &its_minor) != 2)
		return false;
	return its_major < major || (its_major == major && its_minor < minor);
}

static int get_capabilities(capabilities *ret_permitted, capabilities *ret_effective)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*ret_permitted = data[0].permitted | (capabilities)data[1].permitted << 32;
	*ret_effective = data[0].effective | (capabilities)data[1].effective << 32;
	return 0;
}

static int set_capabilities(capabilities keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.permitted = (uint32_t)keep, .effective = (uint32_t)keep},
		{.permitted = (uint32_t)(keep >> 32), .effective = (uint32_t)(keep >> 32)},
	};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static void append_name(char *text, size_t size, const char *name)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? ", " : "", name);
}

static void capabilities_text(capabilities set, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (set & BIT(names[i].capability))
			append_name(ret_text, size, names[i].name);
}

void privileges_text(char *ret_text, size_t size)
{
	capabilities permitted, effective;

	ret_text[0] = '\0';
	if (!get_capabilities(&permitted, &effective))
		capabilities_text(permitted, ret_text, size);
}

bool privileges_have(capabilities set)
{
	capabilities permitted, effective = 0;

	return !get_capabilities(&permitted, &effective) && !(set & ~effective);
}

/* What is needed */

/* Before Linux 5.11 maps are charged to the locked memory of their maker, not to its cgroup. */
static bool lacks_locked_memory(capabilities effective)
{
	struct rlimit limit;

	return kernel_is_before(5, 11) && !(effective & BIT(CAP_SYS_RESOURCE)) &&
	       !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_max != RLIM_INFINITY;
}

/*
 * CAP_PERFMON too, on every kernel: without it the verifier lets nobody add a number that is not a constant
 * to a pointer into a packet, and behind IP options, tags and tunnels no header stands at a constant place.
 * CAP_SYS_ADMIN stands for both BPF ones, as the kernel has it.
 */
int privileges_check_watching(char *ret_error, size_t error_size)
{
	capabilities permitted, effective, wanted = BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN);
	char missing[128];

	if (get_capabilities(&permitted, &effective))
		return 0; /* the kernel will say it itself */
	if (effective & BIT(CAP_SYS_ADMIN))
		effective |= BIT(CAP_BPF) | BIT(CAP_PERFMON);
	if (lacks_locked_memory(effective))
		wanted |= BIT(CAP_SYS_RESOURCE);
	if (!(wanted & ~effective))
		return 0;
	capabilities_text(wanted & ~effective, missing, sizeof(missing));
	return fail(-EPERM, ret_error, error_size,
		    "watching live needs %s%s; try sudo, or replay a capture with -r", missing,
		    wanted & ~effective & BIT(CAP_SYS_RESOURCE) ? " (or ulimit -l unlimited)" : "");
}

capabilities privileges_to_read_maps(void)
{
	return kernel_is_before(5, 19) ? BIT(CAP_BPF) : 0;
}

capabilities privileges_to_attach(bool in_other_namespaces, bool of_processes)
{
	return BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN) |
	       (in_other_namespaces ? BIT(CAP_SYS_ADMIN) : 0) | (of_processes ? BIT(CAP_SYS_PTRACE) : 0);
}

/* Who */

int privileges_find_user(const char *user, struct identity *ret_identity, char *ret_error,
			 size_t error_size)
{
	struct passwd *entry = getpwnam(user);
	char *end;
	unsigned long uid;

	if (!entry && *user >= '0' && *user <= '9') {
		uid = strtoul(user, &end, 10);
		if (!*end && uid < UINT32_MAX)
			entry = getpwuid((uid_t)uid);
	}
	if (!entry)
		return fail(-ENOENT, ret_error, error_size,
			    "-Z %s: no such user; getent passwd lists those there are", user);
	*ret_identity = (struct identity){.uid = entry->pw_uid, .gid = entry->pw_gid};
	return 0;
}

int privileges_find_group(const char *group, gid_t *ret_gid, char *ret_error, size_t error_size)
{
	struct group *entry = getgrnam(group);
	unsigned long gid = 0;
	char *end;

	if (!entry && *group >= '0' && *group <= '9') {
		gid = strtoul(group, &end, 10);
		if (*end || gid >= UINT32_MAX)
			gid = 0;
	}
	if (entry)
		gid = entry->gr_gid;
	if (!gid)
		return fail(-ENOENT, ret_error, error_size,
			    "--group %s: no such group, or that of root; getent group lists those there "
			    "are",
			    group);
	*ret_gid = (gid_t)gid;
	return 0;
}

/* Groups first: afterwards nothing more may be changed. */
static int become(const struct identity *identity)
{
	if (setgroups(0, NULL) && (errno != EPERM || getuid() != identity->uid))
		return -errno;
	if (setresgid(identity->gid, identity->gid, identity->gid) ||
	    setresuid(identity->uid, identity->uid, identity->uid))
		return -errno;
	return 0;
}

/* So that no file with capabilities, and no setuid program, gives back what was dropped. */
static void shrink_bounding_set(capabilities keep)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (!(keep & BIT(capability)))
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); /* needs CAP_SETPCAP */
}

int privileges_drop(const struct identity *identity, capabilities keep, char *ret_error,
		    size_t error_size)
{
	capabilities permitted, effective;
	int err;

	err = get_capabilities(&permitted, &effective);
	if (err)
		return fail(err, ret_error, error_size, "capabilities cannot be read: %s",
			    strerror(-err));
	keep &= permitted;
	shrink_bounding_set(keep);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (identity) {
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
		err = become(identity);
		prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
		if (err)
			return fail(err, ret_error, error_size,
				    "-Z: the user cannot be changed: %s; start as root, or without -Z",
				    strerror(-err));
	}
	err = set_capabilities(keep);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (err)
		return fail(err, ret_error, error_size, "capabilities cannot be dropped: %s",
			    strerror(-err));
	return 0;
}

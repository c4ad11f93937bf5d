/* SPDX-License-Identifier: GPL-2.0-only */
/* The longest prefix wins, a port over none; what is wrong with a file is said by line and column. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/labels.h"
#include "labels.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static char path[64];
static char error[512];

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, addr.bytes + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, addr.bytes), 1);
	return addr;
}

static void write_file(const char *content, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	fclose(file);
}

static struct labels *labels_of(const char *content)
{
	struct labels *labels;

	write_file(content, strlen(content));
	error[0] = '\0';
	assert_int_equal(labels_open(&labels, path, error, sizeof(error)), 0);
	return labels;
}

static const char *name_of(const struct labels *labels, const char *addr, uint16_t port)
{
	struct ip_addr key = addr_of(addr);

	return labels_find(labels, &key, port)->name;
}

static const struct label_group *group_of(const struct labels *labels, const char *addr)
{
	struct ip_addr key = addr_of(addr);

	return labels_group(labels, labels_find(labels, &key, 0)->group);
}

static void assert_refused(const char *content, const char *sentence)
{
	struct labels *labels;

	write_file(content, strlen(content));
	assert_int_equal(labels_open(&labels, path, error, sizeof(error)), -EINVAL);
	if (!strstr(error, sentence))
		fail_msg("\"%s\" is not in \"%s\"", sentence, error);
}

TEST(without_a_file_private_addresses_are_inside)
{
	static const char *const inside[] = {
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255",
		"127.0.0.1", "169.254.1.1", "fe80::1", "fd00::1", "fc00::1", "::1",
	};
	static const char *const outside[] = {
		"9.255.255.255", "172.32.0.1", "192.169.0.1", "100.128.0.1", "8.8.8.8", "2001:db8::1",
		"fe00::1", "::2", "ff02::1",
	};
	struct labels *labels;

	assert_int_equal(labels_open(&labels, NULL, error, sizeof(error)), 0);
	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		assert_false(group_of(labels, inside[i])->external);
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		assert_true(group_of(labels, outside[i])->external);
	assert_string_equal(group_of(labels, "8.8.8.8")->region, "");
	labels_close(labels);
}

TEST(the_longest_prefix_wins)
{
	struct labels *labels = labels_of("prefix,name\n"
					  "10.0.0.0/8,ten\n"
					  "10.1.2.0/24,rack\n"
					  "0.0.0.0/0,rest\n"
					  "10.1.0.0/16,room\n"
					  "10.1.2.3,host\n");

	assert_string_equal(name_of(labels, "10.1.2.3", 0), "host");
	assert_string_equal(name_of(labels, "10.1.2.2", 0), "rack");
	assert_string_equal(name_of(labels, "10.1.2.4", 0), "rack");
	assert_string_equal(name_of(labels, "10.1.3.0", 0), "room");
	assert_string_equal(name_of(labels, "10.1.255.255", 0), "room");
	assert_string_equal(name_of(labels, "10.2.0.0", 0), "ten");
	assert_string_equal(name_of(labels, "11.0.0.0", 0), "rest");
	assert_string_equal(name_of(labels, "255.255.255.255", 0), "rest");
	assert_string_equal(name_of(labels, "2001:db8::1", 0), "");
	labels_close(labels);
}

TEST(ipv6_does_not_reach_into_ipv4)
{
	struct labels *labels = labels_of("prefix,name\n::/0,six\n2001:db8::/32,doc\n10.0.0.0/8,four\n"
					  "ffff::/16,last\n");

	assert_string_equal(name_of(labels, "2001:db8::1", 0), "doc");
	assert_string_equal(name_of(labels, "2001:db7::1", 0), "six");
	assert_string_equal(name_of(labels, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0), "last");
	assert_string_equal(name_of(labels, "::1", 0), "six");
	assert_string_equal(name_of(labels, "10.0.0.1", 0), "four");
	assert_string_equal(name_of(labels, "11.0.0.1", 0), "");
	labels_close(labels);
}

TEST(a_port_wins_over_none_and_a_narrow_range_over_a_wide_one)
{
	struct labels *labels = labels_of("prefix,port,name\n"
					  "10.0.0.0/8,,ten\n"
					  "10.0.0.0/8,8000-8999,many\n"
					  "10.0.0.0/8,8080,one\n");

	assert_string_equal(name_of(labels, "10.0.0.1", 8080), "one");
	assert_string_equal(name_of(labels, "10.0.0.1", 8081), "many");
	assert_string_equal(name_of(labels, "10.0.0.1", 9000), "ten");
	labels_close(labels);
}

TEST(a_prefix_of_ports_alone_leaves_the_rest_to_the_one_around_it)
{
	struct labels *labels = labels_of("prefix,port,name\n"
					  "10.0.0.0/8,,ten\n"
					  "10.0.0.0/8,443,web\n"
					  "10.1.0.0/16,6379,redis\n"
					  "10.1.1.0/24,,quiet\n"
					  "11.0.0.0/8,80,alone\n");

	assert_string_equal(name_of(labels, "10.1.0.1", 6379), "redis");
	assert_string_equal(name_of(labels, "10.1.0.1", 443), "web");
	assert_string_equal(name_of(labels, "10.1.0.1", 22), "ten");
	assert_string_equal(name_of(labels, "10.1.1.1", 443), "quiet");
	assert_string_equal(name_of(labels, "11.0.0.1", 80), "alone");
	assert_string_equal(name_of(labels, "11.0.0.1", 81), "");
	labels_close(labels);
}

TEST(columns_have_the_names_of_others_and_any_order)
{
	struct labels *labels = labels_of("site,network,tenant,name,role,Region,asn\r\n"
					  "dc1,192.0.2.0/24,shop,web,edge,eu,64496\r\n");
	struct ip_addr addr = addr_of("192.0.2.1");
	const struct label *label = labels_find(labels, &addr, 0);

	assert_string_equal(label->name, "web");
	assert_string_equal(label->zone, "dc1");
	assert_string_equal(labels_group(labels, label->group)->namespace, "shop");
	assert_string_equal(labels_group(labels, label->group)->region, "eu");
	labels_close(labels);
}

TEST(external_is_said_or_follows_from_the_prefix)
{
	struct labels *labels = labels_of("prefix,external\n10.0.0.0/8,\n10.9.0.0/16,yes\n"
					  "192.0.2.0/24,no\n198.51.100.0/24,\n");

	assert_false(group_of(labels, "10.0.0.1")->external);
	assert_true(group_of(labels, "10.9.0.1")->external);
	assert_false(group_of(labels, "192.0.2.1")->external);
	assert_true(group_of(labels, "198.51.100.1")->external);
	labels_close(labels);
}

TEST(quoted_fields_hold_commas_quotes_and_line_ends)
{
	struct labels *labels = labels_of("\xef\xbb\xbf# remark\n\nprefix,name\n"
					  "10.0.0.0/8,\"a \"\"b\"\", c\nd\"\n"
					  "11.0.0.0/8,\"\"\n12.0.0.0/8,last");

	assert_string_equal(name_of(labels, "10.0.0.1", 0), "a \"b\", c\nd");
	assert_string_equal(name_of(labels, "11.0.0.1", 0), "");
	assert_string_equal(name_of(labels, "12.0.0.1", 0), "last");
	labels_close(labels);
}

TEST(mistakes_are_named_by_line_and_column)
{
	assert_refused("", "line 1: nothing in it");
	assert_refused("name\nx\n", "line 1: no column is called prefix");
	assert_refused("prefix,cidr\n", "line 1, column \"cidr\": means the same as column \"prefix\"");
	assert_refused("prefix,name\n10.0.0.0/8\n", "line 2: 1 columns, and the first line names 2");
	assert_refused("# one\nprefix\n\n10.0.0/8\n", "line 4, column \"prefix\": \"10.0.0/8\" is no");
	assert_refused("network\n10.0.0.0/33\n", "line 2, column \"network\": \"10.0.0.0/33\": the length");
	assert_refused("prefix\n::/129\n", "0 to 128");
	assert_refused("prefix\n10.0.0.1/8\n", "bits set behind its length");
	assert_refused("prefix,port\n10.0.0.0/8,70000\n", "line 2, column \"port\": \"70000\" is no port");
	assert_refused("prefix,port\n10.0.0.0/8,9-8\n", "\"9-8\" is no port");
	assert_refused("prefix,external\n10.0.0.0/8,maybe\n", "\"maybe\" is neither yes nor no");
	assert_refused("prefix\n10.0.0.0/8\n11.0.0.0/8\n10.0.0.0/8\n", "line 4, column \"prefix\": the same prefix and port as in line 2");
	assert_refused("prefix,name\n10.0.0.0/8,\"x\n", "line 2: a quote is opened");
	assert_refused("prefix,name\n\"10.0.0.0/8\"x,\n", "line 2: text between");
	assert_refused("prefix,name\n10.0.0.0/8,\xff\n", "line 2: byte 0xff is not UTF-8");
}

TEST(a_prefix_has_room_for_sixteen_port_ranges)
{
	char content[512] = "prefix,port\n";

	for (int port = 1; port <= 17; port++)
		sprintf(content + strlen(content), "10.0.0.0/8,%d\n", port);
	assert_refused(content, "line 18, column \"port\": more than 16 port ranges");
}

TEST(a_file_that_is_not_there_is_named)
{
	struct labels *labels;

	assert_int_equal(labels_open(&labels, "/nowhere/labels.csv", error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "/nowhere/labels.csv: cannot be read"));
}

TEST(a_reload_changes_labels_and_keeps_the_numbers_of_groups)
{
	struct labels *labels = labels_of("prefix,name,region\n10.0.0.0/8,a,eu\n11.0.0.0/8,b,us\n");
	struct ip_addr addr = addr_of("10.0.0.1");
	uint32_t eu = labels_find(labels, &addr, 0)->group;
	const char *content = "prefix,name,region,external\n10.0.0.0/8,c,asia,no\n11.0.0.0/8,d,eu,no\n";

	write_file(content, strlen(content));
	assert_int_equal(labels_reload(labels, error, sizeof(error)), 0);
	assert_string_equal(name_of(labels, "10.0.0.1", 0), "c");
	assert_string_equal(group_of(labels, "10.0.0.1")->region, "asia");
	addr = addr_of("11.0.0.1");
	assert_int_equal(labels_find(labels, &addr, 0)->group, eu);
	labels_close(labels);
}

static const struct label_group *group_at(const struct labels *labels, const char *addr, uint16_t port)
{
	struct ip_addr number = addr_of(addr);

	return labels_group(labels, labels_find(labels, &number, port)->group);
}

TEST(groups_are_numbered_as_somebody_before_did)
{
	static const struct label_group before[] = {
		{"", "", false}, {"", "", true}, {"gone", "x", false}, {"b", "", false}};
	struct labels *labels = labels_of("prefix,namespace,port\n10.0.0.1,a,\n10.0.0.2,b,\n10.0.0.2,c,80\n");
	struct ip_addr second = addr_of("10.0.0.2");
	uint32_t count;

	assert_int_equal(labels_number_after(labels, before, 4), 0);
	assert_string_equal(labels_group(labels, 2)->namespace, "gone");
	assert_int_equal(labels_find(labels, &second, 1)->group, 3);
	assert_int_equal(labels_group_count(labels), 6);
	assert_string_equal(group_at(labels, "10.0.0.1", 1)->namespace, "a");
	assert_string_equal(group_at(labels, "10.0.0.2", 80)->namespace, "c");
	assert_true(group_at(labels, "1.1.1.1", 1)->external);
	assert_string_equal(labels_group(labels, labels_ports(labels, &count)[1].port[0].group)->namespace, "c");
	labels_close(labels);
}

TEST(a_reload_that_fails_keeps_the_old_labels)
{
	struct labels *labels = labels_of("prefix,name\n10.0.0.0/8,a\n");

	write_file("prefix\nx\n", 9);
	assert_int_equal(labels_reload(labels, error, sizeof(error)), -EINVAL);
	assert_string_equal(name_of(labels, "10.0.0.1", 0), "a");
	labels_close(labels);
}

/* What the kernel is given must say the same: a slow search over it stands for the trie. */

struct trie {
	struct label_prefix prefix[64];
	struct label_value value[64];
	size_t count;
};

static int keep(void *context, const struct label_prefix *prefix, const struct label_value *value)
{
	struct trie *trie = context;

	assert_true(trie->count < 64);
	trie->prefix[trie->count] = *prefix;
	trie->value[trie->count++] = *value;
	return 0;
}

static bool covers(const struct label_prefix *prefix, const struct ip_addr *addr)
{
	for (uint32_t bit = 0; bit < prefix->bits; bit++) {
		if ((prefix->addr.bytes[bit / 8] ^ addr->bytes[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	}
	return true;
}

static uint32_t trie_group(const struct trie *trie, const struct labels *labels,
			   const struct ip_addr *addr, uint16_t port)
{
	const struct label_value *value = NULL;
	const struct label_ports *ports;
	uint32_t longest = 0, count;

	for (size_t i = 0; i < trie->count; i++) {
		if (covers(&trie->prefix[i], addr) && (!value || trie->prefix[i].bits >= longest)) {
			value = &trie->value[i];
			longest = trie->prefix[i].bits;
		}
	}
	ports = labels_ports(labels, &count);
	return labels_group_of(addr, port, value, value ? &ports[value->ports] : NULL);
}

TEST(what_the_kernel_is_given_says_the_same)
{
	static const char *const addrs[] = {
		"10.0.0.1", "10.1.0.1", "10.1.1.1", "11.0.0.1", "12.0.0.1", "255.255.255.255", "8.8.8.8",
		"2001:db8::1", "2001:db8:1::1", "::1", "fd00::1", "ffff::1",
	};
	static const uint16_t ports[] = {0, 80, 443, 6379, 8000, 8500, 65535};
	struct labels *labels = labels_of("prefix,port,region\n"
					  "::/0,,six\n2001:db8::/32,443,doc\n2001:db8:1::/48,80,net\n"
					  "10.0.0.0/8,,ten\n10.0.0.0/8,443,web\n10.0.0.0/8,8000-8999,many\n"
					  "10.1.0.0/16,6379,redis\n10.1.1.0/24,,quiet\n11.0.0.0/8,80,alone\n");
	struct trie trie = {.count = 0};

	assert_int_equal(labels_walk(labels, keep, &trie), 0);
	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++) {
		struct ip_addr addr = addr_of(addrs[i]);

		for (size_t j = 0; j < sizeof(ports) / sizeof(*ports); j++)
			assert_int_equal(trie_group(&trie, labels, &addr, ports[j]),
					 labels_find(labels, &addr, ports[j])->group);
	}
	labels_close(labels);
}

static int name_file(__attribute__((unused)) void **state)
{
	int fd;

	strcpy(path, "/tmp/ackmon-labels-XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int remove_file(__attribute__((unused)) void **state)
{
	return unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_private_addresses_are_inside),
		cmocka_unit_test(the_longest_prefix_wins),
		cmocka_unit_test(ipv6_does_not_reach_into_ipv4),
		cmocka_unit_test(a_port_wins_over_none_and_a_narrow_range_over_a_wide_one),
		cmocka_unit_test(a_prefix_of_ports_alone_leaves_the_rest_to_the_one_around_it),
		cmocka_unit_test(columns_have_the_names_of_others_and_any_order),
		cmocka_unit_test(external_is_said_or_follows_from_the_prefix),
		cmocka_unit_test(quoted_fields_hold_commas_quotes_and_line_ends),
		cmocka_unit_test(mistakes_are_named_by_line_and_column),
		cmocka_unit_test(a_prefix_has_room_for_sixteen_port_ranges),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
		cmocka_unit_test(a_reload_changes_labels_and_keeps_the_numbers_of_groups),
		cmocka_unit_test(groups_are_numbered_as_somebody_before_did),
		cmocka_unit_test(a_reload_that_fails_keeps_the_old_labels),
		cmocka_unit_test(what_the_kernel_is_given_says_the_same),
	};

	return cmocka_run_group_tests(tests, name_file, remove_file);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What a command line means, and which mistakes end the program. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/tunnel.h"
#include "cli.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)
#define GO_ON (-1)
#define MS 1000000ull
#define S 1000000000ull

static struct options options;
static char said[16384]; /* on both outputs, by the last command line */

static int redirect(int fd, int to)
{
	int before = dup(fd);

	dup2(to, fd);
	return before;
}

static void restore(int fd, int before)
{
	dup2(before, fd);
	close(before);
}

static int parse_quietly(int argc, char **argv)
{
	FILE *file = tmpfile();
	int out, err, code;

	fflush(stdout);
	out = redirect(STDOUT_FILENO, fileno(file));
	err = redirect(STDERR_FILENO, fileno(file));
	code = cli_parse(argc, argv, &options);
	fflush(stdout);
	restore(STDOUT_FILENO, out);
	restore(STDERR_FILENO, err);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	return code;
}

/* The words of a line, split at blanks. What cli_parse() gave is left in `options`. */
static int parse(const char *line)
{
	static char words[512];
	char *argv[64], *rest = words;
	int argc = 0;

	snprintf(words, sizeof(words), "ackmon %s", line);
	while ((argv[argc] = strsep(&rest, " ")))
		argc += *argv[argc] != '\0';
	return parse_quietly(argc, argv);
}

static void accept(const char *line)
{
	assert_int_equal(parse(line), GO_ON);
	assert_string_equal(said, "");
}

/* A mistake is answered by one sentence that holds these words, and by exit code 2. */
static void refuse(const char *line, const char *words)
{
	assert_int_equal(parse(line), EXIT_USAGE);
	assert_non_null(strstr(said, words));
	assert_int_equal(strncmp(said, "ackmon: ", 8), 0);
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

/* In a directory of its own, with two captures and a lone word for a file. */
static int enter_directory(__attribute__((unused)) void **state)
{
	static char path[] = "/tmp/ackmon-cli-XXXXXX";

	if (!mkdtemp(path) || chdir(path))
		return -1;
	close(creat("a.pcap", 0600));
	close(creat("b.pcap", 0600));
	return mkdir("tcp", 0700);
}

static int leave_directory(__attribute__((unused)) void **state)
{
	char path[256];

	unlink("a.pcap");
	unlink("b.pcap");
	rmdir("tcp");
	return !getcwd(path, sizeof(path)) || chdir("/") || rmdir(path);
}

TEST(interfaces_may_be_repeated)
{
	accept("-i eth0 -i eth1");
	assert_int_equal(options.interface_count, 2);
	assert_string_equal(options.interfaces[0], "eth0");
	assert_string_equal(options.interfaces[1], "eth1");
	assert_null(options.filter);
	cli_free(&options);
}

TEST(same_interface_twice_is_watched_once)
{
	accept("-i eth0 -i eth0");
	assert_int_equal(options.interface_count, 1);
	cli_free(&options);
}

TEST(namespaces_may_be_repeated_and_need_an_interface)
{
	accept("-i all --netns blue --netns 17 --netns blue");
	assert_int_equal(options.netns_count, 2);
	assert_string_equal(options.netns[0], "blue");
	assert_string_equal(options.netns[1], "17");
	cli_free(&options);
	refuse("--netns blue", "-i all");
}

TEST(transit_is_measured_live)
{
	accept("-i eth0 -i eth1 --transit");
	assert_true(options.transit);
	cli_free(&options);
	refuse("-r a.pcap --transit", "-i");
}

TEST(words_after_the_options_are_the_filter)
{
	accept("-i eth0 host 10.0.0.1 and port 443");
	assert_string_equal(options.filter, "host 10.0.0.1 and port 443");
	cli_free(&options);
}

TEST(options_may_follow_the_filter)
{
	accept("-i eth0 port 443 -c 5");
	assert_string_equal(options.filter, "port 443");
	assert_int_equal(options.frame_limit, 5);
	cli_free(&options);
}

TEST(files_right_after_a_capture_are_captures)
{
	accept("-r a.pcap b.pcap tcp port 80");
	assert_int_equal(options.capture_count, 2);
	assert_string_equal(options.captures[1], "b.pcap");
	assert_string_equal(options.filter, "tcp port 80");
	cli_free(&options);
}

TEST(files_after_another_option_or_a_filter_word_are_not)
{
	accept("-r a.pcap -n b.pcap");
	assert_int_equal(options.capture_count, 1);
	assert_string_equal(options.filter, "b.pcap");
	cli_free(&options);
	accept("-r a.pcap tcp b.pcap");
	assert_int_equal(options.capture_count, 1);
	assert_string_equal(options.filter, "tcp b.pcap");
	cli_free(&options);
	accept("-r a.pcap -- b.pcap");
	assert_string_equal(options.filter, "b.pcap");
	cli_free(&options);
}

TEST(folder_named_like_a_word_of_the_filter_is_none_of_them)
{
	accept("-r a.pcap tcp port 80");
	assert_int_equal(options.capture_count, 1);
	assert_string_equal(options.filter, "tcp port 80");
	cli_free(&options);
}

TEST(capture_that_is_not_there_is_no_filter)
{
	refuse("-r a.pcap missing.pcap", "missing.pcap: No such file");
}

TEST(standard_input_is_a_capture_once)
{
	accept("-r -");
	assert_string_equal(options.captures[0], "-");
	cli_free(&options);
	refuse("-r - -r -", "standard input");
}

TEST(format_is_told_or_read_from_the_output_name)
{
	static const struct {
		const char *line;
		enum output_format format;
	} lines[] = {
		{ "-i lo", FORMAT_TABLE },
		{ "-i lo -j", FORMAT_NDJSON },
		{ "-i lo -o wide", FORMAT_WIDE },
		{ "-i lo -o csv", FORMAT_CSV },
		{ "-i lo -w flows.csv", FORMAT_CSV },
		{ "-i lo -w flows.ndjson", FORMAT_NDJSON },
		{ "-i lo -w flows.json", FORMAT_NDJSON },
		{ "-i lo -w flows.txt", FORMAT_TABLE },
		{ "-i lo -w flows.csv -o table", FORMAT_TABLE },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		accept(lines[i].line);
		assert_int_equal(options.format, lines[i].format);
		cli_free(&options);
	}
}

TEST(dash_as_output_is_stdout)
{
	accept("-i lo -w -");
	assert_null(options.output_path);
	cli_free(&options);
}

TEST(fields_are_split_at_commas_and_collected)
{
	accept("-i lo -e id,opener_addr -e connect_ns");
	assert_int_equal(options.field_count, 3);
	assert_string_equal(options.fields[0], "id");
	assert_string_equal(options.fields[1], "opener_addr");
	assert_string_equal(options.fields[2], "connect_ns");
	cli_free(&options);
	refuse("-i lo -e id,,v", "empty");
}

TEST(times_have_units)
{
	static const struct {
		const char *time;
		uint64_t ns;
	} times[] = {
		{ "10", 10 * S }, { "0.5", 500 * MS },	{ "500ms", 500 * MS }, { "10s", 10 * S },
		{ "5m", 300 * S }, { "1h", 3600 * S },	{ "0.1", 100 * MS },   { ".25s", 250 * MS },
		{ "1ns", 1 },
	};
	char line[64];

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		snprintf(line, sizeof(line), "-i lo -I %s --duration %s", times[i].time,
			 times[i].time);
		accept(line);
		assert_int_equal(options.interval_ns, times[i].ns);
		assert_int_equal(options.duration_ns, times[i].ns);
		cli_free(&options);
	}
}

TEST(what_is_no_time_is_refused)
{
	static const char *const times[] = { "0",   "x",  "1x", "-1", "1.2.3", ".", "s",
					     "0.0", "1e3", "99999999999999999999", "3153600001",
					     "20000000000", "36893488147", "6m000000", "52560001m" };
	char line[64];

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		snprintf(line, sizeof(line), "-i lo -I %s", times[i]);
		refuse(line, times[i]);
	}
}

TEST(frame_limit_is_a_whole_number_above_zero)
{
	accept("-i lo -c 18446744073709551615");
	assert_true(options.frame_limit == UINT64_MAX);
	cli_free(&options);
	refuse("-i lo -c 0", "-c 0");
	refuse("-i lo -c -1", "-c -1");
	refuse("-i lo -c 1k", "-c 1k");
	refuse("-i lo -c 18446744073709551616", "-c");
}

TEST(mode_is_one_of_five)
{
	accept("-i lo -m skb");
	assert_int_equal(options.mode, HOOK_SKB);
	cli_free(&options);
	accept("attach -i lo -m native-vlan");
	assert_int_equal(options.mode, HOOK_NATIVE_VLAN);
	cli_free(&options);
	accept("-i lo");
	assert_int_equal(options.mode, HOOK_AUTO);
	cli_free(&options);
	refuse("-i lo -m xdp", "auto, native, native-vlan, skb or tc");
	refuse("-i lo -m vlan", "no such mode");
}

TEST(events_are_asked_for)
{
	accept("-i lo");
	assert_false(options.events);
	cli_free(&options);
	accept("-r a.pcap --events");
	assert_true(options.events);
	cli_free(&options);
	refuse("-i lo --events=segment", "takes no argument");
}

TEST(rooms_and_timeouts_are_as_asked)
{
	accept("-i lo --flows 1000000 --half-open 5 --holes 6 --histograms 7 "
	       "--idle-timeout 5m --half-open-timeout 30s --closed-timeout 500ms");
	assert_int_equal(options.rooms.flows, 1000000);
	assert_int_equal(options.rooms.half_open, 5);
	assert_int_equal(options.rooms.holes, 6);
	assert_int_equal(options.rooms.histograms, 7);
	assert_int_equal(options.idle_timeout_ns, 300000000000);
	assert_int_equal(options.half_open_timeout_ns, 30000000000);
	assert_int_equal(options.closed_timeout_ns, 500000000);
	cli_free(&options);
	refuse("-i lo --flows 0", "--flows 0");
	refuse("-i lo --half-open 67108865", "67108865");
	refuse("-i lo --half-open-timeout never", "never");
	refuse("-r x.pcap --flows 5", "takes the memory it needs");
}

TEST(tunnels_to_follow_are_named_and_add_up)
{
	accept("-i lo");
	assert_int_equal(options.decap, 0);
	cli_free(&options);
	accept("-i lo --decap vxlan,gre --decap gtp-u");
	assert_int_equal(options.decap, TUNNEL_BIT(TUNNEL_VXLAN) | TUNNEL_BIT(TUNNEL_GRE) |
						TUNNEL_BIT(TUNNEL_GTP_U));
	cli_free(&options);
	accept("-r a.pcap --decap all");
	assert_int_equal(options.decap, TUNNELS_ALL);
	cli_free(&options);
	refuse("-i lo --decap vxlan,mpls", "--decap mpls: no such tunnel");
	refuse("-i lo --decap vxlan,", "no such tunnel");
	refuse("-i lo --decap a-very-long-word-that-is-no-tunnel", "no such tunnel");
}

TEST(verbosity_counts_up_and_quiet_is_below)
{
	accept("-i lo -vv");
	assert_int_equal(options.verbosity, 2);
	cli_free(&options);
	accept("-i lo -q");
	assert_int_equal(options.verbosity, -1);
	cli_free(&options);
}

TEST(source_is_exactly_one)
{
	refuse("", "nothing to watch");
	refuse("port 80", "nothing to watch");
	refuse("-i lo -r a.pcap", "choose one");
	accept("-D");
	assert_true(options.list_interfaces);
	cli_free(&options);
}

TEST(mistakes_name_the_word_and_the_way_out)
{
	refuse("-i", "-i: its argument is missing");
	refuse("--interval", "--interval: its argument is missing");
	refuse("-X", "-X: no such option");
	refuse("--frobnicate", "--frobnicate: no such option");
	refuse("--quiet -Xj", "-X: no such option");
	refuse("--quiet=3", "--quiet=3: takes no argument");
	refuse("-i lo -o xml", "table, wide, csv, ndjson");
	refuse("-i lo -o pairs,xml", "no such format");
	refuse("-i lo --max-series 0", "not a number from 1 to 65000");
}

TEST(verbs_come_first_and_have_options_of_their_own)
{
	accept("attach -i lo --bpffs /sys/fs/bpf/x -m tc port 80");
	assert_int_equal(options.verb, VERB_ATTACH);
	assert_string_equal(options.bpffs, "/sys/fs/bpf/x");
	assert_string_equal(options.interfaces[0], "lo");
	assert_string_equal(options.filter, "port 80");
	cli_free(&options);
	accept("status -j");
	assert_int_equal(options.verb, VERB_STATUS);
	assert_int_equal(options.format, FORMAT_NDJSON);
	cli_free(&options);
	accept("detach");
	assert_int_equal(options.verb, VERB_DETACH);
	cli_free(&options);
	refuse("attach", "attach: to which interface?");
	refuse("-i lo attach -r x", "choose one");
}

TEST(what_would_do_nothing_is_refused)
{
	refuse("-r a.pcap --listen 9500", "--listen: metrics are of what is watched");
	refuse("-r a.pcap --textfile x", "--textfile");
	refuse("-r a.pcap --otlp http://x", "--otlp");
	refuse("-r a.pcap -m tc", "--mode");
	refuse("-r a.pcap --events -e id", "--fields");
	refuse("-i lo --events -I 1", "--interval");
	refuse("-i lo -o pairs -I 1", "--interval");
	refuse("-i lo -o pairs,csv -e id", "--fields");
	refuse("status -w x", "status: --write");
	refuse("status port 80", "status: \"port 80\"");
	refuse("detach -I 5", "detach: --interval");
	refuse("detach -j", "detach: --ndjson");
	refuse("-D foo", "-D: \"foo\"");
	refuse("-D -c 5", "-D: --count");
	accept("status -j -H -q -i lo --bpffs /x");
	cli_free(&options);
	accept("detach -v -i lo --bpffs /x");
	cli_free(&options);
	accept("-D -v");
	cli_free(&options);
}

TEST(events_are_ndjson)
{
	refuse("-i lo --events -o csv", "leave -o out");
	refuse("-i lo --events -o pairs", "leave -o out");
	refuse("-i lo --events -w ev.csv", "another name, or say -j");
	accept("-i lo --events");
	assert_int_equal(options.format, FORMAT_NDJSON);
	cli_free(&options);
	accept("-i lo --events -j -w ev.csv");
	assert_int_equal(options.format, FORMAT_NDJSON);
	cli_free(&options);
	accept("-i lo --events -w ev.log");
	assert_int_equal(options.format, FORMAT_NDJSON);
	cli_free(&options);
	accept("attach -i lo --events -o pairs"); /* which writes neither */
	cli_free(&options);
}

TEST(some_verbs_are_not_built_yet)
{
	refuse("top", "top: not built yet");
}

TEST(help_and_version_are_no_mistakes)
{
	assert_int_equal(parse("-h"), EXIT_DONE);
	assert_non_null(strstr(said, "Examples"));
	assert_int_equal(parse("--version"), EXIT_DONE);
	assert_string_equal(said, "ackmon 0.1.0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interfaces_may_be_repeated),
		cmocka_unit_test(same_interface_twice_is_watched_once),
		cmocka_unit_test(namespaces_may_be_repeated_and_need_an_interface),
		cmocka_unit_test(transit_is_measured_live),
		cmocka_unit_test(words_after_the_options_are_the_filter),
		cmocka_unit_test(options_may_follow_the_filter),
		cmocka_unit_test(files_right_after_a_capture_are_captures),
		cmocka_unit_test(files_after_another_option_or_a_filter_word_are_not),
		cmocka_unit_test(folder_named_like_a_word_of_the_filter_is_none_of_them),
		cmocka_unit_test(capture_that_is_not_there_is_no_filter),
		cmocka_unit_test(standard_input_is_a_capture_once),
		cmocka_unit_test(format_is_told_or_read_from_the_output_name),
		cmocka_unit_test(dash_as_output_is_stdout),
		cmocka_unit_test(fields_are_split_at_commas_and_collected),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(frame_limit_is_a_whole_number_above_zero),
		cmocka_unit_test(mode_is_one_of_five),
		cmocka_unit_test(events_are_asked_for),
		cmocka_unit_test(rooms_and_timeouts_are_as_asked),
		cmocka_unit_test(tunnels_to_follow_are_named_and_add_up),
		cmocka_unit_test(verbosity_counts_up_and_quiet_is_below),
		cmocka_unit_test(source_is_exactly_one),
		cmocka_unit_test(mistakes_name_the_word_and_the_way_out),
		cmocka_unit_test(verbs_come_first_and_have_options_of_their_own),
		cmocka_unit_test(what_would_do_nothing_is_refused),
		cmocka_unit_test(events_are_ndjson),
		cmocka_unit_test(some_verbs_are_not_built_yet),
		cmocka_unit_test(help_and_version_are_no_mistakes),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that read the same capture, side by side: in every round each runs once, with output and
 * complaints thrown away; time is from start to end of the process, memory its peak.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/wait.h>

#define RUNNERS_MAX 8
#define ROUNDS_MAX 32

struct runner {
	const char *name;
	const char *command; /* for the shell, which becomes it */
	double seconds[ROUNDS_MAX];
	long peak_kib;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void become(const char *command)
{
	int null_fd = open("/dev/null", O_RDWR);

	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(null_fd, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int run_once(struct runner *runner, uint32_t round)
{
	double start_s = now_s();
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		become(runner->command);
	if (wait4(pid, &status, 0, &usage) < 0)
		return -errno;
	runner->seconds[round] = now_s() - start_s;
	if (usage.ru_maxrss > runner->peak_kib)
		runner->peak_kib = usage.ru_maxrss;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "race: %s failed: %s\n", runner->name, runner->command);
		return -EIO;
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *values, uint32_t count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), by_value);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* How many times as fast as the reference: per round, then the median. */
static double speed_beside(const struct runner *runner, const struct runner *reference,
			   uint32_t rounds)
{
	double ratios[ROUNDS_MAX];
	uint32_t i;

	for (i = 0; i < rounds; i++)
		ratios[i] = reference->seconds[i] / runner->seconds[i];
	return median(ratios, rounds);
}

static void print_runners(const struct runner *runners, uint32_t count, uint32_t rounds,
			  double packets, double flows)
{
	uint32_t i;

	printf("%-18s %10s %10s %10s %10s %12s\n", "", "Mpps", "ns/packet", "x", "peak MiB",
	       "peak B/flow");
	for (i = 0; i < count; i++) {
		double seconds = median(runners[i].seconds, rounds);

		printf("%-18s %10.2f %10.1f %10.2f %10.1f %12.0f\n", runners[i].name,
		       packets / seconds / 1e6, seconds * 1e9 / packets,
		       speed_beside(&runners[i], &runners[0], rounds),
		       (double)runners[i].peak_kib / 1024,
		       (double)runners[i].peak_kib * 1024 / flows);
	}
}

/* x: how many times as fast as the first one named. */
int main(int argc, char **argv)
{
	struct runner runners[RUNNERS_MAX] = {0};
	uint32_t rounds, count, round, i;
	double packets, flows;

	if (argc < 6 || argc % 2 || (argc - 4) / 2 > RUNNERS_MAX) {
		fprintf(stderr,
			"usage: race ROUNDS PACKETS FLOWS NAME COMMAND [NAME COMMAND ...]\n");
		return 2;
	}
	rounds = (uint32_t)strtoul(argv[1], NULL, 10);
	packets = strtod(argv[2], NULL);
	flows = strtod(argv[3], NULL);
	count = (uint32_t)(argc - 4) / 2;
	if (!rounds || rounds > ROUNDS_MAX)
		return 2;
	for (i = 0; i < count; i++) {
		runners[i].name = argv[4 + 2 * i];
		runners[i].command = argv[5 + 2 * i];
	}
	for (round = 0; round < rounds; round++)
		for (i = 0; i < count; i++)
			if (run_once(&runners[i], round))
				return 1;
	print_runners(runners, count, rounds, packets, flows);
	return 0;
}

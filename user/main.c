/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon: what the command line asks for is done by somebody else. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "cli.h"
#include "log.h"
#include "play.h"
#include "watch.h"

static int run(const struct options *options)
{
	if (options->list_interfaces)
		return attach_list() ? EXIT_FAILED : EXIT_DONE;
	if (options->verb == VERB_STATUS)
		return attach_status(options);
	if (options->verb == VERB_DETACH)
		return attach_drop(options);
	return options->capture_count ? play(options) : watch(options);
}

/* Lists and help, which are printed; records have a sink, which says so itself. */
static int check_printed(int exit_code)
{
	int err = fflush(stdout) ? errno : 0;

	if (!err && !ferror(stdout))
		return exit_code;
	log_error("standard output: %s", err ? strerror(err) : "it did not take all");
	return exit_code ? exit_code : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct options options;
	int exit_code;

	/* A closed pipe is an error of the sink, with a sentence, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	exit_code = cli_parse(argc, argv, &options);
	if (exit_code >= 0)
		return check_printed(exit_code);
	log_set_verbosity(options.verbosity);
	exit_code = check_printed(run(&options));
	cli_free(&options);
	return exit_code;
}

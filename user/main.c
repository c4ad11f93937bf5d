/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon: what the command line asks for is done by somebody else. */
#include <signal.h>

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

int main(int argc, char **argv)
{
	struct options options;
	int exit_code;

	/* A closed pipe is an error of the sink, with a sentence, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	exit_code = cli_parse(argc, argv, &options);
	if (exit_code >= 0)
		return exit_code;
	log_set_verbosity(options.verbosity);
	exit_code = run(&options);
	cli_free(&options);
	return exit_code;
}

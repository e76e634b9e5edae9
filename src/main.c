/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridgewardend: one program, two processes. Started by an operator it is the control process; the
 * control process starts it again as `bridgewardend --engine` with everything that the engine may
 * ever touch already open.
 */
#include "base/log.h"
#include "control/control.h"
#include "engine/process.h"
#include "output/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const struct error *err)
{
	fprintf(stderr, "bridgewardend: %s\n'bridgewardend --help' lists the options.\n",
		err->text);
	return EXIT_USAGE;
}

static int print(const char *text)
{
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--engine") == 0)
		return engine_main(argc, argv);
	struct error err = {""};
	struct options options = options_parse(argc, argv, &err);
	log_init("bridgewardend", options.debug);
	switch (options.action) {
	case OPTIONS_RUN:
		return control_run(&options);
	case OPTIONS_CHECK:
		return control_check(&options);
	case OPTIONS_HELP:
		return print(options_help);
	case OPTIONS_VERSION:
		return print("bridgewardend " VERSION "\n");
	case OPTIONS_WRONG:
		break;
	}
	return usage(&err);
}

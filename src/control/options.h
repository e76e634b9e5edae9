/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's command line as plain data. Strings are borrowed from argv. Pure: prints nothing,
 * ends nothing. */
#ifndef CONTROL_OPTIONS_H
#define CONTROL_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>

#define OPTIONS_CONFIG	    "/etc/bridgewarden/bridgewarden.yaml"
#define OPTIONS_RUNTIME_DIR "/run/bridgewarden"

enum { EXIT_USAGE = 64 };

enum options_action { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

struct options {
	enum options_action action;
	const char *config, *runtime_dir;
	const char *docker_host; /* a path without "unix://"; NULL: the config's */
	const char *eve;	 /* NULL: the config's; "-": stdout */
	bool debug;
};

/* OPTIONS_WRONG: err says what. "--name VALUE" and "--name=VALUE" alike. */
struct options options_parse(int argc, char **argv, struct error *err);
extern const char options_help[];

#endif

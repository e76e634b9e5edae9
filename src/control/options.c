/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/options.h"

#include <stddef.h>
#include <string.h>

const char options_help[] =
	"Usage: bridgewardend [OPTION...]\n"
	"The daemon of bridgewarden, an application-layer firewall for Docker hosts.\n"
	"\n"
	"  --config FILE        policy and settings (" OPTIONS_CONFIG ")\n"
	"  --runtime-dir DIR    socket, lock and state (" OPTIONS_RUNTIME_DIR ")\n"
	"  --docker-host HOST   unix:///path/of/docker.sock, instead of the file's\n"
	"  --eve FILE           append records to FILE, instead of the file's; - is stdout\n"
	"  --check              load the file, run its tests, and exit\n"
	"  --debug              say more on stderr\n"
	"  --help, --version\n"
	"\n"
	"SIGHUP loads the file again, SIGUSR1 opens the records' file again, SIGTERM ends.\n";

enum option {
	OPTION_CONFIG,
	OPTION_RUNTIME_DIR,
	OPTION_DOCKER_HOST,
	OPTION_EVE,
	OPTION_CHECK,
	OPTION_DEBUG,
	OPTION_HELP,
	OPTION_VERSION,
	N_OPTIONS
};

struct option_row {
	const char *name;
	bool takes_value;
};

static const struct option_row rows[N_OPTIONS] = {
	[OPTION_CONFIG] = {"--config", true},
	[OPTION_RUNTIME_DIR] = {"--runtime-dir", true},
	[OPTION_DOCKER_HOST] = {"--docker-host", true},
	[OPTION_EVE] = {"--eve", true},
	[OPTION_CHECK] = {"--check", false},
	[OPTION_DEBUG] = {"--debug", false},
	[OPTION_HELP] = {"--help", false},
	[OPTION_VERSION] = {"--version", false},
};

static enum option find_option(const char *word, size_t length)
{
	size_t i = 0;
	while (i < N_OPTIONS &&
	       !(strlen(rows[i].name) == length && strncmp(rows[i].name, word, length) == 0))
		i++;
	return (enum option)i;
}

static int set_docker_host(struct options *options, const char *value, struct error *err)
{
	static const char scheme[] = "unix://";
	const char *path =
		strncmp(value, scheme, strlen(scheme)) == 0 ? value + strlen(scheme) : value;
	if (path[0] != '/')
		return error_set(err, -1,
				 "--docker-host takes unix:///path/of/docker.sock, not '%s'",
				 value);
	options->docker_host = path;
	return 0;
}

static int apply(struct options *options, enum option option, const char *value, struct error *err)
{
	switch (option) {
	case OPTION_CONFIG:
		options->config = value;
		return 0;
	case OPTION_RUNTIME_DIR:
		options->runtime_dir = value;
		return 0;
	case OPTION_DOCKER_HOST:
		return set_docker_host(options, value, err);
	case OPTION_EVE:
		options->eve = value;
		return 0;
	case OPTION_CHECK:
		options->action = OPTIONS_CHECK;
		return 0;
	case OPTION_DEBUG:
		options->debug = true;
		return 0;
	case OPTION_HELP:
		options->action = OPTIONS_HELP;
		return 0;
	case OPTION_VERSION:
		options->action = OPTIONS_VERSION;
		return 0;
	case N_OPTIONS:
		break;
	}
	return -1;
}

/* Reads the word at *i and its value; leaves *i on the last word read. */
static int parse_one(struct options *options, int argc, char **argv, int *i, struct error *err)
{
	const char *word = argv[*i];
	size_t length = strcspn(word, "=");
	const char *value = word[length] == '=' ? word + length + 1 : NULL;
	enum option option = find_option(word, length);
	if (option == N_OPTIONS)
		return error_set(err, -1, "unknown %s '%s'", word[0] == '-' ? "option" : "word",
				 word);
	if (!rows[option].takes_value && value)
		return error_set(err, -1, "%s takes no value", rows[option].name);
	if (rows[option].takes_value && !value)
		value = ++*i < argc ? argv[*i] : NULL;
	if (!rows[option].takes_value)
		return apply(options, option, "", err);
	if (!value || !value[0])
		return error_set(err, -1, "%s needs a value", rows[option].name);
	return apply(options, option, value, err);
}

struct options options_parse(int argc, char **argv, struct error *err)
{
	struct options options = {.config = OPTIONS_CONFIG, .runtime_dir = OPTIONS_RUNTIME_DIR};
	for (int i = 1; i < argc; i++) {
		if (parse_one(&options, argc, argv, &i, err))
			return (struct options){.action = OPTIONS_WRONG};
		if (options.action == OPTIONS_HELP || options.action == OPTIONS_VERSION)
			break;
	}
	return options;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of every command. */
enum { COMMON_RUNTIME_DIR, COMMON_OUTPUT, N_COMMON };
static const char *const common_names[N_COMMON] = {"--runtime-dir", "-o"};

static bool is_named(const char *name, const char *word, size_t length)
{
	return strlen(name) == length && strncmp(name, word, length) == 0;
}

static bool take_value(struct words *words, size_t length, struct error *err)
{
	const char *word = words->argv[words->at];
	words->value = word[length] == '=' ? word + length + 1 : NULL;
	if (!words->value && words->at + 1 < words->argc)
		words->value = words->argv[++words->at];
	bool given = words->value && words->value[0];
	if (!given)
		(void)error_set(err, WORDS_WRONG, "%.*s needs a value", (int)length, word);
	return given;
}

static int set_output(struct words *words, struct error *err)
{
	if (strcmp(words->value, "json") != 0 && strcmp(words->value, "table") != 0)
		return error_set(err, WORDS_WRONG, "-o is table or json, not '%s'", words->value);
	words->cli->json = strcmp(words->value, "json") == 0;
	return 0;
}

/* 1: it was one, and is done. */
static int read_common(struct words *words, size_t length, struct error *err)
{
	const char *word = words->argv[words->at];
	int common = 0;
	while (common < N_COMMON && !is_named(common_names[common], word, length))
		common++;
	if (common == N_COMMON)
		return 0;
	if (!take_value(words, length, err))
		return WORDS_WRONG;
	if (common == COMMON_OUTPUT)
		return set_output(words, err) ? WORDS_WRONG : 1;
	words->cli->runtime_dir = words->value;
	return 1;
}

static int read_option(struct words *words, size_t length, struct error *err)
{
	const char *word = words->argv[words->at];
	for (int i = 0; words->options[i].name; i++) {
		if (!is_named(words->options[i].name, word, length))
			continue;
		if (!words->options[i].takes_value && word[length] == '=')
			return error_set(err, WORDS_WRONG, "%s takes no value",
					 words->options[i].name);
		if (words->options[i].takes_value && !take_value(words, length, err))
			return WORDS_WRONG;
		return i;
	}
	return error_set(err, WORDS_WRONG, "unknown option '%s'", word);
}

int words_next(struct words *words, struct error *err)
{
	while (++words->at < words->argc) {
		const char *word = words->argv[words->at];
		if (!words->only_words && strcmp(word, "--") == 0) {
			words->only_words = true;
			continue;
		}
		if (words->only_words || word[0] != '-' || word[1] == '\0') {
			words->value = word;
			return WORDS_WORD;
		}
		size_t length = strcspn(word, "=");
		int rc = read_common(words, length, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return read_option(words, length, err);
	}
	return WORDS_END;
}

int words_none(struct cli *cli, int argc, char **argv)
{
	static const struct words_option none[] = {{NULL, false}};
	struct words words = {.cli = cli, .argc = argc, .argv = argv, .options = none};
	struct error err = {""};
	int got = words_next(&words, &err);
	if (got == WORDS_END)
		return CLI_OK;
	if (got == WORDS_WORD)
		return cli_usage("%s takes no '%s'", argv[0], words.value);
	return cli_usage("%s", err.text);
}

bool words_duration(const char *text, uint64_t *seconds)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno || n == 0 || n > UINT32_MAX || (end[0] && end[1]))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit != end[0])
			continue;
		*seconds = n * units[i].seconds;
		return true;
	}
	return false;
}

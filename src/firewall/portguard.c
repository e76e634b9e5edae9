/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/portguard.h"

#include "firewall/bridge.h"
#include "firewall/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const families[] = {"bridge", "inet"};
enum { N_FAMILIES = sizeof(families) / sizeof(families[0]) };

static int find_nft(char path[RUN_PATH_SIZE], struct error *err)
{
	if (run_find("nft", path))
		return 0;
	return error_set(err, -ENOENT, "nft is not installed: install the package 'nftables'");
}

static int feed(const char *input, struct error *err)
{
	char nft[RUN_PATH_SIZE];
	int r = find_nft(nft, err);
	if (r < 0)
		return r;
	const char *const argv[] = {nft, "-f", "-", NULL};
	return run_program(argv, input, NULL, err);
}

/* -EIO: there is no such table. */
static int list(const char *what, const char *family, char **out, struct error *err)
{
	char nft[RUN_PATH_SIZE];
	int r = find_nft(nft, err);
	if (r < 0)
		return r;
	const char *const table[] = {nft, "-s", "list", what, family, "bridgewarden", NULL};
	const char *const counters[] = {nft,	"list",		"counters", "table",
					family, "bridgewarden", NULL};
	return run_program(strcmp(what, "table") == 0 ? table : counters, NULL, out, err);
}

void portguard_drops(struct ports_drops *out)
{
	*out = (struct ports_drops){0};
	for (size_t i = 0; i < N_FAMILIES; i++) {
		char *text = NULL;
		if (list("counters", families[i], &text, NULL) == 0)
			ports_parse_drops(bytes_str(text), out);
		free(text);
	}
}

/* Both tables without their elements, as one text. */
static int look(char **shown, size_t *n_elements, struct error *err)
{
	char *text[N_FAMILIES] = {NULL};
	int r = 0;
	*n_elements = 0;
	for (size_t i = 0; i < N_FAMILIES && r == 0; i++) {
		r = list("table", families[i], &text[i], err);
		if (r == 0)
			*n_elements += ports_strip_elements(text[i]);
	}
	if (r == 0 && asprintf(shown, "%s%s", text[0], text[1]) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < N_FAMILIES; i++)
		free(text[i]);
	return r;
}

/* ---- applying ---- */

static int apply_whole(struct portguard *guard, const struct ports_text *text, struct error *err)
{
	struct ports_drops drops;
	char *input = NULL;
	size_t n_elements;
	portguard_drops(&drops);
	int r = ports_print_whole(text, &drops, &input);
	r = r < 0 ? error_set(err, r, "out of memory") : feed(input, err);
	free(input);
	if (r < 0)
		return r;
	free(guard->shown);
	guard->shown = NULL;
	r = look(&guard->shown, &n_elements, err);
	if (r == 0 && n_elements != text->n_elements)
		r = error_set(err, -EAGAIN, "nft: somebody else changes our tables at this moment");
	return r;
}

/* 1: they have not the same frame, or it did not work: whole, then. */
static int apply_change(const struct portguard *guard, const struct ports_text *text)
{
	char *input = NULL;
	if (!guard->is_applied || strcmp(guard->applied.frame, text->frame) != 0)
		return 1;
	int r = ports_print_change(&guard->applied, text, &input);
	if (r == 0 && *input)
		r = feed(input, NULL);
	free(input);
	return r < 0 ? 1 : 0;
}

int portguard_apply(struct portguard *guard, const struct ports_plan *plan, struct error *err)
{
	struct ports_text text;
	int r = ports_print(plan, &text, err);
	if (r < 0)
		return r;
	r = apply_change(guard, &text);
	if (r > 0)
		r = apply_whole(guard, &text, err);
	guard->is_applied = r == 0;
	guard->number = 0; /* the next check looks once: others may have changed it meanwhile */
	ports_text_fini(r == 0 ? &guard->applied : &text);
	if (r == 0)
		guard->applied = text;
	return r;
}

/* ---- checking, removing ---- */

int portguard_check(struct portguard *guard, struct error *err)
{
	uint32_t number = 0;
	char *shown = NULL;
	size_t n_elements;
	if (!guard->is_applied)
		return 0;
	bool has_number = bridge_ruleset_number(&number) == 0;
	if (has_number && guard->number != 0 && number == guard->number)
		return 0;
	int r = look(&shown, &n_elements, err);
	bool is_same = r == 0 && strcmp(shown, guard->shown) == 0 &&
		       n_elements == guard->applied.n_elements;
	free(shown);
	if (r < 0 && r != -EIO)
		return r;
	if (is_same)
		guard->number = number;
	else
		guard->is_applied = false;
	return is_same ? 0 : 1;
}

/* Not where there is no nft, nor where the kernel cannot have such tables. */
static bool is_there(void)
{
	bool found = false;
	for (size_t i = 0; i < N_FAMILIES && !found; i++) {
		char *text = NULL;
		found = list("table", families[i], &text, NULL) == 0;
		free(text);
	}
	return found;
}

int portguard_remove(struct portguard *guard, struct error *err)
{
	portguard_fini(guard);
	return is_there() ? feed(ports_removal, err) : 0;
}

void portguard_fini(struct portguard *guard)
{
	ports_text_fini(&guard->applied);
	free(guard->shown);
	*guard = (struct portguard){0};
}

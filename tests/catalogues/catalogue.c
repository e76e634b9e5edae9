/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "catalogue.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 256, WORD_MAX = 24, NESTING_MAX = 64 };

struct value {
	char axis[WORD_MAX], label[WORD_MAX];
	char text[STRATEGY_NODES * 4];
};

/* What a file is read with; axes are known in their own file only. */
struct scribe {
	struct shelf *shelf;
	struct catalogue *of;
	struct value value[VALUES_MAX];
	size_t n_values;
	const char *path, *trouble;
	unsigned row;
	uint32_t die;
};

static uint32_t roll(struct scribe *w)
{
	w->die ^= w->die << 13;
	w->die ^= w->die >> 17;
	w->die ^= w->die << 5;
	return w->die;
}

static void complain(struct scribe *w, const char *what)
{
	if (!w->trouble)
		w->trouble = what;
}

/* ---- entries ---- */

static void add_entry(struct scribe *w, const char *name, const char *text)
{
	struct strategy s;
	struct shelf *shelf = w->shelf;
	if (strategy_parse(&s, text)) {
		(void)fprintf(stderr, "%s: %s: cannot read %s\n", w->path, name, text);
		complain(w, "a strategy");
		return;
	}
	if (shelf->n == CATALOGUE_ENTRIES) {
		complain(w, "too many strategies");
		return;
	}
	struct entry *e = &shelf->entry[shelf->n++];
	*e = (struct entry){.of = w->of, .row = w->row, .name = strdup(name), .text = strdup(text)};
	w->of->n++;
	if (!e->name || !e->text)
		complain(w, "memory");
}

/* ---- axes ---- */

static size_t variable_length(const char *at)
{
	return 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
}

static bool is_of_axis(const struct value *v, const char *at, size_t n)
{
	return strlen(v->axis) == n - 1 && memcmp(v->axis, at + 1, n - 1) == 0;
}

/* Puts a value where the variable stands; false where it gets too long. */
static bool put_value(const char *text, const char *at, size_t n, const char *value, char *out)
{
	int size = snprintf(out, CATALOGUE_TEXT, "%.*s%s%s", (int)(at - text), text, value, at + n);
	return size > 0 && size < CATALOGUE_TEXT;
}

static bool put_everywhere(const char *text, const char *at, size_t n, const char *value, char *out)
{
	char variable[WORD_MAX + 1], work[CATALOGUE_TEXT];
	(void)snprintf(variable, sizeof(variable), "%.*s", (int)n, at);
	if (!put_value(text, at, n, value, out))
		return false;
	for (int i = 0; i < NESTING_MAX; i++) {
		const char *next = strstr(out, variable);
		if (!next || variable_length(next) != n)
			return true;
		memcpy(work, out, sizeof(work));
		if (!put_value(work, work + (next - out), n, value, out))
			return false;
	}
	return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as a line has variables */
static void expand(struct scribe *w, const char *name, const char *text, unsigned depth)
{
	const char *at = strchr(text, '$');
	if (!at || w->trouble) {
		add_entry(w, name, text);
		return;
	}
	size_t n = variable_length(at), n_values = 0;
	for (size_t i = 0; i < w->n_values && depth < NESTING_MAX; i++) {
		char longer[CATALOGUE_NAME], out[CATALOGUE_TEXT];
		const struct value *v = &w->value[i];
		if (!is_of_axis(v, at, n))
			continue;
		n_values++;
		(void)snprintf(longer, sizeof(longer), "%s.%s", name, v->label);
		if (strcmp(v->label, "-") == 0) /* says nothing */
			(void)snprintf(longer, sizeof(longer), "%s", name);
		if (put_everywhere(text, at, n, v->text, out))
			expand(w, longer, out, depth + 1);
		else
			complain(w, "too long");
	}
	if (n_values == 0)
		complain(w, "an axis that is not there");
}

static const struct value *draw(struct scribe *w, const char *at, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < w->n_values; i++)
		count += is_of_axis(&w->value[i], at, n);
	if (count == 0)
		return NULL;
	size_t which = roll(w) % count;
	for (size_t i = 0; i < w->n_values; i++)
		if (is_of_axis(&w->value[i], at, n) && which-- == 0)
			return &w->value[i];
	return NULL;
}

static void draw_one(struct scribe *w, const char *name, const char *text, unsigned number)
{
	char now[CATALOGUE_TEXT], next[CATALOGUE_TEXT], numbered[CATALOGUE_NAME];
	const char *at;
	(void)snprintf(now, sizeof(now), "%s", text);
	for (int i = 0; (at = strchr(now, '$')) != NULL && !w->trouble; i++) {
		size_t n = variable_length(at);
		const struct value *v = draw(w, at, n);
		if (!v || i == NESTING_MAX || !put_value(now, at, n, v->text, next)) {
			complain(w, v ? "too long" : "an axis that is not there");
			return;
		}
		memcpy(now, next, sizeof(now));
	}
	(void)snprintf(numbered, sizeof(numbered), "%s.%u", name, number);
	add_entry(w, numbered, now);
}

/* ---- lines ---- */

static char *word(char **at)
{
	char *start = *at + strspn(*at, " \t");
	*at = start + strcspn(start, " \t");
	if (**at)
		*(*at)++ = '\0';
	return start;
}

static void take_axis(struct scribe *w, char *rest)
{
	if (w->n_values == VALUES_MAX) {
		complain(w, "too many values");
		return;
	}
	struct value *v = &w->value[w->n_values++];
	(void)snprintf(v->axis, sizeof(v->axis), "%s", word(&rest));
	(void)snprintf(v->label, sizeof(v->label), "%s", word(&rest));
	size_t n = strlen(rest);
	if (n >= sizeof(v->text))
		complain(w, "a value is too long");
	else
		memcpy(v->text, rest, n + 1);
}

static void take_some(struct scribe *w, char *rest)
{
	unsigned long n = strtoul(word(&rest), NULL, 10);
	const char *name = word(&rest);
	for (unsigned i = 0; i < n && !w->trouble; i++)
		draw_one(w, name, rest, i);
}

static void take_catalogue(struct scribe *w, char *rest)
{
	if (w->shelf->n_catalogues == CATALOGUES_MAX) {
		complain(w, "too many catalogues");
		return;
	}
	w->of = &w->shelf->catalogue[w->shelf->n_catalogues++];
	*w->of = (struct catalogue){.share = 1, .first = w->shelf->n};
	(void)snprintf(w->of->name, sizeof(w->of->name), "%s", word(&rest));
}

static void take_line(struct scribe *w, char *line)
{
	char *rest = line;
	const char *what = word(&rest);
	if (strcmp(what, "catalogue") == 0)
		take_catalogue(w, rest);
	else if (!w->of)
		complain(w, "no catalogue");
	else if (strcmp(what, "runs") == 0)
		w->of->runs = (unsigned)strtoul(rest, NULL, 10);
	else if (strcmp(what, "share") == 0)
		w->of->share = (unsigned)strtoul(rest, NULL, 10);
	else if (strcmp(what, "axis") == 0)
		take_axis(w, rest);
	else if (strcmp(what, "some") == 0)
		take_some(w, rest);
	else if (strcmp(what, "row") == 0) {
		const char *name = word(&rest);
		expand(w, name, rest, 0);
	} else {
		complain(w, "an unknown word");
	}
	w->row++;
}

static int read_file(struct scribe *w)
{
	char *line = NULL;
	size_t room = 0;
	int number = 0;
	FILE *from = fopen(w->path, "re");
	if (!from) {
		perror(w->path);
		return -1;
	}
	while (!w->trouble && getline(&line, &room, from) > 0) {
		number++;
		line[strcspn(line, "#\n")] = '\0';
		if (line[strspn(line, " \t")])
			take_line(w, line);
	}
	free(line);
	(void)fclose(from);
	if (w->trouble)
		(void)fprintf(stderr, "%s:%d: %s\n", w->path, number, w->trouble);
	return w->trouble ? -1 : 0;
}

int shelf_load(struct shelf *s, const char *directory, uint32_t seed)
{
	static struct scribe w;
	char pattern[512];
	glob_t files;
	*s = (struct shelf){.entry = calloc(CATALOGUE_ENTRIES, sizeof(struct entry))};
	(void)snprintf(pattern, sizeof(pattern), "%s/*.txt", directory);
	int bad = s->entry ? glob(pattern, 0, NULL, &files) : -1;
	if (bad) {
		(void)fprintf(stderr, "%s: no catalogues can be read there\n", directory);
		return -1;
	}
	for (size_t i = 0; i < files.gl_pathc && !bad; i++) {
		w = (struct scribe){.shelf = s, .path = files.gl_pathv[i], .die = seed | 1};
		w.row = (unsigned)i << 16;
		bad = read_file(&w);
	}
	globfree(&files);
	return bad || s->n == 0 ? -1 : 0;
}

void shelf_free(struct shelf *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->entry[i].name);
		free(s->entry[i].text);
	}
	free(s->entry);
}

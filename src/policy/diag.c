/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Complaints: kept with the line they are about, printed as compilers print theirs. */
#include "policy/node.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
	SOURCE_LINE_MAX = 240, /* longer lines are not shown */
	WORD_MAX = 48,	       /* longer words get no suggestion */
};

void diagnostics_fini(struct diagnostics *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		free(diags->items[i].file);
		free(diags->items[i].message);
		free(diags->items[i].hint);
		free(diags->items[i].source_line);
	}
	free(diags->items);
	*diags = (struct diagnostics){0};
}

static void print_source(const struct diagnostic *d, FILE *out)
{
	if (!d->source_line)
		return;
	fprintf(out, "  %s\n  ", d->source_line);
	for (unsigned i = 1; i < d->column && d->source_line[i - 1]; i++)
		fputc(d->source_line[i - 1] == '\t' ? '\t' : ' ', out);
	fputs("^\n", out);
}

void diagnostics_print(const struct diagnostics *diags, FILE *out)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct diagnostic *d = &diags->items[i];
		if (d->line)
			fprintf(out, "%s:%u:%u: ", d->file, d->line, d->column);
		else
			fprintf(out, "%s: ", d->file);
		fprintf(out, "%s: %s\n", d->severity == DIAG_ERROR ? "error" : "warning",
			d->message);
		print_source(d, out);
		if (d->hint)
			fprintf(out, "  %s\n", d->hint);
	}
	if (diags->n_lost)
		fprintf(out, "and %zu more\n", diags->n_lost);
}

/* Lines end where libyaml ends them. */
static char *copy_line(const struct source *source, unsigned line)
{
	const char *at = source->text, *end = source->text + source->n;
	for (unsigned i = 1; i < line && at; i++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return NULL;
	size_t n = 0;
	while (at + n < end && at[n] != '\n' && at[n] != '\r')
		n++;
	return n <= SOURCE_LINE_MAX && !memchr(at, '\0', n) ? strndup(at, n) : NULL;
}

void out_of_memory(struct loading *l)
{
	l->no_memory = true;
}

static void add(struct loading *l, const struct place *place, enum diagnostic_severity severity,
		const char *hint, char *message)
{
	struct diagnostics *diags = l->diags;
	if (severity == DIAG_ERROR)
		diags->n_errors++;
	struct diagnostic *d = NULL;
	if (message && diags->n < DIAGNOSTICS_MAX)
		d = ARRAY_ADD(diags->items, diags->n);
	if (!d) {
		diags->n_lost++;
		free(message);
		return;
	}
	const struct source *source = &l->policy->sources[place->source];
	d->file = strdup(source->name);
	d->line = place->line;
	d->column = place->column;
	d->severity = severity;
	d->message = message;
	d->hint = hint ? strdup(hint) : NULL;
	d->source_line = place->line ? copy_line(source, place->line) : NULL;
	if (!d->file)
		out_of_memory(l);
}

static char *format_text(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list args)
{
	char *text;
	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

void complain(struct loading *l, const struct place *place, enum diagnostic_severity severity,
	      const char *hint, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(l, place, severity, hint, format_text(format, args));
	va_end(args);
}

void complain_at(struct loading *l, const yaml_node_t *node, const char *hint, const char *format,
		 ...)
{
	struct place place = place_of(l, node);
	va_list args;
	va_start(args, format);
	add(l, &place, DIAG_ERROR, hint, format_text(format, args));
	va_end(args);
}

struct place place_of(const struct loading *l, const yaml_node_t *node)
{
	return (struct place){
		.source = l->source,
		.line = (uint32_t)node->start_mark.line + 1,
		.column = (uint32_t)node->start_mark.column + 1,
	};
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/* Levenshtein, one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	if (n > WORD_MAX || m > WORD_MAX)
		return WORD_MAX;
	size_t row[WORD_MAX + 1];
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			size_t differs =
				byte_lower((uint8_t)a[i - 1]) != byte_lower((uint8_t)b[j - 1]);
			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + differs);
			diagonal = above;
		}
	}
	return row[m];
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
	size_t limit = strlen(s->word) / 3 + 1;
	size_t d = distance(s->word, candidate);
	if (d > limit || (s->best && d >= s->distance))
		return;
	s->best = candidate;
	s->distance = d;
}

const char *suggestion_hint(struct suggestion *s)
{
	if (!s->best)
		return NULL;
	(void)snprintf(s->hint, sizeof(s->hint), "did you mean `%s`?", s->best);
	return s->hint;
}

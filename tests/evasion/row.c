/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const row_orders[N_ORDERS] = {"ge", "eg", "gg"};
static const char *const roles[] = {"client", "server"};
static const char *const versions[] = {"4", "6"};
static const char *const options[] = {"plain", "ts", "sack", "all"};
static const char *const phases[] = {"usual", "no-checksums", "no-offload", "alone"};
static const char *const ports[] = {"watched", "requests"};
static const char *const starts[] = {"cold", "warm"};
static const char *const apps[] = {"tcp", "mptcp", "tfo", "oobinline", "udp", "raw", "ether"};

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

static int number_in(const char *const *table, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i], word) == 0)
			return (int)i;
	return -1;
}

/* The words of a line as a set of bits; 0: one of them is not in the table. */
static unsigned set_of(const struct row_line *l, const char *const *table, size_t n)
{
	unsigned set = 0;
	for (unsigned i = 1; i < l->n; i++) {
		int which = number_in(table, n, l->word[i]);
		if (which < 0)
			return 0;
		set |= 1u << which;
	}
	return set;
}

static bool take_set(const struct row_line *l, unsigned *set, const char *const *table, size_t n)
{
	*set = set_of(l, table, n);
	return *set != 0;
}

static bool take_units(struct row *row, const struct row_line *l)
{
	row->n_units = 0;
	for (unsigned i = 1; i < l->n && row->n_units < ROW_UNITS_MAX; i++)
		row->units[row->n_units++] = (size_t)strtoul(l->word[i], NULL, 10);
	return row->n_units > 0 && row->units[0] >= TEXT_UNIT;
}

static bool take_wish(struct row *row, const struct row_line *l, enum row_wish wish)
{
	const char *mix = l->n > 1 ? l->word[1] : "A";
	row->wish = wish;
	row->reads_first = strcmp(mix, "first") == 0;
	if (row->reads_first)
		mix = "A";
	size_t n = strlen(mix);
	if (n != 1 && n != TEXT_UNITS)
		return false;
	for (unsigned i = 0; i < TEXT_UNITS; i++)
		row->mix[i] = mix[n == 1 ? 0 : i];
	return strspn(mix, "AB") == n;
}

/* "app stop" and the like are no kinds. */
static bool names_app(const struct row_line *l)
{
	return strcmp(l->word[0], "app") == 0 && l->n > 1 &&
	       number_in(apps, N_OF(apps), l->word[1]) >= 0;
}

static void take_app(struct row *row, const struct row_line *l)
{
	row->app = (enum app_kind)number_in(apps, N_OF(apps), l->word[1]);
	row->ip_proto = l->n > 2 ? (int)strtol(l->word[2], NULL, 10) : 0;
}

/* 1: taken; 0: is not a line of the head; -1: wrong */
static int take_head(struct row *row, const struct row_line *l)
{
	const char *w = l->word[0];
	bool good = true;
	if (strcmp(w, "for") == 0)
		good = take_set(l, &row->roles, roles, N_OF(roles));
	else if (strcmp(w, "over") == 0)
		good = take_set(l, &row->versions, versions, N_OF(versions));
	else if (strcmp(w, "with") == 0)
		good = take_set(l, &row->options, options, N_OF(options));
	else if (strcmp(w, "order") == 0)
		good = take_set(l, &row->orders, row_orders, N_ORDERS);
	else if (strcmp(w, "phase") == 0)
		good = take_set(l, &row->phases, phases, N_OF(phases));
	else if (strcmp(w, "ports") == 0)
		good = take_set(l, &row->ports, ports, N_OF(ports));
	else if (strcmp(w, "start") == 0)
		good = take_set(l, &row->starts, starts, N_OF(starts));
	else if (strcmp(w, "unit") == 0)
		good = take_units(row, l);
	else if (names_app(l))
		take_app(row, l);
	else if (strcmp(w, "rcvbuf") == 0)
		row->rcvbuf = (int)strtol(l->word[l->n - 1], NULL, 10);
	else if (strcmp(w, "read") == 0)
		good = take_wish(row, l, WISH_READ);
	else if (strcmp(w, "maybe") == 0)
		good = take_wish(row, l, WISH_MAYBE);
	else if (strcmp(w, "nothing") == 0)
		row->wish = WISH_NOTHING;
	else if (strcmp(w, "far") == 0)
		row->far = true;
	else if (strcmp(w, "raw") == 0)
		row->raw = true;
	else if (strcmp(w, "ends") == 0)
		row->ends = true;
	else if (strcmp(w, "alarms") == 0)
		row->alarms = true;
	else
		return 0;
	return good ? 1 : -1;
}

static void split(struct row_line *l, char *text, int number)
{
	char *state = NULL;
	*l = (struct row_line){.number = number};
	for (char *w = strtok_r(text, " \t", &state); w && l->n < ROW_WORDS_MAX;
	     w = strtok_r(NULL, " \t", &state))
		l->word[l->n++] = w;
}

static struct row *begin_row(struct rows *rows, char *text)
{
	if (rows->n == ROWS_MAX)
		return NULL;
	struct row *row = &rows->row[rows->n++];
	*row = (struct row){.roles = 3,
			    .versions = 3,
			    .options = 7,
			    .orders = 3,
			    .phases = 1,
			    .ports = 3,
			    .starts = 3,
			    .units = {TEXT_UNIT},
			    .n_units = 1};
	row->id = strtok_r(text, " \t", &row->title);
	return row;
}

static int take_line(struct rows *rows, char *text, int number)
{
	struct row *row = rows->n ? &rows->row[rows->n - 1] : NULL;
	struct row_line l;
	if (text[0] != ' ' && text[0] != '\t')
		return begin_row(rows, text) ? 0 : -1;
	text += strspn(text, " \t");
	if (!row || row->n_lines == ROW_LINES_MAX)
		return -1;
	if (strncmp(text, "gap ", 4) == 0) {
		row->gap = text + 4;
		return 0;
	}
	split(&l, text, number);
	if (l.n == 0)
		return 0;
	int head = take_head(row, &l);
	if (head == 0)
		row->lines[row->n_lines++] = l;
	return head < 0 ? -1 : 0;
}

static char *read_all(const char *path)
{
	enum { ROOM = 1 << 18 };
	char *text = calloc(1, ROOM);
	FILE *from = fopen(path, "re");
	size_t n = from && text ? fread(text, 1, ROOM - 1, from) : 0;
	if (from)
		(void)fclose(from);
	if (n > 0)
		return text;
	free(text);
	return NULL;
}

int rows_load(struct rows *rows, const char *path)
{
	memset(rows, 0, sizeof(*rows));
	char *at = rows->text = read_all(path), *line;
	if (!at) {
		(void)fprintf(stderr, "%s: no rows can be read there\n", path);
		return -1;
	}
	for (int number = 1; (line = strsep(&at, "\n")) != NULL; number++) {
		line[strcspn(line, "#")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (take_line(rows, line, number) != 0) {
			(void)fprintf(stderr, "%s:%d: wrong\n", path, number);
			return -1;
		}
	}
	return rows->n ? 0 : -1;
}

void rows_free(struct rows *rows)
{
	free(rows->text);
}

/* Splits number i into one choice of a set; false: not in the set. */
static bool pick(unsigned set, unsigned n, size_t *i, unsigned *out)
{
	*out = (unsigned)(*i % n);
	*i /= n;
	return set & 1u << *out;
}

static bool expand_one(const struct row *row, size_t i, struct variant *v)
{
	unsigned role, version, option, order, phase, port, start;
	bool is_in = pick(row->roles, 2, &i, &role) & pick(row->versions, 2, &i, &version) &
		     pick(row->options, N_PEER_OPTIONS, &i, &option) &
		     pick(row->orders, N_ORDERS, &i, &order) &
		     pick(row->phases, N_PHASES, &i, &phase) & pick(row->ports, 2, &i, &port) &
		     pick(row->starts, 2, &i, &start);
	if (!is_in || (role == ROW_SERVER && port == PORTS_REQUESTS) ||
	    (role == ROW_SERVER && order == ORDER_GG) ||
	    (start == START_WARM && (row->raw || row->app == APP_UDP)))
		return false;
	*v = (struct variant){
		.row = row,
		.role = (enum row_role)role,
		.version = version ? 6 : 4,
		.options = (enum peer_options)option,
		.order = (enum row_order)order,
		.phase = (enum row_phase)phase,
		.ports = (enum row_ports)port,
		.start = (enum row_start)start,
		.unit = row->units[i],
	};
	return true;
}

size_t rows_expand(const struct rows *rows, struct variant *out, size_t room)
{
	const size_t each =
		(size_t)16 * N_PEER_OPTIONS * N_ORDERS * N_PHASES; /* as in expand_one */
	size_t n = 0;
	for (size_t r = 0; r < rows->n; r++)
		for (size_t i = 0; i < each * rows->row[r].n_units && n < room; i++)
			n += expand_one(&rows->row[r], i, &out[n]);
	return n;
}

void variant_name(const struct variant *v, char *out, size_t room)
{
	(void)snprintf(out, room, "%s/%s/ip%u/%s/%s/%s/u%zu%s%s%s%s", v->row->id, roles[v->role],
		       v->version, options[v->options], row_orders[v->order], starts[v->start],
		       v->unit, v->phase ? "/" : "", v->phase ? phases[v->phase] : "",
		       v->ports ? "/" : "", v->ports ? ports[v->ports] : "");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows.txt: each row of the threat table as a few lines, and the variants in which it is tried. The
 * language is explained at the top of that file.
 */
#ifndef EVASION_ROW_H
#define EVASION_ROW_H

#include "app.h"
#include "peer.h"

enum { ROW_LINES_MAX = 48, ROW_WORDS_MAX = 24, ROW_UNITS_MAX = 6, ROWS_MAX = 256 };

enum row_role { ROW_CLIENT, ROW_SERVER };
enum row_order { ORDER_GE, ORDER_EG, ORDER_GG, N_ORDERS };
enum row_phase { PHASE_USUAL, PHASE_NO_CHECKSUMS, PHASE_NO_OFFLOAD, PHASE_ALONE, N_PHASES };
enum row_start { START_COLD, START_WARM };
enum row_ports { PORTS_WATCHED, PORTS_REQUESTS };
enum row_wish { WISH_NONE, WISH_READ, WISH_MAYBE, WISH_NOTHING };

struct row_line {
	int number;
	unsigned n;
	char *word[ROW_WORDS_MAX];
};

struct row {
	char *id, *title, *gap;
	unsigned roles, versions, options, orders, phases, ports, starts; /* sets of bits */
	size_t units[ROW_UNITS_MAX];
	unsigned n_units;
	enum app_kind app;
	int ip_proto, rcvbuf;
	bool far, raw, ends, alarms, reads_first;
	enum row_wish wish;
	char mix[TEXT_UNITS + 1]; /* whose units are read */
	unsigned n_lines;
	struct row_line lines[ROW_LINES_MAX];
};

struct rows {
	char *text;
	size_t n;
	struct row row[ROWS_MAX];
};

struct variant {
	const struct row *row;
	enum row_role role;
	unsigned version; /* 4, 6 */
	enum peer_options options;
	enum row_order order;
	size_t unit;
	enum row_phase phase;
	enum row_ports ports;
	enum row_start start;
};

extern const char *const row_orders[N_ORDERS]; /* "ge" ... */

/* 0, or -1 after saying on stderr which line is wrong. */
int rows_load(struct rows *rows, const char *path);
void rows_free(struct rows *rows);

/* All variants of all rows; returns how many. At most `room` are written. */
size_t rows_expand(const struct rows *rows, struct variant *out, size_t room);

/* "T04/client/ip4/ts/ge/u5": names one run. */
void variant_name(const struct variant *v, char *out, size_t room);

#endif

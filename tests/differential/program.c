/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include "bridgewarden/packet.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { PLAIN_WINDOW = 60000, PLAIN_ISN = 1000 };

uint8_t program_byte(uint8_t copy, int32_t at)
{
	return (uint8_t)(copy << 4 | (((uint32_t)at * 7 + ((uint32_t)at >> 4)) & 15));
}

/* ---- at random ---- */

/* What the generator knows of the program so far. */
struct maker {
	struct program *p;
	uint64_t *dice;
	uint32_t scale;
	int32_t next; /* one past what would be there without gaps */
	int32_t from[PROGRAM_SEGMENTS_MAX], to[PROGRAM_SEGMENTS_MAX];
	uint32_t n_segments;
};

static uint32_t below(struct maker *m, uint32_t n)
{
	return dice_below(m->dice, n);
}

static bool one_in(struct maker *m, uint32_t n)
{
	return dice_one_in(m->dice, n);
}

static uint32_t choose_scale(struct maker *m)
{
	static const uint16_t scales[] = {1, 1, 1, 1, 1, 1, 2, 3, 10, 50, 100, 200, 300, 700};
	return scales[below(m, sizeof(scales) / sizeof(scales[0]))];
}

static void choose_connection(struct maker *m)
{
	struct program *p = m->p;
	m->scale = choose_scale(m);
	p->total = (2 + below(m, 11)) * m->scale;
	for (int i = 0; i < 2; i++)
		p->isn[i] =
			one_in(m, 3) ? (uint32_t)dice_next(m->dice) : 0 - below(m, p->total + 20);
	p->room = (uint8_t)(one_in(m, 3) ? 1 + below(m, PROGRAM_ROOMS - 1) : 0);
	p->unit = (uint8_t)(1 + below(m, m->scale < 100 ? m->scale : 100));
	p->wscale = (uint8_t)below(m, 5);
	p->is_v6 = one_in(m, 2);
	p->has_ts = one_in(m, 2);
	p->has_sack = !one_in(m, 4);
	p->sender_is_server = one_in(m, 3);
	p->has_refusals = one_in(m, 8);
	p->spares_replies = !p->sender_is_server && one_in(m, 6);
	p->claims_early = one_in(m, 3);
	p->is_patient = one_in(m, 2);
	p->has_syn_data = one_in(m, 8);
	p->skips_ack = one_in(m, 8);
	p->is_finished = one_in(m, 2);
	p->dice = dice_next(m->dice);
}

/* Beside an end of a segment that was sent: resends that do not align. */
static int32_t beside_another(struct maker *m)
{
	uint32_t i = below(m, m->n_segments);
	int32_t end = one_in(m, 2) ? m->from[i] : m->to[i];
	return end + ((int32_t)below(m, 3) - 1) * (one_in(m, 2) ? 1 : (int32_t)m->scale);
}

static void choose_range(struct maker *m, struct step *s)
{
	uint32_t kind = below(m, 16), scale = m->scale, total = m->p->total;
	if (kind < 5)
		s->at = m->next;
	else if (kind < 10 && m->n_segments)
		s->at = beside_another(m);
	else if (kind == 10)
		s->at = m->next - (int32_t)(1 + below(m, 3 * scale));
	else
		s->at = (int32_t)(below(m, total / scale + 1) * scale);
	uint32_t n = one_in(m, 8) ? 0 : (1 + below(m, 5)) * scale;
	if (one_in(m, 6))
		n += below(m, 3);
	s->n = n < WIRE_DATA_MAX ? n : WIRE_DATA_MAX;
	if (s->at + (int32_t)s->n > PROGRAM_BYTES_MAX)
		s->at = 0;
}

static uint8_t odd_flags(struct maker *m)
{
	static const uint8_t odd[] = {0,
				      TCP_PSH,
				      TCP_FIN,
				      TCP_SYN,
				      TCP_SYN | TCP_ACK,
				      TCP_SYN | TCP_FIN,
				      TCP_ACK | TCP_PSH | TCP_URG | TCP_FIN,
				      TCP_ACK | TCP_RST};
	return odd[below(m, sizeof(odd))];
}

static void choose_header(struct maker *m, struct step *s)
{
	s->flags = TCP_ACK;
	if (one_in(m, 3))
		s->flags |= TCP_PSH;
	if (one_in(m, 8))
		s->flags |= TCP_FIN;
	if (one_in(m, 10))
		s->flags |= TCP_URG;
	if (one_in(m, 40))
		s->flags = TCP_RST | (one_in(m, 2) ? TCP_ACK : 0);
	if (one_in(m, 40))
		s->flags = odd_flags(m);
	if ((s->flags & TCP_URG) || one_in(m, 20))
		s->urgent = (uint16_t)below(m, 3 * m->scale + 2);
	s->window = one_in(m, 8) ? (uint16_t)below(m, 300) : PLAIN_WINDOW;
	if (one_in(m, 16))
		s->ack = (int32_t)below(m, 200000) - 100000;
	if (one_in(m, 64))
		s->at += one_in(m, 2) ? 10000000 : 0x40000000;
}

static void choose_timestamp(struct maker *m, struct step *s)
{
	if (one_in(m, 16))
		s->ts = TS_NONE;
	else if (one_in(m, 8))
		s->ts = -(int32_t)(1 + below(m, one_in(m, 2) ? 3 : 100000));
	else if (one_in(m, 40))
		s->ts = one_in(m, 2) ? 1000 : 1 << 30;
}

static void add_segment(struct maker *m)
{
	struct step *s = &m->p->steps[m->p->n_steps++];
	s->kind = STEP_SEGMENT;
	s->copy = (uint8_t)(one_in(m, 3) ? 0 : 1 + m->n_segments);
	choose_range(m, s);
	m->from[m->n_segments] = s->at;
	m->to[m->n_segments++] = s->at + (int32_t)s->n;
	if (s->at <= m->next && s->at + (int32_t)s->n > m->next)
		m->next = s->at + (int32_t)s->n;
	choose_header(m, s);
	choose_timestamp(m, s);
}

static void add_other(struct maker *m, enum step_kind kind, uint32_t n)
{
	m->p->steps[m->p->n_steps++] = (struct step){.kind = kind, .n = n};
}

void program_make(struct program *p, uint64_t number)
{
	*p = (struct program){.number = number};
	uint64_t dice = number * 0x9e3779b97f4a7c15ULL ^ 0xd1b54a32d192ed03ULL;
	struct maker m = {.p = p, .dice = &dice};
	choose_connection(&m);
	for (uint32_t n = 2 + below(&m, PROGRAM_SEGMENTS_MAX - 1); n > 0; n--) {
		add_segment(&m);
		if (one_in(&m, 3))
			add_other(&m, STEP_READ, 0);
		if (one_in(&m, 100))
			add_other(&m, STEP_WAIT, 1 + below(&m, 4000));
		else if (one_in(&m, 100))
			add_other(&m, STEP_DEATH, below(&m, 5));
		else if (one_in(&m, 100))
			add_other(&m, STEP_RELOAD, 0);
	}
}

/* ---- every overlap of three chunks ---- */

enum {
	POINTS = 6,				     /* three chunks have six ends */
	INTERVALS = POINTS * (POINTS - 1) / 2,	     /* from < to, both among the points */
	TRIPLES = INTERVALS * INTERVALS * INTERVALS, /* in order of arrival */
	CODES = 81,
};

enum gap {
	GAP_AFTER,   /* the chunks come first, what lies in front of them last */
	GAP_BEFORE,  /* no gap: they come in order of arrival right behind what is there */
	GAP_OVERRUN, /* the filler goes over all of them */
	GAP_INTO,    /* the filler ends inside of them */
	N_GAPS
};

/* Outcomes depend on sizes (THREATS T11); the longest filler must fit one packet. */
static const uint16_t overlap_scales[] = {1, 50, 230};
enum { N_SCALES = sizeof(overlap_scales) / sizeof(overlap_scales[0]), N_FINS = 4 };

struct interval {
	int32_t from, to;
};

static struct interval interval_of(uint32_t number)
{
	int32_t from = 1;
	uint32_t here = POINTS - 1;
	while (number >= here) {
		number -= here--;
		from++;
	}
	return (struct interval){from, from + 1 + (int32_t)number};
}

static int sign(int32_t a, int32_t b)
{
	return (a > b) - (a < b);
}

/* Which of Allen's thirteen: numbered by how the four pairs of ends compare. */
static unsigned relation(struct interval a, struct interval b)
{
	int code = sign(a.from, b.from) + 1 + 3 * (sign(a.to, b.to) + 1) +
		   9 * (sign(a.from, b.to) + 1) + 27 * (sign(a.to, b.from) + 1);
	return (unsigned)code;
}

unsigned program_n_relations(void)
{
	static bool seen[CODES][CODES][CODES];
	unsigned n = 0;
	for (uint32_t i = 0; i < TRIPLES; i++) {
		struct interval a = interval_of(i % INTERVALS),
				b = interval_of(i / INTERVALS % INTERVALS),
				c = interval_of(i / INTERVALS / INTERVALS);
		bool *one = &seen[relation(a, b)][relation(b, c)][relation(a, c)];
		n += !*one;
		*one = true;
	}
	return n;
}

uint64_t program_n_overlaps(void)
{
	return (uint64_t)2 * TRIPLES * N_GAPS * N_SCALES * N_FINS;
}

static void put_chunk(struct program *p, struct interval i, uint32_t scale, uint8_t copy, bool fin)
{
	p->steps[p->n_steps++] = (struct step){
		.kind = STEP_SEGMENT,
		.flags = (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)),
		.copy = copy,
		.at = i.from * (int32_t)scale,
		.n = (uint32_t)(i.to - i.from) * scale,
		.window = PLAIN_WINDOW,
	};
}

void program_make_overlap(struct program *p, uint64_t number)
{
	uint32_t triple = (uint32_t)(number % TRIPLES);
	uint32_t rest = (uint32_t)(number / TRIPLES) % (2u * N_GAPS * N_SCALES * N_FINS);
	enum gap gap = (enum gap)(rest % N_GAPS);
	uint32_t scale = overlap_scales[rest / N_GAPS % N_SCALES];
	uint32_t fin = rest / N_GAPS / N_SCALES % N_FINS; /* behind which chunk; 3: none */
	*p = (struct program){
		.number = number,
		.total = (POINTS + 1) * scale,
		.isn = {0u - 3 * scale, (uint32_t)number},
		.dice = number,
		.unit = 1,
		.is_v6 = rest / N_GAPS / N_SCALES / N_FINS,
		.has_sack = true,
		.is_finished = true,
	};
	if (gap == GAP_BEFORE)
		put_chunk(p, (struct interval){0, 1}, scale, 4, false);
	for (uint8_t i = 0; i < 3; i++, triple /= INTERVALS)
		put_chunk(p, interval_of(triple % INTERVALS), scale, (uint8_t)(i + 1), i == fin);
	if (gap != GAP_BEFORE)
		put_chunk(p,
			  (struct interval){0, gap == GAP_AFTER	 ? 1
					       : gap == GAP_INTO ? 4
								 : 6},
			  scale, 4, false);
}

/* ---- for people ---- */

static void print_flags(uint8_t flags, FILE *out)
{
	static const char names[] = "FSRPAUEC";
	for (int i = 0; names[i]; i++)
		if (flags & 1 << i)
			(void)fputc(names[i], out);
	if (!flags)
		(void)fputc('-', out);
}

static void print_segment(const struct step *s, FILE *out)
{
	(void)fprintf(out, "copy %2u  bytes %6d to %6d  ", s->copy, s->at, s->at + (int32_t)s->n);
	print_flags(s->flags, out);
	if (s->urgent)
		(void)fprintf(out, " urgent=%u", s->urgent);
	if (s->ack)
		(void)fprintf(out, " ack%+d", s->ack);
	if (s->ts == TS_NONE)
		(void)fprintf(out, " no-timestamp");
	else if (s->ts)
		(void)fprintf(out, " timestamp%+d", s->ts);
	if (s->window != PLAIN_WINDOW)
		(void)fprintf(out, " window=%u", s->window);
}

void program_print(const struct program *p, FILE *out)
{
	(void)fprintf(out,
		      "program %llu: %u bytes from a %s over IPv%d, sequence number %08x%s%s%s%s, "
		      "buffer %u, units up to %u bytes%s%s%s%s%s\n",
		      (unsigned long long)p->number, p->total,
		      p->sender_is_server ? "server" : "client", p->is_v6 ? 6 : 4, p->isn[0],
		      p->has_ts ? ", timestamps" : "", p->has_sack ? ", SACK" : "",
		      p->has_refusals ? ", some units are refused" : "",
		      p->spares_replies ? ", replies unseen" : "", p->room, 1u + 7u * p->unit,
		      p->claims_early ? ", claimed at once" : "",
		      p->is_patient ? ", shown as wholes" : "",
		      p->has_syn_data ? ", data in the SYN" : "",
		      p->skips_ack ? ", no third packet of the handshake" : "",
		      p->is_finished ? ", finished honestly" : "");
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		(void)fprintf(out, "  %2u  ", i + 1);
		switch (s->kind) {
		case STEP_SEGMENT:
			print_segment(s, out);
			break;
		case STEP_READ:
			(void)fprintf(out, "the application reads");
			break;
		case STEP_WAIT:
			(void)fprintf(out, "%u ms pass", s->n);
			break;
		case STEP_DEATH:
			(void)fprintf(out, "the engine dies (%u)", s->n);
			break;
		case STEP_RELOAD:
			(void)fprintf(out, "a new policy");
			break;
		}
		(void)fputc('\n', out);
	}
}

/* ---- making it smaller ---- */

struct shrinker {
	bool (*fails)(const struct program *p, void *ctx);
	void *ctx;
	unsigned tries;
	bool has_shrunk;
};

/* How much there is to read. */
static uint64_t weight(const struct program *p)
{
	uint64_t w = p->total + p->unit + !!p->room + p->is_v6 + p->has_ts + p->has_sack;
	w += p->sender_is_server + p->has_refusals + p->spares_replies + p->has_syn_data;
	w += (uint64_t)p->claims_early + p->is_patient;
	w += (uint64_t)p->skips_ack + p->is_finished + !!p->dice + (p->isn[0] != PLAIN_ISN);
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		w += 1 + s->n + (uint64_t)labs(s->at) + !!s->copy + (s->flags != TCP_ACK);
		w += (uint64_t) !!(s->flags & TCP_URG) + !!s->urgent + !!s->ack + !!s->ts;
		w += s->window != PLAIN_WINDOW;
	}
	return w;
}

/* Keeps the candidate if it is smaller and still fails. */
static bool attempt(struct shrinker *s, struct program *best, const struct program *candidate)
{
	if (weight(candidate) >= weight(best) || s->tries == 0)
		return false;
	s->tries--;
	if (!s->fails(candidate, s->ctx))
		return false;
	*best = *candidate;
	s->has_shrunk = true;
	return true;
}

static void drop_steps(struct shrinker *s, struct program *best)
{
	for (uint32_t i = best->n_steps; i > 0; i--) {
		struct program c = *best;
		memmove(&c.steps[i - 1], &c.steps[i], (c.n_steps - i) * sizeof(c.steps[0]));
		memset(&c.steps[--c.n_steps], 0, sizeof(c.steps[0]));
		(void)attempt(s, best, &c); /* kept or not: the next one is tried */
	}
}

/* Each way in which a step may be plainer. False: no such way. */
static bool plainer_step(struct step *s, unsigned way)
{
	switch (way) {
	case 0:
		s->n /= 2;
		return true;
	case 1:
		s->n -= s->n > 0;
		return true;
	case 2:
		s->at /= 2;
		return true;
	case 3:
		s->at -= s->at > 0;
		return true;
	case 4:
		s->flags = (s->flags & TCP_URG) ? s->flags & (uint8_t)~TCP_URG : TCP_ACK;
		return true;
	case 5:
		s->urgent = 0;
		return true;
	case 6:
		s->ack = 0;
		return true;
	case 7:
		s->ts = 0;
		return true;
	case 8:
		s->window = PLAIN_WINDOW;
		return true;
	case 9:
		s->copy = 0;
		return true;
	default:
		return false;
	}
}

static bool plainer_connection(struct program *p, unsigned way)
{
	switch (way) {
	case 0:
		p->has_ts = false;
		return true;
	case 1:
		p->has_sack = false;
		return true;
	case 2:
		p->is_v6 = false;
		return true;
	case 3:
		p->room = 0;
		return true;
	case 4:
		p->isn[0] = PLAIN_ISN;
		return true;
	case 5:
		p->has_refusals = false;
		return true;
	case 6:
		p->spares_replies = false;
		return true;
	case 7:
		p->unit = 1;
		return true;
	case 8:
		p->sender_is_server = false;
		return true;
	case 9:
		p->is_finished = false;
		return true;
	case 10:
		p->total /= 2;
		return true;
	case 11:
		p->dice = 0;
		return true;
	case 12:
		p->has_syn_data = false;
		return true;
	case 13:
		p->skips_ack = false;
		return true;
	case 14:
		p->claims_early = false;
		return true;
	case 15:
		p->is_patient = false;
		return true;
	default:
		return false;
	}
}

static void simplify(struct shrinker *s, struct program *best)
{
	struct program c = *best;
	for (unsigned way = 0; plainer_connection(&c, way); way++, c = *best)
		(void)attempt(s, best, &c); /* kept or not: the next way is tried */
	for (uint32_t i = 0; i < best->n_steps; i++) {
		c = *best;
		for (unsigned way = 0; plainer_step(&c.steps[i], way); way++, c = *best)
			while (attempt(s, best, &c))
				(void)plainer_step(&c.steps[i], way); /* this way exists */
	}
}

void program_shrink(struct program *p, bool (*fails)(const struct program *p, void *ctx), void *ctx,
		    unsigned tries)
{
	struct shrinker s = {.fails = fails, .ctx = ctx, .tries = tries, .has_shrunk = true};
	while (s.has_shrunk && s.tries > 0) {
		s.has_shrunk = false;
		drop_steps(&s, p);
		simplify(&s, p);
	}
}

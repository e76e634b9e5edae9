/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that are kept for resends, or came ahead of a gap, are a list of up to a thousand chunks,
 * and where a segment belongs in it is asked for each segment. Hints make that a few dozen steps:
 *
 *	first ------------------------> hint -------------------------> hint ---- ... last
 *	  |-> next -> next -> ... -> next |-> next -> next -> ... -> next |
 *
 * They lie HINT_STRIDE chunks apart at least, and who walks twice as far between two sets another.
 * Only reasm_write does that, before it links anything: a hint leads to a chunk that was in the
 * list before the turn, and is still in it when a turn that was cut off is undone.
 */
#include "stream/reasm.h"

enum { HINT_STRIDE = 16 };

static uint32_t chunk_end(const struct chunk *c)
{
	return c->seq + c->n;
}

/* One segment on its way into the half. */
struct writer {
	struct chunk_pool *pool;
	struct half *half;
	uint8_t *data; /* of byte `seq` */
	uint32_t seq;
	uint32_t limit; /* of half->kept */
	bool rewritten, is_old, is_full;
};

static void put_right(struct writer *w, const struct chunk *c, uint32_t from, uint32_t to)
{
	w->is_old = true;
	if (c->is_void)
		return;
	uint8_t *have = w->data + (from - w->seq);
	const uint8_t *canonical = c->data + (from - c->seq);
	if (memcmp(have, canonical, to - from) == 0)
		return;
	memcpy(have, canonical, to - from);
	w->rewritten = true;
}

/* Links a new empty chunk behind prev (FLOW_NIL: in front). */
static uint32_t link_chunk(struct writer *w, uint32_t prev, uint32_t seq)
{
	if (w->half->kept + CHUNK_BYTES > w->limit)
		return FLOW_NIL;
	uint32_t index = chunk_get(w->pool);
	if (index == FLOW_NIL)
		return FLOW_NIL;
	w->half->kept += CHUNK_BYTES;
	struct chunk *all = w->pool->chunks;
	all[index].seq = seq;
	if (prev == FLOW_NIL) {
		all[index].next = w->half->first;
		w->half->first = index;
	} else {
		all[index].next = all[prev].next;
		all[prev].next = index;
	}
	if (all[index].next == FLOW_NIL)
		w->half->last = index;
	return index;
}

/* The chunk *prev, if it ends at `from` and is of that kind, or a new one behind it, which becomes
 * *prev. NULL: pool exhausted. */
static struct chunk *chunk_to_extend(struct writer *w, uint32_t *prev, uint32_t from, bool is_void)
{
	struct chunk *c = *prev == FLOW_NIL ? NULL : &w->pool->chunks[*prev];
	if (c && chunk_end(c) == from && (bool)c->is_void == is_void &&
	    (is_void || c->n < CHUNK_DATA))
		return c;
	uint32_t index = link_chunk(w, *prev, from);
	if (index == FLOW_NIL)
		return NULL;
	*prev = index;
	w->pool->chunks[index].is_void = is_void;
	return &w->pool->chunks[index];
}

/* Stores [from, to) behind *prev, which becomes the chunk that ends at `to`. False: pool exhausted.
 */
static bool store(struct writer *w, uint32_t *prev, uint32_t from, uint32_t to)
{
	while (from != to) {
		struct chunk *c = chunk_to_extend(w, prev, from, false);
		if (!c)
			return false;
		uint32_t n = to - from;
		if (n > CHUNK_DATA - c->n)
			n = CHUNK_DATA - c->n;
		memcpy(c->data + c->n, w->data + (from - w->seq), n);
		c->n += n;
		from += n;
	}
	return true;
}

/* Notes that [from, to) came, without its bytes. */
static bool store_void(struct writer *w, uint32_t *prev, uint32_t from, uint32_t to)
{
	struct chunk *c = chunk_to_extend(w, prev, from, true);
	if (c)
		c->n += to - from;
	return c != NULL;
}

/* First sequence number behind the skip region, or `fed` where there is none. Skips longer than
 * half the sequence space are looked at piece by piece. */
static uint32_t skip_end(const struct half *h)
{
	uint64_t most = 1u << 30;
	return h->fed + (uint32_t)(h->skip < most ? h->skip : most);
}

/* New bytes [from, to): void inside the skip region, stored outside. In order and skipped: nothing
 * to keep at all. */
static bool fill(struct writer *w, uint32_t *prev, uint32_t from, uint32_t to)
{
	uint32_t opaque_to = from;
	if (w->half->skip > 0)
		opaque_to = seq_min(seq_max(skip_end(w->half), from), to);
	if (opaque_to != from && seq_after(from, w->half->next) &&
	    !store_void(w, prev, from, opaque_to))
		return false;
	return store(w, prev, opaque_to, to);
}

/* From chunk `at`, which begins at or before seq, one step towards the chunk after which seq
 * belongs; `at` itself when it is that. */
static uint32_t step_by(const struct chunk *all, uint32_t to, uint32_t at, uint32_t seq)
{
	return to != FLOW_NIL && !seq_after(all[to].seq, seq) ? to : at;
}

/* Where the search for seq begins, and ends where nothing is to be searched: new data nearly always
 * belongs behind the last chunk. FLOW_NIL: in front of all. */
static uint32_t start_of(const struct chunk_pool *pool, const struct half *h, uint32_t seq)
{
	const uint32_t first = step_by(pool->chunks, h->first, FLOW_NIL, seq);
	return step_by(pool->chunks, h->last, first, seq);
}

/* The chunk after which `seq` belongs. */
static uint32_t place(const struct chunk_pool *pool, const struct half *h, uint32_t seq)
{
	const struct chunk *all = pool->chunks;
	uint32_t at = start_of(pool, h, seq);
	for (uint32_t from = FLOW_NIL; at != from;) {
		from = at;
		at = step_by(all, all[from].hint, from, seq);
		if (at == from)
			at = step_by(all, all[from].next, from, seq);
	}
	return at;
}

/* The same, and sets hints where they are missing. n: steps behind `lane`, where a hint began or
 * led; `middle` is HINT_STRIDE behind it. */
static uint32_t place_and_hint(struct chunk_pool *pool, const struct half *h, uint32_t seq)
{
	struct chunk *all = pool->chunks;
	uint32_t at = start_of(pool, h, seq), lane = at, middle = at, n = 0;
	for (uint32_t from = FLOW_NIL; at != from;) {
		from = at;
		at = step_by(all, all[from].hint, from, seq);
		if (at != from) {
			lane = at;
			n = 0;
			continue;
		}
		at = step_by(all, all[from].next, from, seq);
		n++;
		if (n == HINT_STRIDE)
			middle = at;
		if (n < 2 * HINT_STRIDE)
			continue;
		if (all[middle].hint == FLOW_NIL)
			all[middle].hint = all[lane].hint;
		all[lane].hint = middle;
		lane = middle;
		middle = at;
		n = HINT_STRIDE;
	}
	return at;
}

/* Walks stored chunks and gaps of [seq, end) from left to right. */
static void write_range(struct writer *w, uint32_t seq, uint32_t end)
{
	const struct chunk *all = w->pool->chunks;
	uint32_t prev = place_and_hint(w->pool, w->half, seq);
	uint32_t at = seq;
	while (at != end) {
		if (prev != FLOW_NIL && seq_before(at, chunk_end(&all[prev]))) {
			uint32_t to = seq_min(end, chunk_end(&all[prev]));
			put_right(w, &all[prev], at, to);
			at = to;
			continue;
		}
		uint32_t next = prev == FLOW_NIL ? w->half->first : all[prev].next;
		uint32_t to = next == FLOW_NIL ? end : seq_min(end, all[next].seq);
		if (to == at) {
			prev = next;
			continue;
		}
		uint32_t old_to = seq_min(to, seq_max(at, w->half->next));
		if (old_to != at)
			w->is_old = true; /* came before, acknowledged or opaque: nothing kept to
					     compare with */
		if (!fill(w, &prev, old_to, to)) {
			w->is_full = true;
			return;
		}
		at = to;
	}
}

/* The first chunk that may hold bytes from seq on. */
static uint32_t first_from(const struct chunk_pool *pool, const struct half *h, uint32_t seq)
{
	const uint32_t at = place(pool, h, seq);
	return at == FLOW_NIL ? h->first : at;
}

/* Moves `next` over everything that is there without a gap; void chunks have done their duty then.
 */
static void advance(struct chunk_pool *pool, struct half *h)
{
	/* Nearly always nothing lies ahead; only then it is worth a walk. */
	if (h->last == FLOW_NIL || !seq_after(chunk_end(&pool->chunks[h->last]), h->next))
		return;
	for (uint32_t i = first_from(pool, h, h->next); i != FLOW_NIL; i = pool->chunks[i].next) {
		const struct chunk *c = &pool->chunks[i];
		if (seq_after(c->seq, h->next))
			return;
		h->next = seq_max(h->next, chunk_end(c));
	}
}

/* What a half may take of the pool: less, the less is left, so that no crowd of connections takes
 * all of it from the others. Half of the pool is out of the reach of early segments, however many
 * connections send them: it is for what comes in order, and for what fills a gap. */
static uint32_t limit_of(const struct chunk_pool *pool, bool is_early)
{
	uint32_t n_left = pool->n_chunks - pool->n_used, kept_back = pool->n_chunks / 2;
	uint32_t n_early = n_left > kept_back ? n_left - kept_back : 0;
	uint64_t share = (uint64_t)(is_early ? n_early / 8 : n_left / 2) * CHUNK_BYTES;
	uint64_t most = is_early ? REASM_KEPT_MAX / 2 : REASM_KEPT_MAX;
	return (uint32_t)(share < most ? share : most);
}

struct reasm_result reasm_write(struct chunk_pool *pool, struct half *h, uint32_t seq,
				uint8_t *data, uint32_t n)
{
	struct reasm_result result = {.status = REASM_OK};
	if (n == 0)
		return result;
	struct writer w = {
		.pool = pool,
		.half = h,
		.data = data,
		.seq = seq,
		.limit = limit_of(pool, seq_after(seq, h->next)),
	};
	write_range(&w, seq, seq + n);
	if (w.is_full) {
		/* What was stored so far stays: it is canonical, and comes again with the rest. */
		result.status = REASM_FULL;
		return result;
	}
	uint32_t before = h->next;
	if (!seq_after(seq, h->next))
		h->next = seq_max(h->next, seq + n);
	advance(pool, h);
	result.rewritten = w.rewritten;
	result.is_old = w.is_old;
	result.in_order = h->next != before;
	return result;
}

/* So many of the bytes from `fed` on are in scratch already. */
static uint32_t joined_before(const struct chunk_pool *pool, const struct half *h,
			      const uint8_t *scratch)
{
	const struct chunk_joined *j = &pool->joined;
	return j->of == h && j->to == scratch && j->fed == h->fed ? j->n : 0;
}

/* The bytes of h are others from now on, or nobody's. */
static void forget_joined(struct chunk_pool *pool, const struct half *h)
{
	if (pool->joined.of == h)
		pool->joined.of = NULL;
}

/* Bytes [from, from + max) of h, or what there is of them without a gap, to scratch. */
static uint32_t join(const struct chunk_pool *pool, const struct half *h, uint32_t from,
		     uint8_t *scratch, uint32_t max)
{
	uint32_t n = 0;
	for (uint32_t i = first_from(pool, h, from); i != FLOW_NIL && n < max;
	     i = pool->chunks[i].next) {
		const struct chunk *c = &pool->chunks[i];
		const uint32_t at = from + n - c->seq;
		if (n == 0 && !seq_after(chunk_end(c), from))
			continue;
		if (c->is_void || at >= c->n)
			break;
		const uint32_t here = c->n - at < max - n ? c->n - at : max - n;
		memcpy(scratch + n, c->data + at, here);
		n += here;
	}
	return n;
}

/* The bytes [fed, fed + n), when one chunk has them all: no copy. */
static struct bytes in_one_chunk(const struct chunk_pool *pool, const struct half *h, uint32_t n)
{
	const uint32_t i = place(pool, h, h->fed);
	const struct chunk *c = i == FLOW_NIL ? NULL : &pool->chunks[i];
	const uint32_t at = c ? h->fed - c->seq : 0;
	if (!c || c->is_void || at >= c->n || c->n - at < n)
		return (struct bytes){0};
	return bytes_of(c->data + at, n);
}

struct bytes reasm_unconsumed(struct chunk_pool *pool, const struct half *h, uint8_t *scratch,
			      size_t max)
{
	uint32_t left = h->next - h->fed;
	if (left == 0 || h->skip > 0)
		return (struct bytes){0};
	if (left > max)
		left = (uint32_t)max;
	const struct bytes slice = in_one_chunk(pool, h, left);
	if (slice.n > 0)
		return slice;
	uint32_t have = joined_before(pool, h, scratch);
	if (have < left)
		have += join(pool, h, h->fed + have, scratch + have, left - have);
	pool->joined = (struct chunk_joined){.of = h, .to = scratch, .fed = h->fed, .n = have};
	return bytes_of(scratch, have < left ? have : left);
}

void reasm_skip(struct half *h)
{
	uint32_t there = h->next - h->fed;
	uint32_t n = h->skip < there ? (uint32_t)h->skip : there;
	h->fed += n;
	h->skip -= n;
}

void reasm_consume(struct half *h, size_t n, uint64_t skip)
{
	h->fed += (uint32_t)n;
	h->skip = skip;
	reasm_skip(h);
}

bool reasm_restore(const struct chunk_pool *pool, const struct half *h, uint32_t seq, uint8_t *data,
		   uint32_t n)
{
	bool changed = false;
	for (uint32_t i = first_from(pool, h, seq); i != FLOW_NIL; i = pool->chunks[i].next) {
		const struct chunk *c = &pool->chunks[i];
		if (!seq_before(c->seq, seq + n))
			break;
		uint32_t from = seq_max(seq, c->seq), to = seq_min(seq + n, chunk_end(c));
		if (c->is_void || !seq_before(from, to))
			continue;
		if (memcmp(data + (from - seq), c->data + (from - c->seq), to - from) == 0)
			continue;
		memcpy(data + (from - seq), c->data + (from - c->seq), to - from);
		changed = true;
	}
	return changed;
}

void reasm_edit(struct chunk_pool *pool, const struct half *h, uint32_t seq, struct bytes with)
{
	forget_joined(pool, h);
	for (uint32_t i = first_from(pool, h, seq); i != FLOW_NIL; i = pool->chunks[i].next) {
		struct chunk *c = &pool->chunks[i];
		uint32_t end = seq + (uint32_t)with.n;
		if (!seq_before(c->seq, end))
			break;
		uint32_t from = seq_max(seq, c->seq), to = seq_min(end, chunk_end(c));
		if (!c->is_void && seq_before(from, to))
			memcpy(c->data + (from - c->seq), with.p + (from - seq), to - from);
	}
}

static void drop_first(struct chunk_pool *pool, struct half *h)
{
	uint32_t i = h->first;
	h->first = pool->chunks[i].next;
	if (h->first == FLOW_NIL)
		h->last = FLOW_NIL;
	h->kept -= CHUNK_BYTES;
	chunk_put(pool, i);
}

void reasm_release(struct chunk_pool *pool, struct half *h)
{
	uint32_t done = seq_min(h->acked, h->fed);
	while (h->first != FLOW_NIL) {
		const struct chunk *c = &pool->chunks[h->first];
		uint32_t limit = c->is_void ? h->next : done;
		if (seq_after(chunk_end(c), limit))
			return;
		drop_first(pool, h);
	}
}

void reasm_drop_all(struct chunk_pool *pool, struct half *h)
{
	forget_joined(pool, h);
	while (h->first != FLOW_NIL)
		drop_first(pool, h);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <netinet/in.h>

struct judged judge;

struct state {
	uint32_t at[2]; /* bytes consumed */
	bool has_claimed;
};

void judge_restart(uint32_t unit)
{
	judge.n[0] = judge.n[1] = 0;
	judge.refused_end[0] = judge.refused_end[1] = JUDGE_NONE;
	judge.unit = unit;
	judge.has_refusals = judge.spares_replies = false;
	judge.claims_early = judge.is_patient = false;
	judge.fault = NULL;
}

struct judged_mark judge_mark(void)
{
	return (struct judged_mark){{judge.n[0], judge.n[1]},
				    {judge.refused_end[0], judge.refused_end[1]}};
}

void judge_return(const struct judged_mark *mark)
{
	memcpy(judge.n, mark->n, sizeof(judge.n));
	memcpy(judge.refused_end, mark->refused_end, sizeof(judge.refused_end));
}

void judge_note(enum dis_dir dir, uint32_t at, struct bytes shown)
{
	if (at > judge.n[dir] || shown.n > JUDGE_STREAM_MAX - at) {
		judge.fault = "bytes were shown that nobody sent";
		return;
	}
	uint32_t known = judge.n[dir] - at;
	if (known > shown.n)
		known = (uint32_t)shown.n;
	if (known && memcmp(judge.bytes[dir] + at, shown.p, known) != 0)
		judge.fault = "bytes changed between two showings";
	if (shown.n > known) {
		memcpy(judge.bytes[dir] + at + known, shown.p + known, shown.n - known);
		judge.n[dir] = at + (uint32_t)shown.n;
	}
}

static uint32_t mixed(uint8_t byte)
{
	return (uint32_t)byte * 2654435761u >> 20;
}

static void say(const struct dis_sink *sink, enum dis_kind kind, const char *word)
{
	const struct dis_value value = {.field = 0, .text = bytes_str(word)};
	const struct dis_event event = {
		.kind = kind, .values = &value, .n_values = kind == DIS_REQUEST};
	sink->event(sink->ctx, &event);
}

static struct dis_result feed(void *opaque, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
			      const struct dis_sink *sink)
{
	(void)ip_proto; /* there is only one */
	struct state *state = opaque;
	if (judge.is_logged)
		judge_note(dir, state->at[dir], in);
	uint32_t n = 1 + (mixed(in.p[0]) & 7) * judge.unit;
	bool is_whole = in.n >= n;
	if (!state->has_claimed && (is_whole || judge.claims_early)) {
		say(sink, DIS_CLAIM, "");
		state->has_claimed = true;
	}
	if (!is_whole)
		return (struct dis_result){.status = DIS_MORE,
					   .want = judge.is_patient ? n : in.n + 1};
	bool is_refused = judge.has_refusals && (mixed(in.p[0]) >> 3) % 16 == 0;
	if (is_refused && judge.is_logged && judge.refused_end[dir] == JUDGE_NONE)
		judge.refused_end[dir] = state->at[dir] + n;
	say(sink, DIS_REQUEST, is_refused ? "evil" : "fine");
	state->at[dir] += n;
	return (struct dis_result){.status = DIS_DONE, .consumed = n};
}

static bool needs_replies(const void *state)
{
	(void)state; /* is the same for the whole connection */
	return !judge.spares_replies;
}

static const struct dis_field fields[] = {
	{.name = "kind", .key = "kinds", .type = DIS_STRING, .match = DIS_MATCH_GLOB},
};

static const struct dissector stream_dissector = {
	.name = "stream",
	.object = "stream",
	.ip_protos = {IPPROTO_TCP},
	.state_size = sizeof(struct state),
	.max_unit = DIS_UNIT_MAX,
	.fields = fields,
	.n_fields = sizeof(fields) / sizeof(fields[0]),
	.feed = feed,
	.needs_replies = needs_replies,
};

const struct dissector *const dissectors[] = {&stream_dissector};
const size_t n_dissectors = 1;

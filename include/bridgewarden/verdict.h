/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words in which every decision is spoken: verdict, mode and reason. Records, counters, policy
 * tests and the command line print these names; they are stable.
 */
#ifndef BRIDGEWARDEN_VERDICT_H
#define BRIDGEWARDEN_VERDICT_H

#include <stdint.h>

enum verdict { VERDICT_PENDING, VERDICT_ALLOW, VERDICT_DENY };

/* Weakest first: a comparison tells which of two binds more. */
enum mode { MODE_OBSERVE, MODE_SHADOW, MODE_ENFORCE };

/* reason(SYMBOL, "name in records", "sentence for people") */
/* clang-format off */
#define REASONS(reason) \
	reason(NONE, "none", "nothing to report") \
	reason(RULE, "rule", "a rule says so") \
	reason(DEFAULT, "default", "no rule allows it") \
	reason(WRONG_PROTOCOL, "wrong-protocol", "the connection is allowed for another protocol") \
	reason(UNIDENTIFIED, "unidentified", "no protocol was recognised") \
	reason(MALFORMED, "malformed", "the protocol's grammar forbids these bytes") \
	reason(LIMIT, "limit", "a unit is longer than the dissector reads") \
	reason(UNPARSED, "unparsed", "the request's fields could not be proven") \
	reason(OPAQUE, "opaque", "encrypted or tunnelled where the rule wants to read") \
	reason(MIDSTREAM, "midstream", "the connection's beginning was not seen") \
	reason(UNKNOWN_IDENTITY, "unknown-identity", "an address of a managed network has no known owner") \
	reason(SPOOFED, "spoofed", "the address does not belong to the sender") \
	reason(INVALID, "invalid", "not a valid packet") \
	reason(PROTOCOL, "protocol", "an IP protocol that no rule can name") \
	reason(FLOWS_FULL, "flows-full", "the flow table is full (engine.max_flows)") \
	reason(MEMORY, "memory", "the buffer for held bytes is full (engine.max_held_bytes)") \
	reason(HOLD_TIMEOUT, "hold-timeout", "the first bytes did not identify a protocol in time") \
	reason(STATE_LOST, "state-lost", "the engine was replaced while it judged this flow")
/* clang-format on */

enum reason {
#define reason(symbol, name, text) REASON_##symbol,
	REASONS(reason)
#undef reason
		N_REASONS
};

const char *verdict_name(enum verdict v); /* "allow" */
const char *mode_name(enum mode m);	  /* "enforce" */
const char *reason_name(enum reason r);	  /* "wrong-protocol" */
const char *reason_text(enum reason r);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deciding: policy and identity as ONE immutable image, and pure functions over it.
 *
 * The control process compiles the image, seals it in a memfd and hands the descriptor to the
 * engine; both map it read-only at any address (all references are offsets). Readers take one
 * pointer per batch. Nothing here allocates, logs or keeps state: the same functions serve the
 * engine, replay, policy tests and explain.
 *
 * The verdict narrows as evidence arrives. A flow asks at each stage, the decision says what it
 * still depends on: subject (addresses, port)  -> policy_decide_connection() application (claim) ->
 * policy_decide_app() unit (request, session...) -> policy_decide_event() deny beats allow, order
 * never matters, one matching allow suffices; the credited rule is the deciding one.
 */
#ifndef BRIDGEWARDEN_POLICY_H
#define BRIDGEWARDEN_POLICY_H

#include "bridgewarden/dissect.h"
#include "bridgewarden/packet.h"
#include "bridgewarden/verdict.h"

enum {
	POLICY_CANDIDATES_MAX = 24,
	POLICY_APP_NONE = 0xff, /* no application identified */
	POLICY_NAME_MAX = 128,	/* bytes of a rule or identity name in records */
};

#define POLICY_NO_RULE UINT32_MAX

struct policy_image; /* opaque; src/policy/image.h has the layout */

/* What an address is in this image. */
struct policy_owner {
	uint32_t identity; /* number in this image only: ask again for another generation */
	bool is_known;	   /* false: inside a managed subnet but nobody's (hold, then
			      defaults.unknown_identity) */
	bool is_container; /* a managed endpoint (container or inventory) */
	bool has_mac;
	uint8_t mac[6]; /* what the sender's frame must carry (THREATS L01) */
};

/* Known with the first packet of a flow. */
struct policy_subject {
	uint32_t from, to; /* identities: who opened the flow, to whom */
	uint16_t to_port;  /* host order; 0 for ICMP */
	uint8_t ip_proto;
	bool from_container, to_container; /* choose defaults.internal / egress / ingress */
};

/* The rules whose from, to, port and protocol match: what a flow is ever judged by. Plain data,
 * lives in the flow. is_complete false: more rules matched than fit; the functions below then walk
 * the image's bitsets again. */
struct policy_candidates {
	uint32_t rule[POLICY_CANDIDATES_MAX];
	uint8_t n;
	bool is_complete;
};

struct policy_decision {
	enum verdict verdict;
	enum mode mode; /* how much the verdict binds: a DENY with less than MODE_ENFORCE is
			   reported, not done */
	enum reason reason;
	uint32_t rule; /* the deciding rule, or POLICY_NO_RULE for a default */
	/* ALLOW from connection/app: no later unit can change it and nobody wants the requests in a
	 * log: offload. */
	bool is_final;
	bool log_allow; /* the credited rule wants this allow recorded (log: all, or sampled in: see
			   log_sample) */
	bool log_deny;	/* false only for log: none */
	uint16_t log_sample; /* with log_allow: record one in so many; 1 = all */
	uint64_t
		apps; /* PENDING: the dissectors (bit = app number) that the remaining rules name */
	bool needs_replies; /* remaining rules constrain fields of replies, or records want them */
};

/* Settings that the engine needs; all from the policy file. */
struct policy_settings {
	uint32_t generation; /* of this image */
	uint32_t epoch; /* what offloaded flows are marked with; changes when a verdict may have
			   changed */
	enum mode mode; /* the file's */
	bool enforces;	/* the file's mode or that of any rule: somebody counts on what passes */
	uint32_t unknown_hold_ms;
	enum verdict unknown_then, midstream, malformed,
		unidentified; /* ALLOW | DENY; midstream PENDING = inspect */
	enum { POLICY_REFUSE_NATIVE, POLICY_REFUSE_RESET, POLICY_REFUSE_DROP } refuse;
	uint32_t mark_mask; /* contiguous bits of the connmark that are ours; >= 8 bits */
};

/* Maps a published image. -EBADMSG: not an image, or of another layout. Unmap when no reader is
 * left. */
int policy_image_map(int fd, const struct policy_image **image);
void policy_image_unmap(const struct policy_image *image);
const struct policy_settings *policy_settings(const struct policy_image *image);

struct policy_owner policy_owner(const struct policy_image *image, const struct ip_addr *addr);
/* Names for records; "" for POLICY_NO_RULE. Valid as long as the image. */
const char *policy_rule_name(const struct policy_image *image, uint32_t rule);
const char *policy_identity_name(const struct policy_image *image, uint32_t identity);

void policy_candidates(const struct policy_image *image, const struct policy_subject *subject,
		       struct policy_candidates *out);
/* May be asked again with more evidence at any time; pure. `app` is an index of dissectors[]. */
void policy_decide_connection(const struct policy_image *image,
			      const struct policy_subject *subject,
			      const struct policy_candidates *candidates,
			      struct policy_decision *out);
void policy_decide_app(const struct policy_image *image, const struct policy_subject *subject,
		       const struct policy_candidates *candidates, uint8_t app,
		       struct policy_decision *out);
void policy_decide_event(const struct policy_image *image, const struct policy_subject *subject,
			 const struct policy_candidates *candidates, uint8_t app,
			 const struct dis_event *event, struct policy_decision *out);

/* Explain: every candidate rule and the first matcher that failed, with the values. Calls `line`
 * for each. */
struct policy_explanation {
	uint32_t rule;
	bool matches, decides;
	const char *matcher; /* "from", "to", "port", "app", "verbs", ...; NULL when all matched */
	const char *want, *got; /* as text; borrowed for the call */
};
void policy_explain(const struct policy_image *image, const struct policy_subject *subject,
		    uint8_t app, const struct dis_event *event /* or NULL */,
		    void (*line)(void *ctx, const struct policy_explanation *e), void *ctx);

#endif

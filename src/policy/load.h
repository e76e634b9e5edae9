/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a policy file: text -> struct policy, or a list of what is wrong with it. The loader is
 * strict: an unknown or repeated key, a value of another type or out of range, a word that is not
 * of the language, a rule that swallows another one's constraints: each is an error with file,
 * line, column, the line itself and what was probably meant. All errors of a file are reported,
 * not only the first. What the language names but this version cannot do is an error too ("not
 * supported by this version yet"), never silently ignored.
 *
 * Settings besides rules, tests and identities. A duration is a number with ms, s, m, h or d; a
 * size is a number of bytes or one with KiB, MiB or GiB.
 *
 *	key                             range                       default
 *	version                         1                           must be given
 *	mode                            observe shadow enforce      enforce
 *	manage                          network:GLOB, project:GLOB, every Docker bridge network
 *	                                interface:NAME, or
 *	                                {interfaces: [NAME...]},
 *	                                {network: GLOB, sources: [CIDR...]}
 *	defaults.internal               allow deny                  deny
 *	defaults.ringfence              none project                none
 *	defaults.egress                 allow deny                  deny
 *	defaults.ingress                allow deny                  deny
 *	defaults.refuse                 native reset drop           native
 *	defaults.unknown_identity.hold  0..10s                      250ms
 *	defaults.unknown_identity.then  allow deny                  deny
 *	defaults.on_failure             open closed, or by scope:   closed
 *	                                {internal:, egress:, ingress:}
 *	defaults.midstream              inspect allow deny          inspect
 *	defaults.malformed              allow deny                  deny
 *	defaults.unidentified           allow deny                  deny
 *	engine.workers                  1..16                       one per online processor
 *	engine.max_flows                1024..16777216              262144
 *	engine.max_held_bytes           1MiB..64GiB                 64MiB
 *	engine.queue_base               0..65000                    4200
 *	engine.queue_length             64..65535                   8192
 *	engine.connmark_mask            8 or more adjacent bits     0xffff0000
 *	engine.hold_timeout             100ms..5m                   3s
 *	engine.silent_timeout           1s..1h                      30s
 *	engine.user                     a name                      nobody
 *	docker.enabled                  true false                  true
 *	docker.socket                   a path                      /var/run/docker.sock
 *	output.eve                      a path, "-", none           /var/log/bridgewarden/eve.json
 *	inventory                       a path beside the file      none
 *
 * A default of `allow` holds only where no allow rule covers the pair: what a rule constrains, no
 * default swallows. `ringfence: project` allows, in the same way, the containers of one Compose
 * project to one another. Between two addresses of which neither is an endpoint,
 * defaults.internal holds.
 */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include "bridgewarden/identity.h"
#include "bridgewarden/verdict.h"

#include <stdio.h>

struct policy;

enum diagnostic_severity { DIAG_ERROR, DIAG_WARNING };

struct diagnostic {
	char *file;
	unsigned line, column; /* from 1; 0: about the file as a whole */
	enum diagnostic_severity severity;
	char *message;
	char *hint;	   /* "did you mean ...", or NULL */
	char *source_line; /* or NULL */
};

enum { DIAGNOSTICS_MAX = 100 }; /* more are counted, not kept */

/* Zeroed memory is an empty list. */
struct diagnostics {
	struct diagnostic *items;
	size_t n;
	size_t n_errors;
	size_t n_lost; /* beyond DIAGNOSTICS_MAX, or for want of memory */
};

void diagnostics_fini(struct diagnostics *diags);
/* As compilers do: file:line:column: error: message, the line, a caret, the hint. */
void diagnostics_print(const struct diagnostics *diags, FILE *out);

/* Warnings may come with success. 0; -EINVAL with at least one error in *diags; -ENOMEM. A file
 * that cannot be read: its errno, and a diagnostic that names the file. Rules whose `expires` is
 * before today are loaded, but inactive. */
int policy_load(const char *path, struct policy **out, struct diagnostics *diags);
int policy_load_text(const char *name, const char *text, size_t n, struct policy **out,
		     struct diagnostics *diags);

enum { POLICY_TODAY = -1 }; /* ask the clock */

/* policy_load with the date as an argument: days since 1970-01-01. */
int policy_load_on(long today, const char *path, struct policy **out, struct diagnostics *diags);
int policy_load_text_on(long today, const char *name, const char *text, size_t n,
			struct policy **out, struct diagnostics *diags);

void policy_free(struct policy *policy); /* NULL is fine */

/* The policy as one canonical YAML file: includes are merged, defaults are left out. Loading what
 * was printed and printing it again gives the same text. */
void policy_print(const struct policy *policy, FILE *out);

/* A JSON Schema of the policy file, from the loader's own tables. It knows each key, word and
 * constraint; what holds between parts of a file only the loader can tell. */
void policy_schema(FILE *out);

enum policy_ringfence { POLICY_FENCE_NONE, POLICY_FENCE_PROJECT };

enum policy_failure { POLICY_FAIL_CLOSED, POLICY_FAIL_OPEN };

enum policy_manage_kind { POLICY_MANAGE_NETWORK, POLICY_MANAGE_PROJECT, POLICY_MANAGE_INTERFACE };

struct policy_manage {
	enum policy_manage_kind kind;
	char *pattern; /* glob; an interface is a name */
	/* What containers of these networks may send from besides the networks' subnets: what is
	 * nested in them. */
	struct identity_prefix *sources;
	size_t n_sources;
};

/* What the daemon needs. Owned by the policy. */
struct policy_config {
	enum mode mode;
	struct policy_manage *manage;
	size_t n_manage; /* 0: every Docker bridge network */
	struct {
		enum verdict internal, egress, ingress; /* ALLOW | DENY */
		enum verdict unknown_then, malformed, unidentified;
		enum verdict midstream; /* PENDING = inspect */
		enum policy_ringfence ringfence;
		unsigned refuse; /* as in struct policy_settings: native, reset, drop */
		uint64_t unknown_hold_ms;
	} defaults;
	struct {
		enum policy_failure internal, egress, ingress;
	} on_failure;
	struct {
		uint64_t workers; /* 1..16 */
		uint64_t max_flows, max_held_bytes, queue_base, queue_length, connmark_mask;
		uint64_t hold_timeout_ms, silent_timeout_ms;
		char *user;
	} engine;
	struct {
		bool enabled;
		char *socket;
	} docker;
	struct {
		char *eve; /* "-" is stdout; NULL: none */
	} output;
	char *inventory; /* resolved against the policy file's folder; or NULL */
};

const struct policy_config *policy_config(const struct policy *policy);
bool policy_manage_matches(const struct policy_manage *m, const struct identity_network *network);
/* Is the traffic of this network ours to judge? */
bool policy_manages(const struct policy *policy, const struct identity_network *network);
/* Does the file or any of its rules refuse anything? Else nothing may be dropped or changed. */
bool policy_enforces(const struct policy *policy);
size_t policy_n_rules(const struct policy *policy);
size_t policy_n_tests(const struct policy *policy);

#endif

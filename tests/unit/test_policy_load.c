/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loader: what it refuses, where and in which words; what it takes; that printing and loading
 * are inverse. */
#include "policy_fixture.h"

#include "policy/ast.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define V "version: 1\n"
#define R V "rules:\n- {name: r, from: any, to: any, "

/* The first complaint, as "line:column message" or with a hint, "line:column message | hint". */
static const struct {
	const char *text, *want;
} refused[] = {
	/* the file */
	{"", "1:1 the file is empty"},
	{"- a\n", "1:1 the file is a list; it must be a mapping"},
	{"mode: enforce\n", "1:1 `version` is missing | begin with `version: 1`"},
	{"version: 2\n", "1:10 this program reads version 1 of the language"},
	{"version: \"1\"\n", "1:10 `version` is a text; it must be a whole number"},
	{V "versoin: 1\n", "2:1 the file has no key `versoin` | did you mean `version`?"},
	{V "mode: shadow\nmode: shadow\n", "3:1 `mode` is given twice"},
	{V "mode: enforced\n", "2:7 `mode` cannot be `enforced`; it is one of observe, shadow, "
			       "enforce | did you mean `enforce`?"},
	{V "mode: [enforce]\n", "2:7 `mode` is a list; it must be a text"},
	{V "mode: no\n", "2:7 `mode` cannot be `no`; it is one of observe, shadow, enforce"},
	{V "---\n" V, "3:1 a policy file is one YAML document"},
	{V "rules: [\n", "3:1 while parsing a flow node, did not find expected node content"},
	{V "mode: !mine enforce\n", "2:7 tags such as `!mine` are not part of the language"},
	{V "a: &a {internal: deny}\n", "2:1 the file has no key `a`"},
	{V "defaults: {<<: {internal: deny}}\n",
	 "2:12 merge keys (<<) are not part of the language"},
	{V "responses: {}\n", "2:1 `responses` is not supported by this version yet"},
	{V "rules: {}\n", "2:8 `rules` is a mapping; it must be a list"},
	{V "rules: &r [*r]\n", "2:8 a rule is a list; it must be a mapping"},
	/* settings */
	{V "defaults: {internal: alow}\n",
	 "2:22 `internal` cannot be `alow`; it is one of allow, deny | did you mean `allow`?"},
	{V "defaults: {unknown_identity: {hold: 5}}\n",
	 "2:37 `hold` is not a duration (such as 250ms, 3s, 5m, 1h, 30d)"},
	{V "defaults: {unknown_identity: {hold: 11s}}\n", "2:37 `hold` is out of range (0ms..10s)"},
	{V "defaults: {on_failure: {internal: shut}}\n",
	 "2:35 `internal` cannot be `shut`; it is one of closed, open"},
	{V "engine: {workers: 17}\n", "2:19 `workers` is out of range (1..16)"},
	{V "engine: {workers: many}\n", "2:19 `workers` is a text; it must be a whole number"},
	{V "engine: {max_held_bytes: 64MB}\n",
	 "2:26 `max_held_bytes` is not a size (such as 64MiB)"},
	{V "engine: {max_held_bytes: 99999999999999GiB}\n",
	 "2:26 `max_held_bytes` is not a size (such as 64MiB)"},
	{V "engine: {max_held_bytes: 1KiB}\n",
	 "2:26 `max_held_bytes` is out of range (1MiB..64GiB)"},
	{V "engine: {connmark_mask: 0x0f0f}\n",
	 "0:0 `connmark_mask` must be 8 or more neighbouring bits"},
	{V "defaults: {ringfence: project, internal: allow}\n",
	 "0:0 `ringfence` fences nobody in where `internal` allows everybody | leave `internal` at "
	 "deny"},
	{V "defaults: {ringfence: stack}\n",
	 "2:23 `ringfence` cannot be `stack`; it is one of none, project"},
	{V "engine: {connmark_mask: 0x7f}\n",
	 "0:0 `connmark_mask` must be 8 or more neighbouring bits"},
	{V "docker: {enabled: yes}\n", "2:19 `enabled` is a text; it must be true or false"},
	{V "output: {eve: 5}\n",
	 "2:15 `eve` is a number; it must be a text | put it in quotes if it is meant as text"},
	{V "manage: []\n",
	 "2:9 `manage` names nothing | leave `manage` out to manage every Docker bridge network"},
	{V "manage: [{network: a, project: b}]\n",
	 "2:10 `manage` takes one of `network`, `project` and `interface`, with `sources`, or "
	 "`interfaces` alone"},
	{V "manage: [{interfaces: [a], sources: [10.0.0.0/8]}]\n",
	 "2:10 `manage` takes one of `network`, `project` and `interface`, with `sources`, or "
	 "`interfaces` alone"},
	{V "manage: [{network: a, sources: [10.0.0.1/8]}]\n",
	 "2:33 `10.0.0.1/8` is no CIDR (10.244.0.0/16, no host bits)"},
	{V "manage: [blog]\n",
	 "2:10 `manage` takes network:NAME, project:NAME and interface:NAME, not `blog`"},
	{V "inventory: \"\"\n", "2:12 `inventory` is empty"},
	{V "inventory: \"a\\0b\"\n", "2:12 `inventory` holds a control character"},
	/* selectors */
	{R "app: tcp, deny: true, form: x}\n",
	 "3:55 a rule has no key `form` | did you mean `from`?"},
	{V "rules:\n- {name: r, from: blog, to: any, deny: true}\n",
	 "3:19 `blog` is not a selector | write PROJECT/SERVICE, or container:blog"},
	{V "rules:\n- {name: r, from: inernet, to: any, deny: true}\n",
	 "3:19 `inernet` is not a selector | did you mean `internet`?"},
	{V "rules:\n- {name: r, from: 'contaner:x', to: any, deny: true}\n",
	 "3:19 selector `contaner:x`: unknown kind `contaner` | did you mean `container:x`?"},
	{V "rules:\n- {name: r, from: 10.0.0.0/8, to: any, deny: true}\n",
	 "3:19 `10.0.0.0/8` is an address, not a selector | did you mean `cidr:10.0.0.0/8`?"},
	{V "rules:\n- {name: r, from: 'cidr:10.0.0.1/8', to: any, deny: true}\n",
	 "3:19 selector `cidr:10.0.0.1/8`: not an address or address/length without host bits"},
	{V "rules:\n- {name: r, from: 'fqdn:*.x', to: any, deny: true}\n",
	 "3:19 selector `fqdn:*.x`: `fqdn:` is not supported by this version yet"},
	{V "rules:\n- {name: r, from: 'label:tier', to: any, deny: true}\n",
	 "3:19 selector `label:tier`: a label is KEY=VALUE"},
	{V "rules:\n- {name: r, from: a/, to: any, deny: true}\n",
	 "3:19 selector `a/`: an empty pattern matches nothing"},
	{V "rules:\n- {name: r, from: 'image:x\\', to: any, deny: true}\n",
	 "3:19 selector `image:x\\`: a backslash at the end has nothing to escape"},
	{V "rules:\n- {name: r, from: [], to: any, deny: true}\n",
	 "3:19 an empty list matches nothing"},
	{V "rules:\n- {name: r, from: {any: [host]}, to: any, deny: true}\n",
	 "3:20 a selector has no key `any` | did you mean `all`?"},
	{V "rules:\n- {name: r, from: &a [*a], to: any, deny: true}\n",
	 "3:19 selectors are nested too deeply"},
	{V "identities: {db: [host]}\nrules:\n- {name: r, from: '@dv', to: any, deny: true}\n",
	 "4:19 no identity is called `dv` | did you mean `db`?"},
	{V "identities: {a: ['@b'], b: ['@a']}\n",
	 "2:14 identity `a` refers to itself, or through too many others"},
	{V "identities: {a: host, a: any}\n", "2:23 identity `a` is given twice"},
	/* rules */
	{V "rules:\n- {from: any, to: any, deny: true}\n", "3:3 a rule needs a `name`"},
	{V "rules:\n- {name: r, to: any, deny: true}\n", "3:3 rule `r` needs `from`"},
	{V "rules:\n- {name: r, from: any, deny: true}\n", "3:3 rule `r` needs `to`"},
	{R "app: tcp}\n", "3:3 rule `r` needs exactly one of `allow` and `deny`"},
	{R "allow: true, deny: true}\n", "3:3 rule `r` needs exactly one of `allow` and `deny`"},
	{R "allow: false}\n",
	 "3:40 `allow` is `true` or a list of constraints | to refuse, write `deny: true`"},
	{R "allow: yes}\n",
	 "3:40 `allow` is `true` or a list of constraints | to refuse, write `deny: true`"},
	{R "deny: true}\n- {name: r, from: any, to: any, deny: true}\n",
	 "4:10 two rules are called `r` (line 3)"},
	{V "rules:\n- {name: a b, from: any, to: any, deny: true}\n",
	 "3:10 a rule's name is made of letters, digits and -_."},
	{V "rules:\n- {name: default, from: any, to: any, deny: true}\n",
	 "3:10 `default` is what no rule is called"},
	{V "rules:\n- {name: 5, from: any, to: any, deny: true}\n",
	 "3:10 a rule's name is a number; it must be a text | put it in quotes if it is meant as "
	 "text"},
	{R "app: wbe, deny: true}\n", "3:38 unknown app `wbe` | did you mean `web`?"},
	{R "app: tcp, port: 0, deny: true}\n",
	 "3:49 a port is 1..65535, a list of ports, or a range such as \"8000-8100\""},
	{R "app: tcp, port: 65536, deny: true}\n",
	 "3:49 a port is 1..65535, a list of ports, or a range such as \"8000-8100\""},
	{R "app: tcp, port: 90-80, deny: true}\n",
	 "3:49 a port is 1..65535, a list of ports, or a range such as \"8000-8100\""},
	{R "app: tcp, port: [], deny: true}\n", "3:49 `port` lists nothing"},
	{R "app: icmp, port: 8, deny: true}\n", "3:50 `icmp` has no ports"},
	{R "app: tcp, allow: [{methods: GET}]}\n",
	 "3:50 `tcp` has no requests to constrain: write `true`"},
	{R "app: plain, allow: [{users: GET}]}\n",
	 "3:52 `plain` has no requests to constrain: write `true`"},
	{R "app: web, allow: [{method: GET}]}\n",
	 "3:52 no constraint `method`: web has methods, paths, hosts, max_body, status, unparsed | "
	 "did you mean `methods`?"},
	{R "app: web, allow: [{methods: GET, methods: PUT}]}\n", "3:66 `methods` is given twice"},
	{R "app: web, allow: [{methods: []}]}\n",
	 "3:61 `methods` lists nothing, so nothing could match"},
	{R "app: web, allow: []}\n", "3:50 an empty list | write `true` to match every request"},
	{R "app: web, allow: [{}]}\n",
	 "3:51 an item without a constraint | write `true` to match every request"},
	{R "app: web, allow: [GET]}\n", "3:51 an item is a mapping of constraints"},
	{R "app: web, allow: [{paths: 're:^/a'}]}\n",
	 "3:63 `paths`: the whole text must match: leave `^` and `$` out"},
	{R "app: web, allow: [{hosts: re:a(b}]}\n", "3:65 `hosts`: `(` is never closed"},
	{R "app: web, allow: [{paths: 're:.*a.{40}b.{40}'}]}\n",
	 "3:63 `paths`: it needs too many states: use smaller repeats, or several patterns"},
	{R "app: web, allow: [{paths: 're:(/a{900}){9}'}]}\n",
	 "3:63 `paths`: it is too large: use smaller repeats, or several patterns"},
	{R "app: web, allow: [{paths: 're:((((){999}){999}){999}){999}'}]}\n",
	 "3:63 `paths`: it is too large: use smaller repeats, or several patterns"},
	{R "app: sql, allow: [{verbs: 're:s.*'}]}\n", "3:59 `re:s.*` is not one of the verbs"},
	{R "app: web, allow: [{paths: 'a\\'}]}\n",
	 "3:59 `paths`: a backslash at the end has nothing to escape"},
	{R "app: web, allow: [{max_body: many}]}\n", "3:62 `max_body` takes a number"},
	{R "app: web, allow: [{max_body: [1, 2]}]}\n", "3:62 `max_body` takes one number"},
	{R "app: web, allow: [{status: 299-200}]}\n",
	 "3:60 `status` takes numbers and ranges such as \"200-299\""},
	{R "app: sql, allow: [{verbs: [red]}]}\n",
	 "3:60 `red` is not one of the verbs | did you mean `read`?"},
	{R "app: sql, allow: [{verbs: read, unparsed: maybe}]}\n",
	 "3:75 `unparsed` cannot be `maybe`; it is one of allow, deny"},
	{R "app: sql, tls: strip, allow: true}\n",
	 "3:48 `tls: strip` is not supported by this version yet"},
	{R "app: tcp, tls: forbid, allow: true}\n",
	 "3:48 `tls` needs an application: `tcp` is not read"},
	{R "app: sealed, tls: any, allow: true}\n",
	 "3:51 `sealed` is judged by how it opens | leave `tls` out"},
	{R "app: sql, tls: forbid, deny: true}\n",
	 "3:48 on a deny rule `tls` is `any` or `forbid`, beside constraints"},
	{R "deny: true, rate: {new: 5/s}}\n", "3:45 `rate` is not supported by this version yet"},
	{R "deny: true, capture: all}\n", "3:45 `capture` is not supported by this version yet"},
	{R "deny: true, respond: [log]}\n",
	 "3:54 `respond` other than [log, refuse] is not supported by this version yet"},
	{R "deny: true, respond: [log, refuse, quarantine 30m]}\n",
	 "3:68 `quarantine 30m` is not supported by this version yet"},
	{R "deny: true, log: sample 1/0}\n", "3:50 `log: sample 1/N` takes N of 1..65535"},
	{R "deny: true, expires: 2023-02-29}\n", "3:54 `expires` is a date: YYYY-MM-DD"},
	{R "deny: true, broad: true}\n", "3:3 `broad` belongs to an `allow: true`"},
	/* between rules */
	{R "app: web, allow: [{methods: GET}]}\n- {name: s, from: any, to: any, allow: true}\n",
	 "4:10 rule `s` allows everything where rule `r` (line 3) constrains | "
	 "narrow it, or say `broad: true` if that is meant"},
	{V "rules:\n- {name: c, from: a/b, to: a/c, app: web, allow: [{methods: GET}]}\n"
	   "- {name: u, from: a/*, to: [x/y, a/c], app: web, allow: true}\n",
	 "4:10 rule `u` allows everything where rule `c` (line 3) constrains | "
	 "narrow it, or say `broad: true` if that is meant"},
	{V "rules:\n- {name: c, from: a/b, to: 'cidr:9.9.9.0/24', app: web, allow: [{methods: "
	   "GET}]}\n"
	   "- {name: u, from: a/b, to: internet, app: tcp, port: 80, allow: true}\n",
	 "4:10 rule `u` allows everything where rule `c` (line 3) constrains | "
	 "narrow it, or say `broad: true` if that is meant"},
	{V "rules:\n- {name: d, from: a/*, to: any, deny: true}\n"
	   "- {name: u, from: a/b, to: a/c, app: web, allow: true}\n",
	 "4:10 rule `u` can never apply: `d` (line 3) denies all of it | remove it, or narrow what "
	 "denies it"},
	/* tests */
	{V "tests: [any]\n", "2:9 a sentence is FROM -> TO[:PORT] [APP [REQUEST]]"},
	{V "tests: [any -> any]\n", "2:9 a test ends with `= allow` or `= deny`"},
	{V "tests: [any -> any = deny by x]\n", "2:9 no rule is called `x`"},
	{V "tests: [any -> any wbe = deny]\n", "2:9 unknown app `wbe`; did you mean `web`?"},
	{V "tests: ['any -> any web GET = deny']\n", "2:9 `web` cannot read this request: GET"},
	{V "tests: ['any -> any tcp x = deny']\n", "2:9 `tcp` has no requests"},
	{V "tests: ['any -> @x = deny']\n", "2:9 no identity is called `x`"},
	{V "tests: ['any -> nobody = deny']\n", "2:9 `nobody` is not a selector"},
};

START_TEST(refuses)
{
	struct diagnostics diags;
	struct policy *policy = load_text(refused[_i].text, &diags);
	ck_assert_msg(!policy, "accepted: %s", refused[_i].text);
	ck_assert_uint_ge(diags.n, 1);
	const struct diagnostic *d = &diags.items[0];
	char got[512];
	(void)snprintf(got, sizeof(got), "%u:%u %s%s%s", d->line, d->column, d->message,
		       d->hint ? " | " : "", d->hint ? d->hint : "");
	ck_assert_str_eq(got, refused[_i].want);
	diagnostics_fini(&diags);
}
END_TEST

/* Texts that load, and are their own canonical form. */
static const char *const canonical[] = {
	"version: 1\nmode: enforce\n",
	"version: 1\nmode: shadow\nmanage:\n- \"network:front*\"\n- \"project:blog\"\n- "
	"\"interface:eth1\"\n",
	"version: 1\nmode: observe\ndefaults:\n  egress: allow\n  refuse: reset\n  midstream: "
	"deny\n"
	"  unknown_identity: {hold: 1s, then: allow}\n"
	"  on_failure: {internal: open, egress: closed, ingress: closed}\n",
	"version: 1\nmode: enforce\nengine:\n  max_flows: 4096\n  max_held_bytes: 1GiB\n"
	"  connmark_mask: 0x0000ff00\n  hold_timeout: 1500ms\n  silent_timeout: 5m\n  user: "
	"warden\n"
	"docker:\n  enabled: false\noutput:\n  eve: \"-\"\ninventory: ids.yaml\n",
	"version: 1\nmode: enforce\noutput:\n  eve: none\n",
	"version: 1\nmode: enforce\nidentities:\n  db: [a/db, \"cidr:10.0.0.0/8\", "
	"\"cidr:fd00::/8\"]\n"
	"  front: {all: [\"label:tier=web\", {not: \"a/*\"}]}\n",
	"version: 1\nmode: enforce\nrules:\n"
	"- name: r1\n  from: a/web\n  to: \"@db\"\n  app: sql\n  port: [3306, \"3310-3320\"]\n"
	"  allow:\n  - {verbs: [read, insert], tables: \"wp_*\"}\n  - {verbs: drop, unparsed: "
	"allow}\n"
	"  tls: any\n  log: sample 1/100\n  mode: shadow\n  expires: 2031-12-31\n  owner: me\n"
	"  why: \"two\\x0alines \\\"quoted\\\"\"\n"
	"- name: r2\n  from: {not: [a/web, host]}\n  to: \"container:x\"\n  app: any\n  deny: "
	"true\n"
	"  log: \"none\"\n"
	"tests:\n- \"a/web -> container:x sql 'drop x' = deny by default\"\n",
	"version: 1\nmode: enforce\nrules:\n"
	"- name: r1\n  from: any\n  to: any\n  app: web\n  allow:\n"
	"  - {status: [200, 300-399], max_body: 10MiB}\n"
	"- name: r2\n  from: host\n  to: internet\n  app: tcp\n  allow: true\n  broad: true\n",
};

static struct policy *load_with_identities(const char *text)
{
	/* a rule that names @db needs it */
	char *all;
	const char *rules = strstr(text, "rules:\n");
	if (!rules || !strstr(text, "@db"))
		return load_good(text);
	ck_assert_int_gt(
		asprintf(&all, "%.*sidentities:\n  db: a/db\n%s", (int)(rules - text), text, rules),
		0);
	struct policy *policy = load_good(all);
	free(all);
	return policy;
}

START_TEST(prints_what_it_loaded)
{
	struct policy *policy = load_with_identities(canonical[_i]);
	char *printed = print_text(policy);
	struct policy *again = load_good(printed);
	char *printed_again = print_text(again);
	ck_assert_str_eq(printed, printed_again);
	if (!strstr(canonical[_i], "@db"))
		ck_assert_str_eq(printed, canonical[_i]);
	else
		ck_assert_ptr_nonnull(strstr(printed, strstr(canonical[_i], "rules:\n")));
	free(printed);
	free(printed_again);
	policy_free(policy);
	policy_free(again);
}
END_TEST

START_TEST(reports_all_errors)
{
	struct diagnostics diags;
	struct policy *policy = load_text("version: 1\nmode: x\nfoo: 1\nrules:\n"
					  "- {name: a, from: b, to: c, deny: maybe}\n"
					  "- {name: a, frm: any, to: any, app: zz, deny: true}\n",
					  &diags);
	ck_assert_ptr_null(policy);
	ck_assert_uint_eq(diags.n_errors, 8);
	diagnostics_fini(&diags);
}
END_TEST

START_TEST(keeps_a_bounded_number_of_errors)
{
	char *text = NULL;
	size_t n = 0;
	struct diagnostics diags;
	FILE *f = open_memstream(&text, &n);
	fputs("version: 1\nrules:\n", f);
	for (int i = 0; i < 1000; i++)
		fputs("- {}\n", f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_ptr_null(load_text(text, &diags));
	ck_assert_uint_eq(diags.n, DIAGNOSTICS_MAX);
	ck_assert_uint_eq(diags.n_errors, diags.n + diags.n_lost);
	diagnostics_fini(&diags);
	free(text);
}
END_TEST

START_TEST(bounds_what_aliases_expand_to)
{
	char text[2048] =
		"version: 1\nidentities:\n  a0: &a0 [any, any, any, any, any, any, any, any]\n";
	for (int i = 1; i < 12; i++) {
		size_t n = strlen(text);
		(void)snprintf(text + n, sizeof(text) - n,
			       "  a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i,
			       i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	}
	struct diagnostics diags;
	ck_assert_ptr_null(load_text(text, &diags));
	ck_assert_uint_ge(diags.n_errors, 1);
	diagnostics_fini(&diags);
}
END_TEST

/* Tables that are refused have cost something as well. */
START_TEST(bounds_what_expressions_cost_together)
{
	static const char alone[] = "`paths`: it needs too much work: use smaller repeats, or "
				    "several patterns";
	static const char together[] =
		"`paths`: the expressions of this policy together need too much work";
	enum { N = 6 };
	char *text = NULL;
	size_t size = 0;
	struct diagnostics diags;
	FILE *f = open_memstream(&text, &size);
	fputs(R "app: web, allow: [{paths: [&a 're:(", f);
	for (unsigned c = 0x80; c < 0x80 + 100; c++)
		fprintf(f, "\\x%02x|", c);
	fputs(")?.{0,810}'", f);
	for (int i = 1; i < N; i++)
		fputs(", *a", f);
	fputs(", 're:abc']}]}\n", f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_ptr_null(load_text(text, &diags));
	ck_assert_uint_eq(diags.n, N + 1);
	ck_assert_str_eq(diags.items[0].message, alone);
	ck_assert_str_eq(diags.items[N - 1].message, together);
	ck_assert_str_eq(diags.items[N].message, together);
	diagnostics_fini(&diags);
	free(text);
}
END_TEST

START_TEST(draws_a_caret)
{
	struct diagnostics diags;
	char *text = NULL;
	size_t n = 0;
	ck_assert_ptr_null(load_text("version: 1\nmode: enforec\n", &diags));
	FILE *f = open_memstream(&text, &n);
	diagnostics_print(&diags, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_str_eq(
		text, "p.yaml:2:7: error: `mode` cannot be `enforec`; it is one of observe, "
		      "shadow, enforce\n  mode: enforec\n        ^\n  did you mean `enforce`?\n");
	free(text);
	diagnostics_fini(&diags);
}
END_TEST

START_TEST(takes_json)
{
	policy_free(
		load_good("{\"version\": 1, \"mode\": \"shadow\", \"rules\": [{\"name\": \"r\", "
			  "\"from\": \"any\", \"to\": [\"host\"], \"app\": \"tcp\", \"port\": 22, "
			  "\"deny\": true}]}"));
}
END_TEST

START_TEST(shares_by_anchor)
{
	struct policy *policy = load_good("version: 1\nidentities: {a: &a [x/y, z/w]}\nrules:\n"
					  "- {name: r, from: *a, to: *a, app: tcp, allow: true}\n");
	ck_assert_uint_eq(policy_n_rules(policy), 1);
	policy_free(policy);
}
END_TEST

START_TEST(fills_the_configuration)
{
	struct policy *policy = load_good(
		"version: 1\nmode: shadow\nmanage: [network:front, {interfaces: [eth1]}]\n"
		"defaults: {egress: allow, on_failure: open, unknown_identity: {hold: 0s}}\n"
		"engine: {workers: 3, max_held_bytes: 128MiB, connmark_mask: 0xff}\n"
		"docker: {enabled: false, socket: /tmp/d.sock}\noutput: {eve: none}\ninventory: "
		"i.yaml\n");
	const struct policy_config *c = policy_config(policy);
	ck_assert_int_eq(c->mode, MODE_SHADOW);
	ck_assert_uint_eq(c->n_manage, 2);
	ck_assert_int_eq(c->manage[1].kind, POLICY_MANAGE_INTERFACE);
	ck_assert_str_eq(c->manage[1].pattern, "eth1");
	ck_assert_int_eq(c->defaults.egress, VERDICT_ALLOW);
	ck_assert_int_eq(c->defaults.internal, VERDICT_DENY);
	ck_assert_uint_eq(c->defaults.unknown_hold_ms, 0);
	ck_assert_int_eq(c->on_failure.ingress, POLICY_FAIL_OPEN);
	ck_assert_uint_eq(c->engine.workers, 3);
	ck_assert_uint_eq(c->engine.max_held_bytes, 128 << 20);
	ck_assert_uint_eq(c->engine.hold_timeout_ms, 3000);
	ck_assert_str_eq(c->engine.user, "nobody");
	ck_assert(!c->docker.enabled);
	ck_assert_str_eq(c->docker.socket, "/tmp/d.sock");
	ck_assert_ptr_null(c->output.eve);
	ck_assert_str_eq(c->inventory, "i.yaml");
	policy_free(policy);
}
END_TEST

START_TEST(what_is_nested_in_a_network_belongs_to_its_entry)
{
	struct policy *p =
		load_good("version: 1\nmanage:\n- {network: kind, sources: [10.244.0.0/16, "
			  "\"fd00:10::/56\"]}\n- network:b\n");
	const struct policy_config *c = policy_config(p);
	struct identity_network kind = {.name = (char[]){"kind"}, .bridge = (char[]){"br-k"}};
	ck_assert_uint_eq(c->n_manage, 2);
	ck_assert_uint_eq(c->manage[0].n_sources, 2);
	ck_assert_uint_eq(c->manage[0].sources[0].length, 96 + 16);
	ck_assert_uint_eq(c->manage[1].n_sources, 0);
	ck_assert(policy_manage_matches(&c->manage[0], &kind));
	ck_assert(!policy_manage_matches(&c->manage[1], &kind));
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	policy_print(p, to);
	ck_assert_int_eq(fclose(to), 0);
	ck_assert_ptr_nonnull(strstr(text, "- network: kind\n  sources: [\"10.244.0.0/16\", "
					   "\"fd00:10::/56\"]\n- \"network:b\"\n"));
	policy_free(load_good(text));
	free(text);
	policy_free(p);
}
END_TEST

START_TEST(manages_what_is_listed)
{
	char front[] = "front", blog[] = "blog", br[] = "br-1", other[] = "other", eth1[] = "eth1";
	const struct identity_network networks[] = {
		{.name = front, .bridge = br},
		{.name = other, .bridge = br, .project = blog},
		{.name = other, .bridge = eth1},
		{.name = other, .bridge = br},
	};
	struct policy *all = load_good("version: 1\n");
	struct policy *some =
		load_good("version: 1\nmanage: [network:fr*, project:blog, interface:eth1]\n");
	for (size_t i = 0; i < 4; i++) {
		ck_assert(policy_manages(all, &networks[i]));
		ck_assert_int_eq(policy_manages(some, &networks[i]), i < 3);
	}
	policy_free(all);
	policy_free(some);
}
END_TEST

START_TEST(warns_of_expired_rules)
{
	struct diagnostics diags;
	struct policy *policy =
		load_text("version: 1\nrules:\n"
			  "- {name: a, from: any, to: any, deny: true, expires: 2024-10-03}\n"
			  "- {name: b, from: any, to: any, deny: true, expires: 2024-10-04}\n",
			  &diags);
	ck_assert_ptr_nonnull(policy);
	ck_assert_uint_eq(diags.n, 1);
	ck_assert_int_eq(diags.items[0].severity, DIAG_WARNING);
	ck_assert_uint_eq(diags.items[0].line, 3);
	diagnostics_fini(&diags);
	policy_free(policy);
}
END_TEST

/* ---- files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void remove_tree(const char *dir)
{
	static const char *const made[] = {"main.yaml", "d/1.yaml", "d/2.yaml", "d"};
	char path[256];
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
		(void)remove(path); /* some tests make fewer */
	}
	(void)remove(dir); /* the test's own */
}

static char *make_tree(void)
{
	char *dir = strdup("/tmp/bw-policy-XXXXXX");
	char sub[256];
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(sub, sizeof(sub), "%s/d", dir);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	return dir;
}

START_TEST(includes_files)
{
	char *dir = make_tree(), path[256];
	write_file(dir, "main.yaml",
		   "version: 1\ninclude: [d/*.yaml, e/*.yaml]\nidentities: {a: x/y}\n");
	write_file(dir, "d/1.yaml", "rules:\n- {name: one, from: '@a', to: '@b', deny: true}\n");
	write_file(dir, "d/2.yaml",
		   "version: 1\nidentities: {b: host}\n"
		   "rules:\n- {name: two, from: '@a', to: any, app: tcp, deny: true}\n");
	struct diagnostics diags;
	struct policy *policy = NULL;
	(void)snprintf(path, sizeof(path), "%s/main.yaml", dir);
	ck_assert_int_eq(policy_load(path, &policy, &diags), 0);
	ck_assert_uint_eq(policy_n_rules(policy), 2);
	char *text = print_text(policy);
	ck_assert_ptr_null(strstr(text, "include"));
	free(text);
	policy_free(policy);
	diagnostics_fini(&diags);
	remove_tree(dir);
	free(dir);
}
END_TEST

/* The nearest counts: the rule's, its file's, the policy's. */
START_TEST(an_included_file_has_a_mode)
{
	char *dir = make_tree(), path[256];
	write_file(dir, "main.yaml",
		   "version: 1\ninclude: d/*.yaml\nrules:\n- {name: m, from: a/b, to: any, deny: "
		   "true}\n");
	write_file(dir, "d/1.yaml",
		   "rules:\n- {name: s, from: c/d, to: any, deny: true}\n"
		   "- {name: o, from: e/f, to: any, mode: observe, deny: true}\nmode: shadow\n");
	write_file(dir, "d/2.yaml", "rules:\n- {name: n, from: g/h, to: any, deny: true}\n");
	struct diagnostics diags;
	struct policy *policy = NULL;
	(void)snprintf(path, sizeof(path), "%s/main.yaml", dir);
	ck_assert_int_eq(policy_load(path, &policy, &diags), 0);
	ck_assert_uint_eq(policy->n_rules, 4);
	for (size_t i = 0; i < 4; i++) {
		char name = policy->rules[i].name[0];
		ck_assert_int_eq(rule_mode(policy, &policy->rules[i]), name == 's' ? MODE_SHADOW
								       : name == 'o'
									       ? MODE_OBSERVE
									       : MODE_ENFORCE);
	}
	char *text = print_text(policy);
	struct policy *again = load_good(text);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(rule_mode(again, &again->rules[i]),
				 rule_mode(policy, &policy->rules[i]));
	free(text);
	policy_free(again);
	policy_free(policy);
	diagnostics_fini(&diags);
	remove_tree(dir);
	free(dir);
}
END_TEST

START_TEST(complains_about_the_included_file)
{
	char *dir = make_tree(), path[256];
	write_file(dir, "main.yaml", "version: 1\ninclude: d/1.yaml\n");
	write_file(dir, "d/1.yaml", "manage: shadow\n");
	struct diagnostics diags;
	struct policy *policy = NULL;
	(void)snprintf(path, sizeof(path), "%s/main.yaml", dir);
	ck_assert_int_eq(policy_load(path, &policy, &diags), -EINVAL);
	ck_assert_ptr_nonnull(strstr(diags.items[0].file, "d/1.yaml"));
	ck_assert_str_eq(diags.items[0].source_line, "manage: shadow");
	diagnostics_fini(&diags);
	remove_tree(dir);
	free(dir);
}
END_TEST

START_TEST(names_a_file_that_is_not_there)
{
	struct diagnostics diags;
	struct policy *policy = NULL;
	ck_assert_int_eq(policy_load("/nonexistent/x.yaml", &policy, &diags), -ENOENT);
	ck_assert_uint_eq(diags.n_errors, 1);
	ck_assert_str_eq(diags.items[0].file, "/nonexistent/x.yaml");
	diagnostics_fini(&diags);
	ck_assert_int_eq(policy_load("/tmp", &policy, &diags), -EISDIR);
	diagnostics_fini(&diags);
	ck_assert_int_eq(
		policy_load_text("t", "version: 1\ninclude: nope.yaml\n", 30, &policy, &diags),
		-EINVAL);
	diagnostics_fini(&diags);
}
END_TEST

/* Any text: an answer, no crash. Mutations of a file that uses most of the language. */
START_TEST(survives_mutations)
{
	static const char seed[] =
		"version: 1\nmanage: [network:a]\nidentities: {a: &x [x/y, {all: [host, {not: "
		"a/b}]}]}\n"
		"rules:\n- {name: r, from: *x, to: '@a', app: sql, port: [1, 2-3],\n"
		"   allow: [{verbs: [read], tables: a*, unparsed: allow}], log: sample 1/5}\n"
		"tests: ['x/y -> @a sql ''select a'' = deny by default']\n";
	static const char alphabet[] = "[]{}:,'\"-&*@#!|>% \n\t\\a0/=";
	uint32_t random = 12345;
	for (int round = 0; round < 3000; round++) {
		char text[sizeof(seed)];
		struct diagnostics diags;
		memcpy(text, seed, sizeof(seed));
		for (int k = 0; k < 1 + round % 4; k++) {
			random = random * 1664525 + 1013904223;
			size_t at = (random >> 8) % (sizeof(seed) - 1);
			random = random * 1664525 + 1013904223;
			text[at] = alphabet[(random >> 8) % (sizeof(alphabet) - 1)];
		}
		struct policy *policy = load_text(text, &diags);
		ck_assert_int_eq(policy == NULL, diags.n_errors > 0);
		policy_free(policy);
		diagnostics_fini(&diags);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_load");
	TCase *tests = tcase_create("load");
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, refuses, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_loop_test(tests, prints_what_it_loaded, 0,
			    sizeof(canonical) / sizeof(canonical[0]));
	tcase_add_test(tests, reports_all_errors);
	tcase_add_test(tests, keeps_a_bounded_number_of_errors);
	tcase_add_test(tests, bounds_what_aliases_expand_to);
	tcase_add_test(tests, bounds_what_expressions_cost_together);
	tcase_add_test(tests, draws_a_caret);
	tcase_add_test(tests, takes_json);
	tcase_add_test(tests, shares_by_anchor);
	tcase_add_test(tests, fills_the_configuration);
	tcase_add_test(tests, what_is_nested_in_a_network_belongs_to_its_entry);
	tcase_add_test(tests, manages_what_is_listed);
	tcase_add_test(tests, warns_of_expired_rules);
	tcase_add_test(tests, includes_files);
	tcase_add_test(tests, complains_about_the_included_file);
	tcase_add_test(tests, an_included_file_has_a_mode);
	tcase_add_test(tests, names_a_file_that_is_not_there);
	tcase_add_test(tests, survives_mutations);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

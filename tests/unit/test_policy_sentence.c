/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sentences: what they mean, that a policy's own tests run without containers, and what an
 * explanation says. */
#include "policy_fixture.h"

#include "identity/inventory.h"
#include "policy/sentence.h"

#include <errno.h>
#include <unistd.h>

static const char policy_head[] =
	"version: 1\n"
	"identities:\n"
	"  crm: ['cidr:198.19.1.10/32', 'cidr:10.5.0.0/16']\n"
	"  front: {all: ['label:tier=front', shop/*, {not: shop/admin}]}\n"
	"  mixed: [a/x, a/y]\n"
	"rules:\n"
	"- {name: own-db, from: blog/wp, to: blog/db, app: sql, port: [3306, 3307],\n"
	"   allow: [{verbs: read, tables: 'wp_*'}, {verbs: drop, unparsed: allow}]}\n"
	"- {name: crm, from: [blog/wp, host], to: '@crm', app: sql, allow: [{verbs: read}]}\n"
	"- {name: site, from: internet, to: blog/wp, app: web, port: 80, allow: true}\n"
	"- {name: no-login, from: internet, to: blog/*, app: web, deny: [{paths: '/wp-login*'}]}\n"
	"- {name: pings, from: any, to: any, app: icmp, allow: true}\n"
	"- {name: lookup, from: any, to: 'cidr:198.19.2.10/32', app: names, allow: [{names: "
	"'*.org'}]}\n"
	"- {name: shop, from: '@front', to: 'image:redis:7*', app: tcp, port: 6379, allow: true}\n"
	"- {name: net, from: 'network:back', to: 'container:job-*', app: tcp, allow: true}\n"
	"- {name: halves, from: '@mixed', to: blog/db, app: tcp, allow: true}\n"
	"- {name: half, from: a/x, to: blog/db, app: web, deny: [{methods: PUT}]}\n"
	"- {name: no-root, from: any, to: blog/db, app: sql, deny: [{users: root}]}\n"
	"- {name: guest, from: g/a, to: g/b, app: sql, allow: [{verbs: read, users: guest}]}\n"
	"- {name: trial, from: t/a, to: t/b, app: web, mode: shadow, allow: [{methods: GET}]}\n";

static const struct {
	const char *sentence;
	bool holds;
} sentences[] = {
	{"blog/wp -> blog/db sql 'select wp_posts' = allow by own-db", true},
	{"blog/wp -> blog/db sql select wp_posts = allow", true},
	{"blog/wp -> blog/db sql 'select users' = deny by default", true},
	{"blog/wp -> blog/db sql 'insert wp_posts' = deny", true},
	{"blog/wp -> blog/db sql \"insert wp_posts\" = allow", false},
	{"blog/wp -> blog/db sql 'select wp_posts' = allow by crm", false},
	{"blog/wp -> blog/db sql 'select wp_posts' = deny", false},
	{"blog/wp -> blog/db sql '? select wp_posts' = deny by no-root", true},
	{"blog/wp -> blog/db sql '? drop x' = deny by no-root", true},
	{"blog/wp -> blog/db:3307 sql 'select wp_posts' = allow by own-db", true},
	{"blog/wp -> blog/db:3308 sql 'select wp_posts' = deny by default", true},
	{"blog/wp -> blog/db sql = allow by own-db", true},
	{"blog/wp -> blog/db sql = allow by site", false},
	{"blog/wp -> blog/db:3306 = allow", true},
	{"blog/wp -> blog/db:80 = deny by default", true},
	{"blog/wp -> blog/db:3306 web = deny by default", true},
	{"blog/wp -> blog/db:3306 web GET / = deny by default", true},
	{"blog/other -> blog/db sql = deny by default", true},
	{"blog/wp -> 198.19.1.10 sql 'select a' = allow by crm", true},
	{"blog/wp -> @crm sql 'select a' = allow by crm", true},
	{"host -> @crm sql 'drop a' = allow", false}, /* strangers are denied by default too */
	{"blog/wp -> cidr:10.5.0.0/16 sql 'select a' = allow by crm", true},
	{"blog/wp -> cidr:10.6.0.0/16 sql 'select a' = deny by default", true},
	{"internet -> blog/wp web GET / = allow by site", true},
	{"internet -> blog/wp web GET /wp-login.php = deny by no-login", true},
	{"203.0.113.5 -> blog/wp:80 web GET /a?b = c = allow by site", true},
	{"internet -> blog/wp:443 tcp = deny by default", true},
	{"2001:db9::5 -> blog/wp web GET / = allow by site", true},
	{"blog/wp -> [2001:db9::5]:443 = deny", true},
	{"blog/wp -> [2001:db9::5] icmp = allow by pings", true},
	{"blog/wp -> 2001:db9::5 icmp = allow by pings", true},
	{"any -> any icmp = allow by pings", true},
	{"any -> any udp = deny by default", true},
	{"any -> 198.19.2.10 names a.ORG = allow by lookup", true},
	{"any -> 198.19.2.10 names a.com = deny by default", true},
	{"@front -> image:redis:7.2 tcp = allow by shop", true},
	{"@front -> image:redis:7.2:6379 = allow by shop", true},
	{"@front -> image:redis:7.2:6380 = deny by default", true},
	{"shop/admin -> image:redis:7.2 tcp = deny by default", true},
	{"network:back -> container:job-17:99 = allow by net", true},
	{"a/x -> blog/db web PUT / = deny by half", true},
	{"a/y -> blog/db web PUT / = allow by halves", true},
	{"@mixed -> blog/db web PUT / = allow", false}, /* one of them is denied */
	{"@mixed -> blog/db web PUT / = deny", false},
	/* what is known beside the request, and what is not said */
	{"blog/wp -> blog/db sql [user=root] 'select wp_a' = deny by no-root", true},
	{"blog/wp -> blog/db sql [users=wp] 'select wp_a' = allow by own-db", true},
	{"blog/wp -> blog/db sql [tables=wp_a] 'select x' = allow by own-db", true},
	{"blog/wp -> blog/db sql [safe=1] [user=root] = deny by no-root", true},
	{"blog/wp -> blog/db sql [safe=1] [user=wp] = allow by own-db", true},
	{"g/a -> g/b sql 'select x' = allow by guest", true},
	{"g/a -> g/b sql [user=other] 'select x' = deny by default", true},
	{"g/a -> g/b sql 'drop x' = deny by default", true},
	{"g/a -> g/b sql '? select x' = deny by default", true},
	{"t/a -> t/b web PUT / = deny by default", true}, /* the verdict, whatever the mode */
	{"t/a -> t/b web GET / = allow by trial", true},
};

static struct policy *with_test(const char *sentence)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "%stests: [", policy_head);
	char *at = text + n;
	*at++ = '\'';
	for (const char *p = sentence; *p; p++) {
		*at++ = *p;
		if (*p == '\'')
			*at++ = '\'';
	}
	(void)snprintf(at, sizeof(text) - (size_t)(at - text), "']\n");
	return load_good(text);
}

START_TEST(means_what_it_says)
{
	struct policy *policy = with_test(sentences[_i].sentence);
	char *report = NULL;
	size_t n = 0, n_failed;
	FILE *f = open_memstream(&report, &n);
	ck_assert_int_eq(policy_run_tests(policy, f, &n_failed), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg((n_failed == 0) == sentences[_i].holds, "%s\n%s", sentences[_i].sentence,
		      report);
	ck_assert_int_eq(n > 0, n_failed > 0);
	free(report);
	policy_free(policy);
}
END_TEST

static const struct {
	const char *sentence, *want;
} wrong[] = {
	{"", "a sentence is FROM -> TO[:PORT] [APP [REQUEST]]"},
	{"a/b ->", "a sentence is FROM -> TO[:PORT] [APP [REQUEST]]"},
	{" -> ", "a sentence is FROM -> TO[:PORT] [APP [REQUEST]]"},
	{"a/b c/d -> any = deny", "a sentence is FROM -> TO[:PORT] [APP [REQUEST]]"},
	{"a/b -> any", "a test ends with `= allow` or `= deny`"},
	{"a/b -> any = deny because", "after `deny` comes nothing or `by RULE`"},
	{"a/b -> any = deny by", "after `deny` comes nothing or `by RULE`"},
	{"a/b -> any = deny by site now", "after `deny` comes nothing or `by RULE`"},
	{"a/b -> any = deny by stie", "no rule is called `stie`; did you mean `site`?"},
	{"a/b -> not:host = deny", "say who it is, not who it is not"},
	{"a/b -> any:0 = deny", "selector `any:0`: unknown kind `any`"},
	{"a/b -> @nobody = deny", "no identity is called `nobody`"},
	{"a/b -> any sql [user] x = deny", "what is known is written [FIELD=VALUE]: [user] x"},
	{"a/b -> any sql [usr=x] x = deny", "`sql` has no field `usr`"},
	{"a/b -> any sql [safe=x] x = deny", "`safe` is a number"},
	{"a/b -> any tcp [a=b] = deny", "`tcp` has no requests"},
	{"a/b -> any weeb x = deny", "unknown app `weeb`; did you mean `web`?"},
	{"a/b -> any = maybe", "after `=` comes `allow` or `deny`, not `maybe`"},
	{"a/b -> [1::2]x = deny", "after [1::2] comes nothing or :PORT"},
	{"a/b -> any web x = deny", "`web` cannot read this request: x"},
};

START_TEST(refuses_what_is_no_test)
{
	struct policy *policy = load_good(policy_head);
	struct error err = {.text = ""};
	ck_assert_int_eq(sentence_check(policy, wrong[_i].sentence, &err), -EINVAL);
	ck_assert_str_eq(err.text, wrong[_i].want);
	policy_free(policy);
}
END_TEST

static char *explain(const struct policy *policy, const struct policy_image *live,
		     const char *sentence, int want)
{
	char *text = NULL;
	size_t n = 0;
	struct error err = {.text = ""};
	FILE *f = open_memstream(&text, &n);
	int e = policy_sentence_explain(policy, live, sentence, f, &err);
	if (e < 0)
		fputs(err.text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(e == want, "%s: %s", sentence, text);
	return text;
}

START_TEST(explains_a_denial)
{
	struct policy *policy = load_good(policy_head);
	char *text = explain(policy, NULL, "blog/wp -> blog/db sql 'insert wp_posts'", 1);
	ck_assert_str_eq(
		text, "  blog/wp -> blog/db:3306 sql insert wp_posts\n"
		      "  deny by default (default: no rule allows it)\n"
		      "  rules for this pair:\n"
		      "    own-db                   allow enforce verbs: wants read; got insert\n"
		      "    pings                    allow enforce app: wants icmp; got tcp\n"
		      "    no-root                  deny  enforce users: wants root; got nothing\n"
		      "  nearest allow: own-db (verbs: wants read; got insert)\n");
	free(text);
	text = explain(policy, NULL, "internet -> blog/wp web GET /wp-login", 1);
	ck_assert_ptr_nonnull(strstr(text, "  * no-login                 deny  enforce matches\n"));
	ck_assert_ptr_nonnull(strstr(text, "    site                     allow enforce matches\n"));
	ck_assert_ptr_nonnull(strstr(text, "deny by no-login\n"));
	free(text);
	text = explain(policy, NULL, "blog/wp -> blog/db web GET /", 1);
	ck_assert_ptr_nonnull(strstr(text, "nearest allow: own-db (app: wants sql; got web)"));
	free(text);
	text = explain(policy, NULL, "blog/wp -> a/b:1", 1);
	ck_assert_ptr_nonnull(strstr(text, "nearest allow: pings (app: wants icmp; got tcp)"));
	free(text);
	policy_free(policy);
}
END_TEST

START_TEST(explains_with_the_living)
{
	static const char ids[] =
		"endpoints:\n- {ip: 198.18.0.2, container: wp-1, project: blog, service: wp}\n"
		"- {ip: 198.18.0.3, container: db-1, project: blog, service: db}\n";
	struct policy *policy = load_good(policy_head);
	struct identity_set set = {0};
	struct policy_blob blob;
	ck_assert_int_eq(inventory_load_text("ids", ids, strlen(ids), &set, NULL), 0);
	const struct policy_inputs inputs = {.ids = &set};
	ck_assert_int_eq(policy_compile(policy, &inputs, &blob, NULL), 0);
	const struct policy_image *live = policy_image_of(&blob);
	char *text = explain(policy, live, "blog/wp -> 198.18.0.3 sql select wp_a", 0);
	ck_assert_ptr_nonnull(strstr(text, "allow by own-db"));
	free(text);
	text = explain(policy, live, "internet -> blog/wp web GET / = deny", 1);
	ck_assert_ptr_nonnull(strstr(text, "allow by site"));
	free(text);
	text = explain(policy, live, "blog/nobody -> blog/db sql", -ENOENT);
	ck_assert_ptr_nonnull(strstr(text, "nobody is called `blog/nobody` now"));
	free(text);
	policy_blob_free(&blob);
	identity_set_fini(&set);
	policy_free(policy);
}
END_TEST

START_TEST(takes_endpoints_from_the_inventory)
{
	char path[] = "/tmp/bw-ids-XXXXXX", text[512];
	static const char ids[] =
		"endpoints: [{ip: 198.19.7.7, container: vm, project: p, service: s, "
		"labels: {zone: red}}]\n";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, ids, strlen(ids)), (ssize_t)strlen(ids));
	ck_assert_int_eq(close(fd), 0);
	(void)snprintf(
		text, sizeof(text),
		"version: 1\ninventory: %s\nrules:\n"
		"- {name: red, from: 'label:zone=red', to: host, app: tcp, allow: true}\n"
		"tests: ['p/s -> host tcp = allow by red', '198.19.7.7 -> host tcp = allow by red',"
		" 'p/t -> host tcp = deny']\n",
		path);
	struct policy *policy = load_good(text);
	size_t n_failed;
	ck_assert_int_eq(policy_run_tests(policy, stderr, &n_failed), 0);
	ck_assert_uint_eq(n_failed, 0);
	ck_assert_int_eq(remove(path), 0);
	ck_assert_int_eq(policy_run_tests(policy, NULL, &n_failed), -ENOENT);
	policy_free(policy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_sentence");
	TCase *tests = tcase_create("sentence");
	tcase_add_loop_test(tests, means_what_it_says, 0, sizeof(sentences) / sizeof(sentences[0]));
	tcase_add_loop_test(tests, refuses_what_is_no_test, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tests, explains_a_denial);
	tcase_add_test(tests, explains_with_the_living);
	tcase_add_test(tests, takes_endpoints_from_the_inventory);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the conversations of tests/proto/cases/NAME*.txt through the dissectors, line by line:
 *
 *   # comment
 *   app dns udp                      the dissector of the cases below; tcp when not given; group:
 *                                    UDP to its multicast group
 *   case rejects_blank_before_colon  a case begins; its name is its behaviour
 *   > "GET / HTTP/1.1\r\nHost: a"    bytes to the server; escapes \r \n \t \0 \xHH \\ \"
 *   > repeat 70000 "a" x 0d0a "b"    a line is a row of pieces: "text", x HEX, repeat N PIECE
 *   < "HTTP/1.1 200 OK\r\n\r\n"      bytes to the client
 *   say "GET /x"                     instead of bytes: the sentence of a policy test
 *   claim                            what must be said, one line each, in this order
 *   request http_method=GET path=/x  fields as in the event; "quoted" when not plainly printable
 *   request unproven command=get ... a last "..." stands for any rest of the line
 *   64 x reply status=204            the same line so many times
 *   edit > 12 "\x00"                 at this offset of the stream to the server
 *   = malformed two blanks           how it ends, and a part of the reason given
 *
 * Ends: done, more (bytes or a body still to come), not-mine, malformed, limit, stopped; of a
 * sentence said, unreadable. Input and expectation may be mixed as a reader likes; only the order
 * within each counts. Lines of bytes of one direction in a row arrive as one slice in the first
 * run; over UDP each line is a datagram, never cut.
 *
 * Then the case is run again byte by byte, at every single cut (when larger than 3 KiB: at about
 * 300 cuts, and byte by byte only near its ends), and with the server's bytes hidden as soon as the
 * dissector allows that. Every run must say the same; drive.h checks the contract in each.
 */
#include <check.h>
#include <ctype.h>
#include <glob.h>
#include <sys/stat.h>

#include "fuzz/drive.h"

enum { CASES_MAX = 4000, LINES_MAX = 400, CUTS_ALL = 3 * 1024, CUTS_SOME = 300, STEP_EDGE = 300 };

struct line {
	enum dis_dir dir;
	uint8_t *p;
	size_t n;
};

struct test_case {
	const char *file, *name;
	const struct dissector *d;
	struct line *lines;
	size_t n_lines, total;
	char *expected;
	struct line say; /* p is NULL: a conversation */
	int number;	 /* line of the file where it begins */
	uint8_t ip_proto;
	char outcome[16], why[128];
};

static struct test_case cases[CASES_MAX];
static int n_cases;

/* ---------------------------------------------------------------- reading the files */

struct source {
	const char *file;
	int number;
	const struct dissector *d;
	uint8_t ip_proto;
};

static __attribute__((noreturn)) void bad_line(const struct source *s, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", s->file, s->number, what);
	exit(EXIT_FAILURE);
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static bool takes_word(const char **p, const char *word)
{
	const size_t n = strlen(word);
	if (strncmp(*p, word, n) != 0 || ((*p)[n] && (*p)[n] != ' ' && (*p)[n] != '\t'))
		return false;
	*p = skip_blanks(*p + n);
	return true;
}

static void add_bytes(const struct source *s, struct line *l, const uint8_t *p, size_t n)
{
	if (l->n + n > DRIVE_BYTES_MAX)
		bad_line(s, "too many bytes");
	l->p = realloc(l->p, l->n + n + 1);
	if (!l->p)
		abort();
	if (n)
		memcpy(l->p + l->n, p, n);
	l->n += n;
}

static uint8_t hex_byte(const struct source *s, const char *p)
{
	const char digits[3] = {p[0], p[0] ? p[1] : '\0', '\0'};
	if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
		bad_line(s, "two hex digits expected");
	return (uint8_t)strtoul(digits, NULL, 16);
}

static const char *read_escape(const struct source *s, const char *p, uint8_t *c)
{
	static const char names[] = "rnt0\\\"", values[] = "\r\n\t\0\\\"";
	if (*p == 'x') {
		*c = hex_byte(s, p + 1);
		return p + 3;
	}
	const char *at = *p ? strchr(names, *p) : NULL;
	if (!at)
		bad_line(s, "unknown escape");
	*c = (uint8_t)values[at - names];
	return p + 1;
}

static const char *read_quoted(const struct source *s, const char *p, struct line *l)
{
	while (*p != '"') {
		uint8_t c = (uint8_t)*p;
		if (!c)
			bad_line(s, "no closing quote");
		p = c == '\\' ? read_escape(s, p + 1, &c) : p + 1;
		add_bytes(s, l, &c, 1);
	}
	return skip_blanks(p + 1);
}

static const char *read_hex(const struct source *s, const char *p, struct line *l)
{
	while (isxdigit((unsigned char)*p)) {
		const uint8_t c = hex_byte(s, p);
		add_bytes(s, l, &c, 1);
		p = skip_blanks(p + 2);
	}
	return p;
}

static const char *read_piece(const struct source *s, const char *p, struct line *l)
{
	if (*p == '"')
		return read_quoted(s, p + 1, l);
	if (takes_word(&p, "x"))
		return read_hex(s, p, l);
	bad_line(s, "\"text\", x HEX or repeat N expected");
}

static const char *read_repeat(const struct source *s, const char *p, struct line *l)
{
	char *end;
	const unsigned long times = strtoul(p, &end, 10);
	struct line once = {0};
	p = read_piece(s, skip_blanks(end), &once);
	for (unsigned long i = 0; i < times; i++)
		add_bytes(s, l, once.p, once.n);
	free(once.p);
	return p;
}

static struct line read_bytes_line(const struct source *s, const char *p, enum dis_dir dir)
{
	struct line l = {.dir = dir};
	add_bytes(s, &l, NULL, 0); /* so that "" is there too */
	if (!*p)
		bad_line(s, "bytes expected");
	while (*p)
		p = takes_word(&p, "repeat") ? read_repeat(s, p, &l) : read_piece(s, p, &l);
	return l;
}

static void read_app(struct source *s, const char *p)
{
	s->d = NULL;
	for (size_t i = 0; i < n_dissectors && !s->d; i++)
		if (takes_word(&p, dissectors[i]->name))
			s->d = dissectors[i];
	if (!s->d)
		bad_line(s, "no such dissector");
	if (s->d->group && takes_word(&p, "group")) {
		s->ip_proto = DRIVE_GROUP;
		return;
	}
	s->ip_proto = takes_word(&p, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
	(void)takes_word(&p, "tcp"); /* the default, for those who want to say it */
	if (*p)
		bad_line(s, "tcp or udp expected");
	if (s->d->ip_protos[0] != s->ip_proto && s->d->ip_protos[1] != s->ip_proto)
		bad_line(s, "not a transport of this dissector");
}

static struct test_case *begin_case(const struct source *s, const char *name)
{
	if (!s->d)
		bad_line(s, "an app line must come before the first case");
	if (n_cases == CASES_MAX)
		bad_line(s, "too many cases");
	if (n_cases && !cases[n_cases - 1].outcome[0])
		bad_line(s, "the case before this one has no '=' line");
	struct test_case *c = &cases[n_cases++];
	*c = (struct test_case){.file = s->file,
				.name = strdup(name),
				.number = s->number,
				.d = s->d,
				.ip_proto = s->ip_proto};
	c->lines = calloc(LINES_MAX, sizeof *c->lines);
	c->expected = strdup("");
	if (!c->name || !c->lines || !c->expected)
		abort();
	return c;
}

static void read_outcome(const struct source *s, struct test_case *c, const char *p)
{
	static const char *const words[] = {"done",  "more",	"not-mine", "malformed",
					    "limit", "stopped", "said",	    "unreadable"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (takes_word(&p, words[i]))
			snprintf(c->outcome, sizeof c->outcome, "%s", words[i]);
	if (!c->outcome[0])
		bad_line(s, "unknown outcome");
	snprintf(c->why, sizeof c->why, "%s", p);
}

static void expect_once(struct test_case *c, const char *text)
{
	char *longer = NULL;
	if (asprintf(&longer, "%s%s\n", c->expected, text) < 0)
		abort();
	free(c->expected);
	c->expected = longer;
}

static void expect_line(struct test_case *c, const char *text)
{
	char *end;
	const unsigned long times = strtoul(text, &end, 10);
	const char *rest = skip_blanks(end);
	const bool is_counted = end != text && takes_word(&rest, "x");
	for (unsigned long i = 0; i < (is_counted ? times : 1); i++)
		expect_once(c, is_counted ? rest : text);
}

static void read_input(const struct source *s, struct test_case *c, const char *p)
{
	if (c->n_lines == LINES_MAX)
		bad_line(s, "too many lines of bytes");
	const enum dis_dir dir = *p == '>' ? DIS_TO_SERVER : DIS_TO_CLIENT;
	struct line *l = &c->lines[c->n_lines++];
	*l = read_bytes_line(s, skip_blanks(p + 1), dir);
	c->total += l->n;
}

static void read_line(struct source *s, char *text)
{
	static struct test_case *c;
	const char *p = skip_blanks(text);
	text[strcspn(text, "\r\n")] = '\0';
	for (size_t n = strlen(text); n && (text[n - 1] == ' ' || text[n - 1] == '\t'); n--)
		text[n - 1] = '\0';
	if (!*p || *p == '#')
		return;
	if (takes_word(&p, "app"))
		read_app(s, p);
	else if (takes_word(&p, "case"))
		c = begin_case(s, p);
	else if (!c || c->file != s->file || c->outcome[0])
		bad_line(s, "outside a case");
	else if (*p == '>' || *p == '<')
		read_input(s, c, p);
	else if (takes_word(&p, "say"))
		c->say = read_bytes_line(s, p, DIS_TO_SERVER);
	else if (takes_word(&p, "="))
		read_outcome(s, c, p);
	else
		expect_line(c, p);
}

/* `path` stays as long as the cases. */
static void read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	const char *slash = strrchr(path, '/');
	struct source s = {.file = slash ? slash + 1 : path, .ip_proto = IPPROTO_TCP};
	char *text = NULL;
	size_t room = 0;
	for (s.number = 1; getline(&text, &room, f) > 0; s.number++)
		read_line(&s, text);
	if (n_cases && !cases[n_cases - 1].outcome[0])
		bad_line(&s, "the last case has no '=' line");
	free(text);
	fclose(f);
}

/* ---------------------------------------------------------------- running */

/* The bytes of a case as slices: lines of one direction in a row are one, except over UDP. */
struct slices {
	struct line *v;
	size_t n;
};

static struct slices slices_of(const struct test_case *c)
{
	struct slices s = {.v = calloc(c->n_lines + 1, sizeof *s.v)};
	const struct source nowhere = {.file = c->file, .number = c->number};
	if (!s.v)
		abort();
	for (size_t i = 0; i < c->n_lines; i++) {
		const struct line *l = &c->lines[i];
		if (s.n == 0 || c->ip_proto == IPPROTO_UDP || s.v[s.n - 1].dir != l->dir)
			s.v[s.n++].dir = l->dir;
		add_bytes(&nowhere, &s.v[s.n - 1], l->p, l->n);
	}
	return s;
}

/* One run; with a cut, the slice in which byte `cut` of the whole case lies is shown in two parts.
 */
static void run_cut(struct drive *v, const struct slices *s, size_t cut)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct bytes b = bytes_of(s->v[i].p, s->v[i].n);
		const size_t here = cut < b.n ? cut : b.n;
		if (here)
			drive_bytes(v, s->v[i].dir, bytes_slice(b, 0, here));
		if (here < b.n)
			drive_bytes(v, s->v[i].dir, bytes_from(b, here));
		drive_flush(v, s->v[i].dir);
		cut -= here;
	}
}

static void run_bytewise(struct drive *v, const struct slices *s, size_t total)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct bytes b = bytes_of(s->v[i].p, s->v[i].n);
		for (size_t at = 0, step; at < b.n; at += step) {
			const bool inner =
				total > CUTS_ALL && at > STEP_EDGE && b.n - at > 997 + STEP_EDGE;
			step = inner ? 997 : 1;
			drive_bytes(v, s->v[i].dir, bytes_slice(b, at, step));
		}
		drive_flush(v, s->v[i].dir);
	}
}

static __attribute__((format(printf, 2, 3))) bool fails(const struct test_case *c,
							const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s:%d %s: ", c->file, c->number, c->name);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	return false;
}

static bool matches(const char *expected, const char *log)
{
	while (*expected) {
		const size_t n = strcspn(expected, "\n"), m = strcspn(log, "\n");
		const bool is_open = n >= 3 && memcmp(expected + n - 3, "...", 3) == 0;
		if (is_open ? m < n - 3 || memcmp(expected, log, n - 3) != 0
			    : m != n || memcmp(expected, log, n) != 0)
			return false;
		expected += n + 1;
		log += m;
		if (*log != '\n')
			return false;
		log++;
	}
	return *log == '\0';
}

static bool check_first(const struct test_case *c, const struct drive *v)
{
	const char *why = v->why ? v->why : "";
	if (strcmp(c->outcome, drive_outcome(v)) == 0 && matches(c->expected, v->log.text) &&
	    strstr(why, c->why))
		return true;
	return fails(c, "\nexpected:\n%s= %s %s\ngot:\n%s= %s %s", c->expected, c->outcome, c->why,
		     v->log.text, drive_outcome(v), why);
}

static bool check_same(const struct test_case *c, const struct drive *first, const struct drive *v,
		       const char *how, size_t at)
{
	if (first->end == v->end && strcmp(first->log.text, v->log.text) == 0)
		return true;
	return fails(c, "run %s %zu differs\nwhole:\n%s= %s\nthis run:\n%s= %s %s", how, at,
		     first->log.text, drive_outcome(first), v->log.text, drive_outcome(v),
		     v->why ? v->why : "");
}

static bool run_cuts(const struct test_case *c, const struct slices *s, const struct drive *first)
{
	const size_t step = c->total > CUTS_ALL ? c->total / CUTS_SOME : 1;
	bool is_good = true;
	for (size_t cut = 1; cut < c->total && is_good; cut += step) {
		struct drive v;
		drive_init(&v, c->d, c->ip_proto);
		run_cut(&v, s, cut);
		is_good = check_same(c, first, &v, "cut at", cut);
		drive_fini(&v);
	}
	struct drive v;
	drive_init(&v, c->d, c->ip_proto);
	run_bytewise(&v, s, c->total);
	is_good = is_good && check_same(c, first, &v, "byte by byte", 0);
	drive_fini(&v);
	return is_good;
}

/* The log without what only replies can tell. */
static char *requests_of(const char *log)
{
	char *out = strdup(log), *to = out;
	if (!out)
		abort();
	while (*log) {
		const size_t n = strcspn(log, "\n") + 1;
		if (strncmp(log, "reply", 5) != 0) {
			memmove(to, log, n);
			to += n;
		}
		log += n;
	}
	*to = '\0';
	return out;
}

/* Where the dissector said that it can do without the server's bytes, it must. */
static bool run_hidden(const struct test_case *c, const struct slices *s, const struct drive *first)
{
	if (!c->d->needs_replies || first->end != DRIVE_OPEN)
		return true;
	struct drive v;
	drive_init(&v, c->d, c->ip_proto);
	v.hides_replies = true;
	run_cut(&v, s, c->total);
	char *seen = requests_of(first->log.text), *blind = requests_of(v.log.text);
	bool is_good = strcmp(seen, blind) == 0 && v.end == DRIVE_OPEN;
	if (!is_good)
		(void)fails(c, "differs without replies\nwith:\n%swithout:\n%s= %s %s", seen, blind,
			    drive_outcome(&v), v.why ? v.why : ""); /* is_good says it */
	free(seen);
	free(blind);
	drive_fini(&v);
	return is_good;
}

static bool run_conversation(const struct test_case *c)
{
	struct slices s = slices_of(c);
	struct drive first;
	drive_init(&first, c->d, c->ip_proto);
	run_cut(&first, &s, c->total);
	bool is_good = check_first(c, &first);
	if (is_good && c->ip_proto == IPPROTO_TCP)
		is_good = run_cuts(c, &s, &first) && run_hidden(c, &s, &first);
	drive_fini(&first);
	for (size_t i = 0; i < s.n; i++)
		free(s.v[i].p);
	free(s.v);
	return is_good;
}

static bool run_sentence(const struct test_case *c)
{
	struct drive v;
	drive_init(&v, c->d, c->ip_proto);
	v.is_claimed = true; /* a sentence needs no claim */
	const struct dis_sink sink = {.event = drive_event, .edit = drive_edit, .ctx = &v};
	const bool is_said =
		c->d->say && c->d->say(drive_show(bytes_of(c->say.p, c->say.n)), &sink);
	const char *outcome = is_said ? "said" : "unreadable";
	bool is_good = strcmp(outcome, c->outcome) == 0 && matches(c->expected, v.log.text);
	if (!is_good)
		(void)fails(c, "\nexpected:\n%s= %s\ngot:\n%s= %s", c->expected, c->outcome,
			    v.log.text, outcome); /* is_good says it */
	drive_fini(&v);
	return is_good;
}

/* A process for some cases each: one for every case takes a sanitizer build minutes. running[i] is
 * the case that batch i is in, in memory shared with the parent, which names it when the batch died
 * there. */
enum { BATCH = 50, NOT_RUNNING = -1 };
static int *running;

START_TEST(cases_hold)
{
	int n_failed = 0;
	for (int i = _i * BATCH; i < n_cases && i < (_i + 1) * BATCH; i++) {
		running[_i] = i;
		n_failed +=
			!(cases[i].say.p ? run_sentence(&cases[i]) : run_conversation(&cases[i]));
	}
	running[_i] = NOT_RUNNING;
	ck_assert_msg(n_failed == 0, "%d cases failed, see above", n_failed);
}
END_TEST

START_TEST(every_dissector_has_cases)
{
	for (size_t i = 0; i < n_dissectors; i++) {
		int n = 0;
		for (int j = 0; j < n_cases; j++)
			n += cases[j].d == dissectors[i];
		ck_assert_msg(n >= 10, "%s has %d cases", dissectors[i]->name, n);
	}
}
END_TEST

static int start_batches(void)
{
	const int n = (n_cases + BATCH - 1) / BATCH;
	running = mmap(NULL, CASES_MAX * sizeof *running, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (running == MAP_FAILED)
		abort();
	for (int i = 0; i < n; i++)
		running[i] = NOT_RUNNING;
	return n;
}

static void name_dead(int n_batches)
{
	for (int i = 0; i < n_batches; i++)
		if (running[i] != NOT_RUNNING)
			(void)fails(&cases[running[i]], "ended the process"); /* counted by check */
}

/* The conversations as inputs for the fuzzer, folder/APP/CASE; its format is told in
 * fuzz_dissector.c. */
static void write_seed(const struct test_case *c, const char *folder)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, c->d->name);
	(void)mkdir(path, 0777); /* usually there; fopen() says if it cannot be used */
	snprintf(path, sizeof path, "%s/%s/%s", folder, c->d->name, c->name);
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	const bool is_second = c->ip_proto != c->d->ip_protos[0];
	fputc(c->say.p ? 0x7f : is_second ? 0x85 : 0x05, f);
	if (c->say.p)
		fwrite(c->say.p, 1, c->say.n, f);
	for (size_t i = 0; i < c->n_lines; i++) {
		const struct line *l = &c->lines[i];
		fputc((l->dir == DIS_TO_CLIENT ? 0x80 : 0) | (l->n < 127 ? (int)l->n : 127), f);
		if (l->n >= 127) {
			fputc((int)(l->n & 0xff), f);
			fputc((int)(l->n >> 8), f);
		}
		fwrite(l->p, 1, l->n, f);
	}
	if (fclose(f) != 0)
		perror(path);
}

static int write_seeds(const char *folder)
{
	for (int i = 0; i < n_cases; i++)
		if (cases[i].say.p || (cases[i].total > 0 && cases[i].total < 4096))
			write_seed(&cases[i], folder);
	return EXIT_SUCCESS;
}

/* [--seeds FOLDER] [FILE...]; with files: only these, and not the question whether anything is
 * missing. */
int main(int argc, char **argv)
{
	glob_t found = {0};
	const bool is_for_seeds = argc > 2 && strcmp(argv[1], "--seeds") == 0;
	const int first = is_for_seeds ? 3 : 1;
	if (argc > first)
		for (int i = first; i < argc; i++)
			read_file(argv[i]);
	else if (glob(BW_SOURCE_DIR "/tests/proto/cases/*.txt", 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(found.gl_pathv[i]);
	if (is_for_seeds)
		return write_seeds(argv[2]);

	Suite *suite = suite_create("proto cases");
	TCase *tcase = tcase_create("cases");
	tcase_set_timeout(tcase, 60);
	const int n_batches = start_batches();
	tcase_add_loop_test(tcase, cases_hold, 0, n_batches);
	if (argc == 1)
		tcase_add_test(tcase, every_dissector_has_cases);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	name_dead(n_batches);
	globfree(&found);
	printf("%d cases\n", n_cases);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

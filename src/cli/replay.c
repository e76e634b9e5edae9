/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real engine over captures: the same worker as live, fed from files. Time is the captures'
 * own. A packet that the engine would have dropped is in the file all the same, so what follows it
 * is judged as if it had been sent in spite of the verdict.
 */
#include "cli/replay.h"

#include "capture/replay.h"
#include "cli/words.h"
#include "engine/worker.h"
#include "identity/inventory.h"
#include "output/eve.h"
#include "policy/compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPLAY_FLOWS = 65536, REPLAY_HELD = 8192 };
#define REPLAY_HELD_BYTES (UINT64_C(256) << 20)

enum replay_option { REPLAY_POLICY, REPLAY_IDS, REPLAY_CHECKSUMS };

struct options {
	const char *policy, *ids;
	bool json, checksums;
};

struct run {
	struct worker *worker;
	struct shared_counters counters;
	void *shard;
	bool json;
	struct engine_time now;
	uint64_t shift_ns; /* from the file's time to ours: an older file follows the one before */
	uint64_t ticked_ns;
};

static void no_verdict(void *ctx, const struct capture_verdict *v)
{
	(void)ctx, (void)v; /* the file is what it is; counters and records tell the story */
}

static bool no_inject(void *ctx, struct bytes packet)
{
	(void)ctx, (void)packet; /* nobody to send it to */
	return true;
}

static void print_text(const json_t *record)
{
	const char *keys[] = {"timestamp", "event_type", "src_ip",  "src_port", "dest_ip",
			      "dest_port", "app_proto",	 "verdict", "rule",	"reason"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *v = json_object_get(record, keys[i]);
		if (json_is_integer(v))
			printf("%s%lld", i ? " " : "", (long long)json_integer_value(v));
		else
			printf("%s%s", i ? " " : "",
			       json_is_string(v) ? json_string_value(v) : "-");
	}
	putchar('\n');
}

static void print_record(void *ctx, const struct event_head *head)
{
	const struct run *run = ctx;
	json_t *record = eve_from_event(bytes_of(head, head->size));
	if (!record)
		return;
	if (run->json) {
		(void)json_dumpf(record, stdout,
				 JSON_COMPACT |
					 JSON_PRESERVE_ORDER); /* a full disk shows at exit */
		putchar('\n');
	} else {
		print_text(record);
	}
	json_decref(record);
}

static int start_run(struct run *run)
{
	static const uint64_t key[2] = {1, 2}; /* the same file gives the same output, always */
	run->shard = calloc(1, shard_size(REPLAY_FLOWS, REPLAY_HELD_BYTES));
	if (!run->shard)
		return -ENOMEM;
	shard_format(run->shard, REPLAY_FLOWS, REPLAY_HELD_BYTES, key);
	const struct worker_setup setup = {
		.shard = run->shard,
		.max_held = REPLAY_HELD,
		.hold_timeout_ns = UINT64_C(3000000000),
		.silent_timeout_ns = UINT64_C(30000000000),
		.counters = &run->counters,
		.out = {.verdict = no_verdict, .inject = no_inject},
		.record = print_record,
		.record_ctx = run,
	};
	return worker_new(&setup, &run->worker);
}

/* Captures may go back in time; deadlines and expiry cannot. */
static void advance(struct run *run, uint64_t packet_ns)
{
	run->now.real_ns = packet_ns;
	if (packet_ns + run->shift_ns > run->now.mono_ns)
		run->now.mono_ns = packet_ns + run->shift_ns;
}

static void begin_file(struct run *run, uint64_t first_ns, const struct policy_image *image)
{
	run->shift_ns = first_ns < run->now.mono_ns ? run->now.mono_ns - first_ns : 0;
	advance(run, first_ns);
	worker_use_image(run->worker, image, run->now);
}

/* Long silences need no tick each 50 ms: what is due is due. */
static void tick(struct run *run)
{
	if (run->now.mono_ns - run->ticked_ns < WORKER_TICK_MS * UINT64_C(1000000))
		return;
	if (run->ticked_ns)
		worker_tick(run->worker, run->now);
	run->ticked_ns = run->now.mono_ns;
}

static int replay_file(struct run *run, const char *path, const struct policy_image *image,
		       bool checksums)
{
	struct error err;
	struct replay *r;
	struct capture_packet packet;
	uint64_t now_ns;
	if (replay_open(path, &r, &err) < 0) {
		cli_say("%s", err.text);
		return CLI_NO;
	}
	int rc;
	bool started = false;
	while ((rc = replay_next(r, &packet, &now_ns)) == 1) {
		if (!started)
			begin_file(run, now_ns, image);
		started = true;
		advance(run, now_ns);
		packet.checksum_verified = !checksums;
		tick(run);
		worker_packet(run->worker, &packet, run->now);
	}
	if (rc < 0)
		cli_say("%s: the file is cut or damaged; what came before was judged", path);
	if (replay_skipped(r) > 0)
		cli_say("%s: %llu frames without an IP packet were skipped", path,
			(unsigned long long)replay_skipped(r));
	replay_close(r);
	return rc < 0 ? CLI_NO : CLI_OK;
}

static int compile(const struct options *options, struct policy_blob *blob)
{
	struct diagnostics diags = {0};
	struct identity_set ids = {0};
	struct policy *policy = NULL;
	struct error err;
	int rc = policy_load(options->policy, &policy, &diags);
	diagnostics_print(&diags, stderr);
	diagnostics_fini(&diags);
	if (rc == 0 && options->ids) {
		rc = inventory_load(options->ids, &ids, &err);
		if (rc < 0)
			cli_say("%s", err.text);
	}
	if (rc == 0) {
		const struct policy_inputs inputs = {.ids = &ids, .generation = 1, .epoch = 1};
		rc = policy_compile(policy, &inputs, blob, &err);
		if (rc < 0)
			cli_say("%s: %s", options->policy, err.text);
	}
	identity_set_fini(&ids);
	policy_free(policy);
	return rc;
}

static int replay_all(const struct options *options, int n_files, char **files)
{
	struct policy_blob blob = {0};
	static struct run run; /* counters want more alignment than a stack has under sanitizers */
	run = (struct run){.json = options->json};
	int code = CLI_OK;
	if (compile(options, &blob) < 0)
		return CLI_NO;
	if (start_run(&run) < 0) {
		cli_say("out of memory");
		code = CLI_NO;
	}
	for (int i = 0; i < n_files && code == CLI_OK; i++)
		code = replay_file(&run, files[i], policy_image_of(&blob), options->checksums);
	if (run.worker)
		worker_finish(run.worker, run.now);
	if (fflush(stdout) != 0) {
		cli_say("standard output: %s", strerror(errno));
		code = CLI_NO;
	}
	worker_free(run.worker);
	free(run.shard);
	policy_blob_free(&blob);
	return code;
}

static int read_words(struct words *words, struct options *options, char **files, int *n_files)
{
	struct error err = {""};
	int got;
	while ((got = words_next(words, &err)) != WORDS_END) {
		if (got == WORDS_WRONG)
			return cli_usage("%s", err.text);
		if (got == REPLAY_POLICY)
			options->policy = words->value;
		else if (got == REPLAY_IDS)
			options->ids = words->value;
		else if (got == REPLAY_CHECKSUMS)
			options->checksums = true;
		else
			files[(*n_files)++] = words->argv[words->at];
	}
	return CLI_OK;
}

int cli_replay(int argc, char **argv)
{
	static const struct words_option rows[] = {
		[REPLAY_POLICY] = {"--policy", true},
		[REPLAY_IDS] = {"--ids", true},
		[REPLAY_CHECKSUMS] = {"--checksums", false},
		{NULL, false},
	};
	struct cli cli = {.runtime_dir = CLI_RUNTIME_DIR};
	struct words words = {.cli = &cli, .argc = argc, .argv = argv, .options = rows};
	struct options options = {0};
	int n_files = 0;
	char **files = calloc((size_t)argc + 1, sizeof(*files));
	int rc = files ? read_words(&words, &options, files, &n_files) : CLI_NO;
	options.json = cli.json;
	if (rc == CLI_OK && !options.policy)
		rc = cli_usage("replay needs --policy FILE");
	else if (rc == CLI_OK && n_files == 0)
		rc = cli_usage("replay needs a capture file, or several");
	if (rc == CLI_OK)
		rc = replay_all(&options, n_files, files);
	free(files);
	return rc;
}

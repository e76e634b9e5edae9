/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/reload.h"

#include "identity/inventory.h"
#include "policy/sentence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_policy(const char *path, struct policy **out, FILE *text)
{
	struct diagnostics diags = {0};
	int rc = policy_load(path, out, &diags);
	diagnostics_print(&diags, text);
	if (rc && diags.n_errors == 0)
		fprintf(text, "%s: error: cannot load: %s\n", path, strerror(-rc));
	diagnostics_fini(&diags);
	return rc;
}

static int run_tests(const struct policy *policy, const char *path, FILE *text)
{
	size_t n_failed = 0;
	int rc = policy_run_tests(policy, text, &n_failed);
	if (rc)
		fprintf(text, "%s: error: cannot run the tests: %s\n", path, strerror(-rc));
	else if (n_failed)
		fprintf(text, "%s: error: %zu of %zu tests failed\n", path, n_failed,
			policy_n_tests(policy));
	return rc ? rc : n_failed ? -EINVAL : 0;
}

static int read_inventory(const struct policy *policy, struct identity_set *out, FILE *text)
{
	const char *path = policy_config(policy)->inventory;
	struct error err = {""};
	int rc = path ? inventory_load(path, out, &err) : 0;
	if (rc)
		fprintf(text, "%s\n", err.text);
	return rc;
}

int loaded_read(const char *path, struct loaded *out)
{
	size_t size = 0;
	*out = (struct loaded){0};
	FILE *text = open_memstream(&out->text, &size);
	if (!text)
		return -ENOMEM;
	int rc = read_policy(path, &out->policy, text);
	if (rc == 0)
		rc = run_tests(out->policy, path, text);
	if (rc == 0)
		rc = read_inventory(out->policy, &out->inventory, text);
	if (fclose(text) && rc == 0)
		rc = -ENOMEM;
	return rc;
}

void loaded_fini(struct loaded *loaded)
{
	policy_free(loaded->policy);
	identity_set_fini(&loaded->inventory);
	free(loaded->text);
	*loaded = (struct loaded){0};
}

static bool text_differs(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

static bool engine_differs(const struct policy_config *a, const struct policy_config *b)
{
	return a->engine.workers != b->engine.workers ||
	       a->engine.max_flows != b->engine.max_flows ||
	       a->engine.max_held_bytes != b->engine.max_held_bytes ||
	       a->engine.queue_base != b->engine.queue_base ||
	       a->engine.queue_length != b->engine.queue_length ||
	       a->engine.hold_timeout_ms != b->engine.hold_timeout_ms ||
	       a->engine.silent_timeout_ms != b->engine.silent_timeout_ms ||
	       text_differs(a->engine.user, b->engine.user);
}

static bool append(char **text, const char *line)
{
	char *longer = NULL;
	if (asprintf(&longer, "%swarning: %s counts after a restart of bridgewardend\n",
		     *text ? *text : "", line) < 0)
		return false;
	free(*text);
	*text = longer;
	return true;
}

void loaded_note_restart(struct loaded *loaded, const struct policy *running)
{
	const struct policy_config *new = policy_config(loaded->policy),
				   *old = policy_config(running);
	bool said = true;
	if (engine_differs(new, old))
		said = append(&loaded->text, "the change of engine settings");
	if (said && (new->docker.enabled != old->docker.enabled ||
		     text_differs(new->docker.socket, old->docker.socket)))
		said = append(&loaded->text, "the change of docker settings");
	if (said && text_differs(new->output.eve, old->output.eve))
		(void)append(&loaded->text, "the change of output.eve"); /* no memory: not said */
}

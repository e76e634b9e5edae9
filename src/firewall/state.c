/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_HEAD "bridgewarden-firewall 1\n"

struct state_bridge *state_find(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->n; i++)
		if (strcmp(state->bridges[i].name, name) == 0)
			return &state->bridges[i];
	return NULL;
}

int state_put(struct state *state, const char *name, const struct bridge_switches *before)
{
	struct state_bridge *at = state_find(state, name);
	if (!at) {
		void *more = reallocarray(state->bridges, state->n + 1, sizeof(*state->bridges));
		if (!more)
			return -ENOMEM;
		state->bridges = more;
		at = &state->bridges[state->n++];
		*at = (struct state_bridge){0};
		memcpy(at->name, name, strnlen(name, IFNAMSIZ - 1));
	}
	at->before = *before;
	return 0;
}

void state_remove(struct state *state, struct state_bridge *bridge)
{
	*bridge = state->bridges[--state->n];
}

void state_fini(struct state *state)
{
	free(state->bridges);
	*state = (struct state){0};
}

/* A number of at most `most`, to the end of the text. */
static bool read_number(const char *text, long most, long *out)
{
	char *end;
	if (!text || !*text)
		return false;
	*out = strtol(text, &end, 10);
	return *end == '\0' && *out >= 0 && *out <= most;
}

/* "bridge br0 7 0 1 0\n"; the last number is missing in files of older versions. */
static int read_line(char *line, struct state *out)
{
	char *rest;
	long ifindex, ipv4, ipv6, no_ll_learn = 0;
	const char *word = strtok_r(line, " \n", &rest);
	const char *name = strtok_r(NULL, " \n", &rest);
	if (!word || strcmp(word, "bridge") != 0 || !name || strlen(name) >= IFNAMSIZ ||
	    !read_number(strtok_r(NULL, " \n", &rest), INT_MAX, &ifindex) ||
	    !read_number(strtok_r(NULL, " \n", &rest), 1, &ipv4) ||
	    !read_number(strtok_r(NULL, " \n", &rest), 1, &ipv6))
		return -EBADMSG;
	const char *last = strtok_r(NULL, " \n", &rest);
	if (last && (!read_number(last, 1, &no_ll_learn) || strtok_r(NULL, " \n", &rest)))
		return -EBADMSG;
	struct bridge_switches before = {.ifindex = (int)ifindex,
					 .ipv4 = (uint8_t)ipv4,
					 .ipv6 = (uint8_t)ipv6,
					 .no_ll_learn = (uint8_t)no_ll_learn};
	return state_put(out, name, &before);
}

int state_load(const char *path, struct state *out, struct error *err)
{
	char line[128];
	*out = (struct state){0};
	FILE *from = fopen(path, "re");
	if (!from)
		return errno == ENOENT ? 0
				       : error_set(err, -errno, "%s: %s", path, strerror(errno));
	int r = fgets(line, sizeof(line), from) && strcmp(line, STATE_HEAD) == 0 ? 0 : -EBADMSG;
	while (r == 0 && fgets(line, sizeof(line), from))
		r = read_line(line, out);
	(void)fclose(from); /* was only read */
	if (r < 0) {
		state_fini(out);
		error_set(err, r,
			  "%s is damaged: remove it, and look at 'ip -d link show type bridge' for "
			  "nf_call_iptables",
			  path);
	}
	return r;
}

static void print(FILE *to, const struct state *state)
{
	(void)fputs(STATE_HEAD, to); /* checked at the end */
	for (size_t i = 0; i < state->n; i++) {
		const struct state_bridge *b = &state->bridges[i];
		(void)fprintf(to, "bridge %s %d %u %u %u\n", b->name, b->before.ifindex,
			      b->before.ipv4, b->before.ipv6, b->before.no_ll_learn);
	}
}

/* Written, flushed to the disk, renamed. */
static int write_beside(const char *path, const char *beside, const struct state *state)
{
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
	if (!to)
		return -errno;
	print(to, state);
	bool is_good = fflush(to) == 0 && !ferror(to) && fsync(fd) == 0;
	int r = is_good ? 0 : -errno;
	if (fclose(to) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	return r;
}

int state_save(const char *path, const struct state *state, struct error *err)
{
	char beside[PATH_MAX];
	if (state->n == 0)
		return unlink(path) == 0 || errno == ENOENT
			       ? 0
			       : error_set(err, -errno, "%s: %s", path, strerror(errno));
	int n = snprintf(beside, sizeof(beside), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(beside))
		return error_set(err, -ENAMETOOLONG, "%s: too long", path);
	int r = write_beside(path, beside, state);
	if (r < 0) {
		(void)unlink(beside); /* best effort */
		error_set(err, r, "%s: %s", path, strerror(-r));
	}
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_TIMEOUT_MS = 15000 }; /* iptables waits up to 5 s for its lock */

bool run_find(const char *name, char path[RUN_PATH_SIZE])
{
	static const char *const places[] = {"/usr/sbin", "/sbin", "/usr/bin", "/bin",
					     "/usr/local/sbin"};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, RUN_PATH_SIZE, "%s/%s", places[i], name);
		if (n > 0 && n < RUN_PATH_SIZE && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* The three ends of a program. */
struct ends {
	int in, out, complaints;
};

static int write_all(int fd, const char *text)
{
	size_t left = text ? strlen(text) : 0;
	while (left > 0) {
		ssize_t n = write(fd, text, left);
		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static void ends_fini(struct ends *e)
{
	const int fds[] = {e->in, e->out, e->complaints};
	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]); /* memory: nothing to lose */
}

static int ends_init(struct ends *e, const char *input)
{
	e->in = memfd_create("input", MFD_CLOEXEC);
	e->out = memfd_create("output", MFD_CLOEXEC);
	e->complaints = memfd_create("complaints", MFD_CLOEXEC);
	if (e->in < 0 || e->out < 0 || e->complaints < 0)
		return -errno;
	return write_all(e->in, input);
}

/* All that a memory file holds, as text. */
static int read_back(int fd, char **out)
{
	struct stat s;
	if (fstat(fd, &s) < 0)
		return -errno;
	if (s.st_size > RUN_OUTPUT_MAX)
		return -EMSGSIZE;
	char *text = malloc((size_t)s.st_size + 1);
	if (!text)
		return -ENOMEM;
	ssize_t n = pread(fd, text, (size_t)s.st_size, 0);
	if (n < 0) {
		free(text);
		return -errno;
	}
	text[n] = '\0';
	*out = text;
	return 0;
}

/* posix_spawn takes its lists writable and does not write. */
static char *const *list(const char *const strings[])
{
	return (char *const *)(uintptr_t)strings;
}

/* Negative errno. The signals are as in a program that a shell starts, whatever the daemon does
 * with its own. */
static int spawn_with(const char *const argv[], const posix_spawn_file_actions_t *actions,
		      pid_t *pid)
{
	static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
						  NULL};
	posix_spawnattr_t attributes;
	sigset_t none, all;
	(void)sigemptyset(&none); /* these two cannot fail */
	(void)sigfillset(&all);
	int r = posix_spawnattr_init(&attributes);
	if (r != 0)
		return -r;
	(void)posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF); /* valid flags */
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	r = posix_spawn(pid, argv[0], actions, &attributes, list(argv), list(environment));
	(void)posix_spawnattr_destroy(&attributes);
	return -r;
}

static int spawn(const char *const argv[], const struct ends *e, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int r = -posix_spawn_file_actions_init(&actions);
	if (r < 0)
		return r;
	if (posix_spawn_file_actions_adddup2(&actions, e->in, 0) ||
	    posix_spawn_file_actions_adddup2(&actions, e->out, 1) ||
	    posix_spawn_file_actions_adddup2(&actions, e->complaints, 2))
		r = -ENOMEM;
	if (r == 0)
		r = spawn_with(argv, &actions, pid);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Waits, or ends it. Its status as of waitpid, or negative errno. */
static int wait_for(pid_t pid)
{
	int status = 0, timed_out = 0;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	int n;
	do
		n = fd < 0 ? 1 : poll(&ended, 1, RUN_TIMEOUT_MS); /* a signal starts the time anew:
								     there are few */
	while (n < 0 && errno == EINTR);
	if (n == 0) {
		timed_out = 1;
		(void)kill(pid,
			   SIGKILL); /* ours, and not yet waited for: the id is still its own */
	}
	if (fd >= 0)
		(void)close(fd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return timed_out ? -ETIME : status;
}

static int complain(const char *program, const struct ends *e, int status, struct error *err)
{
	char *text = NULL;
	if (read_back(e->complaints, &text) < 0)
		text = NULL;
	int n = text ? (int)strcspn(text, "\n") : 0;
	int r = error_set(err, -EIO, "%s: %.*s (status %d)", program, n, text ? text : "",
			  WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	free(text);
	return r;
}

int run_program(const char *const argv[], const char *input, char **out, struct error *err)
{
	struct ends e;
	pid_t pid = -1;
	int r = ends_init(&e, input);
	if (r == 0)
		r = spawn(argv, &e, &pid);
	if (r < 0) {
		error_set(err, r, "%s: %s", argv[0], strerror(-r));
		goto out;
	}
	r = wait_for(pid);
	if (r < 0)
		error_set(err, r, "%s: not done within %d s", argv[0], RUN_TIMEOUT_MS / 1000);
	else if (r != 0)
		r = complain(argv[0], &e, r, err);
	else if (out && (r = read_back(e.out, out)) < 0)
		error_set(err, r, "%s: its output: %s", argv[0], strerror(-r));
out:
	ends_fini(&e);
	return r;
}

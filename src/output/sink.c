/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes [0, used) wait. mid_line: the file ends within the line that they begin with. */
struct sink {
	char *path; /* NULL: stdout */
	int fd;
	bool is_regular; /* a file never blocks for a reader; anything else is asked first */
	bool mid_line;
	size_t used;
	struct sink_counts counts;
	char buffer[SINK_BUFFER];
};

static int file_open(struct sink *sink, struct error *err)
{
	/* O_NONBLOCK: a FIFO without reader fails instead of waiting. */
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = sink->path ? open(sink->path, flags, 0640)
			    : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		int code = errno;
		return error_set(err, -code, "cannot open %s for records: %s",
				 sink->path ? sink->path : "stdout", strerror(code));
	}
	struct stat st;
	sink->is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (sink->fd >= 0)
		(void)close(sink->fd); /* nothing is buffered behind it */
	sink->fd = fd;
	return 0;
}

int sink_open(const char *path, struct sink **out, struct error *err)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	if (!sink)
		return error_set(err, -ENOMEM, "no memory for records");
	sink->fd = -1;
	bool is_stdout = strcmp(path, "-") == 0;
	if (!is_stdout && !(sink->path = strdup(path))) {
		free(sink);
		return error_set(err, -ENOMEM, "no memory for records");
	}
	int rc = file_open(sink, err);
	if (rc) {
		free(sink->path);
		free(sink);
		return rc;
	}
	*out = sink;
	return 0;
}

void sink_put(struct sink *sink, struct bytes line)
{
	if (line.n + 1 > sizeof(sink->buffer) - sink->used) {
		sink->counts.lost++;
		return;
	}
	memcpy(sink->buffer + sink->used, line.p, line.n);
	sink->used += line.n;
	sink->buffer[sink->used++] = '\n';
	sink->counts.lines++;
	if (sink->used >= SINK_WORTH)
		(void)sink_flush(sink); /* counted; the periodic flush reports */
}

/* How much may be written without waiting. */
static size_t writable(const struct sink *sink)
{
	if (sink->is_regular)
		return sink->used;
	struct pollfd pfd = {.fd = sink->fd, .events = POLLOUT};
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return 0;
	return sink->used < PIPE_BUF ? sink->used : PIPE_BUF; /* what poll promises for a pipe */
}

int sink_flush(struct sink *sink)
{
	size_t done = 0;
	int rc = 0;
	size_t total = sink->used;
	while (sink->used) {
		size_t n = writable(sink);
		ssize_t wrote = n ? write(sink->fd, sink->buffer + done, n) : 0;
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0 && errno != EAGAIN) {
			rc = -errno;
			sink->counts.errors++;
		}
		if (wrote <= 0)
			break;
		done += (size_t)wrote;
		sink->mid_line = sink->buffer[done - 1] != '\n';
		sink->used = total - done;
	}
	memmove(sink->buffer, sink->buffer + done, sink->used);
	return rc;
}

/* The rest of a line whose beginning is in another file is no line. */
static void drop_tail_of_line(struct sink *sink)
{
	const char *end = sink->mid_line ? memchr(sink->buffer, '\n', sink->used) : NULL;
	sink->mid_line = false;
	if (!end)
		return;
	size_t n = (size_t)(end - sink->buffer) + 1;
	sink->used -= n;
	memmove(sink->buffer, sink->buffer + n, sink->used);
	sink->counts.lost++;
}

int sink_reopen(struct sink *sink, struct error *err)
{
	if (!sink->path)
		return 0;
	(void)sink_flush(sink); /* what the old file does not take goes to the new one */
	int rc = file_open(sink, err);
	if (rc == 0)
		drop_tail_of_line(sink);
	return rc;
}

struct sink_counts sink_counts(const struct sink *sink)
{
	return sink->counts;
}

void sink_close(struct sink *sink)
{
	if (!sink)
		return;
	(void)sink_flush(sink); /* the last chance; nobody is left to tell */
	(void)close(sink->fd);
	free(sink->path);
	free(sink);
}

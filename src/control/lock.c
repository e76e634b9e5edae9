/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char lock_name[] = "bridgewardend.pid";

gid_t control_group(void)
{
	const struct group *group = getgrnam("bridgewarden");
	return group ? group->gr_gid : 0;
}

static int dir_is_safe(const char *dir, struct error *err)
{
	struct stat st;
	if (lstat(dir, &st))
		return error_set(err, -errno, "cannot look at %s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "%s is not a directory", dir);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(err, -EPERM,
				 "%s can be written to by others: chown root and chmod 0750 it",
				 dir);
	return 0;
}

int runtime_dir_make(const char *dir, gid_t group, struct error *err)
{
	if (mkdir(dir, 0750) && errno != EEXIST)
		return error_set(err, -errno,
				 "cannot make the directory %s: %s (see --runtime-dir)", dir,
				 strerror(errno));
	int rc = dir_is_safe(dir, err);
	if (rc)
		return rc;
	if (chown(dir, (uid_t)-1, group) || chmod(dir, 0750))
		return error_set(err, -errno, "cannot set the mode of %s: %s", dir,
				 strerror(errno));
	return 0;
}

static int lock_path(const char *dir, char out[PATH_MAX], struct error *err)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, lock_name);
	return n < 0 || n >= PATH_MAX ? error_set(err, -ENAMETOOLONG, "--runtime-dir is too long")
				      : 0;
}

static long read_pid(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	return n > 0 ? strtol(text, NULL, 10) : 0;
}

static int write_pid(int fd, const char *path, struct error *err)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
		return error_set(err, -EIO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* Locks what the path names now: between open and flock a daemon that ends may have removed the
 * file. */
static int open_locked(const char *path, int *out)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (fd < 0)
			return -errno;
		*out = fd;
		if (flock(fd, LOCK_EX | LOCK_NB))
			return -errno;
		struct stat opened, named;
		if (fstat(fd, &opened) == 0 && stat(path, &named) == 0 &&
		    opened.st_ino == named.st_ino)
			return 0;
		(void)close(fd); /* of a removed file */
		*out = -1;
	}
}

int lock_take(const char *dir, int *fd, struct error *err)
{
	char path[PATH_MAX];
	int locked = -1;
	int rc = lock_path(dir, path, err);
	if (rc)
		return rc;
	rc = open_locked(path, &locked);
	if (rc == -EWOULDBLOCK) {
		rc = error_set(err, -EBUSY,
			       "already running (pid %ld) with --runtime-dir %s; use 'bridgewarden "
			       "reload', or "
			       "give another --runtime-dir",
			       read_pid(locked), dir);
	} else if (rc) {
		(void)error_set(err, rc, "cannot lock %s: %s", path, strerror(-rc));
	} else {
		rc = write_pid(locked, path, err);
	}
	if (rc && locked >= 0)
		(void)close(locked); /* releases the lock too */
	else
		*fd = locked;
	return rc;
}

void lock_drop(const char *dir, int fd)
{
	char path[PATH_MAX];
	if (fd < 0)
		return;
	if (lock_path(dir, path, NULL) == 0)
		(void)unlink(path); /* while it is still ours; a file left behind does no harm */
	(void)close(fd);
}

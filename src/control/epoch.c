/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { MARK_STATE_BITS = 2 };

static const char epoch_name[] = "epoch";

uint32_t epoch_next(uint32_t epoch, uint32_t mark_mask)
{
	unsigned bits = (unsigned)__builtin_popcount(mark_mask);
	uint32_t last =
		bits > MARK_STATE_BITS ? (uint32_t)((1ull << (bits - MARK_STATE_BITS)) - 1) : 1;
	return epoch % last + 1; /* also folds one that was kept under a wider mask */
}

static int epoch_path(const char *runtime_dir, const char *suffix, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/%s%s", runtime_dir, epoch_name, suffix);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static uint32_t epoch_random(void)
{
	uint32_t epoch = 0;
	if (getrandom(&epoch, sizeof(epoch), GRND_NONBLOCK) != sizeof(epoch))
		epoch = (uint32_t)getpid();
	return epoch & 0xffff; /* a mask may hold fewer: epoch_next() folds */
}

uint32_t epoch_load(const char *runtime_dir)
{
	char path[PATH_MAX], text[16] = "";
	if (epoch_path(runtime_dir, "", path))
		return epoch_random();
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		(void)close(fd); /* was only read */
	unsigned long epoch = n > 0 ? strtoul(text, NULL, 10) : 0;
	return epoch > 0 && epoch <= UINT32_MAX ? (uint32_t)epoch : epoch_random();
}

int epoch_store(const char *runtime_dir, uint32_t epoch)
{
	char path[PATH_MAX], fresh[PATH_MAX], text[16];
	if (epoch_path(runtime_dir, "", path) || epoch_path(runtime_dir, ".new", fresh))
		return -ENAMETOOLONG;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	int n = snprintf(text, sizeof(text), "%u\n", epoch);
	int rc = write(fd, text, (size_t)n) == n ? 0 : -EIO;
	if (close(fd) && rc == 0)
		rc = -errno;
	return rc == 0 && rename(fresh, path) ? -errno : rc;
}

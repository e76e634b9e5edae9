/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into the daemon: a calendar clock that a test sets while the program runs. The file
 * that SURVIVAL_CLOCK names holds the offset in seconds; it is mapped before main(), so that a
 * process which may not open files any more follows it, too. The monotonic clock stays as it is.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t clock, struct timespec *t);
static _Atomic int64_t no_offset;
static _Atomic int64_t *offset = &no_offset;

__attribute__((constructor)) static void map_offset(void)
{
	*(void **)(&real_clock_gettime) = dlsym(RTLD_NEXT, "clock_gettime");
	const char *path = getenv("SURVIVAL_CLOCK");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page =
		fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd); /* the mapping stays */
	if (page == MAP_FAILED)
		abort(); /* a test that does not set the clock proves nothing */
	offset = page;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = real_clock_gettime(clock, t);
	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += atomic_load_explicit(offset, memory_order_relaxed);
	return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;
	(void)zone; /* nobody uses it */
	int rc = clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
	return rc;
}

time_t time(time_t *out)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail */
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

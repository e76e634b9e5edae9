/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into the daemon: memory that runs out in the engine, once at each place that asks for
 * it. The file that SURVIVAL_MALLOC names is shared by all engines, one after the other. Engines
 * list the places of their calls as they meet them; the first engine fails none, engine i+1 fails
 * place i, the first time that it comes by. The control process is left alone.
 *
 * A place is a return address, counted from the start of its object: the same in every process.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLACES_MAX = 500 };

/* Read by test_memory.sh: the first three, as 32-bit numbers. */
struct page {
	_Atomic int32_t n_engines, n_places, n_failed;
	_Atomic int32_t pad;
	_Atomic uint64_t place[PLACES_MAX];
};

/* The C library's own names of them. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static struct page *page; /* NULL: not an engine, or not yet */
static int32_t to_fail;	  /* index of the place, -1: none */
static _Atomic bool has_failed;

static bool is_engine(void)
{
	char line[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line));
	if (fd >= 0)
		(void)close(fd); /* was only read */
	return n > 0 && memmem(line, (size_t)n, "--engine", sizeof("--engine")) != NULL;
}

__attribute__((constructor)) static void map_page(void)
{
	const char *path = getenv("SURVIVAL_MALLOC");
	int fd = path && is_engine() ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *memory = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd); /* the mapping stays */
	if (memory == MAP_FAILED)
		return;
	struct page *p = memory;
	to_fail = atomic_fetch_add(&p->n_engines, 1) - 1;
	page = p;
}

static uint64_t name_of(void *caller)
{
	Dl_info info;
	uint64_t name = 5381;
	if (dladdr(caller, &info) == 0)
		return (uintptr_t)caller;
	const char *slash = strrchr(info.dli_fname, '/');
	for (const char *at = slash ? slash : info.dli_fname; *at; at++)
		name = name * 33 + (unsigned char)*at;
	return name << 32 ^ (uint64_t)((const char *)caller - (const char *)info.dli_fbase);
}

/* -1: the list is full. */
static int32_t index_of(uint64_t name)
{
	for (int32_t i = 0; i < PLACES_MAX; i++) {
		uint64_t seen = 0;
		if (atomic_load(&page->place[i]) == name ||
		    atomic_compare_exchange_strong(&page->place[i], &seen, name)) {
			if (seen == 0 && i >= atomic_load(&page->n_places))
				atomic_store(&page->n_places, i + 1);
			return i;
		}
	}
	return -1;
}

static bool runs_out(void *caller)
{
	if (!page)
		return false;
	int32_t place = index_of(name_of(caller));
	bool expected = false;
	if (place < 0 || place != to_fail ||
	    !atomic_compare_exchange_strong(&has_failed, &expected, true))
		return false;
	atomic_fetch_add(&page->n_failed, 1);
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
	return runs_out(CALLER) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return runs_out(CALLER) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
	return runs_out(CALLER) ? NULL : __libc_realloc(old, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	return runs_out(CALLER) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	void *memory = runs_out(CALLER) ? NULL : __libc_memalign(align, n);
	if (memory)
		*out = memory;
	return memory ? 0 : ENOMEM;
}

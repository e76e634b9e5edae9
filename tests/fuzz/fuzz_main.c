/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libFuzzer: runs every seed of a folder, then a fixed number of mutants of them.
 * No clock and no outside randomness, so a failure comes back. The mutant that ended the process
 * is left in the file named as last argument.
 *
 *	fuzz_NAME SEEDS_FOLDER MUTANTS [FILE]
 *	fuzz_NAME FILE             one input
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "fuzz_dissector.h"

enum { SEEDS_MAX = 1024, INPUT_MAX = 80 * 1024, CHANGES_MAX = 6 };

struct input {
	uint8_t *p;
	size_t n;
};

static struct input seeds[SEEDS_MAX];
static size_t n_seeds;
static uint8_t mutant[INPUT_MAX];
static size_t n_mutant;
static const char *crash_file;

static void read_seed(const char *path)
{
	FILE *f = fopen(path, "r");
	struct input *in = &seeds[n_seeds];
	if (!f || n_seeds == SEEDS_MAX) {
		fprintf(stderr, "%s: cannot be read, or too many\n", path);
		exit(EXIT_FAILURE);
	}
	in->p = malloc(INPUT_MAX);
	if (!in->p)
		abort();
	in->n = fread(in->p, 1, INPUT_MAX, f);
	fclose(f);
	n_seeds++;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void read_seeds(const char *folder)
{
	struct dirent **entries;
	const int n = scandir(folder, &entries, is_visible, alphasort);
	for (int i = 0; i < n; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		read_seed(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* xorshift; the seed is any number but 0. */
static uint32_t next_random(uint32_t limit)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return limit ? (uint32_t)(x >> 20) % limit : 0;
}

static void make_room(size_t at, size_t n)
{
	if (n_mutant + n > INPUT_MAX)
		return;
	memmove(mutant + at + n, mutant + at, n_mutant - at);
	n_mutant += n;
}

static void remove_range(size_t at, size_t n)
{
	n = n < n_mutant - at ? n : n_mutant - at;
	memmove(mutant + at, mutant + at + n, n_mutant - at - n);
	n_mutant -= n;
}

static void copy_from_seed(size_t at)
{
	const struct input *other = &seeds[next_random((uint32_t)n_seeds)];
	const size_t from = next_random((uint32_t)other->n), left = other->n - from;
	const size_t n = left < 64 ? left : 1 + next_random(64);
	make_room(at, n);
	memcpy(mutant + at, other->p + from, n < n_mutant - at ? n : n_mutant - at);
}

static void change_once(void)
{
	static const char bytes[] = "\r\n\0 :/*$0123456789abcdefABCDEF\xff\x80\x7f\x01,;%.";
	const size_t at = next_random((uint32_t)n_mutant);
	switch (next_random(6)) {
	case 0:
		mutant[at] ^= (uint8_t)(1u << next_random(8));
		break;
	case 1:
		mutant[at] = (uint8_t)bytes[next_random(sizeof bytes - 1)];
		break;
	case 2:
		make_room(at, 1);
		mutant[at] = (uint8_t)bytes[next_random(sizeof bytes - 1)];
		break;
	case 3:
		remove_range(at, 1 + next_random(8));
		break;
	case 4:
		copy_from_seed(at);
		break;
	default:
		mutant[at] = (uint8_t)next_random(256);
		break;
	}
}

static void run_mutant(void)
{
	const struct input *seed = &seeds[next_random((uint32_t)n_seeds)];
	n_mutant = seed->n;
	memcpy(mutant, seed->p, seed->n);
	const uint32_t n_changes = 1 + next_random(CHANGES_MAX);
	for (uint32_t i = 0; i < n_changes && n_mutant > 0; i++)
		change_once();
	(void)LLVMFuzzerTestOneInput(mutant, n_mutant); /* says 0 or ends the process */
}

/* Only async-signal-safe calls. */
static void keep_mutant(int signal_number)
{
	const int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0) {
		(void)!write(fd, mutant, n_mutant); /* nothing left to do about it */
		close(fd);
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

int main(int argc, char **argv)
{
	struct stat st;
	if (argc < 2 || stat(argv[1], &st) != 0) {
		fprintf(stderr, "usage: %s SEEDS_FOLDER MUTANTS [FILE] | FILE\n", argv[0]);
		return EXIT_FAILURE;
	}
	if (S_ISDIR(st.st_mode))
		read_seeds(argv[1]);
	else
		read_seed(argv[1]);
	if (n_seeds == 0) {
		fprintf(stderr, "%s: no seeds\n", argv[1]);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < n_seeds; i++)
		(void)LLVMFuzzerTestOneInput(seeds[i].p, seeds[i].n); /* as above */
	crash_file = argc > 3 ? argv[3] : "crash";
	signal(SIGABRT, keep_mutant);
	signal(SIGSEGV, keep_mutant);
	const long n = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	for (long i = 0; i < n; i++)
		run_mutant();
	printf("%zu seeds, %ld mutants\n", n_seeds, n);
	for (size_t i = 0; i < n_seeds; i++)
		free(seeds[i].p);
	return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reproducible dice: a number names a program, and everything that is random in it. */
#ifndef DIFFERENTIAL_DICE_H
#define DIFFERENTIAL_DICE_H

#include <stdbool.h>
#include <stdint.h>

/* SplitMix64: https://prng.di.unimi.it/splitmix64.c */
static inline uint64_t dice_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0..n-1; n > 0 */
static inline uint32_t dice_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((dice_next(state) >> 32) * n) >> 32);
}

/* Once in n times. */
static inline bool dice_one_in(uint64_t *state, uint32_t n)
{
	return dice_below(state, n) == 0;
}

#endif

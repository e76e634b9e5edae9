/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one function a fuzzer needs; its name is libFuzzer's.
 */
#ifndef FUZZ_DISSECTOR_H
#define FUZZ_DISSECTOR_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

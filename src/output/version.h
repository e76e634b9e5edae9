/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The version that both programs name; a test compares it with the build's. */
#ifndef OUTPUT_VERSION_H
#define OUTPUT_VERSION_H

#define VERSION "0.1.0"

#endif

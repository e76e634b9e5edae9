/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_HELP_H
#define CLI_HELP_H

/* What `bridgewarden --help` prints. */
extern const char cli_help[];

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_HELP_H
#define CLI_HELP_H

/* What `bridgewarden --help` prints. */
extern const char cli_help[];

/* What `bridgewarden help COMMAND` and `bridgewarden COMMAND --help` print; NULL: no such command.
 */
const char *cli_help_of(const char *command);

#endif

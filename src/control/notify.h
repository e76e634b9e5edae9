/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling a service manager how far we are (sd_notify(3)'s datagram). Without one nothing happens.
 */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

void notify_service_manager(const char *state); /* "READY=1", "STOPPING=1" */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall follows the engine: rules, and the epoch in them, change only once every worker has
 * the image they belong to. */
#ifndef CONTROL_ENFORCE_H
#define CONTROL_ENFORCE_H

#include "control/control.h"

/* A new image was published: apply the firewall when the engine has it. */
void enforce_await(struct control *c);
/* ON_TAKE_UP */
void enforce_on_take_up(struct control *c);
/* Something that ports depend on may have changed: enforce_on_ports() shortly. */
void enforce_ports_later(struct control *c);
/* ON_PORTS: binds addresses to bridge ports as they are now. */
void enforce_on_ports(struct control *c);
/* ON_TICK: puts back what somebody changed, tries again what failed. */
void enforce_on_tick(struct control *c);
/* A client wants to know when the image now published is in force. */
void enforce_answer_later(struct control *c, struct api_client *client);

#endif

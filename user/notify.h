/* SPDX-License-Identifier: GPL-2.0-only */
/* What a service manager is told: ready, alive, stopping (sd_notify(3), the datagram alone). */
#ifndef ACKMON_NOTIFY_H
#define ACKMON_NOTIFY_H

struct loop;
struct notify;

/*
 * Connects to $NOTIFY_SOCKET, which takes rights that are given up later, and has the loop answer the
 * watchdog. Nobody asked: *ret_notify is NULL, and so are all calls below. 0 or -errno.
 */
int notify_open(struct notify **ret_notify, struct loop *loop);
void notify_ready(struct notify *notify);
void notify_stopping(struct notify *notify);
void notify_close(struct notify *notify); /* accepts NULL; after the loop has ended */

#endif

/* SPDX-License-Identifier: MIT */
/* Other processes for a test, and a configuration that they share. */
#ifndef VSOC_TEST_PEERS_H
#define VSOC_TEST_PEERS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "nvsciipc.h"

#define EST NV_SCI_IPC_EVENT_CONN_EST
#define RESET NV_SCI_IPC_EVENT_CONN_RESET
#define READ NV_SCI_IPC_EVENT_READ

/* A promise: how long a death stays unknown. */
#define DEATH_MS 1000
/* For what is not promised by when: a machine that does many things. */
#define PATIENCE_MS 20000

struct peer {
    pid_t pid;
    int in;             /* its standard input */
    FILE *out;
    char *errors;       /* the file that its standard error goes to */
};

/*
 * Queues of our own, whose limits are ours to set; false: it takes root. The
 * processes that are started from now on share them.
 */
bool own_queues(void);
void set_queues_max(unsigned max);

/* A file with this text in a folder of the test's own. */
char *cfg_new(const char *text);
void cfg_write(const char *path, const char *text);
void cfg_free(char *path);

/* Started, and NvSciIpcInit called. */
struct peer *peer_new(const char *cfg);
/* The same without Init. */
struct peer *peer_bare(const char *cfg);
int64_t peer_ask(struct peer *peer, const char *format, ...)
    G_GNUC_PRINTF(2, 3);
/* kill -9, and it is gone. */
void peer_kill(struct peer *peer);
/* Ends it in peace (if it was not killed) and checks that it was content. */
void peer_free(struct peer *peer);
/* What it has said on standard error. */
char *peer_errors(struct peer *peer);

/* Resets both and waits until they are connected. */
void peers_connect(struct peer *a, unsigned i, struct peer *b, unsigned j);

/* Fails if there is a queue, a shared memory or a socket of ours left. */
void assert_nothing_left(void);

#endif

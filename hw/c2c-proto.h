/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of a chip-to-chip link: bytes in -> message out, message in ->
 * bytes out. docs/specs/c2c-link.md is the specification.
 *
 * Pure: no allocation, no waiting, no socket, no ring. What comes in is from a
 * peer that may send anything.
 */
#ifndef VSOC_C2C_PROTO_H
#define VSOC_C2C_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "../pct/pct.h"

#define C2C_VERSION 1u
#define C2C_HEADER_SIZE 24u
#define C2C_HELLO_SIZE (16u + 16u * PCT_MAX_NUM_C2C)
#define C2C_MAX_TEXT 200u

/* The largest message but FRAME. */
#define C2C_MAX_CONTROL (C2C_HEADER_SIZE + C2C_HELLO_SIZE)

enum c2c_type {
    C2C_HELLO = 1,
    C2C_PING,
    C2C_GOODBYE,
    C2C_OPEN,
    C2C_RESET,
    C2C_CLOSE,
    C2C_CREDIT,
    C2C_FRAME,
};

/* One that has come and is sound as far as no session is concerned. */
struct c2c_message {
    enum c2c_type type;
    unsigned channel;           /* index in our table: OPEN and later types */
    uint32_t count;             /* CREDIT, not 0 */
    uint64_t session;           /* OPEN and later types, not 0 */
    const uint8_t *payload;     /* FRAME: the frame, until the next feed */
};

struct c2c {
    /* Our channels on this link, by rising device; the caller's. */
    const struct pct_c2c *channels;
    uint32_t nr_channels;

    enum {
        C2C_WANT_HELLO,
        C2C_RUNNING,
        C2C_ENDED,              /* nothing more is accepted: see error */
    } state;
    uint32_t next_in;           /* sequence numbers */
    uint32_t next_out;

    uint8_t *buffer;            /* the caller's: the message that comes in */
    size_t filled;

    /* ENDED: who did what, and HV_C2C_ERROR_*; 0 with an orderly GOODBYE. */
    char error[C2C_MAX_TEXT + 56];
    unsigned errors;
    bool by_peer;               /* it said GOODBYE: no use in answering */
};

/* Bytes that the buffer for such channels must have. */
size_t c2c_buffer_size(const struct pct_c2c *channels, uint32_t nr_channels);

/* A new connection. The table must have passed pct_check(). */
void c2c_init(struct c2c *c2c, const struct pct_c2c *channels,
              uint32_t nr_channels, uint8_t *buffer);

/*
 * Takes bytes up to the end of one message at most and returns how many. If a
 * message has become complete *message has its type, else 0. HELLO, PING and
 * GOODBYE need no action but for the state, which may be ENDED after any call;
 * then all bytes are taken and mean nothing.
 */
size_t c2c_feed(struct c2c *c2c, const uint8_t *bytes, size_t size,
                struct c2c_message *message);

/* Ends it for a reason that only the caller can know of. */
void c2c_end(struct c2c *c2c, unsigned errors, const char *error);

/*
 * Writes a message in the order of sending and returns its size. The text is
 * cut to C2C_MAX_TEXT. A frame's bytes are for the caller to put behind.
 */
size_t c2c_put_hello(struct c2c *c2c, uint8_t *out);
size_t c2c_put_ping(struct c2c *c2c, uint8_t *out);
size_t c2c_put_goodbye(struct c2c *c2c, const char *text, uint8_t *out);
size_t c2c_put(struct c2c *c2c, enum c2c_type type, unsigned channel,
               uint64_t session, uint32_t count, uint8_t *out);

#endif

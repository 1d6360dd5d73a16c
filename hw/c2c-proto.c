/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of a chip-to-chip link. */
#include "c2c-proto.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "include/hv_ivc_regs.h"

static const char magic[8] = { 'v', 's', 'o', 'c', '-', 'c', '2', 'c' };

/* Of HELLO: what comes before the channels, and each of them. */
#define HELLO_HEAD 16u
#define HELLO_ENTRY 16u

/* Little-endian, whatever the host is. */
static void put(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

struct header {
    uint32_t length;
    uint16_t type;
    uint16_t device;
    uint32_t sequence;
    uint32_t count;
    uint64_t session;
};

static struct header read_header(const uint8_t *at)
{
    return (struct header) {
        .length = (uint32_t)get(at, 4),
        .type = (uint16_t)get(at + 4, 2),
        .device = (uint16_t)get(at + 6, 2),
        .sequence = (uint32_t)get(at + 8, 4),
        .count = (uint32_t)get(at + 12, 4),
        .session = get(at + 16, 8),
    };
}

size_t c2c_buffer_size(const struct pct_c2c *channels, uint32_t nr_channels)
{
    size_t size = C2C_MAX_CONTROL;

    for (uint32_t i = 0; i < nr_channels; i++) {
        size_t frame = C2C_HEADER_SIZE + (size_t)channels[i].frame_size;

        size = frame > size ? frame : size;
    }
    return size;
}

void c2c_init(struct c2c *c2c, const struct pct_c2c *channels,
              uint32_t nr_channels, uint8_t *buffer)
{
    assert(nr_channels <= PCT_MAX_NUM_C2C);
    *c2c = (struct c2c) {
        .channels = channels,
        .nr_channels = nr_channels,
        .buffer = buffer,
    };
}

void c2c_end(struct c2c *c2c, unsigned errors, const char *error)
{
    if (c2c->state == C2C_ENDED) {
        return;
    }
    c2c->state = C2C_ENDED;
    c2c->errors = errors;
    snprintf(c2c->error, sizeof(c2c->error), "%s", error);
}

/* The peer broke a rule. Always false, for the caller to return. */
__attribute__((format(printf, 2, 3)))
static bool violation(struct c2c *c2c, const char *format, ...)
{
    char text[C2C_MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    c2c_end(c2c, HV_C2C_ERROR_VALIDATION, text);
    return false;
}

/* The index of our channel with this device number; -1 if there is none. */
static int find_channel(const struct c2c *c2c, uint32_t device)
{
    for (uint32_t i = 0; i < c2c->nr_channels; i++) {
        if (c2c->channels[i].device == device) {
            return (int)i;
        }
    }
    return -1;
}

/* The lengths that a type may have. False: there is no such type. */
static bool length_limits(const struct c2c *c2c, const struct header *header,
                          int channel, uint32_t *least, uint32_t *most)
{
    *least = 0;
    *most = 0;
    switch (header->type) {
    case C2C_HELLO:
        *least = HELLO_HEAD;
        *most = C2C_HELLO_SIZE;
        return true;
    case C2C_GOODBYE:
        *most = C2C_MAX_TEXT;
        return true;
    case C2C_FRAME:
        *least = channel < 0 ? 0 : c2c->channels[channel].frame_size;
        *most = *least;
        return true;
    case C2C_PING:
    case C2C_OPEN:
    case C2C_RESET:
    case C2C_CLOSE:
    case C2C_CREDIT:
        return true;
    default:
        return false;
    }
}

/*
 * Judges a header as soon as it is there, so that a length is known to be
 * sound before a byte behind it is kept.
 */
static bool check_header(struct c2c *c2c, const struct header *header)
{
    bool of_channel = header->type >= C2C_OPEN;
    int channel = of_channel ? find_channel(c2c, header->device) : -1;
    uint32_t least, most;

    if (c2c->state == C2C_WANT_HELLO && header->type != C2C_HELLO &&
        header->type != C2C_GOODBYE) {
        return violation(c2c, "its first message is of type %u, not HELLO",
                         header->type);
    }
    if (c2c->state == C2C_RUNNING && header->type == C2C_HELLO) {
        return violation(c2c, "it said HELLO twice");
    }
    if (!length_limits(c2c, header, channel, &least, &most)) {
        return violation(c2c, "it sent a message of the unknown type %u",
                         header->type);
    }
    if (of_channel && channel < 0) {
        return violation(c2c, "it sent a message for device %u, which is no "
                         "channel of this link", header->device);
    }
    if (header->length < least || header->length > most) {
        return violation(c2c, "it sent a message of type %u with %" PRIu32
                         " bytes, not %" PRIu32 " to %" PRIu32, header->type,
                         header->length, least, most);
    }
    if ((header->count != 0) != (header->type == C2C_CREDIT) ||
        (header->session != 0) != of_channel ||
        (header->device != 0 && !of_channel)) {
        return violation(c2c, "it sent a message of type %u with a field that "
                         "does not fit", header->type);
    }
    if (header->sequence != c2c->next_in) {
        char text[C2C_MAX_TEXT];

        snprintf(text, sizeof(text), "it sent message %" PRIu32 " in place of "
                 "%" PRIu32 ": messages were lost or repeated",
                 header->sequence, c2c->next_in);
        c2c_end(c2c, HV_C2C_ERROR_TRANSFER, text);
        return false;
    }
    return true;
}

static bool check_entry(struct c2c *c2c, const struct pct_c2c *theirs)
{
    int index = find_channel(c2c, theirs->remote);
    const struct pct_c2c *ours;

    if (index < 0) {
        return violation(c2c, "its device %" PRIu32 " goes to our device %"
                         PRIu32 ", which this link does not carry here",
                         theirs->device, theirs->remote);
    }
    ours = &c2c->channels[index];
    if (ours->remote != theirs->device) {
        return violation(c2c, "its device %" PRIu32 " goes to our device %"
                         PRIu32 ", but that one goes to its device %" PRIu32,
                         theirs->device, ours->device, ours->remote);
    }
    if (ours->nframes != theirs->nframes ||
        ours->frame_size != theirs->frame_size) {
        return violation(c2c, "our device %" PRIu32 " has %" PRIu32
                         " frames of %" PRIu32 " bytes, its device %" PRIu32
                         " has %" PRIu32 " of %" PRIu32, ours->device,
                         ours->nframes, ours->frame_size, theirs->device,
                         theirs->nframes, theirs->frame_size);
    }
    return true;
}

static bool take_hello(struct c2c *c2c, const uint8_t *at, uint32_t length)
{
    uint32_t version = (uint32_t)get(at + 8, 2);
    uint32_t count = (uint32_t)get(at + 10, 2);
    bool met[PCT_MAX_NUM_C2C] = { false };

    if (memcmp(at, magic, sizeof(magic)) != 0) {
        return violation(c2c, "it is no hv-c2c");
    }
    if (version != C2C_VERSION) {
        return violation(c2c, "it speaks version %" PRIu32 " of the link, we "
                         "speak %u", version, C2C_VERSION);
    }
    if (get(at + 12, 4) != 0 || length != HELLO_HEAD + count * HELLO_ENTRY) {
        return violation(c2c, "its HELLO is malformed");
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = at + HELLO_HEAD + i * HELLO_ENTRY;
        const struct pct_c2c theirs = {
            .device = (uint32_t)get(entry, 4),
            .remote = (uint32_t)get(entry + 4, 4),
            .nframes = (uint32_t)get(entry + 8, 4),
            .frame_size = (uint32_t)get(entry + 12, 4),
        };

        if (!check_entry(c2c, &theirs)) {
            return false;
        }
        met[find_channel(c2c, theirs.remote)] = true;
    }
    for (uint32_t i = 0; i < c2c->nr_channels; i++) {
        if (!met[i]) {
            return violation(c2c, "our device %" PRIu32 " goes to its device "
                             "%" PRIu32 ", which this link does not carry "
                             "there", c2c->channels[i].device,
                             c2c->channels[i].remote);
        }
    }
    c2c->state = C2C_RUNNING;
    return true;
}

/* The text goes into logs: only what prints. */
static void take_goodbye(struct c2c *c2c, const uint8_t *at, uint32_t length)
{
    char text[C2C_MAX_TEXT + 1];
    char error[sizeof(c2c->error)];

    for (uint32_t i = 0; i < length; i++) {
        text[i] = at[i] >= ' ' && at[i] <= '~' ? (char)at[i] : '?';
    }
    text[length] = '\0';
    if (length == 0) {
        snprintf(error, sizeof(error), "the far chip has ended");
    } else {
        snprintf(error, sizeof(error), "the far chip ended it, saying of us: "
                 "\"%s\"", text);
    }
    c2c->by_peer = true;
    c2c_end(c2c, length == 0 ? 0 : HV_C2C_ERROR_VALIDATION, error);
}

static void take(struct c2c *c2c, const struct header *header,
                 struct c2c_message *message)
{
    const uint8_t *payload = c2c->buffer + C2C_HEADER_SIZE;

    c2c->next_in++;
    if (header->type == C2C_HELLO) {
        if (!take_hello(c2c, payload, header->length)) {
            return;
        }
    } else if (header->type == C2C_GOODBYE) {
        take_goodbye(c2c, payload, header->length);
        return;
    }
    *message = (struct c2c_message) {
        .type = header->type,
        .count = header->count,
        .session = header->session,
    };
    if (header->type >= C2C_OPEN) {
        /* check_header() found it. */
        message->channel = (unsigned)find_channel(c2c, header->device);
        message->payload = payload;
    }
}

/* Moves what is missing up to `want` bytes into the buffer. */
static size_t fill(struct c2c *c2c, size_t want, const uint8_t *bytes,
                   size_t size)
{
    size_t missing = want - c2c->filled;

    if (missing > size) {
        missing = size;
    }
    memcpy(c2c->buffer + c2c->filled, bytes, missing);
    c2c->filled += missing;
    return missing;
}

size_t c2c_feed(struct c2c *c2c, const uint8_t *bytes, size_t size,
                struct c2c_message *message)
{
    size_t used = 0;
    struct header header;

    memset(message, 0, sizeof(*message));
    if (c2c->state == C2C_ENDED) {
        return size;
    }
    if (c2c->filled < C2C_HEADER_SIZE) {
        used = fill(c2c, C2C_HEADER_SIZE, bytes, size);
        if (c2c->filled < C2C_HEADER_SIZE) {
            return used;
        }
        header = read_header(c2c->buffer);
        if (!check_header(c2c, &header)) {
            return size;
        }
    } else {
        header = read_header(c2c->buffer);
    }
    used += fill(c2c, C2C_HEADER_SIZE + (size_t)header.length, bytes + used,
                 size - used);
    if (c2c->filled == C2C_HEADER_SIZE + (size_t)header.length) {
        c2c->filled = 0;
        take(c2c, &header, message);
    }
    return used;
}

static void put_header(struct c2c *c2c, uint8_t *out, struct header header)
{
    put(out, header.length, 4);
    put(out + 4, header.type, 2);
    put(out + 6, header.device, 2);
    put(out + 8, c2c->next_out++, 4);
    put(out + 12, header.count, 4);
    put(out + 16, header.session, 8);
}

size_t c2c_put_hello(struct c2c *c2c, uint8_t *out)
{
    uint32_t length = HELLO_HEAD + c2c->nr_channels * HELLO_ENTRY;
    uint8_t *at = out + C2C_HEADER_SIZE;

    put_header(c2c, out, (struct header) {
        .length = length, .type = C2C_HELLO,
    });
    memcpy(at, magic, sizeof(magic));
    put(at + 8, C2C_VERSION, 2);
    put(at + 10, c2c->nr_channels, 2);
    put(at + 12, 0, 4);
    for (uint32_t i = 0; i < c2c->nr_channels; i++) {
        const struct pct_c2c *channel = &c2c->channels[i];
        uint8_t *entry = at + HELLO_HEAD + i * HELLO_ENTRY;

        put(entry, channel->device, 4);
        put(entry + 4, channel->remote, 4);
        put(entry + 8, channel->nframes, 4);
        put(entry + 12, channel->frame_size, 4);
    }
    return C2C_HEADER_SIZE + length;
}

size_t c2c_put_ping(struct c2c *c2c, uint8_t *out)
{
    put_header(c2c, out, (struct header) { .type = C2C_PING });
    return C2C_HEADER_SIZE;
}

size_t c2c_put_goodbye(struct c2c *c2c, const char *text, uint8_t *out)
{
    size_t length = strlen(text);

    if (length > C2C_MAX_TEXT) {
        length = C2C_MAX_TEXT;
    }
    put_header(c2c, out, (struct header) {
        .length = (uint32_t)length, .type = C2C_GOODBYE,
    });
    memcpy(out + C2C_HEADER_SIZE, text, length);
    return C2C_HEADER_SIZE + length;
}

size_t c2c_put(struct c2c *c2c, enum c2c_type type, unsigned channel,
               uint64_t session, uint32_t count, uint8_t *out)
{
    const struct pct_c2c *to = &c2c->channels[channel];

    assert(channel < c2c->nr_channels && type >= C2C_OPEN);
    put_header(c2c, out, (struct header) {
        .length = type == C2C_FRAME ? to->frame_size : 0,
        .type = type,
        .device = (uint16_t)to->remote,
        .count = count,
        .session = session,
    });
    return C2C_HEADER_SIZE;
}

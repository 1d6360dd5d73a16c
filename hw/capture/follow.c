/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows one channel; docs/specs/capture.md says how and why. */
#include "follow.h"

#include "ivc/ivc_shared.h"

/* What a look begins with. */
struct words {
    uint32_t state[2];
    uint32_t status[2];
};

static struct words load_words(const struct follow *follow)
{
    struct words words;

    for (unsigned end = 0; end < 2; end++) {
        /* An end's state lies with what it sends. */
        words.state[end] = ivc_load(&follow->ways[end].header->tx_state);
        words.status[end] = ivc_load(follow->status[end]);
    }
    return words;
}

static struct capture_record new_record(const struct follow *follow,
                                        enum capture_kind kind,
                                        unsigned direction,
                                        const struct words *words)
{
    struct capture_record record = {
        .kind = (uint8_t)kind,
        .direction = (uint8_t)direction,
        .queue = follow->queue,
        .partition = { follow->partition[0], follow->partition[1] },
        .frame_size = follow->frame_size,
    };

    for (unsigned end = 0; end < 2; end++) {
        record.state[end] = words->state[end];
        record.status[end] = words->status[end];
    }
    return record;
}

/* The frame's bytes, which the transmitter may write at the same time. */
static void copy_frame(uint64_t *to, const void *from, size_t size)
{
    const uint64_t *words = from;

    for (size_t i = 0; i < size / sizeof(*words); i++) {
        to[i] = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    }
}

/*
 * Whether the place of the frame cannot have been written since it was sent.
 * Its transmitter fills it again for the frame a round later, which it does
 * after it has published all the frames between and seen this one consumed.
 */
static bool is_whole(const struct follow *follow, uint32_t sequence,
                     uint32_t tx_count, uint32_t rx_count)
{
    uint32_t sent_since = tx_count - sequence;

    return sent_since < follow->nframes ||
           (sent_since == follow->nframes &&
            (int32_t)(rx_count - sequence) <= 0);
}

static void advance(const struct follow *follow, struct follow_way *way,
                    uint32_t count)
{
    way->next += count;
    way->position = (uint32_t)(((uint64_t)way->position + count) %
                               follow->nframes);
}

/* Frames in a row that were overwritten before, or while, they were copied. */
struct run {
    uint32_t first;
    uint32_t count;
    uint32_t tx_count;
    uint32_t rx_count;
};

static void lose(const struct follow *follow, struct follow_way *way,
                 struct run *run, uint32_t count, uint32_t tx_count,
                 uint32_t rx_count)
{
    if (run->count == 0) {
        run->first = way->next;
    }
    run->count += count;
    run->tx_count = tx_count;
    run->rx_count = rx_count;
    way->lost += count;
    advance(follow, way, count);
}

static void tell_loss(struct follow *follow, unsigned direction,
                      const struct words *words, struct run *run,
                      follow_emit *emit, void *opaque)
{
    struct capture_record record;

    if (run->count == 0) {
        return;
    }
    record = new_record(follow, CAPTURE_LOSS, direction, words);
    record.sequence = run->first;
    record.lost = run->count;
    record.tx_count = run->tx_count;
    record.rx_count = run->rx_count;
    emit(opaque, &record, NULL);
    run->count = 0;
}

/* All frames up to tx_count. At most one round is copied, so this ends. */
static void take_frames(struct follow *follow, unsigned direction,
                        uint32_t tx_count, const struct words *words,
                        uint64_t *buffer, size_t size, follow_emit *emit,
                        void *opaque)
{
    struct follow_way *way = &follow->ways[direction];
    const uint8_t *frames = (const uint8_t *)way->header + IVC_HEADER_SIZE;
    struct run run = { .count = 0 };

    if (size > follow->frame_size) {
        size = follow->frame_size;
    }
    if (tx_count - way->next > follow->nframes) {
        lose(follow, way, &run, tx_count - way->next - follow->nframes,
             tx_count, ivc_load(&way->header->rx_count));
    }
    while (way->next != tx_count) {
        uint32_t sent, consumed;

        copy_frame(buffer, frames + (size_t)way->position *
                   follow->frame_size, size);
        /*
         * The bytes before the counts, because the transmitter, in the
         * opposite order, publishes and sees the counts before it fills the
         * place again: who has seen one new byte sees them moved.
         */
        ivc_fence();
        sent = ivc_load(&way->header->tx_count);
        consumed = ivc_load(&way->header->rx_count);
        if (is_whole(follow, way->next, sent, consumed)) {
            struct capture_record record;

            tell_loss(follow, direction, words, &run, emit, opaque);
            record = new_record(follow, CAPTURE_FRAME, direction, words);
            record.sequence = way->next;
            record.tx_count = sent;
            record.rx_count = consumed;
            emit(opaque, &record, buffer);
            way->frames++;
            advance(follow, way, 1);
        } else {
            lose(follow, way, &run, 1, sent, consumed);
        }
    }
    tell_loss(follow, direction, words, &run, emit, opaque);
}

/* Where to begin: with the frames that nobody has read yet. */
static void begin(struct follow *follow)
{
    for (unsigned i = 0; i < 2; i++) {
        struct follow_way *way = &follow->ways[i];
        /* In this order there seem to be too many of them, never too few. */
        uint32_t consumed = ivc_load(&way->header->rx_count);
        uint32_t sent = ivc_load(&way->header->tx_count);

        way->next = sent - consumed <= follow->nframes ? consumed : sent;
        way->position = way->next % follow->nframes;
    }
    follow->begun = true;
}

static void tell_state(struct follow *follow, unsigned flags,
                       const struct words *words, follow_emit *emit,
                       void *opaque)
{
    struct capture_record record;

    for (unsigned end = 0; end < 2; end++) {
        if (words->state[end] != follow->states_seen[end]) {
            flags |= CAPTURE_STATE_CHANGED(end);
        }
        if (words->status[end] != follow->status_seen[end]) {
            flags |= CAPTURE_STATUS_CHANGED(end);
        }
        follow->states_seen[end] = words->state[end];
        follow->status_seen[end] = words->status[end];
    }
    if (flags == 0) {
        return;
    }
    if (flags & CAPTURE_INITIAL) {
        flags = CAPTURE_INITIAL;
    }
    record = new_record(follow, CAPTURE_STATE, 0, words);
    record.flags = (uint8_t)flags;
    record.tx_count = ivc_load(&follow->ways[0].header->tx_count);
    record.rx_count = ivc_load(&follow->ways[0].header->rx_count);
    emit(opaque, &record, NULL);
}

bool follow_look(struct follow *follow, uint64_t *buffer, size_t size,
                 follow_emit *emit, void *opaque)
{
    /*
     * States before counts, because an end clears its counts before it
     * publishes the state that says so.
     */
    struct words words = load_words(follow);
    unsigned flags = follow->begun ? 0 : CAPTURE_INITIAL;
    uint32_t sent[2];
    bool news = false;

    if (!follow->begun) {
        begin(follow);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct follow_way *way = &follow->ways[i];

        sent[i] = ivc_load(&way->header->tx_count);
        if (sent[i] - way->next > UINT32_MAX / 2) {
            /* It went back. What is in the place of frame 0 now is new. */
            flags |= CAPTURE_COUNTS_CLEARED(i);
            way->next = 0;
            way->position = 0;
            follow->resets++;
        }
        news = news || sent[i] != way->next;
    }
    /* Frames came before a change of state, but after a reset. */
    if (flags != 0) {
        tell_state(follow, flags, &words, emit, opaque);
        news = true;
    }
    for (unsigned i = 0; i < 2; i++) {
        take_frames(follow, i, sent[i], &words, buffer, size, emit, opaque);
    }
    for (unsigned end = 0; end < 2; end++) {
        news = news || words.state[end] != follow->states_seen[end] ||
               words.status[end] != follow->status_seen[end];
    }
    tell_state(follow, 0, &words, emit, opaque);
    return news;
}

/* SPDX-License-Identifier: MIT */
/*
 * The IVC ring and its reset handshake, the only implementation of them here.
 *
 * Nothing that the peer can write becomes an index, an address or a loop
 * bound: positions, counts and state are private and only published.
 */
#include "ivc/ivc.h"

#include "ivc/ivc_shared.h"

static void publish_state(struct ivc *ivc, enum ivc_state state)
{
    ivc->state = state;
    ivc->up = ivc->joined && !ivc->owes_sync && state == IVC_ESTABLISHED;
    ivc_publish(&ivc->tx.header->tx_state, state);
    /*
     * The state before the bell that the caller rings, because the peer looks
     * at the state when it is rung and maybe never again.
     */
    ivc_fence();
}

/* Both counts of ours, before the state that tells the peer to rely on it. */
static void clear_counts(struct ivc *ivc)
{
    ivc->tx.count = 0;
    ivc->tx.position = 0;
    ivc->rx.count = 0;
    ivc->rx.position = 0;
    ivc_publish(&ivc->tx.header->tx_count, 0);
    ivc_publish(&ivc->rx.header->rx_count, 0);
}

bool ivc_attach(struct ivc *ivc, void *rx, void *tx, uint32_t nframes,
                uint32_t frame_size)
{
    *ivc = (struct ivc) {
        .tx = { .header = tx, .frames = (uint8_t *)tx + IVC_HEADER_SIZE },
        .rx = { .header = rx, .frames = (uint8_t *)rx + IVC_HEADER_SIZE },
        .nframes = nframes,
        .frame_size = frame_size,
    };
    ivc->state = ivc_load(&ivc->tx.header->tx_state);
    if (ivc->state != IVC_ACK) {
        return false;
    }
    publish_state(ivc, IVC_SYNC);
    return true;
}

uint32_t ivc_peer_state(const struct ivc *ivc)
{
    return ivc_load(&ivc->rx.header->tx_state);
}

void ivc_reset(struct ivc *ivc)
{
    if (ivc->joined && !ivc->up) {
        return;
    }
    ivc->joined = true;
    /* Whether ESTABLISHED must be left standing is ivc_settle's to say. */
    if (ivc->state == IVC_ESTABLISHED) {
        ivc->owes_sync = true;
        ivc->up = false;
    } else {
        publish_state(ivc, IVC_SYNC);
    }
}

/* Only compared: what is found decides nothing but that it is not ours. */
static bool state_is_forged(const struct ivc *ivc)
{
    return ivc->joined && ivc_load(&ivc->tx.header->tx_state) != ivc->state;
}

bool ivc_settle(struct ivc *ivc, uint32_t peer_state)
{
    bool forged = state_is_forged(ivc);

    if (ivc->owes_sync) {
        /* An ESTABLISHED that is not there any more gets no answer. */
        if (peer_state == IVC_ACK && !forged) {
            return false;
        }
        ivc->owes_sync = false;
        publish_state(ivc, IVC_SYNC);
        return true;
    }
    if (ivc->up || !forged) {
        return false;
    }
    publish_state(ivc, ivc->state);
    return true;
}

bool ivc_is_forged(const struct ivc *ivc)
{
    return state_is_forged(ivc) ||
           (ivc->up &&
            (ivc_load(&ivc->tx.header->tx_count) != ivc->tx.count ||
             ivc_load(&ivc->rx.header->rx_count) != ivc->rx.count));
}

/*
 * own  | peer               | action
 * any  | SYNC               | clear own counts; own := ACK
 * SYNC | ACK                | clear own counts; own := ESTABLISHED
 * ACK  | ACK or ESTABLISHED | own := ESTABLISHED
 * otherwise                 | nothing
 */
enum ivc_step ivc_step(struct ivc *ivc, uint32_t peer_state)
{
    if (!ivc->joined || ivc->owes_sync) {
        return IVC_STEP_NOTHING;
    }
    if (peer_state == IVC_SYNC) {
        ivc->up = false;
        clear_counts(ivc);
        publish_state(ivc, IVC_ACK);
        return IVC_STEP_ACK;
    }
    if (ivc->state == IVC_SYNC && peer_state == IVC_ACK) {
        clear_counts(ivc);
        publish_state(ivc, IVC_ESTABLISHED);
        return IVC_STEP_OPENED;
    }
    if (ivc->state == IVC_ACK &&
        (peer_state == IVC_ACK || peer_state == IVC_ESTABLISHED)) {
        publish_state(ivc, IVC_ESTABLISHED);
        return IVC_STEP_CONFIRMED;
    }
    return IVC_STEP_NOTHING;
}

void ivc_desert(struct ivc *ivc)
{
    publish_state(ivc, IVC_SYNC);
}

/* The place of the next frame. position < nframes, whatever the peer does. */
static uint8_t *frame_at(const struct ivc *ivc, const struct ivc_half *half)
{
    return half->frames + (size_t)half->position * ivc->frame_size;
}

static void count_up(const struct ivc *ivc, struct ivc_half *half)
{
    half->count++;
    half->position++;
    if (half->position == ivc->nframes) {
        half->position = 0;
    }
}

/* Frames sent and not yet consumed; more than nframes is a peer's lie. */
static uint32_t tx_used(const struct ivc *ivc)
{
    return ivc->tx.count - ivc_load(&ivc->tx.header->rx_count);
}

static uint32_t rx_used(const struct ivc *ivc)
{
    return ivc_load(&ivc->rx.header->tx_count) - ivc->rx.count;
}

/* To a lying peer the queue is full: a silent channel does the least harm. */
static enum ivc_status tx_check(const struct ivc *ivc)
{
    if (!ivc->up) {
        return IVC_DOWN;
    }
    return tx_used(ivc) < ivc->nframes ? IVC_OK : IVC_WAIT;
}

/* From a lying peer the queue is empty, for the same reason. */
static enum ivc_status rx_check(const struct ivc *ivc)
{
    uint32_t used;

    if (!ivc->up) {
        return IVC_DOWN;
    }
    used = rx_used(ivc);
    return used != 0 && used <= ivc->nframes ? IVC_OK : IVC_WAIT;
}

enum ivc_status ivc_tx_frame(const struct ivc *ivc, void **frame)
{
    enum ivc_status status = tx_check(ivc);

    if (status == IVC_OK) {
        *frame = frame_at(ivc, &ivc->tx);
    }
    return status;
}

enum ivc_status ivc_tx_advance(struct ivc *ivc, bool *bell)
{
    enum ivc_status status = tx_check(ivc);

    if (status != IVC_OK) {
        return status;
    }
    count_up(ivc, &ivc->tx);
    ivc_publish(&ivc->tx.header->tx_count, ivc->tx.count);
    /*
     * Our count before the look at the peer's, because the peer that finds
     * the queue empty publishes its count and then looks at ours: one of us
     * sees the other, so nobody sleeps beside a frame.
     */
    ivc_fence();
    *bell = tx_used(ivc) == 1;
    return IVC_OK;
}

bool ivc_tx_drained(const struct ivc *ivc)
{
    return ivc->up && tx_used(ivc) == 0;
}

uint32_t ivc_tx_space(const struct ivc *ivc)
{
    uint32_t used;

    if (!ivc->up) {
        return 0;
    }
    used = tx_used(ivc);
    return used <= ivc->nframes ? ivc->nframes - used : 0;
}

enum ivc_status ivc_rx_frame(const struct ivc *ivc, const void **frame)
{
    enum ivc_status status = rx_check(ivc);

    if (status == IVC_OK) {
        *frame = frame_at(ivc, &ivc->rx);
    }
    return status;
}

enum ivc_status ivc_rx_advance(struct ivc *ivc, bool *bell)
{
    enum ivc_status status = rx_check(ivc);

    if (status != IVC_OK) {
        return status;
    }
    count_up(ivc, &ivc->rx);
    /* Release: the frame was copied out before the peer may write over it. */
    ivc_publish(&ivc->rx.header->rx_count, ivc->rx.count);
    /* As in ivc_tx_advance, for the peer that finds the queue full. */
    ivc_fence();
    *bell = rx_used(ivc) == ivc->nframes - 1;
    return IVC_OK;
}

bool ivc_rx_discard(struct ivc *ivc)
{
    uint32_t used;

    if (!ivc->up) {
        return false;
    }
    used = rx_used(ivc);
    if (used == 0 || used > ivc->nframes) {
        return false;
    }
    ivc->rx.count += used;
    ivc->rx.position = (uint32_t)(((uint64_t)ivc->rx.position + used) %
                                  ivc->nframes);
    ivc_publish(&ivc->rx.header->rx_count, ivc->rx.count);
    ivc_fence();
    return true;
}

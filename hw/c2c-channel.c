/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One channel to another chip: session and ring. */
#include "c2c-channel.h"

#include <assert.h>
#include <string.h>

#include "include/hv_ivc_regs.h"

#define GEN_MASK (UINT32_MAX >> HV_IVC_GEN_SHIFT)

static void interrupt(struct c2c_channel *ch)
{
    ch->interrupt(ch->opaque);
}

/*
 * Back to SYNC: the guest's channel has to come up anew. It waits while the
 * guest still has to see that it was established, lest it clear frames unread
 * (channel.md, rule 3).
 */
static void restart_ring(struct c2c_channel *ch)
{
    ivc_reset(&ch->ivc);
    ivc_settle(&ch->ivc, ivc_peer_state(&ch->ivc));
    interrupt(ch);
}

/* We are in no session and offer none. */
static void forget_session(struct c2c_channel *ch)
{
    ch->offer = 0;
    ch->offer_sent = false;
    ch->agreed = false;
    ch->leaving = false;
    ch->credit = 0;
    ch->granted = 0;
}

static void note_over(struct c2c_channel *ch, uint64_t session)
{
    if (ch->over < session) {
        ch->over = session;
    }
    if (ch->theirs <= ch->over) {
        ch->theirs = 0;
    }
}

/*
 * Our guest has ended what we offer, agreed or not. An offer that was not sent
 * is taken back unheard. Else the slot of end_due is free: it is sent before
 * the OPEN that follows it.
 */
static void end_session(struct c2c_channel *ch, enum c2c_type how)
{
    bool was_agreed = ch->agreed;

    if (ch->offer_sent) {
        assert(ch->end_due == 0);
        ch->end_due = how;
        ch->end_session = ch->offer;
        note_over(ch, ch->offer);
    }
    forget_session(ch);
    if (was_agreed) {
        restart_ring(ch);
    }
}

/* The far end has departed; what it sent is in the guest's ring. */
static void depart(struct c2c_channel *ch, unsigned errors)
{
    bool was_agreed = ch->agreed;

    forget_session(ch);
    if (was_agreed) {
        /* The status before the ring: who sees the SYNC sees the departure. */
        ch->generation = (ch->generation + 1) & GEN_MASK;
        ch->errors = errors;
        restart_ring(ch);
    }
}

static bool ring_is_empty(const struct c2c_channel *ch)
{
    const void *frame;

    return ivc_rx_frame(&ch->ivc, &frame) != IVC_OK;
}

/*
 * Whether the guest wants to be connected: it has answered our SYNC. An ACK
 * that lay in the ring when the queue was opened is not believed before the
 * guest has rung, because who opens withdraws it and then rings.
 */
static bool is_willing(const struct c2c_channel *ch, uint32_t word)
{
    return ch->guest_open && ch->guest_rang && ch->ivc.state == IVC_SYNC &&
           word == IVC_ACK;
}

static void agree(struct c2c_channel *ch)
{
    /* SYNC | ACK: is_willing() has seen both. */
    ivc_step(&ch->ivc, IVC_ACK);
    ch->agreed = true;
    ch->credit = ch->ivc.nframes;
    ch->granted = ch->ivc.nframes;
    interrupt(ch);
}

/* Brings the session to where guest and peer are now. */
static void look(struct c2c_channel *ch)
{
    uint32_t word = ivc_peer_state(&ch->ivc);

    if (ivc_settle(&ch->ivc, word)) {
        interrupt(ch);
        /* What the guest says to this SYNC is still to come. */
        word = ivc_peer_state(&ch->ivc);
    }
    if (ch->agreed && ch->leaving) {
        if (!ring_is_empty(ch)) {
            return;
        }
        end_session(ch, C2C_CLOSE);
    } else if (ch->agreed) {
        /* As rule 9 of channel.md has it. */
        if (word != IVC_SYNC && !ivc_is_forged(&ch->ivc)) {
            return;
        }
        end_session(ch, C2C_RESET);
    }
    word = ivc_peer_state(&ch->ivc);
    if (!ch->linked || !is_willing(ch, word)) {
        if (ch->offer != 0) {
            end_session(ch, C2C_CLOSE);
        }
        return;
    }
    if (ch->offer == 0) {
        ch->offer = ch->theirs != 0 ? ch->theirs : ch->last + 1;
        ch->offer_sent = false;
    }
    if (ch->offer == ch->theirs) {
        agree(ch);
    }
}

void c2c_channel_init(struct c2c_channel *ch, void *rx, void *tx,
                      uint32_t nframes, uint32_t frame_size,
                      c2c_interrupt *raise, void *opaque)
{
    memset(ch, 0, sizeof(*ch));
    ch->interrupt = raise;
    ch->opaque = opaque;
    ivc_attach(&ch->ivc, rx, tx, nframes, frame_size);
    ivc_reset(&ch->ivc);
    ivc_settle(&ch->ivc, ivc_peer_state(&ch->ivc));
}

void c2c_channel_rung(struct c2c_channel *ch)
{
    ch->guest_rang = ch->guest_open;
    look(ch);
}

void c2c_channel_set_open(struct c2c_channel *ch, bool open)
{
    ch->guest_open = open;
    ch->guest_rang = false;
    if (!open) {
        ch->leaving = ch->agreed;
        look(ch);
    }
}

void c2c_channel_connect(struct c2c_channel *ch)
{
    forget_session(ch);
    ch->linked = true;
    ch->theirs = 0;
    ch->last = 0;
    ch->over = 0;
    ch->end_due = 0;
    look(ch);
}

void c2c_channel_cut(struct c2c_channel *ch, unsigned errors)
{
    ch->linked = false;
    ch->end_due = 0;
    depart(ch, errors);
}

static const char *take_open(struct c2c_channel *ch, uint64_t session)
{
    if (session > ch->last && session - ch->last != 1) {
        return "it opened a session out of turn";
    }
    if (ch->agreed && session > ch->offer) {
        return "it opened a session before it ended the one before";
    }
    if (session > ch->last) {
        ch->last = session;
    }
    if (session <= ch->over || session < ch->offer) {
        ch->stale++;
        return NULL;
    }
    ch->theirs = session;
    if (session > ch->offer) {
        forget_session(ch);
    }
    look(ch);
    return NULL;
}

static const char *take_end(struct c2c_channel *ch, uint64_t session,
                            enum c2c_type how)
{
    if (session > ch->last) {
        return "it ended a session that was never opened";
    }
    if (session <= ch->over) {
        ch->stale++;
        return NULL;
    }
    note_over(ch, session);
    if (ch->offer == 0 || ch->offer > session) {
        return NULL;
    }
    if (how == C2C_CLOSE) {
        depart(ch, 0);
    } else {
        bool was_agreed = ch->agreed;

        forget_session(ch);
        if (was_agreed) {
            restart_ring(ch);
        }
    }
    look(ch);
    return NULL;
}

static const char *take_credit(struct c2c_channel *ch, uint32_t count)
{
    if (count > ch->ivc.nframes - ch->credit) {
        return "it gave credit for more frames than the queue has";
    }
    ch->credit += count;
    return NULL;
}

static const char *take_frame(struct c2c_channel *ch, const uint8_t *payload)
{
    bool bell = false;
    void *frame;

    if (ch->granted == 0) {
        return "it sent a frame without credit";
    }
    ch->granted--;
    if (ch->leaving || !ch->ivc.up) {
        return NULL;
    }
    /* Credit is space that the guest gave up; it may claim it back. */
    if (ivc_tx_frame(&ch->ivc, &frame) != IVC_OK) {
        ch->lost++;
        return NULL;
    }
    memcpy(frame, payload, ch->ivc.frame_size);
    ivc_tx_advance(&ch->ivc, &bell);
    ch->frames_in++;
    if (bell) {
        interrupt(ch);
    }
    return NULL;
}

const char *c2c_channel_take(struct c2c_channel *ch,
                             const struct c2c_message *message)
{
    bool current = ch->agreed && message->session == ch->offer;

    switch (message->type) {
    case C2C_OPEN:
        return take_open(ch, message->session);
    case C2C_RESET:
    case C2C_CLOSE:
        return take_end(ch, message->session, message->type);
    case C2C_CREDIT:
    case C2C_FRAME:
        if (message->session > ch->last) {
            return "it used a session that was never opened";
        }
        if (!current) {
            ch->stale++;
            return NULL;
        }
        return message->type == C2C_CREDIT ?
               take_credit(ch, message->count) :
               take_frame(ch, message->payload);
    default:
        return NULL;
    }
}

/* Frames that the guest has consumed and the peer does not know of yet. */
static uint32_t credit_due(const struct c2c_channel *ch)
{
    /* What comes for a guest that has gone takes no space. */
    uint32_t space = ch->leaving ? ch->ivc.nframes : ivc_tx_space(&ch->ivc);
    uint32_t owed = space > ch->granted ? space - ch->granted : 0;

    /*
     * Not each by itself. When the peer has none left and nothing is owed, the
     * ring is full, and a guest that reads from a full ring rings.
     */
    return owed >= (ch->ivc.nframes + 1) / 2 || ch->granted == 0 ? owed : 0;
}

struct c2c_due c2c_channel_due(struct c2c_channel *ch)
{
    struct c2c_due due = { .session = ch->offer };

    if (!ch->linked) {
        return due;
    }
    if (ch->end_due != 0) {
        due.type = ch->end_due;
        due.session = ch->end_session;
        return due;
    }
    if (ch->offer != 0 && !ch->offer_sent) {
        due.type = C2C_OPEN;
        return due;
    }
    if (!ch->agreed) {
        return due;
    }
    due.count = credit_due(ch);
    if (due.count != 0) {
        due.type = C2C_CREDIT;
    } else if (ch->credit != 0 &&
               ivc_rx_frame(&ch->ivc, &due.frame) == IVC_OK) {
        due.type = C2C_FRAME;
    }
    return due;
}

void c2c_channel_sent(struct c2c_channel *ch, const struct c2c_due *due)
{
    bool bell = false;

    switch (due->type) {
    case C2C_OPEN:
        ch->offer_sent = true;
        if (ch->last < ch->offer) {
            ch->last = ch->offer;
        }
        break;
    case C2C_CREDIT:
        ch->granted += due->count;
        break;
    case C2C_FRAME:
        /* Copied out before the guest may write over it. */
        ivc_rx_advance(&ch->ivc, &bell);
        ch->credit--;
        ch->frames_out++;
        if (bell) {
            interrupt(ch);
        }
        if (ch->leaving) {
            look(ch);
        }
        break;
    default:
        ch->end_due = 0;
        break;
    }
}

uint32_t c2c_channel_status(const struct c2c_channel *ch)
{
    return (ch->agreed ? HV_IVC_STATE_OPEN : HV_IVC_STATE_UNKNOWN) |
           ch->errors << HV_IVC_ERRORS_SHIFT |
           ch->generation << HV_IVC_GEN_SHIFT;
}

/* SPDX-License-Identifier: MIT */
/*
 * Endpoints: events, bells, and the departure of a peer.
 *
 * "Rule N" is a rule of docs/specs/channel.md, "What our ends add"; the pure
 * part of them is the ring's.
 */
#include "ipc/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/native.h"
#include "ipc/trace.h"
#include "ivc/ivc.h"
#include "ivc_geometry.h"
#include "nvsciipc.h"

/* A frame that was given out in place, until it is advanced over. */
enum held {
    HELD_NOTHING,
    HELD_FRAME,
    HELD_STALE,         /* the channel was reset since */
};

struct endpoint {
    struct ivc ivc;
    struct link link;

    /* Constant since the opening; NULL without an event service. */
    NvSciEventService *service;
    struct native *native;

    /* For who sends. */
    _Alignas(64) enum held tx_held;

    /* From here on for who receives; writers send and receive. */
    _Alignas(64) enum held rx_held;

    /* A wake-up that brought nothing so far (rule 5). To receive suffices. */
    bool woken;
    /* The peer has departed; its frames may still lie here. So too. */
    bool departed;
    /* The far end as it was when we let the peer go on to ESTABLISHED. */
    struct far_status met;
    /* Who established is uncertain: a SYNC counts as a departure (rule 5). */
    bool uncertain;

    /* Why the far end departed, if it was an error. To receive suffices. */
    struct {
        bool watching;          /* `generation` was read since our Reset */
        uint32_t generation;
        uint32_t mask;          /* not yet taken by the application */
        bool untold;            /* ASYNC_ERROR is due */
    } errors;

    /* The application knows that the channel is established. */
    bool announced;
    /* The dead end whose state word is not to be believed (rule 6). */
    struct {
        bool noticed;
        bool stranger;          /* the word changed: somebody is there */
        uint32_t generation;
        uint32_t word;
    } dead;

    bool quiet;                 /* no bells for frames */

    /* For the trace. A copy, as the configuration may go first. */
    char name[CONF_NAME_SIZE];
};

static void ring(struct endpoint *ep)
{
    ep->link.backend->notify(&ep->link);
}

/*
 * No departure passes by here unseen, since the channel is
 * over for us only after such a look. What was before we took part is no news.
 */
static struct far_status far_status(struct endpoint *ep)
{
    struct far_status far = ep->link.backend->far_status(&ep->link);

    if (ep->errors.watching && far.generation != ep->errors.generation &&
        far.errors != 0) {
        ep->errors.mask |= far.errors;
        ep->errors.untold = true;
    }
    ep->errors.watching = ep->ivc.joined;
    ep->errors.generation = far.generation;
    return far;
}

static bool link_is_sound(const struct link *link)
{
    return ivc_geometry_ok(link->nframes, link->frame_size) &&
           (uintptr_t)link->rx % 64 == 0 && (uintptr_t)link->tx % 64 == 0;
}

int endpoint_open(struct endpoint **endpoint, const struct backend *backend,
                  const struct conf_entry *entry, unsigned end)
{
    struct endpoint *ep = aligned_alloc(64, sizeof(*ep));
    int ret;

    if (!ep) {
        return -ENOMEM;
    }
    memset(ep, 0, sizeof(*ep));
    ret = backend->open(&ep->link, entry, end);
    if (ret < 0) {
        free(ep);
        return ret;
    }
    if (!link_is_sound(&ep->link)) {
        backend->close(&ep->link);
        free(ep);
        return -EPROTO;
    }
    memcpy(ep->name, entry->name[end], sizeof(ep->name));
    if (ivc_attach(&ep->ivc, ep->link.rx, ep->link.tx, ep->link.nframes,
                   ep->link.frame_size)) {
        ring(ep);
    }
    *endpoint = ep;
    return 0;
}

int endpoint_serve(struct endpoint *ep, NvSciEventService *service)
{
    ep->native = native_new(ep->link.event_fd);
    if (!ep->native) {
        return -ENOMEM;
    }
    ep->service = service;
    return 0;
}

NvSciEventService *endpoint_service(const struct endpoint *ep)
{
    return ep->service;
}

NvSciNativeEvent *endpoint_native_event(struct endpoint *ep)
{
    return native_take(ep->native);
}

/* A notifier that is left waits for nothing from here on. */
static void leave_service(struct endpoint *ep)
{
    if (ep->native) {
        native_close(ep->native);
    }
}

void endpoint_close(struct endpoint *ep, bool discard)
{
    leave_service(ep);
    /* Going away rings, too; but not every transport can tell who is gone. */
    if (discard && ivc_rx_discard(&ep->ivc)) {
        ring(ep);
    }
    ep->link.backend->close(&ep->link);
    free(ep);
}

void endpoint_abandon(struct endpoint *ep)
{
    leave_service(ep);
    ep->link.backend->close(&ep->link);
    free(ep);
}

const struct link *endpoint_link(const struct endpoint *ep)
{
    return &ep->link;
}

const char *endpoint_name(const struct endpoint *ep)
{
    return ep->name;
}

static bool nothing_to_read(const struct endpoint *ep)
{
    const void *frame;

    return ivc_rx_frame(&ep->ivc, &frame) != IVC_OK;
}

/*
 * Rule 5: is the peer still the one that we met? The channel is up. The caller looks at the queue after this, not before: what the dead
 * sent was there before its death was to be seen.
 */
static void look_for_departure(struct endpoint *ep)
{
    struct far_status far = far_status(ep);

    ep->woken = false;
    /* Someone who was not announced when met cannot be missed as gone. */
    if (far.generation != ep->met.generation || (far.gone && !ep->met.gone)) {
        ep->departed = true;
    }
}

/*
 * Whether the established channel has come to its end: the peer wants a reset,
 * or has departed and nothing of it is left, or we were woken for nothing and
 * find that our own words were written over (rule 9).
 */
static bool is_over(struct endpoint *ep)
{
    /*
     * The word before the status: a SYNC that a successor published is seen
     * together with the departure that made room for it.
     */
    bool sync = ivc_peer_state(&ep->ivc) == IVC_SYNC;
    bool for_nothing = ep->woken && nothing_to_read(ep);

    if (for_nothing && ivc_is_forged(&ep->ivc)) {
        return true;
    }
    if (!ep->departed && (sync || for_nothing)) {
        look_for_departure(ep);
        if (sync && ep->uncertain) {
            ep->departed = true;
        }
    }
    return ep->departed ? nothing_to_read(ep) : sync;
}

/*
 * Rule 6: whether the peer's word was left by a dead one. On a change of the
 * word somebody is there who does not announce himself.
 */
static bool is_dead(struct endpoint *ep, uint32_t word, struct far_status far)
{
    if (!far.gone) {
        ep->dead.noticed = false;
        return false;
    }
    if (!ep->dead.noticed || ep->dead.generation != far.generation) {
        ep->dead.noticed = true;
        ep->dead.stranger = false;
        ep->dead.generation = far.generation;
        ep->dead.word = word;
    } else if (word != ep->dead.word) {
        ep->dead.stranger = true;
    }
    return !ep->dead.stranger;
}

/*
 * We have just published ESTABLISHED. What we published before was out for any
 * successor to take until then, so who can have taken it counts in the status
 * of now. If the generation moved since we met, it may be a dead one's frames
 * that lie here, or a living one's that are still coming: none may be lost.
 */
static void make_sure(struct endpoint *ep)
{
    struct far_status far = far_status(ep);

    if (far.generation != ep->met.generation) {
        ep->uncertain = true;
        /* Not gone: if this one is dead by now, that is a departure. */
        ep->met = (struct far_status) { .generation = far.generation };
    }
}

/*
 * Takes the row of the table that is due, if any; the channel is not up.
 * answer_only: an ACK that is there is not for the SYNC that
 * we have only just published. Returns whether the bell is due.
 */
static bool shake_hands(struct endpoint *ep, bool answer_only)
{
    /*
     * The word before the status, so that the generation is not older than
     * who wrote the word, and before our answer is published (rule 5). But
     * the last word of a dead one is what is there when it is known dead.
     */
    uint32_t word = ivc_peer_state(&ep->ivc);
    struct far_status far = far_status(ep);
    bool dead, bell, accepted;
    enum ivc_step step;

    if (far.gone) {
        word = ivc_peer_state(&ep->ivc);
    }
    dead = is_dead(ep, word, far);
    bell = ivc_settle(&ep->ivc, word);
    /* Only who saw our ACK makes ESTABLISHED of it; frames may lie behind. */
    accepted = ep->ivc.state == IVC_ACK && word == IVC_ESTABLISHED;
    if ((dead && !accepted) || (answer_only && word != IVC_SYNC)) {
        return bell;
    }
    if (ep->ivc.state == IVC_ACK && word == IVC_SYNC) {
        /*
         * Answered, and maybe nobody was there to hear it. Whom we met stays
         * as it is: since our ACK is out, somebody may have established and
         * died between the word and the status.
         */
        return bell || ep->woken;
    }
    if (ep->ivc.state != IVC_ACK) {
        ep->uncertain = false;
        ep->met = far;
    }
    step = ivc_step(&ep->ivc, word);
    if (step == IVC_STEP_OPENED || step == IVC_STEP_CONFIRMED) {
        make_sure(ep);
    }
    return bell || step != IVC_STEP_NOTHING;
}

/* The application has not advanced over a frame of the channel that ended. */
static void mark_stale(enum held *held)
{
    if (*held == HELD_FRAME) {
        *held = HELD_STALE;
    }
}

/* The channel was up and is not any more. */
static void forget_peer(struct endpoint *ep)
{
    ep->departed = false;
    ep->announced = false;
    mark_stale(&ep->tx_held);
    mark_stale(&ep->rx_held);
}

void endpoint_reset(struct endpoint *ep)
{
    ivc_reset(&ep->ivc);
    if (!ep->ivc.up) {
        forget_peer(ep);
    }
    ivc_settle(&ep->ivc, ivc_peer_state(&ep->ivc));
    /* Also when nothing changed: it repairs a bell that was lost. */
    ring(ep);
}

static uint32_t levels(struct endpoint *ep)
{
    uint32_t events = 0;
    void *frame;

    if (!nothing_to_read(ep)) {
        events |= NV_SCI_IPC_EVENT_READ;
    }
    /* To write to one who is known to be gone would be lost work. */
    if (ep->departed) {
        return events;
    }
    if (ivc_tx_frame(&ep->ivc, &frame) == IVC_OK) {
        events |= NV_SCI_IPC_EVENT_WRITE;
    }
    if (ivc_tx_drained(&ep->ivc)) {
        events |= NV_SCI_IPC_EVENT_WRITE_EMPTY;
    }
    return events;
}

/* What is news is traced before the locks go: no call then precedes it. */
uint32_t endpoint_get_event(struct endpoint *ep)
{
    /*
     * Drained before the look, because what happens after the look then makes
     * the descriptor readable again.
     */
    bool woken = ep->link.backend->ack(&ep->link);
    uint32_t events = 0;
    bool bell = false;

    ep->woken = ep->woken || woken;
    if (!ep->ivc.up) {
        bell = shake_hands(ep, false);
        /* A departure that was announced before now is looked for again. */
        ep->woken = ep->ivc.up;
    }
    if (ep->ivc.up && is_over(ep)) {
        /* Told only to who knows that there was a connection. */
        if (ep->announced) {
            events = NV_SCI_IPC_EVENT_CONN_RESET;
            trace_event(ep->name, "CONN_RESET");
        }
        forget_peer(ep);
        ivc_desert(&ep->ivc);
        shake_hands(ep, true);
        ep->woken = false;
        bell = true;
    } else if (ep->ivc.up) {
        events = levels(ep);
        if (!ep->announced) {
            events |= NV_SCI_IPC_EVENT_CONN_EST;
            ep->announced = true;
            trace_event(ep->name, "CONN_EST");
        }
    }
    if (ep->errors.untold) {
        events |= NV_SCI_IPC_EVENT_ASYNC_ERROR;
        ep->errors.untold = false;
        trace_async_error(ep->name, ep->errors.mask);
    }
    if (bell) {
        ring(ep);
    }
    return events;
}

uint32_t endpoint_take_errors(struct endpoint *ep)
{
    uint32_t mask = ep->errors.mask;

    ep->errors.mask = 0;
    /* There is nothing left to be told of. */
    ep->errors.untold = false;
    return mask;
}

static int to_errno(enum ivc_status status)
{
    switch (status) {
    case IVC_OK:
        return 0;
    case IVC_WAIT:
        return -EAGAIN;
    case IVC_DOWN:
        return -ECONNRESET;
    }
    return -EPROTO;
}

/*
 * After each read. An application that reads until there is no more and then
 * sleeps has had its wake-up; if that one meant a departure, the reader has to
 * be told now, and so has a thread that sleeps on the descriptor meanwhile.
 */
static int after_read(struct endpoint *ep, int ret)
{
    if (ret == -EAGAIN && ep->woken && !ep->departed) {
        look_for_departure(ep);
    }
    if (!ep->departed || !nothing_to_read(ep)) {
        return ret;
    }
    ep->link.backend->wake(&ep->link);
    return ret == -EAGAIN ? -ECONNRESET : ret;
}

/* Rings if a frame is worth a bell. */
static void ring_for_frame(struct endpoint *ep, bool bell)
{
    if (bell && !ep->quiet) {
        ring(ep);
    }
}

static int drop_stale(enum held *held)
{
    if (*held != HELD_STALE) {
        return 0;
    }
    *held = HELD_NOTHING;
    return -ECONNRESET;
}

int endpoint_read(struct endpoint *ep, void *buf, uint32_t size)
{
    const void *frame;
    bool bell = false;
    int ret;

    if (size > ep->link.frame_size) {
        return -EINVAL;
    }
    ret = to_errno(ivc_rx_frame(&ep->ivc, &frame));
    if (ret == 0) {
        memcpy(buf, frame, size);
        ret = to_errno(ivc_rx_advance(&ep->ivc, &bell));
        ep->rx_held = HELD_NOTHING;
    }
    ret = after_read(ep, ret);
    ring_for_frame(ep, bell);
    return ret;
}

int endpoint_read_frame(struct endpoint *ep, const void **frame)
{
    int ret;

    ret = to_errno(ivc_rx_frame(&ep->ivc, frame));
    if (ret == 0) {
        ep->rx_held = HELD_FRAME;
    }
    return after_read(ep, ret);
}

int endpoint_read_advance(struct endpoint *ep)
{
    bool bell = false;
    int ret;

    ret = drop_stale(&ep->rx_held);
    if (ret == 0) {
        ret = to_errno(ivc_rx_advance(&ep->ivc, &bell));
    }
    if (ret == 0) {
        ep->rx_held = HELD_NOTHING;
    }
    ret = after_read(ep, ret);
    ring_for_frame(ep, bell);
    return ret;
}

int endpoint_write(struct endpoint *ep, const void *buf, uint32_t size)
{
    void *frame;
    bool bell = false;
    int ret;

    if (size > ep->link.frame_size) {
        return -EINVAL;
    }
    ret = to_errno(ivc_tx_frame(&ep->ivc, &frame));
    if (ret == 0) {
        memcpy(frame, buf, size);
        memset((char *)frame + size, 0, ep->link.frame_size - size);
        ret = to_errno(ivc_tx_advance(&ep->ivc, &bell));
        ep->tx_held = HELD_NOTHING;
    }
    ring_for_frame(ep, bell);
    return ret;
}

int endpoint_write_frame(struct endpoint *ep, void **frame)
{
    int ret;

    ret = to_errno(ivc_tx_frame(&ep->ivc, frame));
    if (ret == 0) {
        ep->tx_held = HELD_FRAME;
    }
    return ret;
}

int endpoint_write_advance(struct endpoint *ep)
{
    bool bell = false;
    int ret;

    ret = drop_stale(&ep->tx_held);
    if (ret == 0) {
        ret = to_errno(ivc_tx_advance(&ep->ivc, &bell));
    }
    if (ret == 0) {
        ep->tx_held = HELD_NOTHING;
    }
    ring_for_frame(ep, bell);
    return ret;
}

int endpoint_enable_notification(struct endpoint *ep, bool enable)
{
    bool bell;

    if (!ep->link.backend->can_disable_notification) {
        return -EOPNOTSUPP;
    }
    bell = ep->quiet && enable;
    ep->quiet = !enable;
    /* For what was moved in silence: later frames need not ring for it. */
    if (bell) {
        ring(ep);
    }
    return 0;
}

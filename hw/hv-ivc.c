/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor's IVC queues as a PCI device: what hv-pci.c has not, the
 * shared region and the connection to ivshmem-server. docs/specs/hv-ivc.md is
 * the specification, docs/specs/shared-region.md says what the QEMUs agree on.
 *
 * Everything runs under the big QEMU lock. Trust: the guest and its stores are
 * hostile; the server and the other QEMUs may die or misbehave, and must not
 * take us with them.
 */
#include "qemu/osdep.h"

#include "chardev/char.h"
#include "hw/qdev-properties-system.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "system/runstate.h"
#include "system/system.h"

#include "../pct/pct.h"
#include "board.h"
#include "doorbell.h"
#include "hv-ivc.h"
#include "include/hv_ivc_regs.h"
#include "trace/trace-hw_vsoc.h"

/* What has not greeted us by then is no ivshmem-server. */
#define HV_IVC_GREETING_MS 5000
/* It sends all vectors in one go: none for so long, and there are no more. */
#define HV_IVC_VECTORS_MS 1000
/* A QEMU that was killed and started anew finds its own claim for a moment. */
#define HV_IVC_CLAIM_MS 2000
/* How often realize looks at the clock and at the board while it waits. */
#define HV_IVC_TICK_MS 10

/* ---- doorbells and announcements ---- */

static void hv_ivc_doorbell(HvIvcState *s, unsigned slot)
{
    trace_hv_ivc_doorbell(s->hv.view.partition, hv_pci_queue_id(&s->hv, slot));
    hv_pci_doorbell(&s->hv, slot);
}

static void hv_ivc_signal(HvIvcState *s, unsigned peer, unsigned vector)
{
    if (vector < s->peers[peer].nr_vectors) {
        event_notifier_set(&s->peers[peer].vectors[vector]);
    }
}

/* The hot path: no allocation, no lock, cost independent of the table. */
static void hv_ivc_ring(HvIvcState *s, unsigned slot)
{
    const struct pct_slot *end = &s->hv.view.slots[slot];
    const struct pct_queue_place *place = &s->hv.layout.places[end->queue];
    uint32_t claim;
    int peer;

    trace_hv_ivc_ring(s->hv.view.partition, hv_pci_queue_id(&s->hv, slot),
                      end->peer);
    if (s->cut) {
        return;
    }
    if (end->peer == s->hv.view.partition) {
        hv_ivc_doorbell(s, s->hv.view.slot_of[end->far_queue]);
        return;
    }
    doorbell_set(s->board, end->peer, place);
    claim = board_claim(s->board, end->peer);
    peer = claim == BOARD_FREE ? -1 : ivshm_find(&s->server, claim - 1);
    if (peer < 0) {
        trace_hv_ivc_ring_lost(s->hv.view.partition,
                               hv_pci_queue_id(&s->hv, slot), end->peer);
        return;
    }
    hv_ivc_signal(s, peer, place->vector);
}

/* Tells every QEMU to look at the board. */
static void hv_ivc_broadcast(HvIvcState *s)
{
    for (unsigned i = IVSHM_SELF + 1; i < s->server.nr_peers; i++) {
        hv_ivc_signal(s, i, PCT_BOARD_VECTOR);
    }
}

/* Interrupts the guest for each far end that departed unnoticed. */
static void hv_ivc_review(HvIvcState *s)
{
    if (s->cut) {
        return;
    }
    for (unsigned i = 0; i < s->hv.view.nr_slots; i++) {
        if (board_review(s->board, &s->hv.view, i, &s->told[i])) {
            trace_hv_ivc_announce(s->hv.view.partition,
                                  hv_pci_queue_id(&s->hv, i), s->told[i]);
            hv_pci_interrupt(&s->hv, i);
        }
    }
}

/* An own ivshmem vector was signalled. */
static void hv_ivc_vector_ready(void *opaque)
{
    HvIvcVector *v = opaque;
    HvIvcState *s = v->ivc;
    int fd = event_notifier_get_fd(
        &s->peers[IVSHM_SELF].vectors[v->vector]);
    uint16_t slots[DOORBELL_MAX_SLOTS];
    uint64_t count;
    unsigned nr;
    ssize_t n;

    /* One read clears an eventfd; what is none must not keep us in a loop. */
    n = read(fd, &count, sizeof(count));
    if (n != sizeof(count)) {
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            warn_report("hv-ivc: vector %u of the ivshmem-server is no "
                        "eventfd: its doorbells are lost", v->vector);
            qemu_set_fd_handler(fd, NULL, NULL, NULL);
        }
        return;
    }
    if (v->vector == PCT_BOARD_VECTOR) {
        hv_ivc_review(s);
        return;
    }
    nr = doorbell_collect(s->board, &s->hv.pct, &s->hv.layout, &s->hv.view,
                          v->vector, slots);
    for (unsigned i = 0; i < nr && !s->cut; i++) {
        hv_ivc_doorbell(s, slots[i]);
    }
}

/* ---- the server ---- */

static void hv_ivc_vector_came(HvIvcState *s, const struct ivshm_event *event)
{
    HvIvcPeer *peer = &s->peers[event->peer];

    trace_hv_ivc_peer_vector(event->id, event->vector);
    /* The server may offer more vectors than our table needs. */
    if (event->vector >= s->hv.layout.nr_vectors ||
        event->vector != peer->nr_vectors) {
        close(event->fd);
        return;
    }
    g_unix_set_fd_nonblocking(event->fd, true, NULL);
    event_notifier_init_fd(&peer->vectors[peer->nr_vectors++], event->fd);
}

static void hv_ivc_close_peer(HvIvcState *s, unsigned index)
{
    HvIvcPeer *peer = &s->peers[index];

    while (peer->nr_vectors > 0) {
        EventNotifier *vector = &peer->vectors[--peer->nr_vectors];

        if (index == IVSHM_SELF) {
            qemu_set_fd_handler(event_notifier_get_fd(vector),
                                NULL, NULL, NULL);
        }
        event_notifier_cleanup(vector);
    }
}

static void hv_ivc_peer_gone(HvIvcState *s, const struct ivshm_event *event)
{
    trace_hv_ivc_peer_gone(event->id);
    hv_ivc_close_peer(s, event->peer);
    if (s->live) {
        board_bury(s->board, &s->hv.view, event->id);
        /* Also if somebody else has buried it already. */
        hv_ivc_review(s);
    }
}

static void hv_ivc_link_down(HvIvcState *s)
{
    if (s->link) {
        s->link = false;
        trace_hv_ivc_link_down(s->hv.view.partition, s->server.error);
        /* QEMU closes its sockets itself when it ends. */
        if (!runstate_check(RUN_STATE_SHUTDOWN)) {
            warn_report("hv-ivc: lost the ivshmem-server (%s): queues go on, "
                        "but the death of a VM is no longer noticed and none "
                        "can join", s->server.error);
        }
    }
}

static int hv_ivc_can_receive(void *opaque)
{
    HvIvcState *s = opaque;

    /* Never more than one message, so that a descriptor finds its number. */
    return sizeof(s->message) - s->message_bytes;
}

static void hv_ivc_receive(void *opaque, const uint8_t *bytes, int size)
{
    HvIvcState *s = opaque;
    struct ivshm_event event;

    if (size < 0 || size > hv_ivc_can_receive(s)) {
        return;
    }
    memcpy(s->message + s->message_bytes, bytes, size);
    s->message_bytes += size;
    if (s->message_bytes < sizeof(s->message)) {
        return;
    }
    s->message_bytes = 0;

    event = ivshm_message(&s->server, ldq_le_p(s->message),
                          qemu_chr_fe_get_msgfd(&s->server_chr));
    switch (event.type) {
    case IVSHM_EVENT_VERSION:
        break;
    case IVSHM_EVENT_ID:
        s->id = event.id;
        break;
    case IVSHM_EVENT_MEMORY:
        s->memory_fd = event.fd;
        break;
    case IVSHM_EVENT_VECTOR:
        hv_ivc_vector_came(s, &event);
        break;
    case IVSHM_EVENT_GONE:
        hv_ivc_peer_gone(s, &event);
        break;
    case IVSHM_EVENT_REFUSED:
        hv_ivc_link_down(s);
        break;
    }
}

static void hv_ivc_server_event(void *opaque, QEMUChrEvent event)
{
    HvIvcState *s = opaque;

    if (event == CHR_EVENT_CLOSED) {
        ivshm_hangup(&s->server);
        hv_ivc_link_down(s);
    }
}

/* ---- reset and departure ---- */

/* Gives the partition back in good order. */
static void hv_ivc_leave(HvIvcState *s)
{
    if (!s->live) {
        return;
    }
    s->live = false;
    trace_hv_ivc_release(s->hv.view.partition, s->id);
    /* Ends before the claim: without it we have no say over them. */
    board_leave(s->board, &s->hv.view, s->id);
    board_release(s->board, s->hv.view.partition, s->id);
    hv_ivc_broadcast(s);
}

/* QEMU ends without unplugging its devices. */
static void hv_ivc_at_exit(Notifier *notifier, void *unused)
{
    hv_ivc_leave(container_of(notifier, HvIvcState, exit_notifier));
}

/* ---- realize ---- */

static gboolean hv_ivc_tick(gpointer unused)
{
    return G_SOURCE_CONTINUE;
}

/*
 * While realize waits, the server's messages are served from a main context
 * of its own, in which nothing else of QEMU runs. It ticks, so that a wait
 * can look at the clock.
 */
static GMainContext *hv_ivc_context_new(void)
{
    GMainContext *context = g_main_context_new();
    GSource *tick = g_timeout_source_new(HV_IVC_TICK_MS);

    g_source_set_callback(tick, hv_ivc_tick, NULL, NULL);
    g_source_attach(tick, context);
    g_source_unref(tick);
    return context;
}

static int64_t hv_ivc_now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Serves what the server has sent by now. */
static void hv_ivc_drain(HvIvcState *s, GMainContext *context)
{
    while (s->server.state != IVSHM_BROKEN &&
           g_main_context_iteration(context, FALSE)) {
        continue;
    }
}

/*
 * The server's greeting, up to the shared memory. It comes before everything
 * else, also before what may be wrong with our properties, because a client
 * that goes away in the middle of its greeting ends the server.
 */
static bool hv_ivc_await_greeting(HvIvcState *s, GMainContext *context,
                                  Error **errp)
{
    const char *label = qemu_chr_fe_get_driver(&s->server_chr)->label;
    int64_t since = hv_ivc_now_ms();

    while (s->server.state != IVSHM_RUNNING) {
        if (s->server.state == IVSHM_BROKEN) {
            error_setg(errp, "what listens on chardev '%s' is no "
                       "ivshmem-server: %s", label, s->server.error);
            return false;
        }
        if (hv_ivc_now_ms() - since > HV_IVC_GREETING_MS) {
            error_setg(errp, "no greeting came from chardev '%s' in %d s: no "
                       "ivshmem-server listens there", label,
                       HV_IVC_GREETING_MS / 1000);
            return false;
        }
        /* One message at most, so none of the next step is lost. */
        g_main_context_iteration(context, TRUE);
    }
    return true;
}

/* The vectors, first those of all peers, then all of our own. */
static bool hv_ivc_await_vectors(HvIvcState *s, GMainContext *context,
                                 Error **errp)
{
    const HvIvcPeer *self = &s->peers[IVSHM_SELF];
    unsigned needed = s->hv.layout.nr_vectors;
    int64_t since = hv_ivc_now_ms();

    while (self->nr_vectors < needed) {
        unsigned before = self->nr_vectors;

        if (s->server.state == IVSHM_BROKEN) {
            error_setg(errp, "what listens on chardev '%s' is no "
                       "ivshmem-server: %s",
                       qemu_chr_fe_get_driver(&s->server_chr)->label,
                       s->server.error);
            return false;
        }
        if (hv_ivc_now_ms() - since > HV_IVC_VECTORS_MS) {
            error_setg(errp, "the ivshmem-server offers %u vectors, table "
                       "'%s' needs %u: start it with -n %u", before,
                       s->hv.pct_path, needed, needed);
            return false;
        }
        g_main_context_iteration(context, TRUE);
        if (self->nr_vectors > before) {
            since = hv_ivc_now_ms();
        }
    }
    return true;
}

static bool hv_ivc_check_memory(HvIvcState *s, Error **errp)
{
    struct stat file;

    if (fstat(s->memory_fd, &file) < 0) {
        error_setg_errno(errp, errno, "cannot learn the size of the shared "
                         "memory of the ivshmem-server");
        return false;
    }
    s->memory_size = file.st_size;
    if (s->memory_size < s->hv.layout.total) {
        error_setg(errp, "the ivshmem-server has %" PRIu64 " bytes of shared "
                   "memory, table '%s' needs %" PRIu64 ": start it with -l %"
                   PRIu64, s->memory_size, s->hv.pct_path, s->hv.layout.total,
                   s->hv.layout.total);
        return false;
    }
    return true;
}

static bool hv_ivc_map_memory(HvIvcState *s, Error **errp)
{
    if (!memory_region_init_ram_from_fd(&s->memory, OBJECT(s),
                                        "hv-ivc-memory", s->hv.layout.total,
                                        RAM_SHARED, s->memory_fd, 0, errp)) {
        error_prepend(errp, "cannot map the shared memory of the "
                      "ivshmem-server: ");
        return false;
    }
    s->memory_fd = -1;      /* the memory region closes it */
    s->hv.base = memory_region_get_ram_ptr(&s->memory);
    s->board = (struct pct_board *)s->hv.base;
    return true;
}

static bool hv_ivc_meet(HvIvcState *s, Error **errp)
{
    uint64_t found = board_meet(s->board, s->hv.layout.digest);

    if (found != s->hv.layout.digest) {
        error_setg(errp, "the SoC runs another table (digest 0x%016" PRIx64
                   ") than '%s' (0x%016" PRIx64 "): give all its VMs the same "
                   "one, or start a new ivshmem-server", found, s->hv.pct_path,
                   s->hv.layout.digest);
        return false;
    }
    return true;
}

static bool hv_ivc_claim(HvIvcState *s, GMainContext *context, Error **errp)
{
    uint32_t partition = s->hv.view.partition;
    uint32_t waits_for = BOARD_FREE;
    int64_t since = hv_ivc_now_ms();

    board_disown(s->board, s->id);
    for (;;) {
        uint32_t seen = board_claim(s->board, partition);

        /*
         * The claim before the server's messages: the server tells us of a
         * newcomer before the newcomer can claim anything, so a holder that
         * is unknown after this is dead, and not just new.
         */
        hv_ivc_drain(s, context);
        if (s->server.state == IVSHM_BROKEN) {
            error_setg(errp, "lost the ivshmem-server: %s", s->server.error);
            return false;
        }
        if (seen == BOARD_FREE || ivshm_find(&s->server, seen - 1) < 0) {
            if (board_take(s->board, partition, seen, s->id)) {
                trace_hv_ivc_claim(partition, s->id, seen);
                return true;
            }
            continue;
        }
        if (seen != waits_for) {
            trace_hv_ivc_claim_wait(partition, seen - 1);
            waits_for = seen;
        }
        if (hv_ivc_now_ms() - since > HV_IVC_CLAIM_MS) {
            error_setg(errp, "partition %s is taken by a running VM (client "
                       "%u of the ivshmem-server)",
                       hv_pci_partition_name(&s->hv), seen - 1);
            return false;
        }
        g_main_context_iteration(context, TRUE);
    }
}

/* The partition is ours: settle what others left, and start to listen. */
static void hv_ivc_go_live(HvIvcState *s, GMainContext *context)
{
    uint32_t seen[PCT_MAX_NUM_GUESTS];

    /* From here on a peer that goes is buried as its message comes. */
    s->live = true;
    board_inherit(s->board, &s->hv.view, s->id);

    /*
     * Peers that died before: nobody else may have been there to see it. As
     * in hv_ivc_claim(), claims first, then the messages.
     */
    for (unsigned i = 0; i < PCT_MAX_NUM_GUESTS; i++) {
        seen[i] = board_claim(s->board, i);
    }
    hv_ivc_drain(s, context);
    for (unsigned i = 0; i < PCT_MAX_NUM_GUESTS; i++) {
        if (seen[i] != BOARD_FREE && s->server.state != IVSHM_BROKEN &&
            ivshm_find(&s->server, seen[i] - 1) < 0) {
            board_bury(s->board, &s->hv.view, seen[i] - 1);
        }
    }
    /* What came before us is no news to a guest that starts now. */
    for (unsigned i = 0; i < s->hv.view.nr_slots; i++) {
        board_review(s->board, &s->hv.view, i, &s->told[i]);
    }

    for (unsigned i = 0; i < s->hv.layout.nr_vectors; i++) {
        EventNotifier *vector = &s->peers[IVSHM_SELF].vectors[i];
        uint16_t slots[DOORBELL_MAX_SLOTS];

        /* Nobody can have rung for us: these were for one before us. */
        doorbell_collect(s->board, &s->hv.pct, &s->hv.layout, &s->hv.view, i,
                         slots);
        s->vectors[i] = (HvIvcVector) { .ivc = s, .vector = i };
        qemu_set_fd_handler(event_notifier_get_fd(vector),
                            hv_ivc_vector_ready, NULL, &s->vectors[i]);
    }
    s->link = s->server.state == IVSHM_RUNNING;
    hv_ivc_broadcast(s);
}

/* Undoes what realize did up to any point; memory regions go with us. */
static void hv_ivc_cleanup(HvIvcState *s)
{
    qemu_chr_fe_set_handlers(&s->server_chr, NULL, NULL, NULL, NULL, NULL,
                             NULL, true);
    s->link = false;
    for (unsigned i = 0; i < IVSHM_MAX_PEERS; i++) {
        hv_ivc_close_peer(s, i);
    }
    if (s->memory_fd >= 0) {
        close(s->memory_fd);
        s->memory_fd = -1;
    }
    hv_pci_cleanup(&s->hv);
}

static bool hv_ivc_check_chardev(HvIvcState *s, Error **errp)
{
    if (!qemu_chr_fe_backend_connected(&s->server_chr)) {
        error_setg(errp, "hv-ivc needs 'chardev': a socket to the SoC's "
                   "ivshmem-server");
        return false;
    }
    if (!qemu_chr_has_feature(qemu_chr_fe_get_driver(&s->server_chr),
                              QEMU_CHAR_FEATURE_FD_PASS)) {
        error_setg(errp, "chardev '%s' is no unix socket: hv-ivc needs "
                   "-chardev socket,id=...,path=SERVER_SOCKET",
                   qemu_chr_fe_get_driver(&s->server_chr)->label);
        return false;
    }
    return true;
}

static bool hv_ivc_choose_partition(HvIvcState *s, Error **errp)
{
    if (!hv_pci_choose_partition(&s->hv, errp)) {
        return false;
    }
    hv_pci_view(&s->hv);
    if (s->hv.view.nr_slots == 0) {
        error_setg(errp, "partition %s has no IVC queue in table '%s'",
                   hv_pci_partition_name(&s->hv), s->hv.pct_path);
        return false;
    }
    return true;
}

static void hv_ivc_realize(PCIDevice *pci, Error **errp)
{
    ERRP_GUARD();
    HvIvcState *s = HV_IVC(pci);
    GMainContext *context;

    if (!hv_ivc_check_chardev(s, errp)) {
        return;
    }
    ivshm_init(&s->server);
    context = hv_ivc_context_new();
    qemu_chr_fe_set_handlers(&s->server_chr, hv_ivc_can_receive,
                             hv_ivc_receive, hv_ivc_server_event, NULL, s,
                             context, true);

    if (!hv_ivc_await_greeting(s, context, errp) ||
        !hv_pci_read_table(&s->hv, errp) ||
        !hv_ivc_choose_partition(s, errp) ||
        !hv_ivc_check_memory(s, errp) ||
        !hv_ivc_await_vectors(s, context, errp) ||
        !hv_ivc_map_memory(s, errp) ||
        !hv_pci_init_msix(&s->hv, errp) ||
        !hv_pci_init_bars(&s->hv, &s->memory, errp)) {
        goto fail;
    }

    /* Last, because others see it: once it is ours nothing fails. */
    if (!hv_ivc_meet(s, errp) || !hv_ivc_claim(s, context, errp)) {
        goto fail;
    }
    hv_ivc_go_live(s, context);
    s->exit_notifier.notify = hv_ivc_at_exit;
    qemu_add_exit_notifier(&s->exit_notifier);

    /* From the private context to QEMU's own. */
    qemu_chr_fe_set_handlers(&s->server_chr, hv_ivc_can_receive,
                             hv_ivc_receive, hv_ivc_server_event, NULL, s,
                             NULL, true);
    g_main_context_unref(context);
    return;

fail:
    hv_ivc_cleanup(s);
    g_main_context_unref(context);
}

static void hv_ivc_exit(PCIDevice *pci)
{
    HvIvcState *s = HV_IVC(pci);

    qemu_remove_exit_notifier(&s->exit_notifier);
    hv_ivc_leave(s);
    hv_ivc_cleanup(s);
}

/* ---- as hv-pci asks ---- */

static bool hv_ivc_link_up(HvPciState *hv)
{
    return HV_IVC(hv)->link && !HV_IVC(hv)->cut;
}

static void hv_ivc_set_link(HvPciState *hv, bool up)
{
    HvIvcState *s = HV_IVC(hv);

    s->cut = !up;
    if (s->live) {
        /* Departures of meanwhile. */
        hv_ivc_review(s);
    }
}

/* An interrupt tells of a departure too, if there is one. */
static void hv_ivc_interrupting(HvPciState *hv, unsigned slot)
{
    HvIvcState *s = HV_IVC(hv);

    board_review(s->board, &hv->view, slot, &s->told[slot]);
}

static void hv_ivc_store_ring(HvPciState *hv, unsigned slot)
{
    hv_ivc_ring(HV_IVC(hv), slot);
}

static void hv_ivc_set_open(HvPciState *hv, unsigned slot)
{
    HvIvcState *s = HV_IVC(hv);

    if (!s->live) {
        return;
    }
    if (hv->slots[slot].open) {
        board_open(s->board, &hv->view, slot, s->id);
    } else if (board_close(s->board, &hv->view, slot, s->id)) {
        /* Status before doorbell, because the interrupt announces it. */
        hv_ivc_ring(s, slot);
    }
}

static uint32_t hv_ivc_far_status(HvPciState *hv, unsigned slot)
{
    return board_far_status(HV_IVC(hv)->board, &hv->view, slot);
}

static void hv_ivc_show(HvPciState *hv, unsigned slot, QDict *dict)
{
    const struct pct_slot *end = &hv->view.slots[slot];

    qdict_put_str(dict, "peer",
                  pct_find_partition(&hv->pct, end->peer)->name);
    qdict_put_int(dict, "vector", hv->layout.places[end->queue].vector);
}

static void hv_ivc_get_memory_size(Object *obj, Visitor *v, const char *name,
                                   void *opaque, Error **errp)
{
    visit_type_uint64(v, name, &HV_IVC(obj)->memory_size, errp);
}

/* ---- the type ---- */

static void hv_ivc_instance_init(Object *obj)
{
    HV_IVC(obj)->memory_fd = -1;
}

static const Property hv_ivc_properties[] = {
    DEFINE_PROP_CHR("chardev", HvIvcState, server_chr),
};

static void hv_ivc_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    HvPciClass *hc = HV_PCI_CLASS(klass);

    pc->realize = hv_ivc_realize;
    pc->exit = hv_ivc_exit;
    pc->device_id = HV_IVC_PCI_DEVICE_ID;
    hc->id = HV_IVC_ID;
    hc->link_up = hv_ivc_link_up;
    hc->set_link = hv_ivc_set_link;
    hc->interrupting = hv_ivc_interrupting;
    hc->ring = hv_ivc_store_ring;
    hc->set_open = hv_ivc_set_open;
    hc->far_status = hv_ivc_far_status;
    hc->show = hv_ivc_show;
    dc->desc = "IVC queues of a virtual SoC's partition";
    device_class_set_props(dc, hv_ivc_properties);
    object_class_property_set_description(klass, "chardev",
        "unix socket to the SoC's ivshmem-server");
    object_class_property_add(klass, "memory-size", "uint64",
                              hv_ivc_get_memory_size, NULL, NULL, NULL);
}

static const TypeInfo hv_ivc_info_type = {
    .name = TYPE_HV_IVC,
    .parent = TYPE_HV_PCI,
    .instance_size = sizeof(HvIvcState),
    .instance_init = hv_ivc_instance_init,
    .class_init = hv_ivc_class_init,
};

static void hv_ivc_register_types(void)
{
    type_register_static(&hv_ivc_info_type);
}

type_init(hv_ivc_register_types)

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor's IVC queues as a PCI device: properties, BARs, MSI-X, reset,
 * and the connection to ivshmem-server. docs/specs/hv-ivc.md is the
 * specification, docs/specs/shared-region.md says what the QEMUs agree on.
 *
 * Everything runs under the big QEMU lock. Trust: the guest and its stores are
 * hostile; the server and the other QEMUs may die or misbehave, and must not
 * take us with them.
 */
#include "qemu/osdep.h"

#include "chardev/char.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties-system.h"
#include "hw/qdev-properties.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "system/runstate.h"
#include "system/system.h"

#include "../guest-lib/ivc/ivc_wire.h"
#include "../pct/ivc_info_page.h"
#include "../pct/pct.h"
#include "../pct/pct_fdt.h"
#include "../pct/pct_info.h"
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

static uint32_t hv_ivc_queue_id(HvIvcState *s, unsigned slot)
{
    return s->pct.queues[s->view.slots[slot].queue].id;
}

static void hv_ivc_interrupt(HvIvcState *s, unsigned slot)
{
    PCIDevice *pci = PCI_DEVICE(s);

    trace_hv_ivc_interrupt(s->view.partition, hv_ivc_queue_id(s, slot), slot);
    s->slots[slot].interrupts++;
    /* While MSI-X is off nobody waits; a pending bit now would be stale. */
    if (msix_enabled(pci)) {
        msix_notify(pci, slot);
    }
}

static void hv_ivc_doorbell(HvIvcState *s, unsigned slot)
{
    trace_hv_ivc_doorbell(s->view.partition, hv_ivc_queue_id(s, slot));
    s->slots[slot].rings_in++;
    /* This interrupt tells of a departure too, if there is one. */
    board_review(s->board, &s->view, slot, &s->slots[slot].told);
    hv_ivc_interrupt(s, slot);
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
    const struct pct_slot *end = &s->view.slots[slot];
    const struct pct_queue_place *place = &s->layout.places[end->queue];
    uint32_t claim;
    int peer;

    trace_hv_ivc_ring(s->view.partition, hv_ivc_queue_id(s, slot), end->peer);
    if (end->peer == s->view.partition) {
        hv_ivc_doorbell(s, s->view.slot_of[end->far_queue]);
        return;
    }
    doorbell_set(s->board, end->peer, place);
    claim = board_claim(s->board, end->peer);
    peer = claim == BOARD_FREE ? -1 : ivshm_find(&s->server, claim - 1);
    if (peer < 0) {
        trace_hv_ivc_ring_lost(s->view.partition, hv_ivc_queue_id(s, slot),
                               end->peer);
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
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        if (board_review(s->board, &s->view, i, &s->slots[i].told)) {
            trace_hv_ivc_announce(s->view.partition, hv_ivc_queue_id(s, i),
                                  s->slots[i].told);
            hv_ivc_interrupt(s, i);
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
    nr = doorbell_collect(s->board, &s->pct, &s->layout, &s->view, v->vector,
                          slots);
    for (unsigned i = 0; i < nr; i++) {
        hv_ivc_doorbell(s, slots[i]);
    }
}

/* ---- the server ---- */

static void hv_ivc_vector_came(HvIvcState *s, const struct ivshm_event *event)
{
    HvIvcPeer *peer = &s->peers[event->peer];

    trace_hv_ivc_peer_vector(event->id, event->vector);
    /* The server may offer more vectors than our table needs. */
    if (event->vector >= s->layout.nr_vectors ||
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
        board_bury(s->board, &s->view, event->id);
        /* Also if somebody else has buried it already. */
        hv_ivc_review(s);
    }
}

static void hv_ivc_link_down(HvIvcState *s)
{
    if (s->link) {
        s->link = false;
        trace_hv_ivc_link_down(s->view.partition, s->server.error);
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

/* ---- registers ---- */

static uint64_t hv_ivc_bar_base(HvIvcState *s, int bar)
{
    pcibus_t base = pci_get_bar_addr(PCI_DEVICE(s), bar);

    return base == PCI_BAR_UNMAPPED ? 0 : base;
}

/* The guest may move a BAR at any time: the page is made when it is read. */
static const uint8_t *hv_ivc_info(HvIvcState *s)
{
    uint64_t area_base = hv_ivc_bar_base(s, HV_IVC_BAR_AREAS);
    uint64_t noti_base = hv_ivc_bar_base(s, HV_IVC_BAR_NOTI);

    if (!s->info || area_base != s->info_area_base ||
        noti_base != s->info_noti_base) {
        if (!s->info) {
            s->info = g_malloc0(IVC_INFO_PAGE_SIZE);
        }
        trace_hv_ivc_info(s->view.partition, area_base, noti_base);
        pct_info_write(&s->pct, &s->layout, &s->view, area_base, noti_base,
                       HV_IVC_PAGE, s->info, IVC_INFO_PAGE_SIZE);
        s->info_area_base = area_base;
        s->info_noti_base = noti_base;
    }
    return s->info;
}

static void hv_ivc_set_open(HvIvcState *s, unsigned slot, bool open)
{
    if (s->slots[slot].open == open) {
        return;
    }
    s->slots[slot].open = open;
    trace_hv_ivc_endpoint(s->view.partition, hv_ivc_queue_id(s, slot), open);
    if (open) {
        board_open(s->board, &s->view, slot, s->id);
    } else if (board_close(s->board, &s->view, slot, s->id)) {
        /* Status before doorbell, because the interrupt announces it. */
        hv_ivc_ring(s, slot);
    }
}

static void hv_ivc_bad_access(const char *what, const char *bar, hwaddr addr,
                              unsigned size)
{
    qemu_log_mask(LOG_GUEST_ERROR, "hv-ivc: bad %s of %u bytes at 0x%"
                  HWADDR_PRIx " of the %s\n", what, size, addr, bar);
}

/* The slot whose ENDPOINT register is at addr; -1 if there is none. */
static int hv_ivc_endpoint_slot(HvIvcState *s, hwaddr addr)
{
    if (addr < HV_IVC_REG_ENDPOINT(0) ||
        addr >= HV_IVC_REG_ENDPOINT(s->view.nr_slots)) {
        return -1;
    }
    return (addr - HV_IVC_REG_ENDPOINT(0)) / 4;
}

static uint64_t hv_ivc_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    HvIvcState *s = opaque;
    int slot;

    /* The info page is plain memory to its reader: any width. */
    if (addr >= HV_IVC_INFO_OFFSET &&
        addr - HV_IVC_INFO_OFFSET + size <= IVC_INFO_PAGE_SIZE) {
        return ldn_le_p(hv_ivc_info(s) + (addr - HV_IVC_INFO_OFFSET), size);
    }
    if (size != 4 || addr % 4 != 0) {
        hv_ivc_bad_access("read", "registers", addr, size);
        return 0;
    }
    switch (addr) {
    case HV_IVC_REG_ID:
        return HV_IVC_ID;
    case HV_IVC_REG_VERSION:
        return HV_IVC_VERSION;
    case HV_IVC_REG_PARTITION:
        return s->view.partition;
    case HV_IVC_REG_LINK:
        return s->link ? HV_IVC_LINK_UP : 0;
    case HV_IVC_REG_NR_QUEUES:
        return s->view.nr_slots;
    case HV_IVC_REG_INFO:
        return HV_IVC_INFO_OFFSET;
    case HV_IVC_REG_INFO_SIZE:
        return pct_info_size(&s->view);
    default:
        slot = hv_ivc_endpoint_slot(s, addr);
        if (slot >= 0) {
            return s->slots[slot].open ? HV_IVC_ENDPOINT_OPEN : 0;
        }
        hv_ivc_bad_access("read", "registers", addr, size);
        return 0;
    }
}

static void hv_ivc_regs_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    HvIvcState *s = opaque;
    int slot = -1;

    if (size == 4 && addr % 4 == 0) {
        slot = hv_ivc_endpoint_slot(s, addr);
    }
    if (slot < 0) {
        hv_ivc_bad_access("write", "registers", addr, size);
        return;
    }
    hv_ivc_set_open(s, slot, value & HV_IVC_ENDPOINT_OPEN);
}

/*
 * All BARs take any access, so that a wrong one reads 0 and is logged where
 * the machine would otherwise send its guest a bus error.
 */
static const MemoryRegionOps hv_ivc_regs_ops = {
    .read = hv_ivc_regs_read,
    .write = hv_ivc_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static uint64_t hv_ivc_noti_read(void *opaque, hwaddr addr, unsigned size)
{
    HvIvcState *s = opaque;
    unsigned slot = addr / HV_IVC_PAGE;

    if (size == 4 && slot < s->view.nr_slots &&
        addr % HV_IVC_PAGE == HV_IVC_NOTI_STATUS) {
        return board_far_status(s->board, &s->view, slot);
    }
    hv_ivc_bad_access("read", "notification pages", addr, size);
    return 0;
}

static void hv_ivc_noti_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    HvIvcState *s = opaque;
    unsigned slot = addr / HV_IVC_PAGE;

    if (size == 4 && slot < s->view.nr_slots &&
        addr % HV_IVC_PAGE == HV_IVC_NOTI_RING) {
        s->slots[slot].rings_out++;
        hv_ivc_ring(s, slot);
        return;
    }
    hv_ivc_bad_access("write", "notification pages", addr, size);
}

static const MemoryRegionOps hv_ivc_noti_ops = {
    .read = hv_ivc_noti_read,
    .write = hv_ivc_noti_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* What the areas leave free of their BAR. */
static uint64_t hv_ivc_gap_read(void *opaque, hwaddr addr, unsigned size)
{
    hv_ivc_bad_access("read", "areas", addr, size);
    return 0;
}

static void hv_ivc_gap_write(void *opaque, hwaddr addr, uint64_t value,
                             unsigned size)
{
    hv_ivc_bad_access("write", "areas", addr, size);
}

static const MemoryRegionOps hv_ivc_gap_ops = {
    .read = hv_ivc_gap_read,
    .write = hv_ivc_gap_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* ---- reset and departure ---- */

/* The guest resets: whoever held queues open in it is no more. */
static void hv_ivc_reset_hold(Object *obj, ResetType type)
{
    HvIvcState *s = HV_IVC(obj);
    unsigned nr_open = 0;

    for (unsigned i = 0; s->live && i < s->view.nr_slots; i++) {
        nr_open += s->slots[i].open;
        hv_ivc_set_open(s, i, false);
    }
    trace_hv_ivc_reset(s->view.partition, nr_open);
}

/* Gives the partition back in good order. */
static void hv_ivc_leave(HvIvcState *s)
{
    if (!s->live) {
        return;
    }
    s->live = false;
    trace_hv_ivc_release(s->view.partition, s->id);
    /* Ends before the claim: without it we have no say over them. */
    board_leave(s->board, &s->view, s->id);
    board_release(s->board, s->view.partition, s->id);
    hv_ivc_broadcast(s);
}

/* QEMU ends without unplugging its devices. */
static void hv_ivc_at_exit(Notifier *notifier, void *unused)
{
    hv_ivc_leave(container_of(notifier, HvIvcState, exit_notifier));
}

/* ---- realize ---- */

static bool hv_ivc_read_table(HvIvcState *s, Error **errp)
{
    g_autofree void *blob = g_malloc(PCT_FDT_MAX_SIZE + 1);
    struct pct_fault fault;
    char text[PCT_FAULT_TEXT_SIZE];
    unsigned nr_faults;
    size_t size;
    FILE *file;

    file = fopen(s->pct_path, "rb");
    if (!file) {
        error_setg_errno(errp, errno, "cannot open the table '%s'",
                         s->pct_path);
        return false;
    }
    size = fread(blob, 1, PCT_FDT_MAX_SIZE + 1, file);
    if (ferror(file)) {
        error_setg_errno(errp, errno, "cannot read the table '%s'",
                         s->pct_path);
        fclose(file);
        return false;
    }
    fclose(file);
    if (size > PCT_FDT_MAX_SIZE) {
        error_setg(errp, "'%s' is no compiled table: it is larger than %u "
                   "bytes", s->pct_path, PCT_FDT_MAX_SIZE);
        return false;
    }

    if (pct_from_fdt(blob, size, &s->pct, text, sizeof(text)) < 0) {
        error_setg(errp, "'%s' is no compiled table: %s; make one with 'vsoc "
                   "pct compile'", s->pct_path, text);
        return false;
    }
    nr_faults = pct_check(&s->pct, 0, &fault, 1);
    if (nr_faults > 0) {
        pct_fault_text(&s->pct, &fault, text, sizeof(text));
        error_setg(errp, "table '%s' breaks rule %s: %s%s", s->pct_path,
                   pct_rule_name(fault.rule), text,
                   nr_faults > 1 ? " (and it breaks others)" : "");
        return false;
    }
    pct_layout(&s->pct, &s->layout);
    return true;
}

static const struct pct_partition *hv_ivc_find_partition(HvIvcState *s)
{
    unsigned int id;

    for (uint32_t i = 0; i < s->pct.nr_partitions; i++) {
        if (!strcmp(s->pct.partitions[i].name, s->partition_name)) {
            return &s->pct.partitions[i];
        }
    }
    if (qemu_strtoui(s->partition_name, NULL, 0, &id) < 0) {
        return NULL;
    }
    return pct_find_partition(&s->pct, id);
}

static bool hv_ivc_choose_partition(HvIvcState *s, Error **errp)
{
    const struct pct_partition *partition = hv_ivc_find_partition(s);

    if (!partition) {
        g_autoptr(GString) known = g_string_new(NULL);

        for (uint32_t i = 0; i < s->pct.nr_partitions; i++) {
            g_string_append_printf(known, "%s%s (%u)", i > 0 ? ", " : "",
                                   s->pct.partitions[i].name,
                                   s->pct.partitions[i].id);
        }
        error_setg(errp, "partition '%s' is not in table '%s'; it has %s",
                   s->partition_name, s->pct_path, known->str);
        return false;
    }
    pct_view(&s->pct, &s->layout, partition->id, &s->view);
    if (s->view.nr_slots == 0) {
        error_setg(errp, "partition %s has no IVC queue in table '%s'",
                   partition->name, s->pct_path);
        return false;
    }
    return true;
}

static const char *hv_ivc_partition_name(HvIvcState *s)
{
    return pct_find_partition(&s->pct, s->view.partition)->name;
}

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
    unsigned needed = s->layout.nr_vectors;
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
                       s->pct_path, needed, needed);
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
    if (s->memory_size < s->layout.total) {
        error_setg(errp, "the ivshmem-server has %" PRIu64 " bytes of shared "
                   "memory, table '%s' needs %" PRIu64 ": start it with -l %"
                   PRIu64, s->memory_size, s->pct_path, s->layout.total,
                   s->layout.total);
        return false;
    }
    return true;
}

static bool hv_ivc_map_memory(HvIvcState *s, Error **errp)
{
    if (!memory_region_init_ram_from_fd(&s->memory, OBJECT(s),
                                        "hv-ivc-memory", s->layout.total,
                                        RAM_SHARED, s->memory_fd, 0, errp)) {
        error_prepend(errp, "cannot map the shared memory of the "
                      "ivshmem-server: ");
        return false;
    }
    s->memory_fd = -1;      /* the memory region closes it */
    s->base = memory_region_get_ram_ptr(&s->memory);
    s->board = (struct pct_board *)s->base;
    return true;
}

static bool hv_ivc_meet(HvIvcState *s, Error **errp)
{
    uint64_t found = board_meet(s->board, s->layout.digest);

    if (found != s->layout.digest) {
        error_setg(errp, "the SoC runs another table (digest 0x%016" PRIx64
                   ") than '%s' (0x%016" PRIx64 "): give all its VMs the same "
                   "one, or start a new ivshmem-server", found, s->pct_path,
                   s->layout.digest);
        return false;
    }
    return true;
}

static bool hv_ivc_claim(HvIvcState *s, GMainContext *context, Error **errp)
{
    uint32_t partition = s->view.partition;
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
                       "%u of the ivshmem-server)", hv_ivc_partition_name(s),
                       seen - 1);
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
    board_inherit(s->board, &s->view, s->id);

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
            board_bury(s->board, &s->view, seen[i] - 1);
        }
    }
    /* What came before us is no news to a guest that starts now. */
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        board_review(s->board, &s->view, i, &s->slots[i].told);
    }

    for (unsigned i = 0; i < s->layout.nr_vectors; i++) {
        EventNotifier *vector = &s->peers[IVSHM_SELF].vectors[i];
        uint16_t slots[DOORBELL_MAX_SLOTS];

        /* Nobody can have rung for us: these were for one before us. */
        doorbell_collect(s->board, &s->pct, &s->layout, &s->view, i, slots);
        s->vectors[i] = (HvIvcVector) { .ivc = s, .vector = i };
        qemu_set_fd_handler(event_notifier_get_fd(vector),
                            hv_ivc_vector_ready, NULL, &s->vectors[i]);
    }
    s->link = s->server.state == IVSHM_RUNNING;
    hv_ivc_broadcast(s);
}

static void hv_ivc_init_bars(HvIvcState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);
    Object *obj = OBJECT(s);
    uint64_t next = 0;

    memory_region_init_io(&s->regs_bar, obj, &hv_ivc_regs_ops, s,
                          "hv-ivc-registers", HV_IVC_BAR_REGS_SIZE);
    memory_region_init_io(&s->noti_bar, obj, &hv_ivc_noti_ops, s,
                          "hv-ivc-notification",
                          pow2ceil(s->view.nr_slots * HV_IVC_PAGE));
    memory_region_init_io(&s->areas_bar, obj, &hv_ivc_gap_ops, s,
                          "hv-ivc-areas", pow2ceil(s->view.bar_size));

    s->areas = g_new0(MemoryRegion, s->view.nr_slots);
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        const struct pct_slot *slot = &s->view.slots[i];
        const struct pct_queue_place *place = &s->layout.places[slot->queue];
        g_autofree char *name = NULL;

        if (slot->bar_offset < next) {
            continue;       /* shares the area of the slot before */
        }
        next = slot->bar_offset + place->area_size;
        name = g_strdup_printf("hv-ivc-area-%u", hv_ivc_queue_id(s, i));
        memory_region_init_alias(&s->areas[i], obj, name, &s->memory,
                                 place->area, place->area_size);
        memory_region_add_subregion(&s->areas_bar, slot->bar_offset,
                                    &s->areas[i]);
    }

    pci_register_bar(pci, HV_IVC_BAR_REGS, PCI_BASE_ADDRESS_SPACE_MEMORY,
                     &s->regs_bar);
    pci_register_bar(pci, HV_IVC_BAR_AREAS,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_PREFETCH |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->areas_bar);
    pci_register_bar(pci, HV_IVC_BAR_NOTI,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->noti_bar);
}

static bool hv_ivc_init_msix(HvIvcState *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);

    if (!msi_nonbroken) {
        error_setg(errp, "hv-ivc needs MSI-X, which this machine lacks: on "
                   "aarch64 use -machine virt,gic-version=3");
        return false;
    }
    if (msix_init_exclusive_bar(pci, s->view.nr_slots, HV_IVC_BAR_MSIX,
                                errp) < 0) {
        return false;
    }
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        msix_vector_use(pci, i);
    }
    return true;
}

/* Undoes what realize did up to any point; memory regions go with us. */
static void hv_ivc_cleanup(HvIvcState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

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
    migrate_del_blocker(&s->migration_blocker);
    if (msix_present(pci)) {
        msix_uninit_exclusive_bar(pci);
    }
    /* A mapped region keeps its owner, us, from ever being freed. */
    for (unsigned i = 0; s->areas && i < s->view.nr_slots; i++) {
        if (memory_region_is_mapped(&s->areas[i])) {
            memory_region_del_subregion(&s->areas_bar, &s->areas[i]);
        }
    }
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

static bool hv_ivc_check_properties(HvIvcState *s, Error **errp)
{
    if (!s->pct_path) {
        error_setg(errp, "hv-ivc needs 'pct': a table made by 'vsoc pct "
                   "compile'");
        return false;
    }
    if (!s->partition_name) {
        error_setg(errp, "hv-ivc needs 'partition': the name or number of "
                   "this VM's partition in the table");
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
        !hv_ivc_check_properties(s, errp) ||
        !hv_ivc_read_table(s, errp) ||
        !hv_ivc_choose_partition(s, errp) ||
        !hv_ivc_check_memory(s, errp) ||
        !hv_ivc_await_vectors(s, context, errp) ||
        !hv_ivc_map_memory(s, errp) ||
        !hv_ivc_init_msix(s, errp)) {
        goto fail;
    }
    error_setg(&s->migration_blocker, "hv-ivc cannot be migrated: its queues "
               "are shared with other VMs");
    if (migrate_add_blocker(&s->migration_blocker, errp) < 0) {
        goto fail;
    }
    hv_ivc_init_bars(s);

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

/* ---- what QMP shows ---- */

static const struct ivc_header *hv_ivc_header(HvIvcState *s, unsigned slot,
                                              bool rx)
{
    const struct pct_slot *end = &s->view.slots[slot];
    const struct pct_queue_place *place = &s->layout.places[end->queue];
    bool first = end->rx_first == rx;

    return (const struct ivc_header *)(s->base + place->area + place->offset +
                                       (first ? 0 : place->size));
}

static QDict *hv_ivc_show_slot(HvIvcState *s, unsigned slot)
{
    static const char *const states[] = {
        [HV_IVC_STATE_UNKNOWN] = "unknown",
        [HV_IVC_STATE_OPEN] = "open",
        [HV_IVC_STATE_GONE] = "gone",
        [HV_IVC_STATE_MASK] = "invalid",
    };
    const struct pct_slot *end = &s->view.slots[slot];
    const HvIvcSlot *state = &s->slots[slot];
    const struct ivc_header *rx = hv_ivc_header(s, slot, true);
    const struct ivc_header *tx = hv_ivc_header(s, slot, false);
    uint32_t status = board_far_status(s->board, &s->view, slot);
    QDict *dict = qdict_new();

    qdict_put_int(dict, "id", hv_ivc_queue_id(s, slot));
    qdict_put_str(dict, "peer", pct_find_partition(&s->pct, end->peer)->name);
    qdict_put_int(dict, "slot", slot);
    qdict_put_int(dict, "vector", s->layout.places[end->queue].vector);
    qdict_put_int(dict, "rings-out", state->rings_out);
    qdict_put_int(dict, "rings-in", state->rings_in);
    qdict_put_int(dict, "interrupts", state->interrupts);
    qdict_put_bool(dict, "open", state->open);
    qdict_put_str(dict, "far-state", states[status & HV_IVC_STATE_MASK]);
    qdict_put_int(dict, "far-generation", status >> HV_IVC_GEN_SHIFT);
    qdict_put_int(dict, "tx-count", qatomic_read(&tx->tx_count));
    qdict_put_int(dict, "tx-state", qatomic_read(&tx->tx_state));
    qdict_put_int(dict, "rx-count", qatomic_read(&rx->rx_count));
    qdict_put_int(dict, "peer-tx-count", qatomic_read(&rx->tx_count));
    qdict_put_int(dict, "peer-tx-state", qatomic_read(&rx->tx_state));
    qdict_put_int(dict, "peer-rx-count", qatomic_read(&tx->rx_count));
    return dict;
}

static void hv_ivc_get_queues(Object *obj, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    HvIvcState *s = HV_IVC(obj);
    QList *list = qlist_new();
    QObject *value = QOBJECT(list);

    for (unsigned i = 0; s->live && i < s->view.nr_slots; i++) {
        qlist_append(list, hv_ivc_show_slot(s, i));
    }
    visit_type_any(v, name, &value, errp);
    qobject_unref(list);
}

static bool hv_ivc_get_link(Object *obj, Error **errp)
{
    return HV_IVC(obj)->link;
}

static void hv_ivc_get_partition_id(Object *obj, Visitor *v, const char *name,
                                    void *opaque, Error **errp)
{
    visit_type_uint32(v, name, &HV_IVC(obj)->view.partition, errp);
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

static void hv_ivc_instance_finalize(Object *obj)
{
    HvIvcState *s = HV_IVC(obj);

    g_free(s->areas);
    g_free(s->info);
}

static const Property hv_ivc_properties[] = {
    DEFINE_PROP_CHR("chardev", HvIvcState, server_chr),
    DEFINE_PROP_STRING("pct", HvIvcState, pct_path),
    DEFINE_PROP_STRING("partition", HvIvcState, partition_name),
};

static void hv_ivc_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    pc->realize = hv_ivc_realize;
    pc->exit = hv_ivc_exit;
    pc->vendor_id = HV_IVC_PCI_VENDOR_ID;
    pc->device_id = HV_IVC_PCI_DEVICE_ID;
    pc->revision = HV_IVC_PCI_REVISION;
    pc->class_id = 0xff00;      /* fits none of the classes */
    rc->phases.hold = hv_ivc_reset_hold;
    dc->desc = "IVC queues of a virtual SoC's partition";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, hv_ivc_properties);
    object_class_property_set_description(klass, "chardev",
        "unix socket to the SoC's ivshmem-server");
    object_class_property_set_description(klass, "pct",
        "compiled partition configuration table");
    object_class_property_set_description(klass, "partition",
        "this VM's partition, by name or number");

    object_class_property_add(klass, "queues", "list", hv_ivc_get_queues,
                              NULL, NULL, NULL);
    object_class_property_add_bool(klass, "link", hv_ivc_get_link, NULL);
    object_class_property_add(klass, "partition-id", "uint32",
                              hv_ivc_get_partition_id, NULL, NULL, NULL);
    object_class_property_add(klass, "memory-size", "uint64",
                              hv_ivc_get_memory_size, NULL, NULL, NULL);
}

static const TypeInfo hv_ivc_info_type = {
    .name = TYPE_HV_IVC,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(HvIvcState),
    .instance_init = hv_ivc_instance_init,
    .instance_finalize = hv_ivc_instance_finalize,
    .class_init = hv_ivc_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void hv_ivc_register_types(void)
{
    type_register_static(&hv_ivc_info_type);
}

type_init(hv_ivc_register_types)

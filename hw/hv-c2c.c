/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels to another chip as a PCI device: what hv-pci.c has not, the link.
 * docs/specs/hv-c2c.md is the specification. The messages are c2c-proto.c's,
 * sessions and rings c2c-channel.c's; here they meet the chardev.
 *
 * Everything runs under the big QEMU lock. The guest is hostile, and so is
 * what comes from the link: memory stays as it was made at the start, and one
 * call does a bounded share of work.
 */
#include "qemu/osdep.h"

#include "chardev/char.h"
#include "hw/qdev-properties-system.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/memalign.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "system/runstate.h"
#include "system/system.h"

#include "../pct/ivc_info_page.h"
#include "../pct/pct.h"
#include "hv-c2c.h"
#include "include/hv_ivc_regs.h"
#include "trace/trace-hw_vsoc.h"

#define HV_C2C_KEEPALIVE_MS 1600
#define HV_C2C_MIN_KEEPALIVE_MS 100
/* Room in the send buffer beside the largest message. */
#define HV_C2C_OUT_ROOM (256 * KiB)
/* What one call may send before others get their turn. */
#define HV_C2C_FAIR_SHARE (4 * MiB)
/* What one call of the chardev may bring. */
#define HV_C2C_IN_SHARE (64 * KiB)

#define HV_C2C_CUT "it is cut, by the property 'link'"

static int64_t hv_c2c_now_ms(void)
{
    return qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

static void hv_c2c_interrupt(void *opaque)
{
    HvC2cSlot *slot = opaque;

    hv_pci_doorbell(&slot->c2c->hv, slot->slot);
}

/* ---- sending ---- */

static size_t hv_c2c_room(HvC2cState *s)
{
    return s->out_capacity - s->out_size;
}

/* Puts what channel `slot` has to say into the buffer, if it has. */
static bool hv_c2c_collect(HvC2cState *s, unsigned slot)
{
    struct c2c_channel *channel = &s->channels[slot];
    struct c2c_due due = c2c_channel_due(channel);
    uint8_t *out = s->out + s->out_size;

    if (due.type == 0) {
        return false;
    }
    trace_hv_c2c_send(s->hv.view.partition, hv_pci_queue_id(&s->hv, slot),
                      due.type, due.session, due.count);
    s->out_size += c2c_put(&s->proto, due.type, slot, due.session, due.count,
                           out);
    if (due.type == C2C_FRAME) {
        /* The guest may write to it meanwhile: then that is what it sent. */
        memcpy(s->out + s->out_size, due.frame, channel->ivc.frame_size);
        s->out_size += channel->ivc.frame_size;
    }
    c2c_channel_sent(channel, &due);
    return true;
}

/* Fills the buffer, a message a channel in turn. */
static void hv_c2c_fill(HvC2cState *s)
{
    unsigned idle = 0;
    unsigned nr = s->hv.view.nr_slots;
    size_t largest = c2c_buffer_size(s->table, nr);

    while (s->up && idle < nr && hv_c2c_room(s) >= largest) {
        idle = hv_c2c_collect(s, s->turn) ? 0 : idle + 1;
        s->turn = (s->turn + 1) % nr;
    }
}

static gboolean hv_c2c_writable(void *unused, GIOCondition condition,
                                void *opaque);

/* Gives the chardev what it takes. False: it takes no more for now. */
static bool hv_c2c_flush(HvC2cState *s)
{
    while (s->out_done < s->out_size) {
        int taken = qemu_chr_fe_write(&s->link_chr, s->out + s->out_done,
                                      s->out_size - s->out_done);

        /* It may have found out that nobody is there, and told us. */
        if (taken <= 0 || !s->connected) {
            return false;
        }
        s->out_done += taken;
        s->last_out_ms = hv_c2c_now_ms();
    }
    s->out_done = 0;
    s->out_size = 0;
    return true;
}

/* Sends what is due, as far as the link takes it. */
static void hv_c2c_send(HvC2cState *s)
{
    size_t share = 0;

    if (!s->connected || s->watch != 0) {
        return;
    }
    while (share < HV_C2C_FAIR_SHARE) {
        hv_c2c_fill(s);
        if (s->out_size == 0) {
            return;
        }
        share += s->out_size;
        if (!hv_c2c_flush(s)) {
            if (!s->connected) {
                return;
            }
            /* A chardev that cannot be watched is tried again by the timer. */
            s->watch = qemu_chr_fe_add_watch(&s->link_chr, G_IO_OUT | G_IO_HUP,
                                             hv_c2c_writable, s);
            return;
        }
    }
    qemu_bh_schedule(s->send_bh);
}

static gboolean hv_c2c_writable(void *unused, GIOCondition condition,
                                void *opaque)
{
    HvC2cState *s = opaque;

    s->watch = 0;
    hv_c2c_send(s);
    return G_SOURCE_REMOVE;
}

static void hv_c2c_send_more(void *opaque)
{
    hv_c2c_send(opaque);
}

/* ---- the connection ---- */

static const char *hv_c2c_name(HvC2cState *s)
{
    const char *id = DEVICE(s)->id;

    return id ? id : TYPE_HV_C2C;
}

/* Says why the link is down, once a reason. */
static void hv_c2c_set_error(HvC2cState *s, const char *error)
{
    bool news = strcmp(s->link_error, error) != 0;

    if (!news) {
        return;
    }
    g_free(s->link_error);
    s->link_error = g_strdup(error);
    /* QEMU closes its sockets itself when it ends. */
    if (*error != '\0' && !runstate_check(RUN_STATE_SHUTDOWN)) {
        warn_report("hv-c2c %s: the link to the other chip is down: %s",
                    hv_c2c_name(s), error);
    }
}

/* The sessions of a connection end with it. */
static void hv_c2c_down(HvC2cState *s)
{
    unsigned errors = s->proto.errors;

    if (s->up) {
        s->up = false;
        trace_hv_c2c_down(s->hv.view.partition, errors, s->proto.error);
        for (unsigned i = 0; i < s->hv.view.nr_slots; i++) {
            c2c_channel_cut(&s->channels[i], errors);
        }
    }
    hv_c2c_set_error(s, s->proto.error);
}

/* The chardev has lost its peer, or we have taken it away. */
static void hv_c2c_disconnected(HvC2cState *s)
{
    s->connected = false;
    s->out_size = 0;
    s->out_done = 0;
    if (s->watch != 0) {
        g_source_remove(s->watch);
        s->watch = 0;
    }
    timer_del(s->keepalive);
    c2c_end(&s->proto, HV_C2C_ERROR_LINK, "the far end hung up");
    hv_c2c_down(s);
}

static void hv_c2c_hang_up(void *opaque)
{
    HvC2cState *s = opaque;

    /* It calls hv_c2c_disconnected(). */
    if (s->connected) {
        qemu_chr_fe_disconnect(&s->link_chr);
    }
}

/* The protocol has ended, for a reason that proto.error tells. */
static void hv_c2c_ended(HvC2cState *s)
{
    hv_c2c_down(s);
    if (!s->proto.by_peer &&
        hv_c2c_room(s) >= C2C_HEADER_SIZE + C2C_MAX_TEXT) {
        s->out_size += c2c_put_goodbye(&s->proto, s->proto.error,
                                       s->out + s->out_size);
        hv_c2c_flush(s);
    }
    qemu_bh_schedule(s->hang_up_bh);
}

static void hv_c2c_end(HvC2cState *s, unsigned errors, const char *error)
{
    if (s->proto.state != C2C_ENDED) {
        c2c_end(&s->proto, errors, error);
        hv_c2c_ended(s);
    }
}

static void hv_c2c_tick(void *opaque)
{
    HvC2cState *s = opaque;
    int64_t now = hv_c2c_now_ms();

    if (s->proto.state == C2C_ENDED) {
        return;
    }
    if (now - s->last_in_ms >= s->keepalive_ms) {
        g_autofree char *error = g_strdup_printf(
            "nothing came for %" PRId64 " ms: the far end is dead, or the "
            "network to it", now - s->last_in_ms);

        hv_c2c_end(s, HV_C2C_ERROR_LINK, error);
        return;
    }
    if (now - s->last_out_ms >= s->keepalive_ms / 4 && s->out_size == 0) {
        s->out_size = c2c_put_ping(&s->proto, s->out);
    }
    hv_c2c_send(s);
    timer_mod(s->keepalive, now + s->keepalive_ms / 8);
}

static void hv_c2c_connected(HvC2cState *s)
{
    trace_hv_c2c_connected(s->hv.view.partition);
    if (s->connected) {
        hv_c2c_disconnected(s);
    }
    c2c_init(&s->proto, s->table, s->hv.view.nr_slots, s->in);
    s->connected = true;
    if (s->cut) {
        c2c_end(&s->proto, HV_C2C_ERROR_LINK, HV_C2C_CUT);
        qemu_bh_schedule(s->hang_up_bh);
        return;
    }
    s->last_in_ms = hv_c2c_now_ms();
    s->out_size = c2c_put_hello(&s->proto, s->out);
    hv_c2c_send(s);
    timer_mod(s->keepalive, s->last_in_ms + s->keepalive_ms / 8);
}

static void hv_c2c_event(void *opaque, QEMUChrEvent event)
{
    HvC2cState *s = opaque;

    if (event == CHR_EVENT_OPENED) {
        hv_c2c_connected(s);
    } else if (event == CHR_EVENT_CLOSED && s->connected) {
        hv_c2c_disconnected(s);
    }
}

/* ---- receiving ---- */

static void hv_c2c_up(HvC2cState *s)
{
    s->up = true;
    s->connections++;
    trace_hv_c2c_up(s->hv.view.partition, s->connections);
    if (*s->link_error != '\0') {
        info_report("hv-c2c %s: the link to the other chip is up",
                    hv_c2c_name(s));
    }
    hv_c2c_set_error(s, "");
    for (unsigned i = 0; i < s->hv.view.nr_slots; i++) {
        c2c_channel_connect(&s->channels[i]);
    }
}

static void hv_c2c_take(HvC2cState *s, const struct c2c_message *message)
{
    const char *wrong;

    if (message->type == C2C_HELLO) {
        hv_c2c_up(s);
    } else if (message->type >= C2C_OPEN) {
        trace_hv_c2c_receive(s->hv.view.partition,
                             hv_pci_queue_id(&s->hv, message->channel),
                             message->type, message->session, message->count);
        wrong = c2c_channel_take(&s->channels[message->channel], message);
        if (wrong) {
            c2c_end(&s->proto, HV_C2C_ERROR_VALIDATION, wrong);
        }
    }
}

static int hv_c2c_can_receive(void *opaque)
{
    /* What has come has a place always: see credit. */
    return HV_C2C_IN_SHARE;
}

static void hv_c2c_receive(void *opaque, const uint8_t *bytes, int size)
{
    HvC2cState *s = opaque;

    if (!s->connected || s->proto.state == C2C_ENDED) {
        return;
    }
    s->last_in_ms = hv_c2c_now_ms();
    while (size > 0 && s->proto.state != C2C_ENDED) {
        struct c2c_message message;
        size_t used = c2c_feed(&s->proto, bytes, size, &message);

        bytes += used;
        size -= used;
        hv_c2c_take(s, &message);
    }
    if (s->proto.state == C2C_ENDED) {
        hv_c2c_ended(s);
    } else {
        hv_c2c_send(s);
    }
}

/* ---- realize ---- */

static bool hv_c2c_carries(const uint32_t *devices, unsigned nr,
                           uint32_t device)
{
    for (unsigned i = 0; i < nr; i++) {
        if (devices[i] == device) {
            return true;
        }
    }
    return false;
}

/* The property `devices`: each is a channel of the partition, and once. */
static bool hv_c2c_parse_devices(HvC2cState *s, const struct pct *all,
                                 uint32_t *devices, unsigned *nr, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(s->devices, "/", -1);

    *nr = 0;
    if (!*words) {
        error_setg(errp, "devices is empty; write device numbers as 5/6/7");
        return false;
    }
    for (char **word = words; *word; word++) {
        unsigned device;

        if (qemu_strtoui(*word, NULL, 10, &device) < 0) {
            error_setg(errp, "devices '%s': '%s' is no device number; write "
                       "them as 5/6/7", s->devices, *word);
            return false;
        }
        if (!pct_find_queue(all, device)) {
            error_setg(errp, "devices '%s': partition %s has no channel with "
                       "device number %u in table '%s'", s->devices,
                       hv_pci_partition_name(&s->hv), device, s->hv.pct_path);
            return false;
        }
        if (hv_c2c_carries(devices, *nr, device)) {
            error_setg(errp, "devices '%s': %u is given twice", s->devices,
                       device);
            return false;
        }
        devices[(*nr)++] = device;
    }
    return true;
}

/* Makes the table of the channels that this link carries out of the SoC's. */
static bool hv_c2c_choose_channels(HvC2cState *s, Error **errp)
{
    g_autofree struct pct *all = g_new(struct pct, 1);
    uint32_t devices[PCT_MAX_NUM_C2C];
    struct pct *table = &s->hv.pct;
    unsigned nr = 0;

    pct_c2c_table(table, s->hv.view.partition, all);
    if (s->devices && !hv_c2c_parse_devices(s, all, devices, &nr, errp)) {
        return false;
    }
    table->nr_queues = 0;
    for (uint32_t i = 0; i < all->nr_queues; i++) {
        const struct pct_queue *queue = &all->queues[i];

        if (s->devices && !hv_c2c_carries(devices, nr, queue->id)) {
            continue;
        }
        s->table[table->nr_queues] = (struct pct_c2c) {
            .device = queue->id,
            .owner = s->hv.view.partition,
            .remote = queue->peers[1] - IVC_INFO_C2C_PEER,
            .nframes = queue->nframes,
            .frame_size = queue->frame_size,
        };
        table->queues[table->nr_queues++] = *queue;
    }
    if (table->nr_queues == 0) {
        error_setg(errp, "partition %s has no channel to another chip in table "
                   "'%s': add one to .c2c", hv_pci_partition_name(&s->hv),
                   s->hv.pct_path);
        return false;
    }
    hv_pci_view(&s->hv);
    return true;
}

static void hv_c2c_init_channels(HvC2cState *s)
{
    unsigned nr = s->hv.view.nr_slots;

    s->channels = qemu_memalign(_Alignof(struct c2c_channel),
                                nr * sizeof(*s->channels));
    for (unsigned i = 0; i < nr; i++) {
        s->slots[i] = (HvC2cSlot) { .c2c = s, .slot = i };
        c2c_channel_init(&s->channels[i], hv_pci_direction(&s->hv, i, false),
                         hv_pci_direction(&s->hv, i, true),
                         s->table[i].nframes, s->table[i].frame_size,
                         hv_c2c_interrupt, &s->slots[i]);
    }
    s->in = g_malloc(c2c_buffer_size(s->table, nr));
    s->out_capacity = c2c_buffer_size(s->table, nr) + HV_C2C_OUT_ROOM;
    s->out = g_malloc(s->out_capacity);
    s->link_error = g_strdup("");
    s->proto.state = C2C_ENDED;
}

/* Ends the connection in good order. */
static void hv_c2c_leave(HvC2cState *s)
{
    if (s->connected && s->proto.state != C2C_ENDED && hv_c2c_flush(s)) {
        s->out_size = c2c_put_goodbye(&s->proto, "", s->out);
        hv_c2c_flush(s);
    }
}

/*
 * The guest has powered off, or QEMU ends; by the time of its exit notifiers
 * the chardev is closed.
 */
static void hv_c2c_at_shutdown(Notifier *notifier, void *unused)
{
    hv_c2c_leave(container_of(notifier, HvC2cState, shutdown_notifier));
}

static void hv_c2c_realize(PCIDevice *pci, Error **errp)
{
    HvC2cState *s = HV_C2C(pci);

    if (!qemu_chr_fe_backend_connected(&s->link_chr)) {
        error_setg(errp, "hv-c2c needs 'chardev': the link to the other chip");
        return;
    }
    if (s->keepalive_ms < HV_C2C_MIN_KEEPALIVE_MS) {
        error_setg(errp, "keepalive %u ms is too short; use at least %u",
                   s->keepalive_ms, HV_C2C_MIN_KEEPALIVE_MS);
        return;
    }
    if (!hv_pci_read_table(&s->hv, errp) ||
        !hv_pci_choose_partition(&s->hv, errp) ||
        !hv_c2c_choose_channels(s, errp) ||
        !memory_region_init_ram_nomigrate(&s->memory, OBJECT(s),
                                          "hv-c2c-memory",
                                          s->hv.layout.total, errp)) {
        return;
    }
    s->hv.base = memory_region_get_ram_ptr(&s->memory);
    if (!hv_pci_init_msix(&s->hv, errp) ||
        !hv_pci_init_bars(&s->hv, &s->memory, errp)) {
        hv_pci_cleanup(&s->hv);
        return;
    }
    hv_c2c_init_channels(s);
    s->send_bh = qemu_bh_new(hv_c2c_send_more, s);
    s->hang_up_bh = qemu_bh_new(hv_c2c_hang_up, s);
    s->keepalive = timer_new_ms(QEMU_CLOCK_REALTIME, hv_c2c_tick, s);
    s->shutdown_notifier.notify = hv_c2c_at_shutdown;
    qemu_register_shutdown_notifier(&s->shutdown_notifier);
    qemu_chr_fe_set_handlers(&s->link_chr, hv_c2c_can_receive, hv_c2c_receive,
                             hv_c2c_event, NULL, s, NULL, true);
}

static void hv_c2c_exit(PCIDevice *pci)
{
    HvC2cState *s = HV_C2C(pci);

    notifier_remove(&s->shutdown_notifier);
    hv_c2c_leave(s);
    qemu_chr_fe_set_handlers(&s->link_chr, NULL, NULL, NULL, NULL, NULL, NULL,
                             true);
    qemu_chr_fe_disconnect(&s->link_chr);
    if (s->watch != 0) {
        g_source_remove(s->watch);
    }
    qemu_bh_delete(s->send_bh);
    qemu_bh_delete(s->hang_up_bh);
    timer_free(s->keepalive);
    hv_pci_cleanup(&s->hv);
}

/* ---- as hv-pci asks ---- */

static bool hv_c2c_link_up(HvPciState *hv)
{
    return HV_C2C(hv)->up;
}

/* As a cable would: without a word. */
static void hv_c2c_set_link(HvPciState *hv, bool up)
{
    HvC2cState *s = HV_C2C(hv);

    s->cut = !up;
    if (s->cut && s->connected) {
        c2c_end(&s->proto, HV_C2C_ERROR_LINK, HV_C2C_CUT);
        hv_c2c_down(s);
        qemu_bh_schedule(s->hang_up_bh);
    }
}

static void hv_c2c_ring(HvPciState *hv, unsigned slot)
{
    HvC2cState *s = HV_C2C(hv);

    c2c_channel_rung(&s->channels[slot]);
    hv_c2c_send(s);
}

static void hv_c2c_set_open(HvPciState *hv, unsigned slot)
{
    HvC2cState *s = HV_C2C(hv);

    c2c_channel_set_open(&s->channels[slot], hv->slots[slot].open);
    hv_c2c_send(s);
}

static uint32_t hv_c2c_far_status(HvPciState *hv, unsigned slot)
{
    return c2c_channel_status(&HV_C2C(hv)->channels[slot]);
}

static void hv_c2c_show(HvPciState *hv, unsigned slot, QDict *dict)
{
    HvC2cState *s = HV_C2C(hv);
    const struct c2c_channel *channel = &s->channels[slot];

    qdict_put_int(dict, "remote", s->table[slot].remote);
    qdict_put_int(dict, "session", channel->agreed ? channel->offer : 0);
    qdict_put_int(dict, "credit", channel->credit);
    qdict_put_int(dict, "frames-out", channel->frames_out);
    qdict_put_int(dict, "frames-in", channel->frames_in);
    qdict_put_int(dict, "stale", channel->stale);
    qdict_put_int(dict, "lost", channel->lost);
}

/* ---- the type ---- */

static char *hv_c2c_get_link_error(Object *obj, Error **errp)
{
    HvC2cState *s = HV_C2C(obj);

    return g_strdup(s->link_error ? s->link_error : "");
}

static void hv_c2c_get_connections(Object *obj, Visitor *v, const char *name,
                                   void *opaque, Error **errp)
{
    visit_type_uint64(v, name, &HV_C2C(obj)->connections, errp);
}

static void hv_c2c_instance_finalize(Object *obj)
{
    HvC2cState *s = HV_C2C(obj);

    qemu_vfree(s->channels);
    g_free(s->in);
    g_free(s->out);
    g_free(s->link_error);
}

static const Property hv_c2c_properties[] = {
    DEFINE_PROP_CHR("chardev", HvC2cState, link_chr),
    DEFINE_PROP_STRING("devices", HvC2cState, devices),
    DEFINE_PROP_UINT32("keepalive", HvC2cState, keepalive_ms,
                       HV_C2C_KEEPALIVE_MS),
};

static void hv_c2c_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    HvPciClass *hc = HV_PCI_CLASS(klass);

    pc->realize = hv_c2c_realize;
    pc->exit = hv_c2c_exit;
    pc->device_id = HV_C2C_PCI_DEVICE_ID;
    hc->id = HV_C2C_ID;
    hc->link_up = hv_c2c_link_up;
    hc->set_link = hv_c2c_set_link;
    hc->ring = hv_c2c_ring;
    hc->set_open = hv_c2c_set_open;
    hc->far_status = hv_c2c_far_status;
    hc->show = hv_c2c_show;
    dc->desc = "Channels of a virtual SoC's partition to another chip";
    device_class_set_props(dc, hv_c2c_properties);
    object_class_property_set_description(klass, "chardev",
        "the link to the other chip");
    object_class_property_set_description(klass, "devices",
        "device numbers of the channels it carries, as 5/6; default all");
    object_class_property_set_description(klass, "keepalive",
        "milliseconds without a byte after which the other chip is dead");
    object_class_property_add_str(klass, "link-error", hv_c2c_get_link_error,
                                  NULL);
    object_class_property_add(klass, "connections", "uint64",
                              hv_c2c_get_connections, NULL, NULL, NULL);
}

static const TypeInfo hv_c2c_info_type = {
    .name = TYPE_HV_C2C,
    .parent = TYPE_HV_PCI,
    .instance_size = sizeof(HvC2cState),
    .instance_finalize = hv_c2c_instance_finalize,
    .class_init = hv_c2c_class_init,
};

static void hv_c2c_register_types(void)
{
    type_register_static(&hv_c2c_info_type);
}

type_init(hv_c2c_register_types)

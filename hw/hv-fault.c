/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults in a queue device. Everything runs under the big QEMU lock. */
#include "qemu/osdep.h"

#include "qapi/error.h"
#include "qobject/qbool.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"

#include "../guest-lib/ivc/ivc_wire.h"
#include "hv-fault.h"
#include "hv-pci.h"
#include "trace/trace-hw_vsoc.h"

#define HV_FAULT_LOOK_MS 1

static int64_t hv_fault_now(void)
{
    return qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

static HvFaultCounters *hv_fault_counters(HvPciState *s, unsigned slot)
{
    return &s->slots[slot].faults;
}

/* A doorbell that comes through. */
static void hv_fault_deliver(HvPciState *s, unsigned slot, bool in)
{
    if (in) {
        hv_pci_interrupt(s, slot);
    } else {
        HV_PCI_GET_CLASS(s)->ring(s, slot);
    }
}

/* ---- late doorbells ---- */

static void hv_fault_late_due(void *opaque)
{
    HvFaultLate *late = opaque;

    if (late->last_ms > hv_fault_now()) {
        /* Those between the first and the last came with one of them. */
        timer_mod(late->timer, late->last_ms);
    }
    hv_fault_deliver(late->device, late->slot, late->in);
}

static void hv_fault_delay(HvPciState *s, unsigned slot, bool in,
                           uint32_t delay_ms)
{
    HvFaultLate *late;

    if (!s->faults.late) {
        s->faults.late = g_new0(HvFaultLate, 2 * s->view.nr_slots);
    }
    late = &s->faults.late[2 * slot + in];
    if (!late->timer) {
        late->device = s;
        late->slot = slot;
        late->in = in;
        late->timer = timer_new_ms(QEMU_CLOCK_REALTIME, hv_fault_late_due,
                                   late);
    }
    late->last_ms = hv_fault_now() + delay_ms;
    if (!timer_pending(late->timer)) {
        timer_mod(late->timer, late->last_ms);
    }
}

/* What is late comes now. -1: all; in: -1 both ways. */
static void hv_fault_hurry(HvPciState *s, int slot, int in)
{
    for (unsigned i = 0; s->faults.late && i < 2 * s->view.nr_slots; i++) {
        HvFaultLate *late = &s->faults.late[i];

        if (late->timer && timer_pending(late->timer) &&
            (slot < 0 || late->slot == (unsigned)slot) &&
            (in < 0 || late->in == (in != 0))) {
            timer_del(late->timer);
            hv_fault_deliver(s, late->slot, late->in);
        }
    }
}

/* ---- frames ---- */

/* What a fault of this way is about: the direction that the frames go in. */
static struct ivc_header *hv_fault_direction(HvPciState *s, unsigned slot,
                                             bool in)
{
    return hv_pci_direction(s, slot, in);
}

static uint32_t hv_fault_sent(HvPciState *s, unsigned slot, bool in)
{
    return le32_to_cpu(qatomic_read(
        &hv_fault_direction(s, slot, in)->tx_count));
}

/*
 * Flips a byte of each frame that was sent since the last look and is not
 * consumed. The counts are the guests' and may be anything: a frame's place is
 * inside the queue whatever they are, and there are at most nframes looks.
 */
static void hv_fault_flip(HvPciState *s, struct fault *fault)
{
    const struct pct_queue *queue =
        &s->pct.queues[s->view.slots[fault->slot].queue];
    struct ivc_header *header = hv_fault_direction(s, fault->slot, fault->in);
    uint32_t sent = hv_fault_sent(s, fault->slot, fault->in);
    uint32_t consumed = le32_to_cpu(qatomic_read(&header->rx_count));
    uint32_t new = sent - fault->seen;

    if (new > queue->nframes) {
        /* A reset, or more than we could see. */
        new = sent < queue->nframes ? sent : queue->nframes;
    }
    for (uint32_t n = sent - new; n != sent && fault->left > 0; n++) {
        uint8_t *frame = (uint8_t *)(header + 1) +
                         (size_t)(n % queue->nframes) * queue->frame_size;

        if (sent - consumed > queue->nframes ||
            n - consumed >= sent - consumed) {
            continue;
        }
        frame[fault->offset] ^= fault->mask;
        hv_fault_counters(s, fault->slot)->corrupted++;
        trace_hv_fault_frame(s->view.partition,
                             hv_pci_queue_id(s, fault->slot), n, fault->offset,
                             fault->mask);
        fault_hit(fault);
    }
    fault->seen = sent;
}

/* Looks at the frames of a slot (-1: of all). True: there are such faults. */
static bool hv_fault_frames(HvPciState *s, int slot)
{
    bool any = false;

    for (unsigned i = 0; i < s->faults.active.nr; i++) {
        struct fault *fault = &s->faults.active.list[i];

        if (fault->kind == FAULT_FRAME && fault->left > 0) {
            any = true;
            if (slot < 0 || fault->slot == (unsigned)slot) {
                hv_fault_flip(s, fault);
            }
        }
    }
    return any;
}

static void hv_fault_look(void *opaque)
{
    HvPciState *s = opaque;

    fault_expire(&s->faults.active, hv_fault_now());
    if (hv_fault_frames(s, -1)) {
        timer_mod(s->faults.look, hv_fault_now() + HV_FAULT_LOOK_MS);
    }
}

/* ---- a doorbell ---- */

void hv_fault_doorbell(HvPciState *s, unsigned slot, bool in)
{
    HvFaultCounters *counters = hv_fault_counters(s, slot);
    uint32_t queue = hv_pci_queue_id(s, slot);
    struct fault_verdict verdict;

    hv_fault_frames(s, slot);
    verdict = fault_doorbell(&s->faults.active, slot, in, hv_fault_now());
    fault_expire(&s->faults.active, hv_fault_now());
    if (verdict.drop) {
        counters->dropped++;
        trace_hv_fault_drop(s->view.partition, queue, in);
        return;
    }
    if (verdict.delay_ms != 0) {
        counters->delayed++;
        trace_hv_fault_delay(s->view.partition, queue, in, verdict.delay_ms);
        hv_fault_delay(s, slot, in, verdict.delay_ms);
        return;
    }
    hv_fault_deliver(s, slot, in);
    if (verdict.duplicate) {
        counters->duplicated++;
        trace_hv_fault_duplicate(s->view.partition, queue, in);
        hv_fault_deliver(s, slot, in);
    }
}

/* ---- setting them ---- */

enum hv_fault_word { HV_FAULT_TX_COUNT, HV_FAULT_TX_STATE, HV_FAULT_RX_COUNT };

enum hv_fault_kind {
    HV_FAULT_DROP = FAULT_DROP,
    HV_FAULT_DELAY = FAULT_DELAY,
    HV_FAULT_DUPLICATE = FAULT_DUPLICATE,
    HV_FAULT_FRAME = FAULT_FRAME,
    HV_FAULT_SPURIOUS,
    HV_FAULT_HEADER,
    HV_FAULT_CLEAR,
    HV_FAULT_NR_KINDS
};

/* Which keys a kind may have, beside kind, queue and direction. */
enum {
    KEY_COUNT = 1, KEY_MS = 2, KEY_DELAY = 4, KEY_WORD = 8, KEY_FRAME = 16,
};

static const struct {
    const char *name;
    unsigned keys;
} hv_fault_kinds[HV_FAULT_NR_KINDS] = {
    [HV_FAULT_DROP] = { "drop", KEY_COUNT | KEY_MS },
    [HV_FAULT_DELAY] = { "delay", KEY_COUNT | KEY_MS | KEY_DELAY },
    [HV_FAULT_DUPLICATE] = { "duplicate", KEY_COUNT | KEY_MS },
    [HV_FAULT_FRAME] = { "frame", KEY_COUNT | KEY_MS | KEY_FRAME },
    [HV_FAULT_SPURIOUS] = { "spurious", KEY_COUNT },
    [HV_FAULT_HEADER] = { "header", KEY_WORD },
    [HV_FAULT_CLEAR] = { "clear", 0 },
};

static const struct {
    const char *name;
    unsigned key;
} hv_fault_keys[] = {
    { "kind", 0 }, { "queue", 0 }, { "direction", 0 },
    { "count", KEY_COUNT }, { "ms", KEY_MS }, { "delay-ms", KEY_DELAY },
    { "word", KEY_WORD }, { "value", KEY_WORD },
    { "offset", KEY_FRAME }, { "xor", KEY_FRAME },
};

static const char *const hv_fault_words[] = {
    [HV_FAULT_TX_COUNT] = "tx-count",
    [HV_FAULT_TX_STATE] = "tx-state",
    [HV_FAULT_RX_COUNT] = "rx-count",
};

/* One of these names; -1 with an error if it is none of them. */
static int hv_fault_name(const QDict *dict, const char *key,
                         const char *(*name)(unsigned i), unsigned nr,
                         Error **errp)
{
    const char *value = qdict_get_try_str(dict, key);
    g_autoptr(GString) known = g_string_new(NULL);

    for (unsigned i = 0; i < nr; i++) {
        if (value && !strcmp(value, name(i))) {
            return i;
        }
        g_string_append_printf(known, "%s'%s'", i > 0 ? ", " : "", name(i));
    }
    if (!qdict_haskey(dict, key)) {
        error_setg(errp, "fault: '%s' is missing; it is one of %s", key,
                   known->str);
    } else {
        error_setg(errp, "fault: '%s' is none of %s", key, known->str);
    }
    return -1;
}

static const char *hv_fault_kind_name(unsigned i)
{
    return hv_fault_kinds[i].name;
}

static const char *hv_fault_word_name(unsigned i)
{
    return hv_fault_words[i];
}

/* A number from least to most, or *value as it is if the key is not there. */
static bool hv_fault_number(const QDict *dict, const char *key, int64_t least,
                            int64_t most, int64_t *value, Error **errp)
{
    QObject *object = qdict_get(dict, key);
    QNum *number = qobject_to(QNum, object);
    int64_t given;

    if (!object) {
        return true;
    }
    if (!number || !qnum_get_try_int(number, &given) || given < least ||
        given > most) {
        error_setg(errp, "fault: '%s' is no whole number from %" PRId64 " to %"
                   PRId64, key, least, most);
        return false;
    }
    *value = given;
    return true;
}

static bool hv_fault_check_keys(const QDict *dict, unsigned kind, Error **errp)
{
    for (const QDictEntry *entry = qdict_first(dict); entry;
         entry = qdict_next(dict, entry)) {
        const char *name = qdict_entry_key(entry);
        unsigned i;

        for (i = 0; i < ARRAY_SIZE(hv_fault_keys); i++) {
            if (!strcmp(name, hv_fault_keys[i].name)) {
                break;
            }
        }
        if (i == ARRAY_SIZE(hv_fault_keys)) {
            error_setg(errp, "fault: there is no key '%s'", name);
            return false;
        }
        if (hv_fault_keys[i].key != 0 &&
            !(hv_fault_kinds[kind].keys & hv_fault_keys[i].key)) {
            error_setg(errp, "fault: kind '%s' has no '%s'",
                       hv_fault_kinds[kind].name, name);
            return false;
        }
    }
    return true;
}

/* -1: not given. */
static bool hv_fault_slot(HvPciState *s, const QDict *dict, bool required,
                          int *slot, Error **errp)
{
    int64_t queue = -1;

    *slot = -1;
    if (!hv_fault_number(dict, "queue", 0, UINT32_MAX, &queue, errp)) {
        return false;
    }
    if (queue < 0) {
        if (required) {
            error_setg(errp, "fault: 'queue' is missing");
        }
        return !required;
    }
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        if (hv_pci_queue_id(s, i) == queue) {
            *slot = i;
            return true;
        }
    }
    error_setg(errp, "fault: partition %s has no queue %" PRId64 " here",
               hv_pci_partition_name(s), queue);
    return false;
}

/* 0 out, 1 in, -1 not given. */
static bool hv_fault_way(const QDict *dict, int *in, Error **errp)
{
    const char *way = qdict_get_try_str(dict, "direction");

    *in = -1;
    if (!qdict_haskey(dict, "direction")) {
        return true;
    }
    if (!way || (strcmp(way, "in") && strcmp(way, "out"))) {
        error_setg(errp, "fault: 'direction' is none of 'out', 'in'");
        return false;
    }
    *in = !strcmp(way, "in");
    return true;
}

static bool hv_fault_spurious(HvPciState *s, unsigned slot, bool in,
                              const QDict *dict, Error **errp)
{
    int64_t count = 1;

    if (!hv_fault_number(dict, "count", 1, FAULT_MAX_SPURIOUS, &count, errp)) {
        return false;
    }
    trace_hv_fault_spurious(s->view.partition, hv_pci_queue_id(s, slot), in,
                            count);
    hv_fault_counters(s, slot)->spurious += count;
    for (; count > 0; count--) {
        hv_fault_deliver(s, slot, in);
    }
    return true;
}

static bool hv_fault_header(HvPciState *s, unsigned slot, bool in,
                            const QDict *dict, Error **errp)
{
    struct ivc_header *sends = hv_fault_direction(s, slot, in);
    struct ivc_header *receives = hv_fault_direction(s, slot, !in);
    int word = hv_fault_name(dict, "word", hv_fault_word_name,
                             ARRAY_SIZE(hv_fault_words), errp);
    int64_t value = -1;

    if (word < 0 ||
        !hv_fault_number(dict, "value", 0, UINT32_MAX, &value, errp)) {
        return false;
    }
    if (value < 0) {
        error_setg(errp, "fault: 'value' is missing");
        return false;
    }
    switch (word) {
    case HV_FAULT_TX_COUNT:
        qatomic_set(&sends->tx_count, cpu_to_le32(value));
        break;
    case HV_FAULT_TX_STATE:
        qatomic_set(&sends->tx_state, cpu_to_le32(value));
        break;
    default:
        qatomic_set(&receives->rx_count, cpu_to_le32(value));
        break;
    }
    hv_fault_counters(s, slot)->corrupted++;
    trace_hv_fault_header(s->view.partition, hv_pci_queue_id(s, slot), in,
                          hv_fault_words[word], value);
    return true;
}

static bool hv_fault_add(HvPciState *s, enum fault_kind kind, unsigned slot,
                         bool in, const QDict *dict, Error **errp)
{
    const struct pct_queue *queue =
        &s->pct.queues[s->view.slots[slot].queue];
    int64_t count = kind == FAULT_FRAME ? 1 : 0;
    int64_t ms = 0, delay = 0, offset = 0, mask = 0xff;
    struct fault fault = { .kind = kind, .slot = slot, .in = in };

    if (!hv_fault_number(dict, "count", 1, INT32_MAX, &count, errp) ||
        !hv_fault_number(dict, "ms", 1, INT32_MAX, &ms, errp) ||
        !hv_fault_number(dict, "delay-ms", 1, FAULT_MAX_DELAY_MS, &delay,
                         errp) ||
        !hv_fault_number(dict, "offset", 0, queue->frame_size - 1, &offset,
                         errp) ||
        !hv_fault_number(dict, "xor", 1, UINT8_MAX, &mask, errp)) {
        return false;
    }
    if (kind == FAULT_DELAY && delay == 0) {
        error_setg(errp, "fault: 'delay-ms' is missing");
        return false;
    }
    fault.left = count != 0 ? count : FAULT_ENDLESS;
    fault.until_ms = ms != 0 ? hv_fault_now() + ms : FAULT_FOREVER;
    fault.delay_ms = delay;
    fault.offset = offset;
    fault.mask = mask;
    fault.seen = hv_fault_sent(s, slot, in);
    fault_expire(&s->faults.active, hv_fault_now());
    if (!fault_add(&s->faults.active, &fault)) {
        error_setg(errp, "fault: there are %u already; clear some", FAULT_MAX);
        return false;
    }
    trace_hv_fault_set(s->view.partition, queue->id, in,
                       hv_fault_kinds[kind].name);
    if (kind == FAULT_FRAME) {
        if (!s->faults.look) {
            s->faults.look = timer_new_ms(QEMU_CLOCK_REALTIME, hv_fault_look,
                                          s);
        }
        timer_mod(s->faults.look, hv_fault_now() + HV_FAULT_LOOK_MS);
    }
    return true;
}

bool hv_fault_set(HvPciState *s, const QDict *dict, Error **errp)
{
    int kind = hv_fault_name(dict, "kind", hv_fault_kind_name,
                             HV_FAULT_NR_KINDS, errp);
    int slot, in;

    if (kind < 0 || !hv_fault_check_keys(dict, kind, errp) ||
        !hv_fault_slot(s, dict, kind != HV_FAULT_CLEAR, &slot, errp) ||
        !hv_fault_way(dict, &in, errp)) {
        return false;
    }
    switch (kind) {
    case HV_FAULT_CLEAR:
        fault_clear(&s->faults.active, slot, in);
        hv_fault_hurry(s, slot, in);
        trace_hv_fault_clear(s->view.partition);
        return true;
    case HV_FAULT_SPURIOUS:
        return hv_fault_spurious(s, slot, in > 0, dict, errp);
    case HV_FAULT_HEADER:
        return hv_fault_header(s, slot, in > 0, dict, errp);
    default:
        return hv_fault_add(s, (enum fault_kind)kind, slot, in > 0, dict,
                            errp);
    }
}

QList *hv_fault_list(HvPciState *s)
{
    QList *list = qlist_new();
    int64_t now = hv_fault_now();

    fault_expire(&s->faults.active, now);
    for (unsigned i = 0; i < s->faults.active.nr; i++) {
        const struct fault *fault = &s->faults.active.list[i];
        QDict *dict = qdict_new();

        qdict_put_int(dict, "id", fault->id);
        qdict_put_int(dict, "queue", hv_pci_queue_id(s, fault->slot));
        qdict_put_str(dict, "kind", hv_fault_kinds[fault->kind].name);
        qdict_put_str(dict, "direction", fault->in ? "in" : "out");
        qdict_put_int(dict, "hits", fault->hits);
        if (fault->left != FAULT_ENDLESS) {
            qdict_put_int(dict, "left", fault->left);
        }
        if (fault->until_ms != FAULT_FOREVER) {
            qdict_put_int(dict, "ms-left", fault->until_ms - now);
        }
        if (fault->kind == FAULT_DELAY) {
            qdict_put_int(dict, "delay-ms", fault->delay_ms);
        } else if (fault->kind == FAULT_FRAME) {
            qdict_put_int(dict, "offset", fault->offset);
            qdict_put_int(dict, "xor", fault->mask);
        }
        qlist_append(list, dict);
    }
    return list;
}

void hv_fault_show(const HvFaultCounters *counters, QDict *dict)
{
    qdict_put_int(dict, "dropped", counters->dropped);
    qdict_put_int(dict, "delayed", counters->delayed);
    qdict_put_int(dict, "duplicated", counters->duplicated);
    qdict_put_int(dict, "spurious", counters->spurious);
    qdict_put_int(dict, "corrupted", counters->corrupted);
}

void hv_fault_cleanup(HvPciState *s)
{
    for (unsigned i = 0; s->faults.late && i < 2 * s->view.nr_slots; i++) {
        timer_free(s->faults.late[i].timer);
    }
    g_free(s->faults.late);
    s->faults.late = NULL;
    timer_free(s->faults.look);
    s->faults.look = NULL;
    s->faults.active.nr = 0;
}

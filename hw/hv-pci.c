/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues as a guest sees them: BARs, registers, info page, MSI-X, and what QMP
 * shows. docs/specs/hv-ivc.md is the specification.
 *
 * Everything runs under the big QEMU lock. The guest and its stores are
 * hostile.
 */
#include "qemu/osdep.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/host-utils.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qobject/qlist.h"
#include "system/runstate.h"

#include "../pct/ivc_info_page.h"
#include "../pct/pct.h"
#include "../pct/pct_fdt.h"
#include "../pct/pct_info.h"
#include "hv-pci.h"
#include "include/hv_ivc_regs.h"
#include "trace/trace-hw_vsoc.h"

const char *hv_pci_partition_name(HvPciState *s)
{
    return pct_find_partition(&s->pct, s->view.partition)->name;
}

uint32_t hv_pci_queue_id(HvPciState *s, unsigned slot)
{
    return s->pct.queues[s->view.slots[slot].queue].id;
}

void hv_pci_interrupt(HvPciState *s, unsigned slot)
{
    PCIDevice *pci = PCI_DEVICE(s);

    if (HV_PCI_GET_CLASS(s)->interrupting) {
        HV_PCI_GET_CLASS(s)->interrupting(s, slot);
    }
    trace_hv_pci_interrupt(s->view.partition, hv_pci_queue_id(s, slot), slot);
    s->slots[slot].interrupts++;
    /* While MSI-X is off nobody waits; a pending bit now would be stale. */
    if (msix_enabled(pci)) {
        msix_notify(pci, slot);
    }
}

void hv_pci_doorbell(HvPciState *s, unsigned slot)
{
    s->slots[slot].rings_in++;
    if (unlikely(s->faults.active.nr > 0)) {
        hv_fault_doorbell(s, slot, true);
    } else {
        hv_pci_interrupt(s, slot);
    }
}

static void hv_pci_ring(HvPciState *s, unsigned slot)
{
    s->slots[slot].rings_out++;
    if (unlikely(s->faults.active.nr > 0)) {
        hv_fault_doorbell(s, slot, false);
    } else {
        HV_PCI_GET_CLASS(s)->ring(s, slot);
    }
}

/* ---- registers ---- */

static uint64_t hv_pci_bar_base(HvPciState *s, int bar)
{
    pcibus_t base = pci_get_bar_addr(PCI_DEVICE(s), bar);

    return base == PCI_BAR_UNMAPPED ? 0 : base;
}

/* The guest may move a BAR at any time: the page is made when it is read. */
static const uint8_t *hv_pci_info(HvPciState *s)
{
    uint64_t area_base = hv_pci_bar_base(s, HV_IVC_BAR_AREAS);
    uint64_t noti_base = hv_pci_bar_base(s, HV_IVC_BAR_NOTI);

    if (!s->info || area_base != s->info_area_base ||
        noti_base != s->info_noti_base) {
        if (!s->info) {
            s->info = g_malloc0(IVC_INFO_PAGE_SIZE);
        }
        trace_hv_pci_info(s->view.partition, area_base, noti_base);
        pct_info_write(&s->pct, &s->layout, &s->view, area_base, noti_base,
                       HV_IVC_PAGE, s->info, IVC_INFO_PAGE_SIZE);
        s->info_area_base = area_base;
        s->info_noti_base = noti_base;
    }
    return s->info;
}

static void hv_pci_set_open(HvPciState *s, unsigned slot, bool open)
{
    if (s->slots[slot].open == open) {
        return;
    }
    s->slots[slot].open = open;
    trace_hv_pci_endpoint(s->view.partition, hv_pci_queue_id(s, slot), open);
    HV_PCI_GET_CLASS(s)->set_open(s, slot);
}

static void hv_pci_bad_access(HvPciState *s, const char *what,
                              const char *bar, hwaddr addr, unsigned size)
{
    qemu_log_mask(LOG_GUEST_ERROR, "%s: bad %s of %u bytes at 0x%"
                  HWADDR_PRIx " of the %s\n", object_get_typename(OBJECT(s)),
                  what, size, addr, bar);
}

/* The slot whose ENDPOINT register is at addr; -1 if there is none. */
static int hv_pci_endpoint_slot(HvPciState *s, hwaddr addr)
{
    if (addr < HV_IVC_REG_ENDPOINT(0) ||
        addr >= HV_IVC_REG_ENDPOINT(s->view.nr_slots)) {
        return -1;
    }
    return (addr - HV_IVC_REG_ENDPOINT(0)) / 4;
}

static uint64_t hv_pci_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    HvPciState *s = opaque;
    int slot;

    /* The info page is plain memory to its reader: any width. */
    if (addr >= HV_IVC_INFO_OFFSET &&
        addr - HV_IVC_INFO_OFFSET + size <= IVC_INFO_PAGE_SIZE) {
        return ldn_le_p(hv_pci_info(s) + (addr - HV_IVC_INFO_OFFSET), size);
    }
    if (size != 4 || addr % 4 != 0) {
        hv_pci_bad_access(s, "read", "registers", addr, size);
        return 0;
    }
    switch (addr) {
    case HV_IVC_REG_ID:
        return HV_PCI_GET_CLASS(s)->id;
    case HV_IVC_REG_VERSION:
        return HV_IVC_VERSION;
    case HV_IVC_REG_PARTITION:
        return s->view.partition;
    case HV_IVC_REG_LINK:
        return HV_PCI_GET_CLASS(s)->link_up(s) ? HV_IVC_LINK_UP : 0;
    case HV_IVC_REG_NR_QUEUES:
        return s->view.nr_slots;
    case HV_IVC_REG_INFO:
        return HV_IVC_INFO_OFFSET;
    case HV_IVC_REG_INFO_SIZE:
        return pct_info_size(&s->view);
    default:
        slot = hv_pci_endpoint_slot(s, addr);
        if (slot >= 0) {
            return s->slots[slot].open ? HV_IVC_ENDPOINT_OPEN : 0;
        }
        hv_pci_bad_access(s, "read", "registers", addr, size);
        return 0;
    }
}

/* Once: a guest must not fill the logs of who listens to QMP. */
static void hv_pci_panic(HvPciState *s)
{
    if (!s->panicked) {
        s->panicked = true;
        trace_hv_pci_panic(s->view.partition);
        qemu_system_guest_panicked(NULL);
    }
}

static void hv_pci_regs_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    HvPciState *s = opaque;
    int slot = -1;

    if (size == 4 && addr == HV_IVC_REG_PANIC) {
        hv_pci_panic(s);
        return;
    }
    if (size == 4 && addr % 4 == 0) {
        slot = hv_pci_endpoint_slot(s, addr);
    }
    if (slot < 0) {
        hv_pci_bad_access(s, "write", "registers", addr, size);
        return;
    }
    hv_pci_set_open(s, slot, value & HV_IVC_ENDPOINT_OPEN);
}

/*
 * All BARs take any access, so that a wrong one reads 0 and is logged where
 * the machine would otherwise send its guest a bus error.
 */
static const MemoryRegionOps hv_pci_regs_ops = {
    .read = hv_pci_regs_read,
    .write = hv_pci_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static uint64_t hv_pci_noti_read(void *opaque, hwaddr addr, unsigned size)
{
    HvPciState *s = opaque;
    unsigned slot = addr / HV_IVC_PAGE;

    if (size == 4 && slot < s->view.nr_slots &&
        addr % HV_IVC_PAGE == HV_IVC_NOTI_STATUS) {
        return HV_PCI_GET_CLASS(s)->far_status(s, slot);
    }
    hv_pci_bad_access(s, "read", "notification pages", addr, size);
    return 0;
}

static void hv_pci_noti_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    HvPciState *s = opaque;
    unsigned slot = addr / HV_IVC_PAGE;

    if (size == 4 && slot < s->view.nr_slots &&
        addr % HV_IVC_PAGE == HV_IVC_NOTI_RING) {
        hv_pci_ring(s, slot);
        return;
    }
    hv_pci_bad_access(s, "write", "notification pages", addr, size);
}

static const MemoryRegionOps hv_pci_noti_ops = {
    .read = hv_pci_noti_read,
    .write = hv_pci_noti_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* What the areas leave free of their BAR. */
static uint64_t hv_pci_gap_read(void *opaque, hwaddr addr, unsigned size)
{
    HvPciState *s = opaque;

    hv_pci_bad_access(s, "read", "areas", addr, size);
    return 0;
}

static void hv_pci_gap_write(void *opaque, hwaddr addr, uint64_t value,
                             unsigned size)
{
    HvPciState *s = opaque;

    hv_pci_bad_access(s, "write", "areas", addr, size);
}

static const MemoryRegionOps hv_pci_gap_ops = {
    .read = hv_pci_gap_read,
    .write = hv_pci_gap_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* ---- reset ---- */

/* The guest resets: whoever held queues open in it is no more. */
static void hv_pci_reset_hold(Object *obj, ResetType type)
{
    HvPciState *s = HV_PCI(obj);
    unsigned nr_open = 0;

    s->panicked = false;
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        nr_open += s->slots[i].open;
        hv_pci_set_open(s, i, false);
    }
    trace_hv_pci_reset(s->view.partition, nr_open);
}

/* ---- realize ---- */

static bool hv_pci_check_properties(HvPciState *s, Error **errp)
{
    const char *type = object_get_typename(OBJECT(s));

    if (!s->pct_path) {
        error_setg(errp, "%s needs 'pct': a table made by 'vsoc pct "
                   "compile'", type);
        return false;
    }
    if (!s->partition_name) {
        error_setg(errp, "%s needs 'partition': the name or number of "
                   "this VM's partition in the table", type);
        return false;
    }
    return true;
}

bool hv_pci_read_table(HvPciState *s, Error **errp)
{
    g_autofree void *blob = g_malloc(PCT_FDT_MAX_SIZE + 1);
    struct pct_fault fault;
    char text[PCT_FAULT_TEXT_SIZE];
    unsigned nr_faults;
    size_t size;
    FILE *file;

    if (!hv_pci_check_properties(s, errp)) {
        return false;
    }
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
    return true;
}

static const struct pct_partition *hv_pci_find_partition(HvPciState *s)
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

bool hv_pci_choose_partition(HvPciState *s, Error **errp)
{
    const struct pct_partition *partition = hv_pci_find_partition(s);

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
    s->view.partition = partition->id;
    return true;
}

void hv_pci_view(HvPciState *s)
{
    pct_layout(&s->pct, &s->layout);
    pct_view(&s->pct, &s->layout, s->view.partition, &s->view);
}

bool hv_pci_init_bars(HvPciState *s, MemoryRegion *memory, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);
    Object *obj = OBJECT(s);
    uint64_t next = 0;

    error_setg(&s->migration_blocker, "%s cannot be migrated: its queues are "
               "shared with other VMs", object_get_typename(obj));
    if (migrate_add_blocker(&s->migration_blocker, errp) < 0) {
        return false;
    }
    memory_region_init_io(&s->regs_bar, obj, &hv_pci_regs_ops, s,
                          "hv-registers", HV_IVC_BAR_REGS_SIZE);
    memory_region_init_io(&s->noti_bar, obj, &hv_pci_noti_ops, s,
                          "hv-notification",
                          pow2ceil(s->view.nr_slots * HV_IVC_PAGE));
    memory_region_init_io(&s->areas_bar, obj, &hv_pci_gap_ops, s,
                          "hv-areas", pow2ceil(s->view.bar_size));

    s->areas = g_new0(MemoryRegion, s->view.nr_slots);
    for (unsigned i = 0; i < s->view.nr_slots; i++) {
        const struct pct_slot *slot = &s->view.slots[i];
        const struct pct_queue_place *place = &s->layout.places[slot->queue];
        g_autofree char *name = NULL;

        if (slot->bar_offset < next) {
            continue;       /* shares the area of the slot before */
        }
        next = slot->bar_offset + place->area_size;
        name = g_strdup_printf("hv-area-%u", hv_pci_queue_id(s, i));
        memory_region_init_alias(&s->areas[i], obj, name, memory,
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
    return true;
}

void hv_pci_cleanup(HvPciState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    hv_fault_cleanup(s);
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

bool hv_pci_init_msix(HvPciState *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);

    if (!msi_nonbroken) {
        error_setg(errp, "%s needs MSI-X, which this machine lacks: on "
                   "aarch64 use -machine virt,gic-version=3",
                   object_get_typename(OBJECT(s)));
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

/* ---- what QMP shows ---- */

struct ivc_header *hv_pci_direction(HvPciState *s, unsigned slot, bool rx)
{
    const struct pct_slot *end = &s->view.slots[slot];
    const struct pct_queue_place *place = &s->layout.places[end->queue];
    bool first = end->rx_first == rx;

    return (struct ivc_header *)(s->base + place->area + place->offset +
                                 (first ? 0 : place->size));
}

static QDict *hv_pci_show_slot(HvPciState *s, unsigned slot)
{
    static const char *const states[] = {
        [HV_IVC_STATE_UNKNOWN] = "unknown",
        [HV_IVC_STATE_OPEN] = "open",
        [HV_IVC_STATE_GONE] = "gone",
        [HV_IVC_STATE_MASK] = "invalid",
    };
    const HvPciSlot *state = &s->slots[slot];
    const struct ivc_header *rx = hv_pci_direction(s, slot, true);
    const struct ivc_header *tx = hv_pci_direction(s, slot, false);
    uint32_t status = HV_PCI_GET_CLASS(s)->far_status(s, slot);
    QDict *dict = qdict_new();

    qdict_put_int(dict, "id", hv_pci_queue_id(s, slot));
    qdict_put_int(dict, "slot", slot);
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
    hv_fault_show(&state->faults, dict);
    HV_PCI_GET_CLASS(s)->show(s, slot, dict);
    return dict;
}

static void hv_pci_get_queues(Object *obj, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    HvPciState *s = HV_PCI(obj);
    QList *list = qlist_new();
    QObject *value = QOBJECT(list);

    for (unsigned i = 0; s->base && i < s->view.nr_slots; i++) {
        qlist_append(list, hv_pci_show_slot(s, i));
    }
    visit_type_any(v, name, &value, errp);
    qobject_unref(list);
}

static void hv_pci_set_fault(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    QObject *value = NULL;

    if (!visit_type_any(v, name, &value, errp)) {
        return;
    }
    if (qobject_type(value) == QTYPE_QDICT) {
        hv_fault_set(HV_PCI(obj), qobject_to(QDict, value), errp);
    } else {
        error_setg(errp, "fault: it is an object, as {\"queue\": 255, "
                   "\"kind\": \"drop\", \"count\": 3}");
    }
    qobject_unref(value);
}

static void hv_pci_get_faults(Object *obj, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    QObject *value = QOBJECT(hv_fault_list(HV_PCI(obj)));

    visit_type_any(v, name, &value, errp);
    qobject_unref(value);
}

static void hv_pci_set_link(Object *obj, bool up, Error **errp)
{
    HvPciState *s = HV_PCI(obj);

    trace_hv_fault_link(s->view.partition, up);
    HV_PCI_GET_CLASS(s)->set_link(s, up);
}

static bool hv_pci_get_link(Object *obj, Error **errp)
{
    return HV_PCI_GET_CLASS(obj)->link_up(HV_PCI(obj));
}

static void hv_pci_get_partition_id(Object *obj, Visitor *v, const char *name,
                                    void *opaque, Error **errp)
{
    visit_type_uint32(v, name, &HV_PCI(obj)->view.partition, errp);
}

/* ---- the type ---- */

static void hv_pci_instance_finalize(Object *obj)
{
    HvPciState *s = HV_PCI(obj);

    g_free(s->areas);
    g_free(s->info);
}

static const Property hv_pci_properties[] = {
    DEFINE_PROP_STRING("pct", HvPciState, pct_path),
    DEFINE_PROP_STRING("partition", HvPciState, partition_name),
};

static void hv_pci_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    pc->vendor_id = HV_IVC_PCI_VENDOR_ID;
    pc->revision = HV_IVC_PCI_REVISION;
    pc->class_id = 0xff00;      /* fits none of the classes */
    rc->phases.hold = hv_pci_reset_hold;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, hv_pci_properties);
    object_class_property_set_description(klass, "pct",
        "compiled partition configuration table");
    object_class_property_set_description(klass, "partition",
        "this VM's partition, by name or number");

    object_class_property_add(klass, "queues", "list", hv_pci_get_queues,
                              NULL, NULL, NULL);
    object_class_property_add(klass, "fault", "any", NULL, hv_pci_set_fault,
                              NULL, NULL);
    object_class_property_add(klass, "faults", "list", hv_pci_get_faults,
                              NULL, NULL, NULL);
    object_class_property_add_bool(klass, "link", hv_pci_get_link,
                                   hv_pci_set_link);
    object_class_property_add(klass, "partition-id", "uint32",
                              hv_pci_get_partition_id, NULL, NULL, NULL);
}

static const TypeInfo hv_pci_info_type = {
    .name = TYPE_HV_PCI,
    .parent = TYPE_PCI_DEVICE,
    .abstract = true,
    .instance_size = sizeof(HvPciState),
    .instance_finalize = hv_pci_instance_finalize,
    .class_size = sizeof(HvPciClass),
    .class_init = hv_pci_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void hv_pci_register_types(void)
{
    type_register_static(&hv_pci_info_type);
}

type_init(hv_pci_register_types)

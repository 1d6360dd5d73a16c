/* SPDX-License-Identifier: MIT */
/* The list of active faults: which one a doorbell meets, and when it ends. */
#include <glib.h>

#include "fault.h"

static struct faults faults;

static void begin(void)
{
    faults = (struct faults) { .nr = 0 };
}

static struct fault fault(enum fault_kind kind, unsigned slot, bool in,
                          uint64_t left)
{
    return (struct fault) {
        .kind = kind, .slot = slot, .in = in, .left = left,
        .until_ms = FAULT_FOREVER, .delay_ms = kind == FAULT_DELAY ? 7 : 0,
    };
}

static void add(struct fault fault)
{
    g_assert_true(fault_add(&faults, &fault));
}

static struct fault_verdict ring(unsigned slot, bool in, int64_t now)
{
    struct fault_verdict verdict = fault_doorbell(&faults, slot, in, now);

    fault_expire(&faults, now);
    return verdict;
}

static void assert_passes(unsigned slot, bool in)
{
    struct fault_verdict verdict = ring(slot, in, 0);

    g_assert_false(verdict.drop);
    g_assert_false(verdict.duplicate);
    g_assert_cmpuint(verdict.delay_ms, ==, 0);
}

static void test_count(void)
{
    begin();
    add(fault(FAULT_DROP, 3, false, 2));
    assert_passes(2, false);
    assert_passes(3, true);
    g_assert_true(ring(3, false, 0).drop);
    g_assert_true(ring(3, false, 0).drop);
    assert_passes(3, false);
    g_assert_cmpuint(faults.nr, ==, 0);
}

static void test_order(void)
{
    begin();
    add(fault(FAULT_DROP, 0, true, 1));
    add(fault(FAULT_DELAY, 0, true, 1));
    add(fault(FAULT_DUPLICATE, 0, true, FAULT_ENDLESS));
    g_assert_true(ring(0, true, 0).drop);
    g_assert_cmpuint(ring(0, true, 0).delay_ms, ==, 7);
    for (unsigned i = 0; i < 5; i++) {
        g_assert_true(ring(0, true, 0).duplicate);
    }
    g_assert_cmpuint(faults.nr, ==, 1);
    g_assert_cmpuint(faults.list[0].hits, ==, 5);
    g_assert_cmpuint(faults.list[0].id, ==, 3);
}

static void test_time(void)
{
    struct fault late = fault(FAULT_DROP, 0, false, FAULT_ENDLESS);

    begin();
    late.until_ms = 100;
    add(late);
    g_assert_true(ring(0, false, 99).drop);
    g_assert_false(fault_doorbell(&faults, 0, false, 100).drop);
    g_assert_cmpuint(faults.nr, ==, 1);
    fault_expire(&faults, 100);
    g_assert_cmpuint(faults.nr, ==, 0);
}

/* Frames are no doorbells. */
static void test_frame(void)
{
    begin();
    add(fault(FAULT_FRAME, 0, false, 1));
    assert_passes(0, false);
    g_assert_cmpuint(faults.list[0].left, ==, 1);
    fault_hit(&faults.list[0]);
    fault_expire(&faults, 0);
    g_assert_cmpuint(faults.nr, ==, 0);
}

static void test_clear(void)
{
    static const struct {
        int slot, in;
        unsigned left;
    } cases[] = { { -1, -1, 0 }, { 1, -1, 4 }, { -1, 1, 3 }, { 1, 0, 5 } };

    for (unsigned c = 0; c < G_N_ELEMENTS(cases); c++) {
        begin();
        for (unsigned slot = 0; slot < 3; slot++) {
            add(fault(FAULT_DROP, slot, false, 1));
            add(fault(FAULT_DROP, slot, true, 1));
        }
        fault_clear(&faults, cases[c].slot, cases[c].in);
        g_assert_cmpuint(faults.nr, ==, cases[c].left);
        for (unsigned i = 1; i < faults.nr; i++) {
            g_assert_cmpuint(faults.list[i].id, >, faults.list[i - 1].id);
        }
    }
}

static void test_limit(void)
{
    struct fault one_more = fault(FAULT_DROP, 0, false, 1);

    begin();
    for (unsigned i = 0; i < FAULT_MAX; i++) {
        add(fault(FAULT_DROP, 0, false, 1));
    }
    g_assert_false(fault_add(&faults, &one_more));
    g_assert_true(ring(0, false, 0).drop);
    add(one_more);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault/count", test_count);
    g_test_add_func("/fault/order", test_order);
    g_test_add_func("/fault/time", test_time);
    g_test_add_func("/fault/frame", test_frame);
    g_test_add_func("/fault/clear", test_clear);
    g_test_add_func("/fault/limit", test_limit);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
/* Handles: generations, limits, any number at all, closing under a call. */
#include <glib.h>

#include "ipc/handle.h"

/* The table never looks inside. */
static struct endpoint *fake(uintptr_t n)
{
    return (struct endpoint *)(n * 64 + 64);
}

static void test_life(void)
{
    uint64_t first = handle_add(fake(1));
    uint64_t second;

    g_assert_cmpuint(first, !=, 0);
    g_assert_true(handle_get(first, HANDLE_BOTH) == fake(1));
    handle_put(first, HANDLE_BOTH);
    /* Who sends and who receives are not in each other's way. */
    g_assert_true(handle_get(first, HANDLE_TX) == fake(1));
    g_assert_true(handle_get(first, HANDLE_RX) == fake(1));
    handle_put(first, HANDLE_TX);
    handle_put(first, HANDLE_RX);
    g_assert_true(handle_remove(first) == fake(1));
    g_assert_null(handle_get(first, HANDLE_BOTH));
    g_assert_null(handle_remove(first));
    /* The slot is used again, under another number. */
    second = handle_add(fake(2));
    g_assert_cmpuint(second, !=, first);
    g_assert_null(handle_get(first, HANDLE_BOTH));
    g_assert_null(handle_remove(first));
    g_assert_true(handle_remove(second) == fake(2));
}

static void test_limit(void)
{
    uint64_t handles[HANDLE_MAX];

    for (unsigned i = 0; i < HANDLE_MAX; i++) {
        g_assert_true(handle_room());
        handles[i] = handle_add(fake(i));
        g_assert_cmpuint(handles[i], !=, 0);
        for (unsigned j = 0; j < i; j++) {
            g_assert_cmpuint(handles[i], !=, handles[j]);
        }
    }
    g_assert_false(handle_room());
    g_assert_cmpuint(handle_add(fake(0)), ==, 0);
    for (unsigned i = 0; i < HANDLE_MAX; i++) {
        g_assert_true(handle_get(handles[i], HANDLE_BOTH) == fake(i));
        handle_put(handles[i], HANDLE_BOTH);
    }
    g_assert_true(handle_remove(handles[77]) == fake(77));
    g_assert_true(handle_room());
    for (unsigned i = 0; i < HANDLE_MAX - 1; i++) {
        g_assert_nonnull(handle_remove_any());
    }
    g_assert_null(handle_remove_any());
}

static void test_any_number(void)
{
    uint64_t handle = handle_add(fake(3));
    GRand *random = g_rand_new_with_seed(5);

    for (unsigned bit = 0; bit < 64; bit++) {
        g_assert_null(handle_get(handle ^ UINT64_C(1) << bit, HANDLE_BOTH));
        g_assert_null(handle_remove(handle ^ UINT64_C(1) << bit));
    }
    for (unsigned n = 0; n < 100000; n++) {
        uint64_t number = (uint64_t)g_rand_int(random) << 32 |
                          g_rand_int(random);

        if (n % 2) {
            number &= 0xffffff;
        }
        if (number != handle) {
            g_assert_null(handle_get(number, HANDLE_BOTH));
            g_assert_null(handle_remove(number));
        }
    }
    g_assert_null(handle_get(0, HANDLE_BOTH));
    g_assert_null(handle_get(UINT64_MAX, HANDLE_BOTH));
    g_assert_true(handle_remove(handle) == fake(3));
    g_rand_free(random);
}

struct caller {
    uint64_t handle;
    gint uses;              /* how many threads have begun */
    gint inside[2];
    gint stop;
    gint found;
};

/* Two threads a way: one at a time is inside. */
static void *call(void *opaque)
{
    struct caller *caller = opaque;
    unsigned way = (unsigned)g_atomic_int_add(&caller->uses, 1) % 2;
    enum handle_use use = way == 0 ? HANDLE_TX : HANDLE_RX;

    while (!g_atomic_int_get(&caller->stop)) {
        if (!handle_get(caller->handle, use)) {
            break;
        }
        g_assert_cmpint(g_atomic_int_add(&caller->inside[way], 1), ==, 0);
        g_atomic_int_inc(&caller->found);
        g_atomic_int_add(&caller->inside[way], -1);
        handle_put(caller->handle, use);
    }
    return NULL;
}

static void test_remove_waits(void)
{
    for (unsigned n = 0; n < 500; n++) {
        struct caller caller = { .handle = handle_add(fake(n)) };
        GThread *threads[4];

        for (unsigned i = 0; i < 4; i++) {
            threads[i] = g_thread_new("caller", call, &caller);
        }
        while (g_atomic_int_get(&caller.found) == 0) {
            g_thread_yield();
        }
        g_assert_true(handle_remove(caller.handle) == fake(n));
        /* Nobody is inside any more, and nobody comes. */
        g_assert_cmpint(g_atomic_int_get(&caller.inside[0]), ==, 0);
        g_assert_cmpint(g_atomic_int_get(&caller.inside[1]), ==, 0);
        g_atomic_int_set(&caller.stop, 1);
        for (unsigned i = 0; i < 4; i++) {
            g_thread_join(threads[i]);
        }
    }
}

static void *remove_it(void *opaque)
{
    return handle_remove(*(const uint64_t *)opaque);
}

static void test_one_remover(void)
{
    for (unsigned n = 0; n < 200; n++) {
        uint64_t handle = handle_add(fake(n));
        GThread *threads[4];
        unsigned removed = 0;

        for (unsigned i = 0; i < 4; i++) {
            threads[i] = g_thread_new("remover", remove_it, &handle);
        }
        for (unsigned i = 0; i < 4; i++) {
            removed += g_thread_join(threads[i]) != NULL;
        }
        g_assert_cmpuint(removed, ==, 1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/handle/life", test_life);
    g_test_add_func("/handle/limit", test_limit);
    g_test_add_func("/handle/any-number", test_any_number);
    g_test_add_func("/handle/remove-waits", test_remove_waits);
    g_test_add_func("/handle/one-remover", test_one_remover);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
/* INTER_THREAD: two threads of one process, and what others see of it. */
#include "peers.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#define NR_FRAMES 20000

static bool queues_are_ours;

static NvSciIpcEndpoint open_end(const char *name)
{
    NvSciIpcEndpoint handle;

    g_assert_cmpint(NvSciIpcOpenEndpoint(name, &handle), ==,
                    NvSciError_Success);
    g_assert_cmpint(NvSciIpcResetEndpointSafe(handle), ==, NvSciError_Success);
    return handle;
}

/* Sleeps on the descriptor, but not for ever: a lost wake-up is a failure. */
static uint32_t wait_for(NvSciIpcEndpoint handle, uint32_t mask)
{
    struct pollfd pollfd = { .events = POLLIN };
    uint32_t events;

    g_assert_cmpint(NvSciIpcGetLinuxEventFd(handle, &pollfd.fd), ==,
                    NvSciError_Success);
    for (;;) {
        g_assert_cmpint(NvSciIpcGetEventSafe(handle, &events), ==,
                        NvSciError_Success);
        if ((events & mask) != 0) {
            return events;
        }
        g_assert_cmpint(poll(&pollfd, 1, PATIENCE_MS), ==, 1);
    }
}

static gpointer ponger(gpointer name)
{
    NvSciIpcEndpoint handle = open_end(name);
    uint32_t value, bytes;

    for (uint32_t n = 0; n < NR_FRAMES; n++) {
        wait_for(handle, READ);
        g_assert_cmpint(NvSciIpcReadSafe(handle, &value, sizeof(value),
                                         &bytes), ==, NvSciError_Success);
        g_assert_cmpuint(value, ==, n);
        g_assert_cmpint(NvSciIpcWriteSafe(handle, &value, sizeof(value),
                                          &bytes), ==, NvSciError_Success);
    }
    g_assert_cmphex(wait_for(handle, RESET), ==, RESET);
    g_assert_cmpint(NvSciIpcCloseEndpointSafe(handle, false), ==,
                    NvSciError_Success);
    return NULL;
}

static void ping_pong(const char *own, const char *far)
{
    GThread *thread = g_thread_new("ponger", ponger, (gpointer)far);
    NvSciIpcEndpoint handle = open_end(own);
    uint32_t value, bytes;

    wait_for(handle, EST);
    for (uint32_t n = 0; n < NR_FRAMES; n++) {
        g_assert_cmpint(NvSciIpcWriteSafe(handle, &n, sizeof(n), &bytes), ==,
                        NvSciError_Success);
        wait_for(handle, READ);
        g_assert_cmpint(NvSciIpcReadSafe(handle, &value, sizeof(value),
                                         &bytes), ==, NvSciError_Success);
        g_assert_cmpuint(value, ==, n);
    }
    g_assert_cmpint(NvSciIpcCloseEndpointSafe(handle, false), ==,
                    NvSciError_Success);
    g_thread_join(thread);
}

static void test_threads(void)
{
    g_assert_cmpint(NvSciIpcInit(), ==, NvSciError_Success);
    ping_pong("t0", "t1");
    ping_pong("t1", "t0");
    NvSciIpcDeinit();
    assert_nothing_left();
}

/* INTER_PROCESS works between threads as well. */
static void test_process_line(void)
{
    g_assert_cmpint(NvSciIpcInit(), ==, NvSciError_Success);
    ping_pong("p0", "p1");
    NvSciIpcDeinit();
    assert_nothing_left();
}

static void test_busy(void)
{
    NvSciIpcEndpoint handle, second;

    g_assert_cmpint(NvSciIpcInit(), ==, NvSciError_Success);
    handle = open_end("t0");
    g_assert_cmpint(NvSciIpcOpenEndpoint("t0", &second), ==, NvSciError_Busy);
    g_assert_cmpint(NvSciIpcCloseEndpointSafe(handle, false), ==,
                    NvSciError_Success);
    handle = open_end("t0");
    NvSciIpcDeinit();
}

/* Another process's threads are none of ours. */
static void test_processes(void)
{
    const char *cfg = g_getenv("NVSCIIPC_CFG");
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);

    g_assert_cmpint(peer_ask(a, "open 0 t0"), ==, 0);
    g_assert_cmpint(peer_ask(b, "open 0 t0"), ==, 0);
    g_assert_cmpint(peer_ask(b, "open 1 t1"), ==, 0);
    peers_connect(b, 0, b, 1);
    g_assert_cmpint(peer_ask(a, "reset 0"), ==, 0);
    g_assert_cmpint(peer_ask(a, "wait 0 %u 100", EST), ==, 0);
    g_assert_cmpint(peer_ask(b, "fork 0"), ==, 0);
    g_assert_cmpint(peer_ask(b, "put 0 5"), ==, 0);
    g_assert_cmpint(peer_ask(b, "get 1"), ==, 5);
    g_assert_cmpint(peer_ask(b, "close 0"), ==, 0);
    g_assert_cmpint(peer_ask(b, "wait 1 %u %u", RESET, DEATH_MS), ==, RESET);
    g_assert_cmpint(peer_ask(b, "deinit"), ==, 0);
    g_assert_cmpint(peer_ask(b, "fds"), ==, 3);
    peer_kill(a);
    peer_free(a);
    peer_free(b);
    assert_nothing_left();
}

/* 500 ends, two descriptors each and few more: select() knows all of them. */
static void test_500(void)
{
    GString *text = g_string_new(NULL);
    struct peer *peer;
    int64_t ret = 0;
    char *cfg;

    for (unsigned i = 0; i <= 500; i += 2) {
        g_string_append_printf(text, "INTER_THREAD e%u e%u 4 64\n", i, i + 1);
    }
    cfg = cfg_new(text->str);
    peer = peer_new(cfg);
    if (queues_are_ours) {
        set_queues_max(500);
    }
    g_assert_cmpint(peer_ask(peer, "files 1024"), ==, 0);
    for (unsigned i = 0; i < 500 && ret == 0; i++) {
        ret = peer_ask(peer, "open %u e%u", i, i);
    }
    if (ret != 0 && !queues_are_ours) {
        g_test_skip("fs.mqueue.queues_max is too low here");
    } else {
        g_assert_cmpint(ret, ==, 0);
        g_assert_cmpint(peer_ask(peer, "fds"), <=, 3 + 2 * 500 + 10);
        g_assert_cmpint(peer_ask(peer, "open 500 e500"), ==,
                        NvSciError_InsufficientResource);
        peers_connect(peer, 498, peer, 499);
        g_assert_cmpint(peer_ask(peer, "put 498 7"), ==, 0);
        g_assert_cmpint(peer_ask(peer, "get 499"), ==, 7);
        /* One more, when there is one less. */
        g_assert_cmpint(peer_ask(peer, "close 0"), ==, 0);
        g_assert_cmpint(peer_ask(peer, "close 1"), ==, 0);
        g_assert_cmpint(peer_ask(peer, "open 500 e500"), ==, 0);
    }
    peer_free(peer);
    assert_nothing_left();
    g_string_free(text, TRUE);
    cfg_free(cfg);
}

int main(int argc, char **argv)
{
    char *cfg;
    int ret;

    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    queues_are_ours = own_queues();
    cfg = cfg_new("INTER_THREAD t0 t1 3 64\nINTER_PROCESS p0 p1 3 64\n");
    g_setenv("NVSCIIPC_CFG", cfg, TRUE);
    g_test_add_func("/thread/threads", test_threads);
    g_test_add_func("/thread/process-line", test_process_line);
    g_test_add_func("/thread/busy", test_busy);
    g_test_add_func("/thread/processes", test_processes);
    g_test_add_func("/thread/500", test_500);
    ret = g_test_run();
    cfg_free(cfg);
    return ret;
}

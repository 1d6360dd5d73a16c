/* SPDX-License-Identifier: MIT */
/* The exported functions: arguments, states, errors; fork; the configuration. */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem_link.h"
#include "nvsciipc.h"

#define FRAME_SIZE 128

#define assert_ok(call) g_assert_cmphex((call), ==, NvSciError_Success)
#define assert_error(call, name) \
    g_assert_cmphex((call), ==, NvSciError_##name)

static char *folder;

/* Makes NvSciIpcInit read this text. */
static void configure(const char *text)
{
    char *path = g_build_filename(folder, "nvsciipc.cfg", NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_setenv("NVSCIIPC_CFG", path, TRUE);
    g_free(path);
}

struct both {
    struct mem_channel *channel;
    NvSciIpcEndpoint a, b;
};

static void both_begin(struct both *both)
{
    both->channel = mem_channel_new(4, FRAME_SIZE, true);
    configure("INTER_VM a 0\nINTER_VM b 1\nINTER_VM nowhere 300\n"
              "INTER_THREAD t0 t1 4 64\nINTER_PROCESS p0 p1 4 64\n"
              "INTER_CHIP c 99\n");
    assert_ok(NvSciIpcInit());
    assert_ok(NvSciIpcOpenEndpoint("a", &both->a));
    assert_ok(NvSciIpcOpenEndpoint("b", &both->b));
    g_assert_cmpuint(both->a, !=, both->b);
}

static void both_connect(struct both *both)
{
    uint32_t events;

    assert_ok(NvSciIpcResetEndpointSafe(both->a));
    NvSciIpcResetEndpoint(both->b);
    for (unsigned n = 0; n < 4; n++) {
        assert_ok(NvSciIpcGetEventSafe(n % 2 ? both->b : both->a, &events));
    }
    assert_ok(NvSciIpcGetEvent(both->a, &events));
    g_assert_cmphex(events, ==, NV_SCI_IPC_EVENT_WRITE |
                    NV_SCI_IPC_EVENT_WRITE_EMPTY);
}

static void both_end(struct both *both)
{
    NvSciIpcDeinit();
    mem_channel_free(both->channel);
}

/* Each call that takes a handle, with sound pointers. */
static NvSciError call(unsigned which, NvSciIpcEndpoint handle)
{
    static char buf[FRAME_SIZE];
    static uint32_t word;
    static int32_t number;
    static const volatile void *read;
    static volatile void *write;
    static NvSciIpcEndpointInfo info;

    switch (which) {
    case 0:
        return NvSciIpcReadSafe(handle, buf, 4, &word);
    case 1:
        return NvSciIpcWriteSafe(handle, buf, 4, &word);
    case 2:
        return NvSciIpcRead(handle, buf, 4, &number);
    case 3:
        return NvSciIpcWrite(handle, buf, 4, &number);
    case 4:
        return NvSciIpcReadGetNextFrame(handle, &read);
    case 5:
        return NvSciIpcReadAdvance(handle);
    case 6:
        return NvSciIpcWriteGetNextFrame(handle, &write);
    case 7:
        return NvSciIpcWriteAdvance(handle);
    case 8:
        return NvSciIpcGetEndpointInfo(handle, &info);
    case 9:
        return NvSciIpcGetLinuxEventFd(handle, &number);
    case 10:
        return NvSciIpcGetEvent(handle, &word);
    case 11:
        return NvSciIpcGetEventSafe(handle, &word);
    case 12:
        return NvSciIpcGetAsyncErrors(handle, &word);
    case 13:
        return NvSciIpcEnableNotification(handle, true);
    case 14:
        return NvSciIpcResetEndpointSafe(handle);
    case 15:
        return NvSciIpcCloseEndpointSafe(handle, false);
    default:
        g_assert_not_reached();
    }
}

#define NR_CALLS 16

static void test_before_init(void)
{
    NvSciIpcEndpoint handle;

    for (unsigned i = 0; i < NR_CALLS; i++) {
        assert_error(call(i, 1), NotInitialized);
        assert_error(call(i, 0), NotInitialized);
    }
    assert_error(NvSciIpcOpenEndpoint("a", &handle), NotInitialized);
    NvSciIpcCloseEndpoint(1);
    NvSciIpcResetEndpoint(1);
    NvSciIpcDeinit();
}

static void test_init_twice(void)
{
    configure("");
    assert_ok(NvSciIpcInit());
    assert_error(NvSciIpcInit(), InvalidState);
    NvSciIpcDeinit();
    assert_ok(NvSciIpcInit());
    NvSciIpcDeinit();
}

static void test_open_errors(void)
{
    struct both both;
    NvSciIpcEndpoint handle = 77;
    char longest[80];

    both_begin(&both);
    assert_error(NvSciIpcOpenEndpoint(NULL, &handle), BadParameter);
    assert_error(NvSciIpcOpenEndpoint("a", NULL), BadParameter);
    assert_error(NvSciIpcOpenEndpoint("", &handle), NoSuchEntry);
    assert_error(NvSciIpcOpenEndpoint("A", &handle), NoSuchEntry);
    assert_error(NvSciIpcOpenEndpoint("nowhere", &handle), NoSuchEntry);
    assert_error(NvSciIpcOpenEndpoint("a", &handle), Busy);
    /* No such device on the host. */
    assert_error(NvSciIpcOpenEndpoint("c", &handle), NoSuchEntry);
    memset(longest, 'a', sizeof(longest));  /* and no NUL */
    assert_error(NvSciIpcOpenEndpoint(longest, &handle), NoSuchEntry);
    g_assert_cmpuint(handle, ==, 77);
    NvSciIpcCloseEndpoint(both.a);
    assert_ok(NvSciIpcOpenEndpoint("a", &handle));
    g_assert_cmpuint(handle, !=, both.a);
    both_end(&both);
}

static void test_stale_handles(void)
{
    struct both both;
    GRand *random = g_rand_new_with_seed(3);

    both_begin(&both);
    assert_ok(NvSciIpcCloseEndpointSafe(both.a, false));
    for (unsigned i = 0; i < NR_CALLS; i++) {
        assert_error(call(i, both.a), BadParameter);
        assert_error(call(i, 0), BadParameter);
        assert_error(call(i, UINT64_MAX), BadParameter);
        for (unsigned n = 0; n < 100; n++) {
            NvSciIpcEndpoint handle = (uint64_t)g_rand_int(random) << 32 |
                                      g_rand_int(random);

            if (handle != both.b) {
                assert_error(call(i, handle), BadParameter);
            }
        }
    }
    NvSciIpcCloseEndpoint(both.a);
    NvSciIpcResetEndpoint(both.a);
    both_end(&both);
    for (unsigned i = 0; i < NR_CALLS; i++) {
        assert_error(call(i, both.b), NotInitialized);
    }
    g_rand_free(random);
}

static void test_null_pointers(void)
{
    struct both both;
    char buf[FRAME_SIZE] = "";
    uint32_t bytes = 9;
    int32_t count = 9;

    both_begin(&both);
    both_connect(&both);
    assert_error(NvSciIpcReadSafe(both.a, NULL, 4, &bytes), BadParameter);
    assert_error(NvSciIpcReadSafe(both.a, buf, 4, NULL), BadParameter);
    assert_error(NvSciIpcRead(both.a, NULL, 4, &count), BadParameter);
    assert_error(NvSciIpcRead(both.a, buf, 4, NULL), BadParameter);
    assert_error(NvSciIpcWriteSafe(both.a, NULL, 4, &bytes), BadParameter);
    assert_error(NvSciIpcWriteSafe(both.a, buf, 4, NULL), BadParameter);
    assert_error(NvSciIpcWrite(both.a, NULL, 4, &count), BadParameter);
    assert_error(NvSciIpcWrite(both.a, buf, 4, NULL), BadParameter);
    assert_error(NvSciIpcReadGetNextFrame(both.a, NULL), BadParameter);
    assert_error(NvSciIpcWriteGetNextFrame(both.a, NULL), BadParameter);
    assert_error(NvSciIpcGetEndpointInfo(both.a, NULL), BadParameter);
    assert_error(NvSciIpcGetLinuxEventFd(both.a, NULL), BadParameter);
    assert_error(NvSciIpcGetEvent(both.a, NULL), BadParameter);
    assert_error(NvSciIpcGetEventSafe(both.a, NULL), BadParameter);
    assert_error(NvSciIpcGetAsyncErrors(both.a, NULL), BadParameter);
    assert_error(NvSciIpcCheckVersionCompatibility(1, 4, NULL), BadParameter);
    g_assert_cmpuint(bytes, ==, 0);
    g_assert_cmpint(count, ==, 0);
    /* Nothing of that sent a frame. */
    assert_error(NvSciIpcReadSafe(both.b, buf, 4, &bytes), InsufficientMemory);
    both_end(&both);
}

static void test_frames(void)
{
    struct both both;
    NvSciIpcEndpointInfo info;
    char in[FRAME_SIZE + 1] = "hello", out[FRAME_SIZE];
    uint32_t bytes = 0, errors = 9, events;
    int32_t count = 0, fd = -1;
    const volatile void *read;
    volatile void *write;

    both_begin(&both);
    assert_ok(NvSciIpcGetEndpointInfo(both.a, &info));
    g_assert_cmpuint(info.nframes, ==, 4);
    g_assert_cmpuint(info.frame_size, ==, FRAME_SIZE);
    assert_ok(NvSciIpcGetLinuxEventFd(both.a, &fd));
    g_assert_cmpint(fd, ==, both.channel->end[0].event_fd);
    assert_ok(NvSciIpcGetAsyncErrors(both.a, &errors));
    g_assert_cmpuint(errors, ==, 0);
    assert_error(NvSciIpcWriteSafe(both.a, in, 6, &bytes), ConnectionReset);
    assert_error(NvSciIpcReadGetNextFrame(both.a, &read), ConnectionReset);
    g_assert_true(read == NULL);
    both_connect(&both);

    assert_ok(NvSciIpcWriteSafe(both.a, in, 6, &bytes));
    g_assert_cmpuint(bytes, ==, 6);
    assert_ok(NvSciIpcRead(both.b, out, FRAME_SIZE, &count));
    g_assert_cmpint(count, ==, FRAME_SIZE);
    g_assert_cmpstr(out, ==, "hello");
    assert_error(NvSciIpcRead(both.b, out, 1, &count), InsufficientMemory);
    g_assert_cmpint(count, ==, 0);
    assert_ok(NvSciIpcWrite(both.a, in, 0, &count));
    assert_ok(NvSciIpcReadSafe(both.b, out, 0, &bytes));
    assert_error(NvSciIpcWriteSafe(both.a, in, FRAME_SIZE + 1, &bytes),
                 BadParameter);
    assert_error(NvSciIpcWrite(both.a, in, SIZE_MAX, &count), BadParameter);
    assert_error(NvSciIpcRead(both.a, in, (size_t)1 << 32, &count),
                 BadParameter);
    g_assert_cmpint(count, ==, 0);

    assert_ok(NvSciIpcWriteGetNextFrame(both.b, &write));
    memset((void *)(uintptr_t)write, 'z', FRAME_SIZE);
    assert_ok(NvSciIpcWriteAdvance(both.b));
    assert_ok(NvSciIpcReadGetNextFrame(both.a, &read));
    g_assert_cmpint(((const volatile char *)read)[FRAME_SIZE - 1], ==, 'z');
    assert_ok(NvSciIpcReadAdvance(both.a));
    assert_error(NvSciIpcReadAdvance(both.a), InsufficientMemory);
    for (unsigned n = 0; n < 4; n++) {
        assert_ok(NvSciIpcWriteSafe(both.a, in, 6, &bytes));
    }
    assert_error(NvSciIpcWriteSafe(both.a, in, 6, &bytes), InsufficientMemory);
    g_assert_cmpuint(bytes, ==, 0);
    assert_error(NvSciIpcWriteGetNextFrame(both.a, &write),
                 InsufficientMemory);
    g_assert_true(write == NULL);
    assert_ok(NvSciIpcEnableNotification(both.a, false));
    assert_ok(NvSciIpcEnableNotification(both.a, true));
    /* Closing destroys nothing that was sent. */
    assert_ok(NvSciIpcCloseEndpointSafe(both.a, true));
    for (unsigned n = 0; n < 4; n++) {
        assert_ok(NvSciIpcGetEvent(both.b, &events));
        g_assert_cmphex(events & NV_SCI_IPC_EVENT_READ, !=, 0);
        assert_ok(NvSciIpcReadSafe(both.b, out, 6, &bytes));
    }
    assert_ok(NvSciIpcGetEvent(both.b, &events));
    g_assert_cmphex(events, ==, NV_SCI_IPC_EVENT_CONN_RESET);
    both_end(&both);
}

static void test_async_errors(void)
{
    struct both both;
    uint32_t errors = 9, events;

    both_begin(&both);
    both_connect(&both);
    assert_ok(NvSciIpcGetAsyncErrors(both.a, &errors));
    g_assert_cmphex(errors, ==, 0);
    mem_channel_fail(both.channel, 1, NV_SCI_ASYNC_PCIE_VALIDATION_ERROR);
    assert_ok(NvSciIpcGetEvent(both.a, &events));
    g_assert_cmphex(events, ==, NV_SCI_IPC_EVENT_CONN_RESET |
                    NV_SCI_IPC_EVENT_ASYNC_ERROR);
    assert_ok(NvSciIpcGetEvent(both.a, &events));
    g_assert_cmphex(events, ==, 0);
    assert_ok(NvSciIpcGetAsyncErrors(both.a, &errors));
    g_assert_cmphex(errors, ==, NV_SCI_ASYNC_PCIE_VALIDATION_ERROR);
    assert_ok(NvSciIpcGetAsyncErrors(both.a, &errors));
    g_assert_cmphex(errors, ==, 0);
    both_end(&both);
}

static void test_deinit_closes(void)
{
    struct both both;

    both_begin(&both);
    both_connect(&both);
    NvSciIpcDeinit();
    g_assert_true(mem_channel_status(both.channel, 0).gone);
    g_assert_true(mem_channel_status(both.channel, 1).gone);
    assert_ok(NvSciIpcInit());
    /* Handles of the time before stay dead. */
    assert_error(NvSciIpcReadAdvance(both.a), BadParameter);
    assert_ok(NvSciIpcOpenEndpoint("a", &both.a));
    both_end(&both);
}

static void test_limit(void)
{
    GString *text = g_string_new(NULL);
    struct mem_channel *channels[251];
    NvSciIpcEndpoint handle;

    for (unsigned i = 0; i < 502; i++) {
        g_string_append_printf(text, "INTER_VM e%u %u\n", i, i);
        if (i % 2 == 0) {
            channels[i / 2] = mem_channel_new(1, 64, false);
        }
    }
    configure(text->str);
    assert_ok(NvSciIpcInit());
    for (unsigned i = 0; i < 500; i++) {
        g_string_printf(text, "e%u", i);
        assert_ok(NvSciIpcOpenEndpoint(text->str, &handle));
    }
    assert_error(NvSciIpcOpenEndpoint("e500", &handle), InsufficientResource);
    /* And that end was not touched. */
    g_assert_cmpuint(channels[250]->end[0].status, ==, 0);
    NvSciIpcCloseEndpoint(handle);
    assert_ok(NvSciIpcOpenEndpoint("e500", &handle));
    NvSciIpcDeinit();
    for (unsigned i = 0; i < 251; i++) {
        mem_channel_free(channels[i]);
    }
    g_string_free(text, TRUE);
}

static void test_version(void)
{
    static const struct { uint32_t major, minor; bool compatible; } cases[] = {
        { 1, 4, true }, { 1, 0, true }, { 1, 5, false }, { 0, 4, false },
        { 2, 0, false }, { 1, UINT32_MAX, false }, { UINT32_MAX, 0, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool compatible = !cases[i].compatible;

        assert_ok(NvSciIpcCheckVersionCompatibility(
            cases[i].major, cases[i].minor, &compatible));
        g_assert_true(compatible == cases[i].compatible);
    }
}

/* In the child: exit status 0 if all is as it should be. */
static void child(const struct both *both)
{
    NvSciIpcEndpoint handle;

    alarm(20);
    for (unsigned i = 0; i < NR_CALLS; i++) {
        assert_error(call(i, both->a), BadParameter);
    }
    /* Here "a" is open in the parent. */
    g_assert_cmphex(NvSciIpcOpenEndpoint("nowhere", &handle), ==,
                    NvSciError_NoSuchEntry);
    NvSciIpcDeinit();
    assert_ok(NvSciIpcInit());
    NvSciIpcDeinit();
    _exit(0);
}

static void *keep_calling(void *opaque)
{
    const NvSciIpcEndpoint *handle = opaque;

    for (unsigned n = 0; n < 200000; n++) {
        call(n % 2 ? 0 : 10, *handle);
    }
    return NULL;
}

/* While another thread is inside a call, so that locks are held at times. */
static void test_fork(void)
{
    struct both both;
    GThread *thread;
    uint32_t bytes;

#ifdef __SANITIZE_THREAD__
    g_test_skip("the thread sanitizer does not know threads of a child");
    return;
#endif
    both_begin(&both);
    both_connect(&both);
    thread = g_thread_new("caller", keep_calling, &both.b);
    for (unsigned n = 0; n < 20; n++) {
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
            child(&both);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
    }
    g_thread_join(thread);
    /* The parent has lost nothing. */
    assert_ok(NvSciIpcWriteSafe(both.a, "x", 2, &bytes));
    both_end(&both);
}

static void *close_it(void *opaque)
{
    const NvSciIpcEndpoint *handle = opaque;

    g_usleep(1000);
    NvSciIpcCloseEndpoint(*handle);
    return NULL;
}

static void test_close_under_calls(void)
{
    for (unsigned n = 0; n < 30; n++) {
        struct both both;
        GThread *closer;
        unsigned i = 0;

        both_begin(&both);
        both_connect(&both);
        closer = g_thread_new("closer", close_it, &both.a);
        while (call(i, both.a) != NvSciError_BadParameter) {
            i = (i + 1) % 15;
        }
        g_thread_join(closer);
        both_end(&both);
    }
}

static void test_no_configuration(void)
{
    char *path = g_build_filename(folder, "none.cfg", NULL);

    if (g_test_subprocess()) {
        g_setenv("NVSCIIPC_CFG", path, TRUE);
        assert_error(NvSciIpcInit(), NoSuchEntry);
        g_setenv("NVSCIIPC_CFG", folder, TRUE);
        assert_error(NvSciIpcInit(), IsDirectory);
        g_free(path);
        return;
    }
    g_free(path);
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*nvsciipc: *none.cfg: No such file*NVSCIIPC_CFG*"
                              "nvsciipc: *: Is a directory*");
}

static void test_faulty_lines(void)
{
    NvSciIpcEndpoint handle;

    if (g_test_subprocess()) {
        struct mem_channel *channel = mem_channel_new(4, 64, false);

        configure("INTER_VM a 0\n"
                  "INTER_VM a 1\n"
                  "INTER_PROCESS b a 4 64\n"
                  "INTER_WORLD c 1\n"
                  "INTER_VM b 1\n");
        assert_ok(NvSciIpcInit());
        assert_ok(NvSciIpcOpenEndpoint("a", &handle));
        assert_ok(NvSciIpcOpenEndpoint("b", &handle));
        assert_error(NvSciIpcOpenEndpoint("c", &handle), NoSuchEntry);
        NvSciIpcDeinit();
        mem_channel_free(channel);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(
        "*nvsciipc.cfg:2: the name a is taken by line 1; line skipped\n"
        "*nvsciipc.cfg:3: the name a is taken by line 1; line skipped\n"
        "*nvsciipc.cfg:4: unknown backend \"INTER_WORLD\"; *; line skipped\n");
    g_test_trap_assert_stderr_unmatched("*nvsciipc.cfg:5*");
}

int main(int argc, char **argv)
{
    char *path;
    int ret;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("test-nvsciipc-XXXXXX", NULL);
    g_assert_nonnull(folder);
    g_test_add_func("/nvsciipc/before-init", test_before_init);
    g_test_add_func("/nvsciipc/init-twice", test_init_twice);
    g_test_add_func("/nvsciipc/open-errors", test_open_errors);
    g_test_add_func("/nvsciipc/stale-handles", test_stale_handles);
    g_test_add_func("/nvsciipc/null-pointers", test_null_pointers);
    g_test_add_func("/nvsciipc/frames", test_frames);
    g_test_add_func("/nvsciipc/async-errors", test_async_errors);
    g_test_add_func("/nvsciipc/deinit-closes", test_deinit_closes);
    g_test_add_func("/nvsciipc/limit", test_limit);
    g_test_add_func("/nvsciipc/version", test_version);
    g_test_add_func("/nvsciipc/fork", test_fork);
    g_test_add_func("/nvsciipc/close-under-calls", test_close_under_calls);
    g_test_add_func("/nvsciipc/no-configuration", test_no_configuration);
    g_test_add_func("/nvsciipc/faulty-lines", test_faulty_lines);
    ret = g_test_run();
    path = g_build_filename(folder, "nvsciipc.cfg", NULL);
    g_unlink(path);
    g_free(path);
    g_rmdir(folder);
    g_free(folder);
    return ret;
}

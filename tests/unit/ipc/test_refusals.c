/* SPDX-License-Identifier: MIT */
/*
 * What the exported functions say when there is no memory, and when a backend
 * cannot open an end; and that nothing is left of what failed. The leak
 * sanitizer says what memory is.
 */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "nvscievent.h"
#include "nvsciipc.h"

#define ok(call) g_assert_cmphex((call), ==, NvSciError_Success)
#define fails(call, error) g_assert_cmphex((call), ==, NvSciError_##error)

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

/* The allocation that fails, counted from 1, and no other; 0: none. */
static unsigned doomed;
static bool failed;             /* it has */

static bool refuse(void)
{
    if (doomed == 0 || --doomed > 0) {
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refuse() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
    return refuse() ? NULL : __real_calloc(nr, size);
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refuse() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return refuse() ? NULL : __real_strdup(text);
}

/* INTER_VM as the test has it: the linker takes the first of a name. */
static int open_error;

static int refuse_open(struct link *link, const struct conf_entry *entry,
                       unsigned end)
{
    (void)link;
    (void)entry;
    (void)end;
    return -open_error;
}

const struct backend backend_inter_vm = { .open = refuse_open };

static NvSciEventLoopService *service;

static unsigned nr_fds(void)
{
    GDir *folder = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned nr = 0;

    while (g_dir_read_name(folder)) {
        nr++;
    }
    g_dir_close(folder);
    return nr;
}

static void test_open_errors(void)
{
    static const struct {
        int error;
        NvSciError expected;
    } cases[] = {
        { ENOENT, NvSciError_NoSuchEntry },
        { EBUSY, NvSciError_Busy },
        { EACCES, NvSciError_NotPermitted },
        { EPERM, NvSciError_NotPermitted },
        { EUSERS, NvSciError_InsufficientResource },
        { EMFILE, NvSciError_TooManyOpenFiles },
        { ENFILE, NvSciError_FileTableOverflow },
        { ENOMEM, NvSciError_InsufficientMemory },
        { EPROTO, NvSciError_InconsistentData },
        { EIO, NvSciError_IO },
    };
    NvSciIpcEndpoint handle = 77;

    ok(NvSciIpcInit());
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        open_error = cases[i].error;
        g_assert_cmphex(NvSciIpcOpenEndpoint("vm", &handle), ==,
                        cases[i].expected);
        g_assert_cmphex(NvSciIpcOpenEndpointWithEventService(
                            "vm", &handle, &service->EventService), ==,
                        cases[i].expected);
    }
    g_assert_cmpuint(handle, ==, 77);
    NvSciIpcDeinit();
}

/* A first Init may take for good what watches forks. */
static void test_init(void)
{
    NvSciError error;
    unsigned fds, nr = 0;

    ok(NvSciIpcInit());
    NvSciIpcDeinit();
    fds = nr_fds();
    do {
        doomed = ++nr;
        failed = false;
        error = NvSciIpcInit();
        doomed = 0;
        if (failed) {
            g_assert_cmphex(error, ==, NvSciError_InsufficientMemory);
            fails(NvSciIpcResetEndpointSafe(1), NotInitialized);
            g_assert_cmpuint(nr_fds(), ==, fds);
        }
    } while (failed);
    ok(error);
    g_assert_cmpuint(nr, >, 2);
    NvSciIpcDeinit();
}

static NvSciError open_it(const char *name, bool serve,
                          NvSciIpcEndpoint *handle)
{
    return serve ? NvSciIpcOpenEndpointWithEventService(
                       name, handle, &service->EventService) :
                   NvSciIpcOpenEndpoint(name, handle);
}

/* Whatever there is none for: the first end, then the other one. */
static void test_open(gconstpointer data)
{
    const char *const names[] = {
        data, strcmp(data, "t0") == 0 ? "t1" : "p1",
    };

    for (unsigned serve = 0; serve < 2; serve++) {
        NvSciIpcEndpoint handles[2];
        unsigned before = nr_fds();

        ok(NvSciIpcInit());
        for (unsigned i = 0; i < 2; i++) {
            NvSciError error;
            unsigned fds = nr_fds(), nr = 0;

            do {
                handles[i] = 77;
                doomed = ++nr;
                failed = false;
                error = open_it(names[i], serve, &handles[i]);
                doomed = 0;
                if (failed) {
                    g_assert_cmphex(error, ==, NvSciError_InsufficientMemory);
                    g_assert_cmpuint(handles[i], ==, 77);
                    g_assert_cmpuint(nr_fds(), ==, fds);
                }
            } while (failed);
            ok(error);
            g_assert_cmpuint(nr, >, 2 + serve);
        }
        NvSciIpcDeinit();
        g_assert_cmpuint(nr_fds(), ==, before);
    }
}

static void test_notifier(void)
{
    NvSciEventNotifier *notifier = NULL;
    NvSciIpcEndpoint handle;
    NvSciError error;
    unsigned nr = 0;

    ok(NvSciIpcInit());
    ok(open_it("t0", true, &handle));
    do {
        doomed = ++nr;
        failed = false;
        error = NvSciIpcGetEventNotifier(handle, &notifier);
        doomed = 0;
        if (failed) {
            g_assert_cmphex(error, ==, NvSciError_InsufficientMemory);
            g_assert_null(notifier);
        }
    } while (failed);
    ok(error);
    g_assert_cmpuint(nr, >, 1);
    notifier->Delete(notifier);
    NvSciIpcDeinit();
}

int main(int argc, char **argv)
{
    char *folder, *config;
    int ret;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("test-refusals-XXXXXX", NULL);
    g_assert_nonnull(folder);
    config = g_build_filename(folder, "nvsciipc.cfg", NULL);
    g_assert_true(g_file_set_contents(config, "INTER_THREAD t0 t1 4 64\n"
                                      "INTER_PROCESS p0 p1 4 64\n"
                                      "INTER_VM vm 0\n", -1, NULL));
    g_setenv("NVSCIIPC_CFG", config, TRUE);
    ok(NvSciEventLoopServiceCreate(1, &service));
    g_test_add_func("/refusals/open-errors", test_open_errors);
    g_test_add_func("/refusals/no-memory/init", test_init);
    g_test_add_data_func("/refusals/no-memory/open-thread", "t0", test_open);
    g_test_add_data_func("/refusals/no-memory/open-process", "p0", test_open);
    g_test_add_func("/refusals/no-memory/notifier", test_notifier);
    ret = g_test_run();
    service->EventService.Delete(&service->EventService);
    g_unlink(config);
    g_rmdir(folder);
    g_free(config);
    g_free(folder);
    return ret;
}

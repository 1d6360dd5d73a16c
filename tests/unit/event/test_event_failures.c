/* SPDX-License-Identifier: MIT */
/*
 * libnvscievent when the system refuses: which error, and that nothing is left
 * of what failed. The leak sanitizer says what memory is.
 */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "native_event.h"
#include "nvscievent.h"

#define ok(call) g_assert_cmphex((call), ==, NvSciError_Success)
#define fails(call, error) g_assert_cmphex((call), ==, NvSciError_##error)

void *__real_calloc(size_t nr, size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);
int __real_epoll_ctl(int set, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event);
int __real_epoll_wait(int set, struct epoll_event *events, int max, int ms);
int __wrap_epoll_wait(int set, struct epoll_event *events, int max, int ms);
int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);

/* What fails until all is well again, after how many that do not. */
static struct {
    int error;              /* 0: none */
    unsigned after;
} on_calloc, on_realloc, on_create, on_add, on_wait, on_eventfd;

#define FAILS(step) \
    ((step).error == 0 ? 0 : \
     (step).after > 0 ? ((step).after--, 0) : (errno = (step).error))

void *__wrap_calloc(size_t nr, size_t size)
{
    return FAILS(on_calloc) ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return FAILS(on_realloc) ? NULL : __real_realloc(old, size);
}

int __wrap_epoll_create1(int flags)
{
    return FAILS(on_create) ? -1 : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    return op == EPOLL_CTL_ADD && FAILS(on_add) ? -1 :
           __real_epoll_ctl(set, op, fd, event);
}

int __wrap_epoll_wait(int set, struct epoll_event *events, int max, int ms)
{
    return FAILS(on_wait) ? -1 : __real_epoll_wait(set, events, max, ms);
}

int __wrap_eventfd(unsigned count, int flags)
{
    return FAILS(on_eventfd) ? -1 : __real_eventfd(count, flags);
}

static void all_is_well(void)
{
    on_calloc.error = on_realloc.error = on_create.error = 0;
    on_add.error = on_wait.error = on_eventfd.error = 0;
}

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

static unsigned released;

static void native_release(NvSciNativeEvent *event)
{
    (void)event;
    released++;
}

struct fixture {
    NvSciEventLoopService *service;
    NvSciEventService *events;
    NvSciNativeEvent native;
    unsigned fds;               /* once the service is there */
};

static void begin(struct fixture *fixture)
{
    ok(NvSciEventLoopServiceCreate(1, &fixture->service));
    fixture->events = &fixture->service->EventService;
    atomic_init(&fixture->native.fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    fixture->native.release = native_release;
    fixture->fds = nr_fds();
    released = 0;
}

static void end(struct fixture *fixture)
{
    all_is_well();
    g_assert_cmpuint(nr_fds(), ==, fixture->fds);
    close(fixture->native.fd);
    fixture->events->Delete(fixture->events);
}

static void test_service(void)
{
    NvSciEventLoopService *service = NULL;
    unsigned fds = nr_fds();

    on_create.error = EMFILE;
    on_create.after = 0;
    fails(NvSciEventLoopServiceCreate(1, &service), InsufficientResource);
    all_is_well();
    on_calloc.error = ENOMEM;
    on_calloc.after = 0;
    fails(NvSciEventLoopServiceCreateSafe(1, NULL, &service),
          InsufficientMemory);
    on_calloc.after = 0;
    fails(NvSciEventLoopServiceCreateSafeX(1, NULL, &service),
          InsufficientMemory);
    all_is_well();
    g_assert_null(service);
    g_assert_cmpuint(nr_fds(), ==, fds);
}

static void test_native(void)
{
    static const struct {
        int error;
        NvSciError expected;
    } adds[] = {
        { ENOSPC, NvSciError_InsufficientResource },
        { ENOMEM, NvSciError_InsufficientResource },
        { EEXIST, NvSciError_AlreadyInUse },
        { EPERM, NvSciError_BadParameter },
    };
    struct fixture f;
    NvSciEventNotifier *notifier = NULL;

    begin(&f);
    for (unsigned i = 0; i < G_N_ELEMENTS(adds); i++) {
        on_add.error = adds[i].error;
        on_add.after = 0;
        g_assert_cmphex(f.events->CreateNativeEventNotifier(
                            f.events, &f.native, &notifier), ==,
                        adds[i].expected);
    }
    all_is_well();
    on_calloc.error = ENOMEM;
    on_calloc.after = 0;
    fails(f.events->CreateNativeEventNotifier(f.events, &f.native, &notifier),
          InsufficientMemory);
    all_is_well();
    g_assert_null(notifier);
    /* It was not taken, so it is not given back. */
    g_assert_cmpuint(released, ==, 0);
    ok(f.events->CreateNativeEventNotifier(f.events, &f.native, &notifier));
    notifier->Delete(notifier);
    g_assert_cmpuint(released, ==, 1);
    end(&f);
}

/* There is a table of notifiers, and it grows. */
static void test_table(void)
{
    NvSciLocalEvent *locals[64], *refused = NULL;
    struct fixture f;
    unsigned nr = 0;

    begin(&f);
    on_realloc.error = ENOMEM;
    on_realloc.after = 1;
    while (nr < G_N_ELEMENTS(locals) &&
           f.events->CreateLocalEvent(f.events, &locals[nr]) ==
           NvSciError_Success) {
        nr++;
    }
    g_assert_cmpuint(nr, >, 0);
    g_assert_cmpuint(nr, <, G_N_ELEMENTS(locals));
    on_realloc.after = 0;
    fails(f.events->CreateLocalEvent(f.events, &refused), InsufficientMemory);
    all_is_well();
    g_assert_null(refused);
    /* Those that are there are as they were. */
    ok(locals[nr - 1]->Signal(locals[nr - 1]));
    ok(f.service->WaitForEvent(locals[nr - 1]->eventNotifier, 0));
    fails(f.service->WaitForEvent(locals[0]->eventNotifier, 0), Timeout);
    while (nr-- > 0) {
        locals[nr]->eventNotifier->Delete(locals[nr]->eventNotifier);
        locals[nr]->Delete(locals[nr]);
    }
    end(&f);
}

static void test_local(void)
{
    NvSciLocalEvent *local = NULL;
    struct fixture f;

    begin(&f);
    on_eventfd.error = EMFILE;
    on_eventfd.after = 0;
    fails(f.events->CreateLocalEvent(f.events, &local), InsufficientResource);
    all_is_well();
    on_add.error = ENOSPC;
    on_add.after = 0;
    fails(f.events->CreateLocalEvent(f.events, &local), InsufficientResource);
    all_is_well();
    for (unsigned after = 0; after < 2; after++) {
        on_calloc.error = ENOMEM;
        on_calloc.after = after;
        fails(f.events->CreateLocalEvent(f.events, &local),
              InsufficientMemory);
        all_is_well();
    }
    g_assert_null(local);
    end(&f);
}

static void test_wait(void)
{
    struct fixture f;
    NvSciEventNotifier *notifier;

    begin(&f);
    ok(f.events->CreateNativeEventNotifier(f.events, &f.native, &notifier));
    on_wait.error = EINVAL;
    on_wait.after = 0;
    fails(f.service->WaitForEvent(notifier, 0), ResourceError);
    all_is_well();
    /* And it may be waited on again. */
    fails(f.service->WaitForEvent(notifier, 0), Timeout);
    g_assert_cmpint(eventfd_write(f.native.fd, 1), ==, 0);
    ok(f.service->WaitForEvent(notifier, 0));
    notifier->Delete(notifier);
    end(&f);
}

/* It stays where it was, and is watched there. */
static void test_move(void)
{
    static const struct {
        int error;
        NvSciError expected;
        bool table;         /* no memory for the other one's */
    } cases[] = {
        { ENOSPC, NvSciError_InsufficientResource, false },
        { ENOMEM, NvSciError_InsufficientMemory, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        NvSciEventLoopService *other;
        NvSciEventNotifier *notifier;
        struct fixture f;

        begin(&f);
        ok(NvSciEventLoopServiceCreate(1, &other));
        ok(f.events->CreateNativeEventNotifier(f.events, &f.native,
                                               &notifier));
        if (cases[i].table) {
            on_realloc.error = cases[i].error;
            on_realloc.after = 0;
        } else {
            on_add.error = cases[i].error;
            on_add.after = 0;
        }
        g_assert_cmphex(NvSciEventMoveNotifier(f.events, &other->EventService,
                                               notifier), ==,
                        cases[i].expected);
        all_is_well();
        other->EventService.Delete(&other->EventService);
        g_assert_cmpint(eventfd_write(f.native.fd, 1), ==, 0);
        ok(f.service->WaitForEvent(notifier, 0));
        notifier->Delete(notifier);
        g_assert_cmpuint(released, ==, 1);
        end(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/event-failures/service", test_service);
    g_test_add_func("/event-failures/native", test_native);
    g_test_add_func("/event-failures/table", test_table);
    g_test_add_func("/event-failures/local", test_local);
    g_test_add_func("/event-failures/wait", test_wait);
    g_test_add_func("/event-failures/move", test_move);
    return g_test_run();
}

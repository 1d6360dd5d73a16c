/* SPDX-License-Identifier: MIT */
/* NVSCIIPC_TRACE: the lines, and that a trace harms nobody. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "mem_link.h"
#include "nvsciipc.h"

#define assert_ok(call) g_assert_cmphex((call), ==, NvSciError_Success)
#define assert_error(call, name) \
    g_assert_cmphex((call), ==, NvSciError_##name)

static char *folder;
static char *cfg;           /* as the library names it */
static char *trace;

/* A fresh trace, and Init. */
static void begin(void)
{
    g_unlink(trace);
    setenv("NVSCIIPC_TRACE", trace, 1);
    assert_ok(NvSciIpcInit());
}

static char *contents(const char *path)
{
    char *text;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/*
 * What is behind the stamp and the process, which are checked, of each line;
 * the newlines stay.
 */
static char *stories(const char *text, pid_t pid)
{
    char *pattern = g_strdup_printf("^\\[ *\\d+\\.\\d{6}\\] "
                                    "nvsciipc\\[%d/\\d+\\] ", pid);
    GRegex *regex = g_regex_new(pattern, 0, 0, NULL);
    GString *found = g_string_new(NULL);
    char **lines = g_strsplit(text, "\n", -1);
    unsigned last = g_strv_length(lines) - 1;

    g_assert_cmpstr(lines[last], ==, "");
    for (unsigned i = 0; i < last; i++) {
        GMatchInfo *match;
        int end;

        g_assert_cmpuint(strlen(lines[i]), <, 255);
        if (!g_regex_match(regex, lines[i], 0, &match)) {
            g_error("no line of process %d: %s", pid, lines[i]);
        }
        g_assert_true(g_match_info_fetch_pos(match, 0, NULL, &end));
        g_string_append_printf(found, "%s\n", lines[i] + end);
        g_match_info_free(match);
    }
    g_strfreev(lines);
    g_regex_unref(regex);
    g_free(pattern);
    return g_string_free(found, FALSE);
}

/* Exactly these lines are in the trace, all of this process. */
static void assert_trace(const char *expected)
{
    char *text = contents(trace);
    char *found = stories(text, getpid());

    g_assert_cmpstr(found, ==, expected);
    g_free(found);
    g_free(text);
}

/* The line of Init in front of others. */
static char *after_init(const char *lines)
{
    return g_strdup_printf("-: NvSciIpcInit: 4 endpoints configured in %s\n%s",
                           cfg, lines);
}

static void open_both(NvSciIpcEndpoint end[2])
{
    assert_ok(NvSciIpcOpenEndpoint("t0", &end[0]));
    assert_ok(NvSciIpcOpenEndpoint("t1", &end[1]));
}

static void connect_both(const NvSciIpcEndpoint end[2])
{
    uint32_t events;

    assert_ok(NvSciIpcResetEndpointSafe(end[0]));
    assert_ok(NvSciIpcResetEndpointSafe(end[1]));
    for (unsigned n = 0; n < 8; n++) {
        assert_ok(NvSciIpcGetEventSafe(end[n % 2], &events));
    }
    g_assert_cmphex(events, ==, NV_SCI_IPC_EVENT_WRITE |
                    NV_SCI_IPC_EVENT_WRITE_EMPTY);
}

/* Frames, empty and full queues: nothing of which is told. */
static void move_frames(const NvSciIpcEndpoint end[2])
{
    char buf[64] = "frame";
    uint32_t bytes, events;

    for (unsigned n = 0; n < 4; n++) {
        assert_ok(NvSciIpcWriteSafe(end[0], buf, 64, &bytes));
        assert_ok(NvSciIpcGetEventSafe(end[1], &events));
    }
    assert_error(NvSciIpcWriteSafe(end[0], buf, 64, &bytes),
                 InsufficientMemory);
    for (unsigned n = 0; n < 4; n++) {
        assert_ok(NvSciIpcReadSafe(end[1], buf, 64, &bytes));
        assert_ok(NvSciIpcGetEventSafe(end[0], &events));
    }
    assert_error(NvSciIpcReadSafe(end[1], buf, 64, &bytes),
                 InsufficientMemory);
    assert_error(NvSciIpcReadAdvance(end[1]), InsufficientMemory);
}

static void test_a_life(void)
{
    NvSciIpcEndpoint end[2];
    uint32_t events;
    struct stat file;
    char *expected;

    begin();
    open_both(end);
    connect_both(end);
    move_frames(end);
    assert_ok(NvSciIpcCloseEndpointSafe(end[0], false));
    assert_ok(NvSciIpcGetEventSafe(end[1], &events));
    g_assert_cmphex(events, ==, NV_SCI_IPC_EVENT_CONN_RESET);
    assert_ok(NvSciIpcGetEventSafe(end[1], &events));
    NvSciIpcDeinit();
    expected = after_init("t0: opened, INTER_THREAD, 4 x 64\n"
                          "t1: opened, INTER_THREAD, 4 x 64\n"
                          "t0: reset\n"
                          "t1: reset\n"
                          "t1: CONN_EST\n"
                          "t0: CONN_EST\n"
                          "t0: closed\n"
                          "t1: CONN_RESET\n"
                          "-: NvSciIpcDeinit\n"
                          "t1: closed\n");
    assert_trace(expected);
    g_free(expected);
    /* What others do is nobody's business. */
    g_assert_cmpint(g_stat(trace, &file), ==, 0);
    g_assert_cmphex(file.st_mode & 0777 & ~0600u, ==, 0);
}

static void test_failures(void)
{
    NvSciIpcEndpoint end[2], other;
    char buf[80] = "";
    uint32_t bytes, events;
    char *expected;

    begin();
    assert_error(NvSciIpcInit(), InvalidState);
    open_both(end);
    for (unsigned n = 0; n < 3; n++) {
        assert_error(NvSciIpcOpenEndpoint("t0", &other), Busy);
    }
    assert_error(NvSciIpcOpenEndpoint("a\nname: 7\xff", &other), NoSuchEntry);
    memset(buf, 'n', sizeof(buf));      /* and no NUL */
    assert_error(NvSciIpcOpenEndpoint(buf, &other), NoSuchEntry);
    assert_error(NvSciIpcOpenEndpoint(NULL, &other), BadParameter);
    /* Who polls both ways before there is a connection. */
    for (unsigned n = 0; n < 3; n++) {
        assert_error(NvSciIpcReadSafe(end[0], buf, 4, &bytes),
                     ConnectionReset);
        assert_error(NvSciIpcWriteSafe(end[0], buf, 4, &bytes),
                     ConnectionReset);
    }
    /* Another error, another endpoint; and the first one again. */
    assert_error(NvSciIpcReadSafe(end[0], NULL, 4, &bytes), BadParameter);
    assert_error(NvSciIpcReadSafe(end[1], buf, 4, &bytes), ConnectionReset);
    assert_error(NvSciIpcReadSafe(end[0], buf, 4, &bytes), ConnectionReset);
    /* Something happens, and it is worth a line again. */
    assert_ok(NvSciIpcResetEndpointSafe(end[1]));
    assert_error(NvSciIpcReadSafe(end[0], buf, 4, &bytes), ConnectionReset);
    assert_error(NvSciIpcReadSafe(end[0], buf, 65, &bytes), BadParameter);
    assert_error(NvSciIpcGetEventSafe(0, &events), BadParameter);
    NvSciIpcDeinit();
    assert_error(NvSciIpcReadAdvance(end[0]), NotInitialized);
    memset(buf, 'n', 63);
    buf[63] = '\0';
    {
        char *lines = g_strdup_printf(
            "-: NvSciIpcInit: InvalidState\n"
            "t0: opened, INTER_THREAD, 4 x 64\n"
            "t1: opened, INTER_THREAD, 4 x 64\n"
            "t0: open failed: Busy\n"
            "a?name:?7?: open failed: NoSuchEntry\n"
            "%s: open failed: NoSuchEntry\n"
            "-: open failed: BadParameter\n"
            "t0: NvSciIpcReadSafe: ConnectionReset\n"
            "t0: NvSciIpcWriteSafe: ConnectionReset\n"
            "t0: NvSciIpcReadSafe: BadParameter\n"
            "t1: NvSciIpcReadSafe: ConnectionReset\n"
            "t0: NvSciIpcReadSafe: ConnectionReset\n"
            "t1: reset\n"
            "t0: NvSciIpcReadSafe: ConnectionReset\n"
            "t0: NvSciIpcReadSafe: BadParameter\n"
            "-: NvSciIpcGetEventSafe: BadParameter\n"
            "-: NvSciIpcDeinit\n"
            "t%c: closed\n"
            "t%c: closed\n"
            "-: NvSciIpcReadAdvance: NotInitialized\n", buf, '0', '1');

        expected = after_init(lines);
        g_free(lines);
    }
    assert_trace(expected);
    g_free(expected);
}

static void test_async_error(void)
{
    struct mem_channel *channel = mem_channel_new(4, 64, true);
    NvSciIpcEndpoint end[2];
    uint32_t events;
    char *expected;

    begin();
    assert_ok(NvSciIpcOpenEndpoint("a", &end[0]));
    assert_ok(NvSciIpcOpenEndpoint("b", &end[1]));
    connect_both(end);
    mem_channel_fail(channel, 1, NV_SCI_ASYNC_PCIE_VALIDATION_ERROR |
                     NV_SCI_ASYNC_PCIE_EDMA_XFER_ERROR);
    assert_ok(NvSciIpcGetEventSafe(end[0], &events));
    assert_ok(NvSciIpcGetEventSafe(end[0], &events));
    expected = after_init(
        "a: opened, INTER_VM, 4 x 64\n"
        "b: opened, INTER_VM, 4 x 64\n"
        "a: reset\n"
        "b: reset\n"
        "b: CONN_EST\n"
        "a: CONN_EST\n"
        "a: CONN_RESET\n"
        "a: ASYNC_ERROR: PCIE_EDMA_XFER_ERROR PCIE_VALIDATION_ERROR\n");
    assert_trace(expected);
    g_free(expected);
    NvSciIpcDeinit();
    mem_channel_free(channel);
}

/* A line is 255 bytes at most, whatever the path is. */
static void test_long_line(void)
{
    char *deep = g_strdup(folder), *path, *text, *old = cfg;

    for (unsigned n = 0; n < 4; n++) {
        char *deeper = g_strdup_printf("%s/%0100u", deep, n);

        g_free(deep);
        deep = deeper;
    }
    g_assert_cmpint(g_mkdir_with_parents(deep, 0700), ==, 0);
    path = g_build_filename(deep, "long.cfg", NULL);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    setenv("NVSCIIPC_CFG", path, 1);
    begin();
    text = contents(trace);
    g_assert_cmpuint(strlen(text), ==, 255);
    g_assert_true(g_str_has_suffix(text, "0\n"));
    NvSciIpcDeinit();
    setenv("NVSCIIPC_CFG", old, 1);
    g_unlink(path);
    for (unsigned n = 0; n < 4; n++) {
        g_rmdir(deep);
        *strrchr(deep, '/') = '\0';
    }
    g_free(text);
    g_free(path);
    g_free(deep);
}

/* Unset or empty: nothing is opened. Init looks again each time. */
static void test_off_and_on(void)
{
    int before, after;

    begin();
    NvSciIpcDeinit();
    g_unlink(trace);
    before = dup(0);
    close(before);
    for (unsigned n = 0; n < 3; n++) {
        if (n % 2) {
            unsetenv("NVSCIIPC_TRACE");
        } else {
            setenv("NVSCIIPC_TRACE", "", 1);
        }
        assert_ok(NvSciIpcInit());
        NvSciIpcDeinit();
        g_assert_false(g_file_test(trace, G_FILE_TEST_EXISTS));
        begin();
        NvSciIpcDeinit();
        g_assert_true(g_file_test(trace, G_FILE_TEST_EXISTS));
        g_unlink(trace);
    }
    /* A descriptor for them all. */
    after = dup(0);
    close(after);
    g_assert_cmpint(after, ==, before);
}

static void wait_for(pid_t pid)
{
    int status;

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

#define NR_ROUNDS 300

/* Two processes that began alone, and a child of one, into one file. */
static void test_processes(void)
{
    pid_t pid[3];
    unsigned count[3] = { 0 };
    char *text, **lines;

    g_unlink(trace);
    setenv("NVSCIIPC_TRACE", trace, 1);
    for (unsigned n = 0; n < 3; n++) {
        /* The third one's trace is open, and its library ready. */
        if (n == 2) {
            assert_ok(NvSciIpcInit());
        }
        pid[n] = fork();
        g_assert_cmpint(pid[n], >=, 0);
        if (pid[n] == 0) {
            NvSciIpcEndpoint handle;

            alarm(60);
            if (n < 2) {
                assert_ok(NvSciIpcInit());
            }
            for (unsigned round = 0; round < NR_ROUNDS; round++) {
                assert_ok(NvSciIpcOpenEndpoint("t0", &handle));
                assert_ok(NvSciIpcResetEndpointSafe(handle));
                NvSciIpcCloseEndpoint(handle);
            }
            _exit(0);
        }
    }
    for (unsigned n = 0; n < 3; n++) {
        wait_for(pid[n]);
    }
    NvSciIpcDeinit();
    text = contents(trace);
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i + 1]; i++) {
        char *line = g_strdup_printf("%s\n", lines[i]);
        int writer = 0;

        g_assert_cmpint(sscanf(line, "[%*d.%*d] nvsciipc[%d/", &writer), ==, 1);
        g_free(stories(line, writer));
        for (unsigned n = 0; n < 3; n++) {
            if (writer == pid[n] && strstr(line, " t0: ")) {
                count[n]++;
            }
        }
        g_free(line);
    }
    for (unsigned n = 0; n < 3; n++) {
        g_assert_cmpuint(count[n], ==, 3 * NR_ROUNDS);
    }
    g_strfreev(lines);
    g_free(text);
}

static gpointer open_and_fail(gpointer name)
{
    NvSciIpcEndpoint handle;

    for (unsigned round = 0; round < NR_ROUNDS; round++) {
        assert_ok(NvSciIpcOpenEndpoint(name, &handle));
        assert_error(NvSciIpcReadAdvance(handle), ConnectionReset);
        NvSciIpcCloseEndpoint(handle);
    }
    return NULL;
}

static gpointer fail_always(gpointer stop)
{
    while (!g_atomic_int_get((gint *)stop)) {
        g_assert_cmphex(NvSciIpcReadAdvance(0), !=, NvSciError_Success);
    }
    return NULL;
}

/* Each of them whole, also while the trace changes to another file. */
static void test_threads(void)
{
    GThread *thread[2], *other;
    gint stop = 0;
    char *text;

    begin();
    thread[0] = g_thread_new("t0", open_and_fail, (gpointer)"t0");
    thread[1] = g_thread_new("t1", open_and_fail, (gpointer)"t1");
    g_thread_join(thread[0]);
    g_thread_join(thread[1]);
    text = contents(trace);
    g_free(stories(text, getpid()));
    g_free(text);
    NvSciIpcDeinit();

    other = g_thread_new("other", fail_always, &stop);
    for (unsigned round = 0; round < NR_ROUNDS; round++) {
        begin();
        text = contents(trace);
        g_free(stories(text, getpid()));
        g_free(text);
        NvSciIpcDeinit();
    }
    g_atomic_int_set(&stop, 1);
    g_thread_join(other);
}

static void test_unwritable(void)
{
    if (g_test_subprocess()) {
        NvSciIpcEndpoint handle;
        char *path = g_build_filename(folder, "none", "trace", NULL);

        setenv("NVSCIIPC_TRACE", path, 1);
        assert_ok(NvSciIpcInit());
        assert_ok(NvSciIpcOpenEndpoint("t0", &handle));
        assert_error(NvSciIpcReadAdvance(handle), ConnectionReset);
        NvSciIpcDeinit();
        /* The next one may be better, and then worse again. */
        begin();
        NvSciIpcDeinit();
        setenv("NVSCIIPC_TRACE", folder, 1);
        assert_ok(NvSciIpcInit());
        NvSciIpcDeinit();
        g_unlink(trace);
        g_free(path);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(
        "nvsciipc: NVSCIIPC_TRACE: *none/trace: No such file or directory; no "
        "trace is written\n"
        "nvsciipc: NVSCIIPC_TRACE: *: Is a directory; no trace is written\n");
}

/* A pipe: full, then without a reader. Neither stops nor kills. */
static void test_pipe(void)
{
    NvSciIpcEndpoint handle;
    sigset_t pending;
    int fds[2];

    g_assert_cmpint(pipe(fds), ==, 0);
    {
        char *path = g_strdup_printf("/dev/fd/%d", fds[1]);

        setenv("NVSCIIPC_TRACE", path, 1);
        assert_ok(NvSciIpcInit());
        g_free(path);
    }
    close(fds[1]);
    fcntl(fds[0], F_SETPIPE_SZ, 4096);
    assert_ok(NvSciIpcOpenEndpoint("t0", &handle));
    for (unsigned n = 0; n < 100; n++) {
        errno = 77;
        NvSciIpcResetEndpoint(handle);
    }
    close(fds[0]);
    NvSciIpcResetEndpoint(handle);
    sigpending(&pending);
    g_assert_false(sigismember(&pending, SIGPIPE));
    NvSciIpcDeinit();
}

/* All that a terminal has. */
static char *drain(int fd)
{
    GString *text = g_string_new(NULL);
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };
    char buf[4096];
    ssize_t size;

    while (poll(&pollfd, 1, 200) == 1 &&
           (size = read(fd, buf, sizeof(buf))) > 0) {
        g_string_append_len(text, buf, size);
    }
    return g_string_free(text, FALSE);
}

/*
 * As /dev/console in a guest: a process without a terminal gets none by it, one
 * that nobody reads stops nobody, and a line behind one that was torn begins at
 * the left.
 */
static void test_terminal(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    NvSciIpcEndpoint handle;
    char *text, *last, *line, **lines;
    unsigned nr_lines;
    pid_t pid;

    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0) {
        g_test_skip("there are no terminals here");
        close(fd);
        return;
    }
    setenv("NVSCIIPC_TRACE", ptsname(fd), 1);
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        alarm(60);
        g_assert_cmpint(setsid(), >, 0);
        assert_ok(NvSciIpcInit());
        g_assert_cmpint(open("/dev/tty", O_RDWR), ==, -1);
        _exit(0);
    }
    wait_for(pid);
    assert_ok(NvSciIpcInit());
    assert_ok(NvSciIpcOpenEndpoint("t0", &handle));
    text = drain(fd);
    g_assert_nonnull(strstr(text, " t0: opened, INTER_THREAD, 4 x 64\r\n"));
    g_free(text);
    /* More than it holds: one of them is cut. */
    for (unsigned n = 0; n < 600; n++) {
        NvSciIpcResetEndpoint(handle);
    }
    text = drain(fd);
    NvSciIpcCloseEndpoint(handle);
    last = drain(fd);
    lines = g_strsplit(text, "\r\n", -1);
    nr_lines = g_strv_length(lines);
    g_assert_cmpuint(nr_lines, <, 600);
    if (lines[nr_lines - 1][0] != '\0') {
        g_assert_cmpint(last[0], ==, '\r');
        g_assert_cmpint(last[1], ==, '\n');
    }
    g_strfreev(lines);
    g_free(text);
    lines = g_strsplit(g_strstrip(last), "\r\n", -1);
    text = g_strdup_printf("%s\n", lines[0]);
    line = stories(text, getpid());
    g_assert_cmpstr(line, ==, "t0: closed\n");
    g_free(line);
    g_strfreev(lines);
    g_free(last);
    g_free(text);
    NvSciIpcDeinit();
    close(fd);
}

int main(int argc, char **argv)
{
    char *path;
    int ret;

    g_test_init(&argc, &argv, NULL);
    path = g_dir_make_tmp("test-trace-XXXXXX", NULL);
    g_assert_nonnull(path);
    folder = realpath(path, NULL);
    cfg = g_build_filename(folder, "nvsciipc.cfg", NULL);
    trace = g_build_filename(folder, "trace", NULL);
    g_assert_true(g_file_set_contents(cfg, "INTER_THREAD t0 t1 4 64\n"
                                      "INTER_VM a 0\nINTER_VM b 1\n", -1,
                                      NULL));
    setenv("NVSCIIPC_CFG", cfg, 1);
    g_test_add_func("/trace/a-life", test_a_life);
    g_test_add_func("/trace/failures", test_failures);
    g_test_add_func("/trace/async-error", test_async_error);
    g_test_add_func("/trace/long-line", test_long_line);
    g_test_add_func("/trace/off-and-on", test_off_and_on);
    g_test_add_func("/trace/processes", test_processes);
    g_test_add_func("/trace/threads", test_threads);
    g_test_add_func("/trace/unwritable", test_unwritable);
    g_test_add_func("/trace/pipe", test_pipe);
    g_test_add_func("/trace/terminal", test_terminal);
    ret = g_test_run();
    g_unlink(cfg);
    g_unlink(trace);
    g_rmdir(folder);
    g_free(trace);
    g_free(cfg);
    free(folder);
    g_free(path);
    return ret;
}

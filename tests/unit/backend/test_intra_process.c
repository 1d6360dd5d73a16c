/* SPDX-License-Identifier: MIT */
/* INTER_PROCESS as applications see it: who meets, who may, who is told. */
#include "peers.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE "INTER_PROCESS a b 4 128\n"

static bool queues_are_ours;

/* Frames that a sends are those that b gets, and there are no others. */
static void assert_flow(struct peer *a, unsigned i, struct peer *b, unsigned j,
                        unsigned from)
{
    for (unsigned n = from; n < from + 3; n++) {
        g_assert_cmpint(peer_ask(a, "put %u %u", i, n), ==, 0);
    }
    for (unsigned n = from; n < from + 3; n++) {
        g_assert_cmpint(peer_ask(b, "wait %u %u %d", j, READ, PATIENCE_MS) &
                        READ, ==, READ);
        g_assert_cmpint(peer_ask(b, "get %u", j), ==, n);
    }
    g_assert_cmpint(peer_ask(b, "get %u", j), ==,
                    -NvSciError_InsufficientMemory);
}

static void assert_works(struct peer *a, unsigned i, struct peer *b,
                         unsigned j)
{
    peers_connect(a, i, b, j);
    assert_flow(a, i, b, j, 100);
    assert_flow(b, j, a, i, 200);
}

/* A death is known in time: the bell, not a look, has to say so. */
static void assert_told(struct peer *peer, unsigned i)
{
    g_assert_cmpint(peer_ask(peer, "wait %u %u %d", i, RESET, DEATH_MS) &
                    RESET, ==, RESET);
}

static void open_end(struct peer *peer, unsigned i, const char *name)
{
    g_assert_cmpint(peer_ask(peer, "open %u %s", i, name), ==,
                    NvSciError_Success);
}

static void test_meet(void)
{
    char *cfg = cfg_new(LINE);

    for (unsigned first = 0; first < 2; first++) {
        struct peer *a = peer_new(cfg), *b = peer_new(cfg);

        if (first == 0) {
            open_end(a, 0, "a");
            open_end(b, 0, "b");
        } else {
            open_end(b, 0, "b");
            g_assert_cmpint(peer_ask(b, "reset 0"), ==, 0);
            open_end(a, 0, "a");
        }
        assert_works(a, 0, b, 0);
        peer_free(a);
        peer_free(b);
    }
    assert_nothing_left();
    cfg_free(cfg);
}

static void test_one_process(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);

    open_end(a, 0, "a");
    open_end(a, 1, "b");
    assert_works(a, 0, a, 1);
    /* One end moves to another process, and back. */
    g_assert_cmpint(peer_ask(a, "close 1"), ==, 0);
    assert_told(a, 0);
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    g_assert_cmpint(peer_ask(b, "close 0"), ==, 0);
    assert_told(a, 0);
    open_end(a, 1, "b");
    assert_works(a, 0, a, 1);
    /* Who is not the far end any more may die. */
    peer_kill(b);
    g_assert_cmpint(peer_ask(a, "wait 0 %u 200", RESET) & RESET, ==, 0);
    assert_flow(a, 0, a, 1, 300);
    g_assert_cmpint(peer_ask(a, "deinit"), ==, 0);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

static void test_busy(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);

    open_end(a, 0, "a");
    g_assert_cmpint(peer_ask(a, "open 1 a"), ==, NvSciError_Busy);
    g_assert_cmpint(peer_ask(b, "open 0 a"), ==, NvSciError_Busy);
    open_end(b, 0, "b");
    g_assert_cmpint(peer_ask(a, "open 1 b"), ==, NvSciError_Busy);
    /* That did not disturb them. */
    assert_works(a, 0, b, 0);
    peer_kill(a);
    open_end(b, 1, "a");
    g_assert_cmpint(peer_ask(b, "close 1"), ==, 0);
    open_end(b, 1, "a");
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

/* Frames of who died or closed arrive, then its end is told; a new one may. */
static void test_departure(void)
{
    char *cfg = cfg_new(LINE);

    for (unsigned killed = 0; killed < 2; killed++) {
        struct peer *a = peer_new(cfg), *b = peer_new(cfg);

        open_end(a, 0, "a");
        open_end(b, 0, "b");
        assert_works(a, 0, b, 0);
        for (unsigned restart = 0; restart < 3; restart++) {
            for (unsigned n = 0; n < 3; n++) {
                g_assert_cmpint(peer_ask(b, "put 0 %u", n), ==, 0);
            }
            /* This one is lost with its reader. */
            g_assert_cmpint(peer_ask(a, "put 0 77"), ==, 0);
            g_assert_cmpint(peer_ask(a, "wait 0 %u 0", READ) & READ, ==, READ);
            if (killed) {
                peer_kill(b);
                peer_free(b);
                b = peer_new(cfg);
            } else {
                g_assert_cmpint(peer_ask(b, "close 0"), ==, 0);
            }
            /* In half of the cases the successor is there already. */
            if (restart % 2 == 0) {
                open_end(b, 0, "b");
                g_assert_cmpint(peer_ask(b, "reset 0"), ==, 0);
            }
            for (unsigned n = 0; n < 3; n++) {
                g_assert_cmpint(peer_ask(a, "wait 0 %u %d", READ, DEATH_MS) &
                                (READ | RESET), ==, READ);
                g_assert_cmpint(peer_ask(a, "get 0"), ==, n);
            }
            assert_told(a, 0);
            if (restart % 2 != 0) {
                open_end(b, 0, "b");
                g_assert_cmpint(peer_ask(b, "reset 0"), ==, 0);
            }
            for (unsigned turn = 0, est = 0; est != 3; turn++) {
                g_assert_cmpuint(turn, <, 1000);
                est |= peer_ask(a, "wait 0 %u 10", EST) & EST ? 1 : 0;
                est |= peer_ask(b, "wait 0 %u 10", EST) & EST ? 2 : 0;
            }
            assert_flow(a, 0, b, 0, 100);
            assert_flow(b, 0, a, 0, 200);
        }
        peer_free(a);
        peer_free(b);
    }
    assert_nothing_left();
    cfg_free(cfg);
}

static void test_both_killed(void)
{
    char *cfg = cfg_new(LINE);

    for (unsigned i = 0; i < 5; i++) {
        struct peer *a = peer_new(cfg), *b = peer_new(cfg);

        open_end(a, 0, "a");
        open_end(b, 0, "b");
        assert_works(a, 0, b, 0);
        g_assert_cmpint(peer_ask(a, "put 0 5"), ==, 0);
        g_assert_cmpint(kill(a->pid, SIGKILL), ==, 0);
        g_assert_cmpint(kill(b->pid, SIGKILL), ==, 0);
        peer_kill(a);
        peer_kill(b);
        assert_nothing_left();
        peer_free(a);
        peer_free(b);
    }
    cfg_free(cfg);
}

static void test_geometry(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    char *errors;

    open_end(a, 0, "a");
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    peer_kill(b);
    peer_free(b);
    /* While the other end has the old one. */
    cfg_write(cfg, "INTER_PROCESS a b 8 192\n");
    b = peer_new(cfg);
    g_assert_cmpint(peer_ask(b, "open 0 b"), ==, NvSciError_InconsistentData);
    errors = peer_errors(b);
    g_assert_nonnull(strstr(errors, "4 frames of 128 bytes"));
    g_free(errors);
    /* And when nobody has it any more. */
    peer_kill(a);
    peer_free(a);
    a = peer_new(cfg);
    open_end(b, 0, "b");
    open_end(a, 0, "a");
    assert_works(a, 0, b, 0);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

static void test_configurations(void)
{
    char *one = cfg_new(LINE), *two = cfg_new(LINE);
    char *folder = g_path_get_dirname(one);
    char *alias = g_build_filename(folder, "alias", NULL);
    struct peer *a1 = peer_new(one), *a2 = peer_new(two), *b1, *b2;

    g_assert_cmpint(symlink(one, alias), ==, 0);
    b1 = peer_new(alias);
    b2 = peer_new(two);
    open_end(a1, 0, "a");
    open_end(a2, 0, "a");
    open_end(b1, 0, "b");
    open_end(b2, 0, "b");
    assert_works(a1, 0, b1, 0);
    assert_works(a2, 0, b2, 0);
    peer_kill(b2);
    assert_flow(a1, 0, b1, 0, 7);
    g_assert_cmpint(g_unlink(alias), ==, 0);
    peer_free(a1);
    peer_free(a2);
    peer_free(b1);
    peer_free(b2);
    g_free(alias);
    g_free(folder);
    cfg_free(one);
    cfg_free(two);
}

/* Names that a file system, or a careless key, could take for the same. */
static void test_names(void)
{
    static const char *const names[][2] = {
        { "x", "y" }, { "X", "y2" }, { ".", ".." }, { "x%2fy", "x\\y" },
        { "x_y", "x-y" }, { "x:y", "x;y" },
    };
    GString *text = g_string_new(NULL);
    struct peer *a, *b;
    char *cfg;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_string_append_printf(text, "INTER_PROCESS %s %s 4 64\n",
                               names[i][0], names[i][1]);
    }
    cfg = cfg_new(text->str);
    a = peer_new(cfg);
    b = peer_new(cfg);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        open_end(a, i, names[i][0]);
        open_end(b, i, names[i][1]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        peers_connect(a, i, b, i);
        assert_flow(a, i, b, i, 10 * i);
    }
    peer_free(a);
    peer_free(b);
    g_string_free(text, TRUE);
    cfg_free(cfg);
}

/*
 * Users and groups that there are not, of this process alone: lock files are
 * the machine's, and somebody else may run the same test.
 */
static unsigned nobody(unsigned nr)
{
    return 100000 + (unsigned)getpid() * 16 + nr;
}

static bool need_root(void)
{
    if (geteuid() != 0) {
        g_test_skip("to become other users takes root");
        return false;
    }
    return true;
}

static struct peer *peer_as(const char *cfg, unsigned uid, unsigned group)
{
    struct peer *peer = peer_new(cfg);

    g_assert_cmpint(peer_ask(peer, "become %u %u %u", uid, uid, group), ==, 0);
    return peer;
}

/* Removes a lock file, of users and groups that there are not. */
static void remove_lock_file(const char *kind, unsigned id, struct stat *status)
{
    char *name = g_strdup_printf("nvsciipc-%s-%u", kind, id);
    char *path = g_strconcat("/run/lock/", name, NULL);

    if (stat(path, status) < 0) {
        g_free(path);
        path = g_strconcat("/tmp/", name, NULL);
        g_assert_cmpint(stat(path, status), ==, 0);
    }
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_free(path);
    g_free(name);
}

static void test_users(void)
{
    struct stat status;
    struct peer *a1, *a2, *b1;
    char *cfg;

    if (!need_root()) {
        return;
    }
    cfg = cfg_new(LINE);
    a1 = peer_as(cfg, nobody(1), 0);
    a2 = peer_as(cfg, nobody(2), 0);
    b1 = peer_as(cfg, nobody(1), 0);
    open_end(a1, 0, "a");
    open_end(a2, 0, "a");
    open_end(b1, 0, "b");
    assert_works(a1, 0, b1, 0);
    g_assert_cmpint(peer_ask(a2, "reset 0"), ==, 0);
    g_assert_cmpint(peer_ask(a2, "wait 0 %u 100", EST), ==, 0);
    peer_free(a1);
    peer_free(a2);
    peer_free(b1);
    remove_lock_file("uid", nobody(1), &status);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
    g_assert_cmpuint(status.st_uid, ==, nobody(1));
    remove_lock_file("uid", nobody(2), &status);
    cfg_free(cfg);
}

static void test_group(void)
{
    struct stat status;
    struct peer *member, *other, *stranger, *root;
    char *cfg, *line;

    if (!need_root()) {
        return;
    }
    line = g_strdup_printf("INTER_PROCESS a b 4 128 %u\n", nobody(9));
    cfg = cfg_new(line);
    g_free(line);
    member = peer_as(cfg, nobody(1), nobody(9));
    other = peer_as(cfg, nobody(2), nobody(9));
    stranger = peer_as(cfg, nobody(3), 0);
    root = peer_new(cfg);
    open_end(member, 0, "a");
    g_assert_cmpint(peer_ask(stranger, "open 0 b"), ==,
                    NvSciError_NotPermitted);
    open_end(other, 0, "b");
    assert_works(member, 0, other, 0);
    peer_kill(other);
    assert_told(member, 0);
    open_end(root, 0, "b");
    g_assert_cmpint(peer_ask(member, "open 1 b"), ==, NvSciError_Busy);
    assert_works(member, 0, root, 0);
    peer_free(member);
    peer_free(other);
    peer_free(stranger);
    peer_free(root);
    remove_lock_file("gid", nobody(9), &status);
    g_assert_cmpuint(status.st_mode & 0777, ==, 0660);
    g_assert_cmpuint(status.st_gid, ==, nobody(9));
    cfg_free(cfg);
}

static char *cfg_of(unsigned nr)
{
    GString *text = g_string_new(NULL);
    char *cfg;

    for (unsigned i = 0; i < nr; i++) {
        g_string_append_printf(text, "INTER_PROCESS a%u b%u 4 64\n", i, i);
    }
    cfg = cfg_new(text->str);
    g_string_free(text, TRUE);
    return cfg;
}

/* 500 a process, within the descriptors that select() knows. */
static void test_500(void)
{
    char *cfg = cfg_of(500);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    int64_t before, ret = 0;

    if (queues_are_ours) {
        set_queues_max(1000);
    }
    g_assert_cmpint(peer_ask(a, "files 1024"), ==, 0);
    g_assert_cmpint(peer_ask(b, "files 1024"), ==, 0);
    before = peer_ask(a, "fds");
    for (unsigned i = 0; i < 500 && ret == 0; i++) {
        ret = peer_ask(a, "open %u a%u", i, i);
        if (ret == 0) {
            ret = peer_ask(b, "open %u b%u", i, i);
        }
    }
    if (ret != 0 && !queues_are_ours) {
        /* fs.mqueue.queues_max is 256 by default. */
        char *errors = peer_errors(a);

        g_assert_cmpint(ret, ==, NvSciError_InsufficientResource);
        g_assert_nonnull(strstr(errors, "sysctl -w fs.mqueue.queues_max"));
        g_free(errors);
    } else {
        g_assert_cmpint(ret, ==, 0);
        g_assert_cmpint(peer_ask(a, "fds"), <=, before + 2 * 500 + 10);
        g_assert_cmpint(peer_ask(b, "fds"), <=, before + 2 * 500 + 10);
        assert_works(a, 499, b, 499);
        /* Their death is told on all of them. */
        peer_kill(b);
        g_assert_cmpint(peer_ask(a, "wait 499 %u %d", RESET, DEATH_MS) & RESET,
                        ==, RESET);
    }
    peer_free(a);
    peer_free(b);
    assert_nothing_left();
    cfg_free(cfg);
}

static void assert_refused(const char *cfg, const char *command,
                           int64_t expected, const char *hint)
{
    struct peer *peer = peer_new(cfg);
    int64_t ret = 0, before, after;
    char *errors;

    g_assert_cmpint(peer_ask(peer, "%s", command), ==, 0);
    for (unsigned i = 0; i < 200 && ret == 0; i++) {
        ret = peer_ask(peer, "open %u a%u", i, i);
    }
    errors = peer_errors(peer);
    g_assert_cmpint(ret, ==, expected);
    g_assert_nonnull(strstr(errors, hint));
    g_free(errors);
    /* It can go on, and a refusal costs nothing. */
    before = peer_ask(peer, "fds");
    g_assert_cmpint(peer_ask(peer, "open 300 a199"), ==, expected);
    after = peer_ask(peer, "fds");
    g_assert_cmpint(before, ==, after);
    g_assert_cmpint(peer_ask(peer, "deinit"), ==, 0);
    g_assert_cmpint(peer_ask(peer, "fds"), ==, 3);
    peer_free(peer);
}

static void test_limits(void)
{
    struct stat status;
    char *cfg = cfg_of(200);

    assert_refused(cfg, "files 60", NvSciError_TooManyOpenFiles,
                   "RLIMIT_NOFILE, 60,");
    assert_refused(cfg, "queues 4000", NvSciError_TooManyOpenFiles,
                   "RLIMIT_MSGQUEUE, 4000 bytes");
    if (queues_are_ours) {
        char *become = g_strdup_printf("become %u %u 0", nobody(1), nobody(1));

        set_queues_max(256);
        assert_refused(cfg, become, NvSciError_InsufficientResource,
                       "sysctl -w fs.mqueue.queues_max");
        remove_lock_file("uid", nobody(1), &status);
        g_free(become);
    }
    cfg_free(cfg);
}

/* Whichever call is the one without a descriptor: the limit is this one. */
static void test_few_files(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    unsigned refused = 0;
    char *errors;

    for (unsigned far = 0; far < 3; far++) {
        int64_t before, ret = 0;

        /* Nowhere, in this process, in another one. */
        open_end(far == 2 ? b : a, 1, far == 0 ? "a" : "b");
        if (far == 0) {
            g_assert_cmpint(peer_ask(a, "close 1"), ==, 0);
        }
        before = peer_ask(a, "fds");
        for (unsigned files = 3; files < 40; files++) {
            g_assert_cmpint(peer_ask(a, "soft-files %u", files), ==, 0);
            ret = peer_ask(a, "open 0 a");
            g_assert_cmpint(peer_ask(a, "soft-files 1024"), ==, 0);
            if (ret == 0) {
                break;
            }
            g_assert_cmpint(ret, ==, NvSciError_TooManyOpenFiles);
            g_assert_cmpint(peer_ask(a, "fds"), ==, before);
            refused++;
        }
        g_assert_cmpint(ret, ==, 0);
        if (far > 0) {
            assert_works(a, 0, far == 2 ? b : a, 1);
        }
        g_assert_cmpint(peer_ask(a, "close 0"), ==, 0);
        if (far == 1) {
            g_assert_cmpint(peer_ask(a, "close 1"), ==, 0);
        }
    }
    g_assert_cmpuint(refused, >, 10);
    errors = peer_errors(a);
    g_assert_nonnull(strstr(errors, "RLIMIT_NOFILE"));
    g_assert_null(strstr(errors, "RLIMIT_MSGQUEUE"));
    g_free(errors);
    peer_free(a);
    peer_free(b);
    assert_nothing_left();
    cfg_free(cfg);
}

static void test_descriptors(void)
{
    char *cfg = cfg_of(8);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    int64_t one;

    g_assert_cmpint(peer_ask(a, "fds"), ==, 3);
    open_end(a, 0, "a0");
    open_end(b, 0, "b0");
    one = peer_ask(a, "fds");
    for (unsigned i = 1; i < 8; i++) {
        open_end(a, i, i % 2 == 0 ? "a1" : "b1");
        g_assert_cmpint(peer_ask(a, "close %u", i), ==, 0);
    }
    for (unsigned i = 1; i < 8; i++) {
        char *name = g_strdup_printf("a%u", i);

        open_end(a, i, name);
        name[0] = 'b';
        open_end(b, i, name);
        g_free(name);
        g_assert_cmpint(peer_ask(a, "fds"), ==, one + 2 * i);
    }
    /* Nor do peers that come and go leave anything. */
    for (unsigned i = 0; i < 4; i++) {
        peer_kill(b);
        peer_free(b);
        b = peer_new(cfg);
        open_end(b, 0, "b0");
    }
    g_assert_cmpint(peer_ask(a, "fds"), ==, one + 2 * 7);
    g_assert_cmpint(peer_ask(a, "deinit"), ==, 0);
    g_assert_cmpint(peer_ask(a, "fds"), ==, 3);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

static void test_fork(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    int64_t child;

    open_end(a, 0, "a");
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    g_assert_cmpint(peer_ask(b, "fork 0"), ==, 0);
    /* Its end stayed the parent's. */
    g_assert_cmpint(peer_ask(a, "wait 0 %u 100", RESET) & RESET, ==, 0);
    assert_flow(a, 0, b, 0, 300);
    assert_flow(b, 0, a, 0, 400);
    child = peer_ask(b, "leave-child");
    g_assert_cmpint(child, >, 0);
    peer_kill(b);
    assert_told(a, 0);
    open_end(a, 1, "b");
    assert_works(a, 0, a, 1);
    g_assert_cmpint(kill((pid_t)child, SIGKILL), ==, 0);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

/* A child may open what its parent has not. */
static void test_child(void)
{
#ifdef __SANITIZE_THREAD__
    g_test_skip("the thread sanitizer does not know threads of a child");
#else
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    int ret = -1;

    open_end(a, 0, "a");
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    g_assert_cmpint(peer_ask(b, "child-opens b"), ==, 2);
    assert_flow(b, 0, a, 0, 300);
    g_assert_cmpint(peer_ask(b, "close 0"), ==, 0);
    assert_told(a, 0);
    g_assert_cmpint(dprintf(b->in, "child-opens b\n"), >, 0);
    g_assert_cmpint(peer_ask(a, "wait 0 %u %d", READ, PATIENCE_MS) & READ, ==,
                    READ);
    g_assert_cmpint(peer_ask(a, "get 0"), ==, 42);
    assert_told(a, 0);
    g_assert_cmpint(fscanf(b->out, "%d%*c", &ret), ==, 1);
    g_assert_cmpint(ret, ==, 0);
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
#endif
}

/* It goes without dying, and comes back under the same pid. */
static void test_exec(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);

    open_end(a, 0, "a");
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    g_assert_cmpint(peer_ask(b, "put 0 1"), ==, 0);
    g_assert_cmpint(peer_ask(b, "exec"), ==, 0);
    g_assert_cmpint(peer_ask(b, "init"), ==, 0);
    open_end(b, 0, "b");
    g_assert_cmpint(peer_ask(a, "wait 0 %u %d", READ, DEATH_MS) &
                    (READ | RESET), ==, READ);
    g_assert_cmpint(peer_ask(a, "get 0"), ==, 1);
    assert_told(a, 0);
    assert_works(a, 0, b, 0);
    peer_kill(b);
    assert_told(a, 0);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

/* Who holds the other end and is stopped cannot be met; say so, in time. */
static void test_stopped(void)
{
    char *cfg = cfg_new(LINE);
    struct peer *a = peer_new(cfg), *b = peer_new(cfg);
    char *errors;
    int status;

    open_end(a, 0, "a");
    g_assert_cmpint(kill(a->pid, SIGSTOP), ==, 0);
    /* All its threads are. */
    g_assert_cmpint(waitpid(a->pid, &status, WUNTRACED), ==, a->pid);
    g_assert_true(WIFSTOPPED(status));
    g_assert_cmpint(peer_ask(b, "open 0 b"), ==, NvSciError_IO);
    errors = peer_errors(b);
    g_assert_nonnull(strstr(errors, "does not answer"));
    g_free(errors);
    g_assert_cmpint(kill(a->pid, SIGCONT), ==, 0);
    open_end(b, 0, "b");
    assert_works(a, 0, b, 0);
    peer_free(a);
    peer_free(b);
    cfg_free(cfg);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    queues_are_ours = own_queues();
    g_test_add_func("/process/meet", test_meet);
    g_test_add_func("/process/one-process", test_one_process);
    g_test_add_func("/process/busy", test_busy);
    g_test_add_func("/process/departure", test_departure);
    g_test_add_func("/process/both-killed", test_both_killed);
    g_test_add_func("/process/geometry", test_geometry);
    g_test_add_func("/process/configurations", test_configurations);
    g_test_add_func("/process/names", test_names);
    g_test_add_func("/process/users", test_users);
    g_test_add_func("/process/group", test_group);
    g_test_add_func("/process/500", test_500);
    g_test_add_func("/process/limits", test_limits);
    g_test_add_func("/process/few-files", test_few_files);
    g_test_add_func("/process/descriptors", test_descriptors);
    g_test_add_func("/process/fork", test_fork);
    g_test_add_func("/process/child", test_child);
    g_test_add_func("/process/exec", test_exec);
    g_test_add_func("/process/stopped", test_stopped);
    return g_test_run();
}

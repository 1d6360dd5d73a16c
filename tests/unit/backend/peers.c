/* SPDX-License-Identifier: MIT */
/* Other processes for a test. */
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

bool own_queues(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWIPC) == 0;
}

void set_queues_max(unsigned max)
{
    char *text = g_strdup_printf("%u", max);
    int fd = open("/proc/sys/fs/mqueue/queues_max", O_WRONLY | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), >, 0);
    close(fd);
    g_free(text);
}

void cfg_write(const char *path, const char *text)
{
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
}

char *cfg_new(const char *text)
{
    char *folder = g_dir_make_tmp("test-intra-XXXXXX", NULL);
    char *path = g_build_filename(folder, "nvsciipc.cfg", NULL);

    g_assert_nonnull(folder);
    g_assert_cmpint(g_chmod(folder, 0755), ==, 0);
    cfg_write(path, text);
    g_free(folder);
    return path;
}

void cfg_free(char *path)
{
    char *folder = g_path_get_dirname(path);

    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_free(folder);
    g_free(path);
}

struct peer *peer_bare(const char *cfg)
{
    struct peer *peer = g_new0(struct peer, 1);
    char *argv[] = { g_strdup(g_getenv("INTRA_PEER")), NULL };
    char **envp = g_environ_setenv(g_get_environ(), "NVSCIIPC_CFG", cfg, TRUE);
    GError *error = NULL;
    int out, errors;

    g_assert_nonnull(argv[0]);
    errors = g_file_open_tmp("test-intra-err-XXXXXX", &peer->errors, NULL);
    g_assert_cmpint(errors, >=, 0);
    g_assert_cmpint(fcntl(errors, F_SETFD, FD_CLOEXEC), ==, 0);
    g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)argv,
                                     (const char *const *)envp,
                                     G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                     -1, -1, errors, NULL, NULL, 0,
                                     &peer->pid, &peer->in, &out, NULL,
                                     &error);
    g_assert_no_error(error);
    g_assert_cmpint(fcntl(peer->in, F_SETFD, FD_CLOEXEC), ==, 0);
    g_assert_cmpint(fcntl(out, F_SETFD, FD_CLOEXEC), ==, 0);
    close(errors);
    peer->out = fdopen(out, "r");
    g_strfreev(envp);
    g_free(argv[0]);
    return peer;
}

struct peer *peer_new(const char *cfg)
{
    struct peer *peer = peer_bare(cfg);

    g_assert_cmpint(peer_ask(peer, "init"), ==, 0);
    return peer;
}

int64_t peer_ask(struct peer *peer, const char *format, ...)
{
    va_list args;
    char *command, *end;
    char line[256];
    int64_t number;

    va_start(args, format);
    command = g_strdup_vprintf(format, args);
    va_end(args);
    g_assert_cmpint(dprintf(peer->in, "%s\n", command), >, 0);
    if (!fgets(line, sizeof(line), peer->out)) {
        char *errors = peer_errors(peer);

        g_error("no answer to \"%s\": %s", command, errors);
    }
    number = g_ascii_strtoll(line, &end, 10);
    if (end == line || *end != '\n') {
        g_error("\"%s\": %s", command, line);
    }
    g_free(command);
    return number;
}

char *peer_errors(struct peer *peer)
{
    char *text;

    g_assert_true(g_file_get_contents(peer->errors, &text, NULL, NULL));
    return text;
}

void peer_kill(struct peer *peer)
{
    int status;

    g_assert_cmpint(kill(peer->pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(peer->pid, &status, 0), ==, peer->pid);
    peer->pid = 0;
}

void peer_free(struct peer *peer)
{
    int status = 0;

    close(peer->in);
    if (peer->pid != 0) {
        g_assert_cmpint(waitpid(peer->pid, &status, 0), ==, peer->pid);
    }
    if (status != 0) {
        char *errors = peer_errors(peer);

        g_error("a peer ended with %#x: %s", (unsigned)status, errors);
    }
    fclose(peer->out);
    g_assert_cmpint(g_unlink(peer->errors), ==, 0);
    g_free(peer->errors);
    g_free(peer);
}

void peers_connect(struct peer *a, unsigned i, struct peer *b, unsigned j)
{
    g_assert_cmpint(peer_ask(a, "reset %u", i), ==, 0);
    g_assert_cmpint(peer_ask(b, "reset %u", j), ==, 0);
    /* A handshake takes both, in turns. */
    for (unsigned turn = 0, est = 0; est != 3; turn++) {
        g_assert_cmpuint(turn, <, 1000);
        if (peer_ask(a, "wait %u %u 10", i, EST) & EST) {
            est |= 1;
        }
        if (peer_ask(b, "wait %u %u 10", j, EST) & EST) {
            est |= 2;
        }
    }
}

static char *find_ours(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    char *found = NULL;

    while (dir && !found && (name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_prefix(name, "nvsciipc")) {
            found = g_build_filename(folder, name, NULL);
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    return found;
}

static void assert_none_in(const char *folder)
{
    char *found = find_ours(folder);

    /* Tests that run beside this one give names for microseconds. */
    for (unsigned i = 0; found && i < 20; i++) {
        g_free(found);
        g_usleep(20000);
        found = find_ours(folder);
    }
    if (found) {
        g_error("%s was left", found);
    }
}

void assert_nothing_left(void)
{
    assert_none_in("/dev/shm");
    if (g_file_test("/dev/mqueue", G_FILE_TEST_IS_DIR)) {
        assert_none_in("/dev/mqueue");
    }
    /* A view of our own, where nobody has mounted one. */
    if (geteuid() == 0) {
        char *folder = g_dir_make_tmp("test-intra-mq-XXXXXX", NULL);

        g_assert_nonnull(folder);
        if (mount("mqueue", folder, "mqueue", 0, NULL) == 0) {
            assert_none_in(folder);
            g_assert_cmpint(umount2(folder, MNT_DETACH), ==, 0);
        }
        g_assert_cmpint(g_rmdir(folder), ==, 0);
        g_free(folder);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * ivcping in two processes over a channel in shared memory, with this process
 * as the hypervisor: it announces the end of whoever dies. So the library is
 * tried between real processes, kill -9 included, without a guest.
 */
#include <fcntl.h>
#include <getopt.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem_link.h"

#define MAX_ARGS 16
#define PATIENCE 60         /* seconds */

int ivcping_main(int argc, char **argv);

static char *folder;
static struct mem_channel *channel;

struct process {
    pid_t pid;
    unsigned end;
    char *output;           /* what it printed, once it has ended */
    char *path;
    int code;               /* exit code, or -signal */
};

static void begin(uint32_t nframes, uint32_t frame_size)
{
    channel = mem_channel_new(nframes, frame_size, true);
}

static void end(void)
{
    mem_channel_free(channel);
}

/* ivcping with these arguments, NULL-terminated; it uses this end. */
static void start(struct process *process, unsigned which, ...)
    G_GNUC_NULL_TERMINATED;
static void start(struct process *process, unsigned which, ...)
{
    static unsigned number;
    char *argv[MAX_ARGS] = { (char *)"ivcping" };
    int argc = 1;
    va_list args;

    memset(process, 0, sizeof(*process));
    process->end = which;
    process->path = g_strdup_printf("%s/out%u", folder, number++);
    va_start(args, which);
    while ((argv[argc] = va_arg(args, char *)) != NULL) {
        g_assert_cmpint(++argc, <, MAX_ARGS);
    }
    va_end(args);
    fflush(NULL);
    process->pid = fork();
    g_assert_cmpint(process->pid, >=, 0);
    if (process->pid == 0) {
        int code;

        alarm(PATIENCE);
        g_assert_nonnull(freopen(process->path, "w", stdout));
        dup2(fileno(stdout), STDERR_FILENO);
        optind = 1;
        code = ivcping_main(argc, argv);
        fflush(NULL);
        _exit(code);
    }
}

static bool holds(unsigned which)
{
    return (channel->end[which].status & 3) == 1;
}

static void finish(struct process *process)
{
    int status;

    g_assert_cmpint(waitpid(process->pid, &status, 0), ==, process->pid);
    process->code = WIFEXITED(status) ? WEXITSTATUS(status) :
                                        -WTERMSIG(status);
    /* What the driver does when the last descriptor has gone. */
    if (process->code < 0 && holds(process->end)) {
        mem_channel_kill(channel, process->end);
    }
    g_assert_true(g_file_get_contents(process->path, &process->output, NULL,
                                      NULL));
    g_unlink(process->path);
    g_free(process->path);
}

static void await_end(unsigned which)
{
    for (unsigned n = 0; !holds(which); n++) {
        g_assert_cmpuint(n, <, PATIENCE * 1000);
        g_usleep(1000);
    }
}

/* Until end 0 has been sent this many frames in its present connection. */
static void await_frames(uint32_t count)
{
    const uint32_t *rx_count = (const void *)(channel->direction[0] + 64);

    for (unsigned n = 0; __atomic_load_n(rx_count, __ATOMIC_ACQUIRE) < count;
         n++) {
        g_assert_cmpuint(n, <, PATIENCE * 1000);
        g_usleep(1000);
    }
}

#define assert_code(process, expected) \
    do { \
        if ((process)->code != (expected)) { \
            g_error("exit code %d: %s", (process)->code, (process)->output); \
        } \
    } while (0)

#define assert_says(process, text) \
    g_assert_cmpstr(strstr((process)->output, (text)), !=, NULL)

static void forget(struct process *process)
{
    g_free(process->output);
}

static void test_modes(void)
{
    static const char *const modes[] = { "pingpong", "stream", "duplex" };

    for (unsigned m = 0; m < G_N_ELEMENTS(modes); m++) {
        for (unsigned first = 0; first < 2; first++) {
            struct process server, client;

            begin(7, 192);
            for (unsigned n = 0; n < 2; n++) {
                if (n == first) {
                    start(&server, 0, "--server", "a", "--json", NULL);
                } else {
                    start(&client, 1, "--client", "b", "--mode", modes[m],
                          "--count", "3000", "--size", "192", "--json", NULL);
                }
                if (n == 0) {   /* the second one may have ended by now */
                    await_end(first);
                }
            }
            finish(&client);
            finish(&server);
            assert_code(&client, 0);
            assert_code(&server, 0);
            assert_says(&client, "\"errors\": 0");
            assert_says(&client, modes[m]);
            assert_says(&server, "\"errors\": 0");
            if (m != 1) {
                assert_says(&client, "\"received\": 3000");
            }
            assert_says(&server, "\"received\": 3000");
            g_assert_true((strstr(client.output, "rtt_us") != NULL) ==
                          (m == 0));
            forget(&client);
            forget(&server);
            end();
        }
    }
}

static void test_killed_client(void)
{
    struct process server, client;

    begin(16, 64);
    start(&server, 0, "--server", "a", NULL);
    await_end(0);
    start(&client, 1, "--client", "b", "--mode", "duplex", "--count",
          "100000000", NULL);
    await_frames(1000);
    kill(client.pid, SIGKILL);
    finish(&client);
    g_assert_cmpint(client.code, ==, -SIGKILL);
    finish(&server);
    assert_code(&server, 3);
    assert_says(&server, "reset by the peer");
    forget(&client);
    forget(&server);
    end();
}

/* Killed again and again; who survives serves the next one, and all is right. */
static void test_reconnect(void)
{
    struct process server, client;

    begin(5, 64);
    start(&server, 0, "--server", "a", "--reconnect", "--timeout", "50", NULL);
    await_end(0);
    for (unsigned n = 0; n < 10; n++) {
        start(&client, 1, "--client", "b", "--mode", "duplex", "--count",
              "100000000", NULL);
        await_end(1);
        if (n % 2) {
            await_frames(100 * n);
        }
        kill(client.pid, SIGKILL);
        finish(&client);
        assert_code(&client, -SIGKILL);
        forget(&client);
        start(&client, 1, "--client", "b", "--count", "50", NULL);
        finish(&client);
        assert_code(&client, 0);
        assert_says(&client, " 0 errors");
        forget(&client);
    }
    kill(server.pid, SIGTERM);
    finish(&server);
    g_assert_null(strstr(server.output, "not as it was sent"));
    forget(&server);
    end();
}

/* The client goes on when its server was replaced. */
static void test_killed_server(void)
{
    struct process server, client;

    begin(5, 64);
    start(&server, 0, "--server", "a", NULL);
    await_end(0);
    start(&client, 1, "--client", "b", "--count", "20000", "--reconnect",
          "--mode", "duplex", NULL);
    await_frames(500);
    kill(server.pid, SIGKILL);
    finish(&server);
    forget(&server);
    start(&server, 0, "--server", "a", NULL);
    finish(&client);
    finish(&server);
    assert_code(&client, 0);
    assert_code(&server, 0);
    assert_says(&client, "20000");
    forget(&client);
    forget(&server);
    end();
}

static void test_nobody_there(void)
{
    struct process client;

    begin(4, 64);
    start(&client, 1, "--client", "b", "--timeout", "0.2", NULL);
    finish(&client);
    assert_code(&client, 4);
    forget(&client);
    end();
}

static void test_busy(void)
{
    struct process server, second;

    begin(4, 64);
    start(&server, 0, "--server", "a", NULL);
    await_end(0);
    start(&second, 0, "--server", "a", NULL);
    finish(&second);
    assert_code(&second, 1);
    assert_says(&second, "somebody has it open");
    kill(server.pid, SIGKILL);
    finish(&server);
    forget(&server);
    forget(&second);
    end();
}

static void test_no_endpoint(void)
{
    struct process client;

    begin(4, 64);
    start(&client, 1, "--client", "nobody", NULL);
    finish(&client);
    assert_code(&client, 1);
    assert_says(&client, "no such endpoint");
    forget(&client);
    end();
}

static void test_usage(void)
{
    static const char *const wrong[][3] = {
        { "--count", "0" }, { "--count", "1x" }, { "--count", "-1" },
        { "--size", "7" }, { "--size", "65" }, { "--mode", "both" },
        { "--timeout", "soon" }, { "--timeout", "-1" }, { "what" },
        { "--what" }, { "--client", "c" },
    };
    struct process process;

    begin(4, 64);
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        start(&process, 0, "--server", "a", wrong[i][0], wrong[i][1], NULL);
        finish(&process);
        assert_code(&process, 2);
        forget(&process);
    }
    start(&process, 0, "--help", NULL);
    finish(&process);
    assert_code(&process, 0);
    assert_says(&process, "usage: ivcping");
    forget(&process);
    start(&process, 1, "--client", "b", "--size", "128", NULL);
    finish(&process);
    assert_code(&process, 2);
    assert_says(&process, "64 bytes");
    forget(&process);
    end();
}

int main(int argc, char **argv)
{
    char *path;
    int ret;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("test-ivcping-XXXXXX", NULL);
    g_assert_nonnull(folder);
    path = g_build_filename(folder, "nvsciipc.cfg", NULL);
    g_assert_true(g_file_set_contents(path, "INTER_VM a 0\nINTER_VM b 1\n", -1,
                                      NULL));
    g_setenv("NVSCIIPC_CFG", path, TRUE);
    g_test_add_func("/ivcping/modes", test_modes);
    g_test_add_func("/ivcping/killed-client", test_killed_client);
    g_test_add_func("/ivcping/reconnect", test_reconnect);
    g_test_add_func("/ivcping/killed-server", test_killed_server);
    g_test_add_func("/ivcping/nobody-there", test_nobody_there);
    g_test_add_func("/ivcping/busy", test_busy);
    g_test_add_func("/ivcping/no-endpoint", test_no_endpoint);
    g_test_add_func("/ivcping/usage", test_usage);
    ret = g_test_run();
    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
    g_free(folder);
    return ret;
}

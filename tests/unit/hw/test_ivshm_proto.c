/* SPDX-License-Identifier: MIT */
/* The ivshmem-server protocol: what is taken, what is refused, whose fd it is. */
#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <unistd.h>

#include "ivshm-proto.h"

static int new_fd(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    g_assert_nonnull(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

static void say(struct ivshm *ivshm, int64_t number,
                enum ivshm_event_type expected)
{
    struct ivshm_event event = ivshm_message(ivshm, number, -1);

    g_assert_cmpint(event.type, ==, expected);
    g_assert_cmpint(event.fd, ==, -1);
}

/* A message with a descriptor that is to be taken: it is the event's. */
static struct ivshm_event hand(struct ivshm *ivshm, int64_t number,
                               enum ivshm_event_type expected)
{
    int fd = new_fd();
    struct ivshm_event event = ivshm_message(ivshm, number, fd);

    g_assert_cmpint(event.type, ==, expected);
    g_assert_cmpint(event.fd, ==, fd);
    g_assert_true(is_open(fd));
    close(fd);
    return event;
}

/* One that is to be refused: it is closed, and so is everything after it. */
static void refused(struct ivshm *ivshm, int64_t number, bool with_fd,
                    const char *why)
{
    int fd = with_fd ? new_fd() : -1;
    struct ivshm_event event = ivshm_message(ivshm, number, fd);

    g_assert_cmpint(event.type, ==, IVSHM_EVENT_REFUSED);
    g_assert_cmpint(event.fd, ==, -1);
    g_assert_cmpstr(ivshm->error, ==, why);
    if (with_fd) {
        g_assert_false(is_open(fd));
    }

    fd = new_fd();
    event = ivshm_message(ivshm, 0, fd);
    g_assert_cmpint(event.type, ==, IVSHM_EVENT_REFUSED);
    g_assert_false(is_open(fd));
    say(ivshm, 0, IVSHM_EVENT_REFUSED);
    g_assert_cmpstr(ivshm->error, ==, why);
}

/* Greeted as client id, with the memory; no vectors yet. */
static void greet(struct ivshm *ivshm, uint32_t id)
{
    struct ivshm_event event;

    ivshm_init(ivshm);
    say(ivshm, IVSHM_VERSION, IVSHM_EVENT_VERSION);
    event = ivshm_message(ivshm, id, -1);
    g_assert_cmpint(event.type, ==, IVSHM_EVENT_ID);
    g_assert_cmpuint(event.id, ==, id);
    hand(ivshm, IVSHM_MEMORY, IVSHM_EVENT_MEMORY);
}

static void test_greeting(void)
{
    unsigned before = count_fds();
    struct ivshm ivshm;

    greet(&ivshm, 7);
    g_assert_cmpint(ivshm_find(&ivshm, 7), ==, IVSHM_SELF);
    g_assert_cmpint(ivshm_find(&ivshm, 3), ==, -1);

    /* One that was there before us, then ourselves. */
    for (unsigned vector = 0; vector < 3; vector++) {
        struct ivshm_event event = hand(&ivshm, 3, IVSHM_EVENT_VECTOR);

        g_assert_cmpuint(event.id, ==, 3);
        g_assert_cmpuint(event.peer, ==, 1);
        g_assert_cmpuint(event.vector, ==, vector);
    }
    for (unsigned vector = 0; vector < 3; vector++) {
        struct ivshm_event event = hand(&ivshm, 7, IVSHM_EVENT_VECTOR);

        g_assert_cmpuint(event.peer, ==, IVSHM_SELF);
        g_assert_cmpuint(event.vector, ==, vector);
    }
    g_assert_cmpint(ivshm_find(&ivshm, 3), ==, 1);
    g_assert_cmpuint(count_fds(), ==, before);
}

static void test_come_and_go(void)
{
    struct ivshm_event event;
    struct ivshm ivshm;

    greet(&ivshm, 0);
    hand(&ivshm, 65535, IVSHM_EVENT_VECTOR);
    hand(&ivshm, 2, IVSHM_EVENT_VECTOR);
    event = ivshm_message(&ivshm, 65535, -1);
    g_assert_cmpint(event.type, ==, IVSHM_EVENT_GONE);
    g_assert_cmpuint(event.id, ==, 65535);
    g_assert_cmpuint(event.peer, ==, 1);
    g_assert_cmpint(ivshm_find(&ivshm, 65535), ==, -1);
    g_assert_cmpint(ivshm_find(&ivshm, 2), ==, 2);

    /* The index is used again, and its vectors start anew. */
    event = hand(&ivshm, 9, IVSHM_EVENT_VECTOR);
    g_assert_cmpuint(event.peer, ==, 1);
    g_assert_cmpuint(event.vector, ==, 0);
}

static void test_version(void)
{
    struct ivshm ivshm;

    ivshm_init(&ivshm);
    refused(&ivshm, 1, false, "it speaks version 1 of the protocol, not 0");
    ivshm_init(&ivshm);
    refused(&ivshm, INT64_MIN, true,
            "it sent a descriptor with its version");
    ivshm_init(&ivshm);
    refused(&ivshm, 0, true, "it sent a descriptor with its version");
}

static void test_own_id(void)
{
    static const struct {
        int64_t id;
        bool with_fd;
        const char *why;
    } lies[] = {
        { -1, false, "it gave us id -1, which is not in 0..65535" },
        { 65536, false, "it gave us id 65536, which is not in 0..65535" },
        { INT64_MAX, false, "it gave us id 9223372036854775807, which is not "
          "in 0..65535" },
        { 0, true, "it sent a descriptor with our id" },
        { -1, true, "it sent a descriptor with our id" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        struct ivshm ivshm;

        ivshm_init(&ivshm);
        say(&ivshm, 0, IVSHM_EVENT_VERSION);
        refused(&ivshm, lies[i].id, lies[i].with_fd, lies[i].why);
    }
}

static void test_memory(void)
{
    struct ivshm ivshm;

    ivshm_init(&ivshm);
    say(&ivshm, 0, IVSHM_EVENT_VERSION);
    say(&ivshm, 0, IVSHM_EVENT_ID);
    refused(&ivshm, -1, false,
            "it sent no descriptor of the shared memory");

    ivshm_init(&ivshm);
    say(&ivshm, 0, IVSHM_EVENT_VERSION);
    say(&ivshm, 0, IVSHM_EVENT_ID);
    refused(&ivshm, 1, true,
            "it sent 1 where the shared memory was due");

    greet(&ivshm, 0);
    refused(&ivshm, -1, true, "it sent the shared memory twice");
    greet(&ivshm, 0);
    refused(&ivshm, -1, false, "it sent the shared memory twice");
}

static void test_bad_peers(void)
{
    struct ivshm ivshm;

    greet(&ivshm, 4);
    refused(&ivshm, 65536, true,
            "it named a client 65536, which is not in 0..65535");
    greet(&ivshm, 4);
    refused(&ivshm, -2, false,
            "it named a client -2, which is not in 0..65535");
    greet(&ivshm, 4);
    refused(&ivshm, INT64_C(0x100000005), true,
            "it named a client 4294967301, which is not in 0..65535");
    greet(&ivshm, 4);
    refused(&ivshm, 5, false,
            "it says that client 5 left, which was not there");
    greet(&ivshm, 4);
    refused(&ivshm, 4, false, "it says that we left ourselves");

    /* Twice gone. */
    greet(&ivshm, 4);
    hand(&ivshm, 5, IVSHM_EVENT_VECTOR);
    say(&ivshm, 5, IVSHM_EVENT_GONE);
    refused(&ivshm, 5, false,
            "it says that client 5 left, which was not there");
}

static void test_too_many_vectors(void)
{
    struct ivshm ivshm;

    greet(&ivshm, 0);
    for (unsigned i = 0; i < IVSHM_MAX_VECTORS; i++) {
        hand(&ivshm, 1, IVSHM_EVENT_VECTOR);
    }
    refused(&ivshm, 1, true, "it sent more than 64 vectors of client 1");
}

static void test_too_many_peers(void)
{
    struct ivshm ivshm;

    greet(&ivshm, 0);
    for (unsigned id = 1; id < IVSHM_MAX_PEERS; id++) {
        hand(&ivshm, id, IVSHM_EVENT_VECTOR);
    }
    /* Known ones may go on, and who leaves makes room. */
    hand(&ivshm, 1, IVSHM_EVENT_VECTOR);
    say(&ivshm, 1, IVSHM_EVENT_GONE);
    hand(&ivshm, 1000, IVSHM_EVENT_VECTOR);
    refused(&ivshm, 1001, true, "it has more than 32 clients");
    /* Those who were there are still known: their doorbells work. */
    g_assert_cmpint(ivshm_find(&ivshm, 1000), ==, 1);
}

static void test_hangup(void)
{
    struct ivshm ivshm;

    greet(&ivshm, 0);
    hand(&ivshm, 1, IVSHM_EVENT_VECTOR);
    ivshm_hangup(&ivshm);
    g_assert_cmpint(ivshm_find(&ivshm, 1), ==, 1);
    refused(&ivshm, 0, true, "it closed the connection");

    /* The first fault is the one to tell of. */
    ivshm_init(&ivshm);
    refused(&ivshm, 3, false, "it speaks version 3 of the protocol, not 0");
    ivshm_hangup(&ivshm);
    g_assert_cmpstr(ivshm.error, ==,
                    "it speaks version 3 of the protocol, not 0");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ivshm/greeting", test_greeting);
    g_test_add_func("/ivshm/come-and-go", test_come_and_go);
    g_test_add_func("/ivshm/version", test_version);
    g_test_add_func("/ivshm/own-id", test_own_id);
    g_test_add_func("/ivshm/memory", test_memory);
    g_test_add_func("/ivshm/bad-peers", test_bad_peers);
    g_test_add_func("/ivshm/too-many-vectors", test_too_many_vectors);
    g_test_add_func("/ivshm/too-many-peers", test_too_many_peers);
    g_test_add_func("/ivshm/hangup", test_hangup);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
/* The messages of the chip-to-chip link: each one, and each lie about one. */
#include <glib.h>
#include <string.h>

#include "c2c-proto.h"
#include "include/hv_ivc_regs.h"

static const struct pct_c2c ours[] = {
    { .device = 5, .remote = 7, .nframes = 4, .frame_size = 64 },
    { .device = 9, .remote = 3, .nframes = 16, .frame_size = 4096 },
};
static const struct pct_c2c theirs[] = {
    { .device = 3, .remote = 9, .nframes = 16, .frame_size = 4096 },
    { .device = 7, .remote = 5, .nframes = 4, .frame_size = 64 },
};

/* Our end, and what speaks to it. */
struct ends {
    struct c2c us;
    struct c2c peer;
    uint8_t *buffer;
    uint8_t message[C2C_HEADER_SIZE + 4096];
};

static void begin(struct ends *ends)
{
    ends->buffer = g_malloc(c2c_buffer_size(ours, 2));
    c2c_init(&ends->us, ours, 2, ends->buffer);
    c2c_init(&ends->peer, theirs, 2, NULL);
}

static void end(struct ends *ends)
{
    g_free(ends->buffer);
}

/* Gives us bytes of the peer's; returns the one message that came of them. */
static struct c2c_message hear(struct ends *ends, size_t size)
{
    struct c2c_message message = { 0 };
    size_t at = 0;

    while (at < size) {
        at += c2c_feed(&ends->us, ends->message + at, size - at, &message);
    }
    g_assert_cmpuint(at, ==, size);
    return message;
}

static void say_hello(struct ends *ends)
{
    struct c2c_message message =
        hear(ends, c2c_put_hello(&ends->peer, ends->message));

    g_assert_cmpint(message.type, ==, C2C_HELLO);
    g_assert_cmpint(ends->us.state, ==, C2C_RUNNING);
}

static void assert_ended(struct ends *ends, unsigned errors, const char *word)
{
    g_assert_cmpint(ends->us.state, ==, C2C_ENDED);
    g_assert_cmphex(ends->us.errors, ==, errors);
    if (!strstr(ends->us.error, word)) {
        g_error("'%s' says nothing of '%s'", ends->us.error, word);
    }
}

static void test_messages(void)
{
    struct ends ends;
    struct c2c_message message;
    size_t size;

    begin(&ends);
    say_hello(&ends);
    message = hear(&ends, c2c_put_ping(&ends.peer, ends.message));
    g_assert_cmpint(message.type, ==, C2C_PING);
    for (int type = C2C_OPEN; type <= C2C_CREDIT; type++) {
        uint32_t count = type == C2C_CREDIT ? 3 : 0;

        message = hear(&ends, c2c_put(&ends.peer, (enum c2c_type)type, 0,
                                      0x123456789abcdef0, count,
                                      ends.message));
        g_assert_cmpint(message.type, ==, type);
        g_assert_cmpuint(message.channel, ==, 1);
        g_assert_cmphex(message.session, ==, 0x123456789abcdef0);
        g_assert_cmpuint(message.count, ==, count);
    }
    size = c2c_put(&ends.peer, C2C_FRAME, 1, 8, 0, ends.message);
    memset(ends.message + size, 0x5a, 64);
    message = hear(&ends, size + 64);
    g_assert_cmpint(message.type, ==, C2C_FRAME);
    g_assert_cmpuint(message.channel, ==, 0);
    for (unsigned i = 0; i < 64; i++) {
        g_assert_cmphex(message.payload[i], ==, 0x5a);
    }
    end(&ends);
}

/* The bytes of the page, not what the functions agree on. */
static void test_bytes(void)
{
    static const uint8_t hello[] = {
        48, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0,
        'v', 's', 'o', 'c', '-', 'c', '2', 'c', 1, 0, 2, 0, 0, 0, 0, 0,
        5, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 64, 0, 0, 0,
        9, 0, 0, 0, 3, 0, 0, 0, 16, 0, 0, 0, 0, 16, 0, 0,
    };
    static const uint8_t credit[] = {
        0, 0, 0, 0, 7, 0, 3, 0, 1, 0, 0, 0, 2, 1, 0, 0,
        8, 7, 6, 5, 4, 3, 2, 1,
    };
    struct ends ends;

    begin(&ends);
    g_assert_cmpmem(ends.message, c2c_put_hello(&ends.us, ends.message), hello,
                    sizeof(hello));
    g_assert_cmpmem(ends.message,
                    c2c_put(&ends.us, C2C_CREDIT, 1, 0x0102030405060708, 0x102,
                            ends.message), credit, sizeof(credit));
    end(&ends);
}

static void test_portions(void)
{
    struct ends ends;
    struct c2c_message message;
    size_t size;

    begin(&ends);
    size = c2c_put_hello(&ends.peer, ends.message);
    for (size_t i = 0; i < size; i++) {
        g_assert_cmpuint(c2c_feed(&ends.us, ends.message + i, 1, &message), ==,
                         1);
        g_assert_cmpint(message.type, ==, i + 1 < size ? 0 : C2C_HELLO);
    }
    /* Two in one go: one at a time comes out. */
    size = c2c_put_ping(&ends.peer, ends.message);
    c2c_put(&ends.peer, C2C_OPEN, 1, 1, 0, ends.message + size);
    g_assert_cmpuint(c2c_feed(&ends.us, ends.message, 2 * size, &message), ==,
                     size);
    g_assert_cmpint(message.type, ==, C2C_PING);
    g_assert_cmpuint(c2c_feed(&ends.us, ends.message + size, size, &message),
                     ==, size);
    g_assert_cmpint(message.type, ==, C2C_OPEN);
    end(&ends);
}

static void test_goodbye(void)
{
    struct ends ends;
    char text[2 * C2C_MAX_TEXT];

    begin(&ends);
    say_hello(&ends);
    hear(&ends, c2c_put_goodbye(&ends.peer, "", ends.message));
    assert_ended(&ends, 0, "has ended");
    g_assert_true(ends.us.by_peer);
    end(&ends);

    begin(&ends);
    hear(&ends, c2c_put_goodbye(&ends.peer, "no\nway", ends.message));
    assert_ended(&ends, HV_C2C_ERROR_VALIDATION, "\"no?way\"");
    end(&ends);

    begin(&ends);
    say_hello(&ends);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    hear(&ends, c2c_put_goodbye(&ends.peer, text, ends.message));
    assert_ended(&ends, HV_C2C_ERROR_VALIDATION, "xxx");
    /* What still comes means nothing. */
    g_assert_cmpint(hear(&ends, c2c_put_ping(&ends.peer, ends.message)).type,
                    ==, 0);
    end(&ends);
}

static void test_hello_mismatch(void)
{
    static const struct {
        struct pct_c2c theirs[3];
        uint32_t nr;
        const char *word;
    } cases[] = {
        { { { 7, 0, 5, 4, 64 } }, 1, "our device 9 goes to its device 3" },
        { { { 3, 0, 9, 16, 4096 }, { 7, 0, 5, 4, 128 } }, 2,
          "our device 5 has 4 frames of 64 bytes, its device 7 has 4 of 128" },
        { { { 3, 0, 9, 15, 4096 }, { 7, 0, 5, 4, 64 } }, 2,
          "its device 3 has 15 of 4096" },
        { { { 3, 0, 5, 4, 64 }, { 7, 0, 9, 16, 4096 } }, 2,
          "its device 3 goes to our device 5, but" },
        { { { 3, 0, 9, 16, 4096 }, { 7, 0, 5, 4, 64 }, { 8, 0, 6, 1, 64 } }, 3,
          "its device 8 goes to our device 6, which" },
        { { { 0 } }, 0, "our device 5" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ends ends;

        begin(&ends);
        c2c_init(&ends.peer, cases[i].theirs, cases[i].nr, NULL);
        hear(&ends, c2c_put_hello(&ends.peer, ends.message));
        assert_ended(&ends, HV_C2C_ERROR_VALIDATION, cases[i].word);
        g_assert_false(ends.us.by_peer);
        end(&ends);
    }
}

/* One byte of a good message is another. */
static void test_lies(void)
{
    static const struct {
        enum c2c_type type;
        size_t at;
        uint8_t byte;
        unsigned errors;
        const char *word;
    } cases[] = {
        { C2C_PING, 4, 0, HV_C2C_ERROR_VALIDATION, "unknown type 0" },
        { C2C_PING, 4, 9, HV_C2C_ERROR_VALIDATION, "unknown type 9" },
        { C2C_PING, 5, 1, HV_C2C_ERROR_VALIDATION, "unknown type 258" },
        { C2C_PING, 4, C2C_HELLO, HV_C2C_ERROR_VALIDATION, "HELLO twice" },
        { C2C_PING, 0, 1, HV_C2C_ERROR_VALIDATION, "1 bytes" },
        { C2C_PING, 6, 5, HV_C2C_ERROR_VALIDATION, "does not fit" },
        { C2C_PING, 12, 1, HV_C2C_ERROR_VALIDATION, "does not fit" },
        { C2C_PING, 16, 1, HV_C2C_ERROR_VALIDATION, "does not fit" },
        { C2C_PING, 8, 2, HV_C2C_ERROR_TRANSFER, "message 2 in place of 1" },
        { C2C_PING, 8, 0, HV_C2C_ERROR_TRANSFER, "repeated" },
        { C2C_OPEN, 6, 6, HV_C2C_ERROR_VALIDATION, "device 6" },
        { C2C_OPEN, 3, 0x80, HV_C2C_ERROR_VALIDATION, "2147483648 bytes" },
        { C2C_OPEN, 16, 0, HV_C2C_ERROR_VALIDATION, "does not fit" },
        { C2C_OPEN, 12, 1, HV_C2C_ERROR_VALIDATION, "does not fit" },
        { C2C_CREDIT, 12, 0, HV_C2C_ERROR_VALIDATION, "does not fit" },
        { C2C_FRAME, 0, 63, HV_C2C_ERROR_VALIDATION, "not 64 to 64" },
        { C2C_FRAME, 1, 16, HV_C2C_ERROR_VALIDATION, "not 64 to 64" },
        { C2C_GOODBYE, 0, 201, HV_C2C_ERROR_VALIDATION, "0 to 200" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ends ends;
        size_t size;

        begin(&ends);
        say_hello(&ends);
        memset(ends.message, 0, sizeof(ends.message));
        switch (cases[i].type) {
        case C2C_PING:
            size = c2c_put_ping(&ends.peer, ends.message);
            break;
        case C2C_GOODBYE:
            size = c2c_put_goodbye(&ends.peer, "", ends.message);
            break;
        default:
            size = c2c_put(&ends.peer, cases[i].type, 1, 1,
                           cases[i].type == C2C_CREDIT, ends.message);
            break;
        }
        ends.message[cases[i].at] = cases[i].byte;
        hear(&ends, size);
        assert_ended(&ends, cases[i].errors, cases[i].word);
        end(&ends);
    }
}

static void test_first_message(void)
{
    struct ends ends;

    begin(&ends);
    hear(&ends, c2c_put_ping(&ends.peer, ends.message));
    assert_ended(&ends, HV_C2C_ERROR_VALIDATION, "not HELLO");
    end(&ends);

    begin(&ends);
    memset(ends.message, 'G', 100);
    hear(&ends, 100);
    assert_ended(&ends, HV_C2C_ERROR_VALIDATION, "not HELLO");
    end(&ends);

    for (size_t at = C2C_HEADER_SIZE; at < C2C_HEADER_SIZE + 16; at++) {
        size_t size;

        begin(&ends);
        size = c2c_put_hello(&ends.peer, ends.message);
        ends.message[at] ^= 0x40;
        hear(&ends, size);
        g_assert_cmpint(ends.us.state, ==, C2C_ENDED);
        end(&ends);
    }
}

static void test_reasons(void)
{
    struct ends ends;

    begin(&ends);
    c2c_end(&ends.us, HV_C2C_ERROR_LINK, "gone");
    c2c_end(&ends.us, HV_C2C_ERROR_VALIDATION, "too late");
    assert_ended(&ends, HV_C2C_ERROR_LINK, "gone");
    end(&ends);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/c2c-proto/messages", test_messages);
    g_test_add_func("/c2c-proto/bytes", test_bytes);
    g_test_add_func("/c2c-proto/portions", test_portions);
    g_test_add_func("/c2c-proto/goodbye", test_goodbye);
    g_test_add_func("/c2c-proto/hello-mismatch", test_hello_mismatch);
    g_test_add_func("/c2c-proto/lies", test_lies);
    g_test_add_func("/c2c-proto/first-message", test_first_message);
    g_test_add_func("/c2c-proto/reasons", test_reasons);
    return g_test_run();
}

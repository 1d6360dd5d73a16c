/* SPDX-License-Identifier: MIT */
/*
 * Two chips: the library's endpoints on c2c channels, with a link of bytes
 * between them, through random interleavings of all that can happen.
 *
 * Applications open, reset, look, read, write, close and die; the devices act
 * whenever the library touches one; bytes of the link arrive in any portions;
 * the link is cut and comes back. What is checked, always:
 * - frames arrive whole, in order, none twice, none left out;
 * - no connection delivers frames of another one;
 * - all that an application sent before it closed or died is read by the other
 *   one, and before its CONN_RESET, unless that one reset or closed, or the link
 *   was cut;
 * - a cut link is told as an error, once, at the latest with CONN_RESET;
 * - in the end both are connected, frames flow both ways, also for who waits to
 *   be woken and a device that acts only when it is, and all is at rest.
 */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "c2c-channel.h"
#include "c2c-proto.h"
#include "include/hv_ivc_regs.h"
#include "ipc/endpoint.h"
#include "ivc_geometry.h"
#include "nvsciipc.h"

#define FRAME_SIZE 64
#define DEVICE(side) (5 + 2 * (side))

struct frame {
    uint32_t side;
    uint32_t connection;        /* of the sender */
    uint32_t number;            /* in that connection, from 0 on */
    uint32_t filler[13];
};

/* What one side's connection has sent. */
struct sent {
    unsigned frames;
    unsigned received;
    unsigned link;              /* the link and the session that it is of */
    uint64_t session;           /* 0: it was over before it was seen */
    bool excused;               /* it may not all arrive */
};

struct chip {
    unsigned side;
    /* the guest's memory and its application */
    void *direction[2];
    struct endpoint *endpoint;
    bool joined;
    bool connected;
    bool rung;                  /* its interrupt came */
    bool awake;                 /* has still to find out that there is no more */
    unsigned excused_link;      /* frames to it may be lost, if they are of */
    uint64_t excused_session;   /* this session of this link, or one before */
    unsigned connection;        /* how many there were */
    GArray *sent;               /* struct sent, by connection */
    unsigned from;              /* the peer's connection that is read; 0: none */
    unsigned next;              /* the frame that must come next */
    unsigned received;          /* in all */
    bool owes_error;            /* connected when the link was cut */
    unsigned cuts;              /* that ended a session, and were not told */

    /* the device */
    struct c2c_channel *channel;
    struct pct_c2c table;
    struct c2c proto;
    uint8_t *buffer;
    GByteArray *wire;           /* on its way to the other chip */
    bool active;                /* something happened since it had nothing due */
};

static struct chip chips[2];
static GRand *chance;
static bool quiet;              /* no more trouble */
static bool linked;
static unsigned link_number;
static bool noisy;              /* the devices act inside calls */
static GString *trace;

static void note(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(trace, format, args);
    va_end(args);
    if (trace->len > 6000) {
        g_string_erase(trace, 0, 3000);
    }
}

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            g_error("%s: %s", #condition, trace->str); \
        } \
    } while (0)

static bool percent(int likely)
{
    return g_rand_int_range(chance, 0, 100) < likely;
}

static struct chip *far_of(const struct chip *chip)
{
    return &chips[!chip->side];
}

/* ---- the devices and the link ---- */

static void on_interrupt(void *opaque)
{
    struct chip *chip = opaque;

    chip->rung = true;
}

static void put_on_wire(struct chip *chip, const uint8_t *bytes, size_t size)
{
    g_byte_array_append(chip->wire, bytes, (guint)size);
}

/* One message of what is due. */
static bool device_sends(struct chip *chip)
{
    uint8_t message[C2C_HEADER_SIZE + FRAME_SIZE];
    struct c2c_due due;
    size_t size;

    if (!chip->active) {
        return false;
    }
    due = c2c_channel_due(chip->channel);
    if (due.type == 0) {
        chip->active = false;
        return false;
    }
    size = c2c_put(&chip->proto, due.type, 0, due.session, due.count, message);
    if (due.type == C2C_FRAME) {
        memcpy(message + size, due.frame, FRAME_SIZE);
        size += FRAME_SIZE;
    }
    note("%u!%d:%u ", chip->side, due.type, (unsigned)due.session);
    c2c_channel_sent(chip->channel, &due);
    put_on_wire(chip, message, size);
    return true;
}

static void take(struct chip *chip, const struct c2c_message *message)
{
    const char *wrong;

    chip->active = true;
    if (message->type == C2C_HELLO) {
        c2c_channel_connect(chip->channel);
    } else if (message->type >= C2C_OPEN) {
        note("%u<%d:%u ", chip->side, message->type,
             (unsigned)message->session);
        wrong = c2c_channel_take(chip->channel, message);
        if (wrong) {
            g_error("%s: %s", wrong, trace->str);
        }
    }
}

/* Some bytes arrive. */
static bool device_receives(struct chip *chip)
{
    GByteArray *wire = far_of(chip)->wire;
    size_t size = wire->len;

    if (size == 0) {
        return false;
    }
    if (!quiet && percent(50)) {
        size = (size_t)g_rand_int_range(chance, 1, (gint)size + 1);
    }
    for (size_t at = 0; at < size;) {
        struct c2c_message message;

        at += c2c_feed(&chip->proto, wire->data + at, size - at, &message);
        CHECK(chip->proto.state != C2C_ENDED);
        take(chip, &message);
    }
    g_byte_array_remove_range(wire, 0, (guint)size);
    return true;
}

static void connect_chips(void)
{
    uint8_t message[C2C_MAX_CONTROL];

    linked = true;
    link_number++;
    note("\nlink ");
    for (unsigned i = 0; i < 2; i++) {
        c2c_init(&chips[i].proto, &chips[i].table, 1, chips[i].buffer);
        put_on_wire(&chips[i], message,
                    c2c_put_hello(&chips[i].proto, message));
    }
}

static void excuse_all(void)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned c = 0; c < chips[i].sent->len; c++) {
            g_array_index(chips[i].sent, struct sent, c).excused = true;
        }
    }
}

static void cut_link(void)
{
    linked = false;
    note("\ncut ");
    excuse_all();
    for (unsigned i = 0; i < 2; i++) {
        chips[i].owes_error = chips[i].connected && chips[i].channel->agreed;
        chips[i].cuts += chips[i].channel->agreed;
        g_byte_array_set_size(chips[i].wire, 0);
        c2c_channel_cut(chips[i].channel, HV_C2C_ERROR_LINK);
    }
}

static void devices_act(void)
{
    if (linked && noisy && percent(20)) {
        struct chip *chip = &chips[g_rand_int_range(chance, 0, 2)];

        if (percent(50)) {
            device_sends(chip);
        } else {
            device_receives(chip);
        }
    }
}

/* ---- the backend: what a guest's driver makes of the device ---- */

static const struct backend chip_link;

static int chip_open(struct link *link, const struct conf_entry *entry,
                     unsigned end)
{
    struct chip *chip = &chips[entry->id];

    (void)end;
    link->backend = &chip_link;
    link->rx = chip->direction[0];
    link->tx = chip->direction[1];
    link->nframes = chip->table.nframes;
    link->frame_size = FRAME_SIZE;
    link->event_fd = -1;
    link->priv = chip;
    c2c_channel_set_open(chip->channel, true);
    chip->active = true;
    devices_act();
    return 0;
}

static void chip_notify(struct link *link)
{
    struct chip *chip = link->priv;

    devices_act();
    c2c_channel_rung(chip->channel);
    chip->active = true;
    devices_act();
}

static bool chip_ack(struct link *link)
{
    struct chip *chip = link->priv;
    bool rung = chip->rung;

    chip->rung = false;
    devices_act();
    return rung;
}

static void chip_wake(struct link *link)
{
    struct chip *chip = link->priv;

    chip->rung = true;
}

static struct far_status chip_far_status(struct link *link)
{
    struct chip *chip = link->priv;
    uint32_t status;

    devices_act();
    status = c2c_channel_status(chip->channel);
    devices_act();
    return (struct far_status) {
        .gone = (status & HV_IVC_STATE_MASK) == HV_IVC_STATE_GONE,
        .generation = status >> HV_IVC_GEN_SHIFT,
        .errors = status >> HV_IVC_ERRORS_SHIFT & HV_IVC_ERRORS_MASK,
    };
}

static void chip_close(struct link *link)
{
    struct chip *chip = link->priv;

    c2c_channel_set_open(chip->channel, false);
    chip->active = true;
}

static const struct backend chip_link = {
    .open = chip_open,
    .notify = chip_notify,
    .ack = chip_ack,
    .wake = chip_wake,
    .far_status = chip_far_status,
    .close = chip_close,
};

/* ---- the applications ---- */

/* What the peer has sent in the connection that this one reads. */
static struct sent *read_connection(const struct chip *chip)
{
    return chip->from == 0 ? NULL :
           &g_array_index(far_of(chip)->sent, struct sent, chip->from - 1);
}

/* Frames that come to this side may be lost, up to the session of now. */
static void excuse_incoming(struct chip *chip)
{
    const struct c2c_channel *channel = chip->channel;

    if (chip->excused_link != link_number) {
        chip->excused_link = link_number;
        chip->excused_session = 0;
    }
    chip->excused_session = MAX(chip->excused_session,
                                MAX(channel->offer, channel->theirs));
    for (unsigned c = 0; c < far_of(chip)->sent->len; c++) {
        g_array_index(far_of(chip)->sent, struct sent, c).excused = true;
    }
}

/* And what this side has sent. */
static void excuse_outgoing(struct chip *chip)
{
    for (unsigned c = 0; c < chip->sent->len; c++) {
        g_array_index(chip->sent, struct sent, c).excused = true;
    }
}

static void lose_connection(struct chip *chip)
{
    chip->connected = false;
    chip->owes_error = false;
    chip->from = 0;
    chip->next = 0;
}

static void app_open(struct chip *chip)
{
    struct conf_entry entry = { .id = chip->side, .gid = CONF_NO_GID };

    note("\n%u open ", chip->side);
    CHECK(endpoint_open(&chip->endpoint, &chip_link, &entry, 0) == 0);
    chip->joined = false;
    chip->awake = true;
}

static void app_reset(struct chip *chip)
{
    note("%u reset ", chip->side);
    if (chip->connected) {
        excuse_outgoing(chip);
    }
    excuse_incoming(chip);
    endpoint_reset(chip->endpoint);
    chip->joined = true;
    chip->awake = true;
    lose_connection(chip);
}

static void app_end(struct chip *chip, bool dies)
{
    note("\n%u %s ", chip->side, dies ? "dies" : "closes");
    excuse_incoming(chip);
    if (dies) {
        c2c_channel_set_open(chip->channel, false);
        chip->active = true;
        free(chip->endpoint);
    } else {
        endpoint_close(chip->endpoint, false);
    }
    chip->endpoint = NULL;
    chip->joined = false;
    lose_connection(chip);
}

/* ASYNC_ERROR, if it was there, is taken out of the events. */
static uint32_t take_errors(struct chip *chip, uint32_t events)
{
    uint32_t errors = endpoint_take_errors(chip->endpoint);

    if ((events & NV_SCI_IPC_EVENT_ASYNC_ERROR) == 0) {
        CHECK(errors == 0);
        return events;
    }
    CHECK(errors == HV_C2C_ERROR_LINK);
    CHECK(chip->cuts > 0);
    chip->cuts--;
    chip->owes_error = false;
    return events & ~(uint32_t)NV_SCI_IPC_EVENT_ASYNC_ERROR;
}

static uint32_t app_look(struct chip *chip)
{
    uint32_t events = endpoint_get_event(chip->endpoint);

    note("%u look %x ", chip->side, events);
    events = take_errors(chip, events);
    chip->awake = (events & ~(uint32_t)(NV_SCI_IPC_EVENT_WRITE |
                                        NV_SCI_IPC_EVENT_WRITE_EMPTY)) != 0;
    if (events & NV_SCI_IPC_EVENT_CONN_RESET) {
        struct sent *sent = read_connection(chip);

        CHECK(chip->connected);
        CHECK(!chip->owes_error);
        CHECK(!sent || sent->excused || chip->next == sent->frames);
        lose_connection(chip);
        CHECK(!(events & NV_SCI_IPC_EVENT_READ));
    }
    if (events & NV_SCI_IPC_EVENT_CONN_EST) {
        const struct chip *far = far_of(chip);
        struct sent sent = { .link = link_number };

        if (chip->channel->agreed) {
            sent.session = chip->channel->offer;
        }
        sent.excused = !linked || sent.session == 0 ||
                       (far->excused_link == link_number &&
                        far->excused_session >= sent.session);
        CHECK(chip->joined && !chip->connected);
        chip->connected = true;
        chip->connection++;
        g_array_append_val(chip->sent, sent);
    }
    CHECK(chip->connected || events == 0 ||
          (events & NV_SCI_IPC_EVENT_CONN_RESET));
    return events;
}

static bool app_write(struct chip *chip)
{
    struct sent *sent;
    struct frame frame = { .side = chip->side };
    int ret;

    if (!chip->connected) {
        return false;
    }
    sent = &g_array_index(chip->sent, struct sent, chip->connection - 1);
    frame.connection = chip->connection;
    frame.number = sent->frames;
    memset(frame.filler, (int)frame.number, sizeof(frame.filler));
    ret = endpoint_write(chip->endpoint, &frame, sizeof(frame));
    CHECK(ret == 0 || ret == -EAGAIN || ret == -ECONNRESET);
    sent->frames += ret == 0;
    return ret == 0;
}

static bool app_read(struct chip *chip)
{
    struct frame frame, filler;
    int ret;

    if (!chip->connected) {
        return false;
    }
    ret = endpoint_read(chip->endpoint, &frame, sizeof(frame));
    if (ret != 0) {
        CHECK(ret == -EAGAIN || ret == -ECONNRESET);
        return false;
    }
    note("%u read %u.%u ", chip->side, frame.connection, frame.number);
    CHECK(frame.side == far_of(chip)->side);
    CHECK(chip->from == 0 || chip->from == frame.connection);
    chip->from = frame.connection;
    CHECK(frame.number == chip->next);
    read_connection(chip)->received++;
    memset(filler.filler, (int)frame.number, sizeof(filler.filler));
    CHECK(memcmp(frame.filler, filler.filler, sizeof(filler.filler)) == 0);
    chip->next++;
    chip->received++;
    return true;
}

static void app_acts(struct chip *chip, int trouble)
{
    if (!chip->endpoint) {
        if (percent(30)) {
            app_open(chip);
        }
        return;
    }
    if (!chip->joined) {
        if (percent(40)) {
            app_reset(chip);
        }
        return;
    }
    if (!quiet && percent(trouble)) {
        if (percent(30)) {
            app_reset(chip);
        } else {
            app_end(chip, percent(50));
        }
        return;
    }
    switch (g_rand_int_range(chance, 0, 3)) {
    case 0:
        if (chip->rung || chip->awake) {
            app_look(chip);
        }
        break;
    case 1:
        app_write(chip);
        break;
    default:
        app_read(chip);
        break;
    }
}

/* ---- the world ---- */

static void begin(uint32_t nframes)
{
    size_t size = (ivc_direction_size(nframes, FRAME_SIZE) + 63) / 64 * 64;

    memset(chips, 0, sizeof(chips));
    linked = false;
    quiet = false;
    noisy = true;
    trace = g_string_new(NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct chip *chip = &chips[i];

        chip->side = i;
        chip->sent = g_array_new(FALSE, TRUE, sizeof(struct sent));
        chip->wire = g_byte_array_new();
        chip->table = (struct pct_c2c) {
            .device = DEVICE(i), .remote = DEVICE(!i),
            .nframes = nframes, .frame_size = FRAME_SIZE,
        };
        chip->buffer = g_malloc(c2c_buffer_size(&chip->table, 1));
        for (unsigned d = 0; d < 2; d++) {
            chip->direction[d] = aligned_alloc(64, size);
            memset(chip->direction[d], 0, size);
        }
        chip->channel = aligned_alloc(64, sizeof(*chip->channel));
        c2c_channel_init(chip->channel, chip->direction[1],
                         chip->direction[0], nframes, FRAME_SIZE, on_interrupt,
                         chip);
    }
}

static void end(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct chip *chip = &chips[i];

        if (chip->endpoint) {
            endpoint_close(chip->endpoint, false);
        }
        free(chip->channel);
        free(chip->direction[0]);
        free(chip->direction[1]);
        g_free(chip->buffer);
        g_byte_array_unref(chip->wire);
        g_array_unref(chip->sent);
    }
    g_string_free(trace, TRUE);
}

/* Each application looks only when it was woken; until nothing moves. */
static void settle(void)
{
    bool moved = true;
    unsigned rounds = 0;

    while (moved) {
        moved = false;
        CHECK(++rounds < 20000);
        for (unsigned i = 0; i < 2; i++) {
            struct chip *chip = &chips[i];

            while (linked && device_sends(chip)) {
                moved = true;
            }
            moved |= linked && device_receives(chip);
            if (chip->endpoint && chip->joined &&
                (chip->rung || chip->awake)) {
                app_look(chip);
                while (app_read(chip)) {
                    chip->awake = true;
                }
                moved = true;
            }
        }
    }
}

/* Both write until there is no space, and go on when they are woken. */
static void stream(void)
{
    unsigned wanted[2] = { chips[0].received + 60, chips[1].received + 60 };
    unsigned left[2] = { 60, 60 };
    bool may_write[2] = { true, true };
    unsigned rounds = 0;

    while (chips[0].received < wanted[0] || chips[1].received < wanted[1]) {
        CHECK(++rounds < 20000);
        for (unsigned i = 0; i < 2; i++) {
            struct chip *chip = &chips[i];

            /* Now and then, so that queues run full and empty. */
            if (percent(50)) {
                while (may_write[i] && left[i] > 0) {
                    may_write[i] = app_write(chip);
                    left[i] -= may_write[i];
                }
            }
            if (percent(50)) {
                device_receives(chip);
            }
            if (percent(50)) {
                device_sends(chip);
            }
            if (chip->rung && percent(30)) {
                may_write[i] |= (app_look(chip) & NV_SCI_IPC_EVENT_WRITE) != 0;
                while (app_read(chip)) {
                    continue;
                }
            }
        }
    }
}

/* Nothing is missing that nobody was to blame for. */
static void check_all_arrived(void)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned c = 0; c < chips[i].sent->len; c++) {
            struct sent *sent = &g_array_index(chips[i].sent, struct sent, c);

            if (!sent->excused && sent->received != sent->frames) {
                g_error("of chip %u's connection %u, session %u, %u of %u "
                        "frames came: %s", i, c + 1, (unsigned)sent->session,
                        sent->received, sent->frames, trace->str);
            }
        }
    }
}

static void calm_down(void)
{
    quiet = true;
    noisy = false;
    note("\ncalm ");
    if (!linked) {
        connect_chips();
    }
    for (unsigned i = 0; i < 2; i++) {
        if (!chips[i].endpoint) {
            app_open(&chips[i]);
        }
        if (!chips[i].joined) {
            app_reset(&chips[i]);
        }
        chips[i].awake = true;
    }
    settle();
    for (unsigned i = 0; i < 2; i++) {
        CHECK(chips[i].connected);
    }
    check_all_arrived();
    for (unsigned n = 0; n < 40; n++) {
        unsigned before[2] = { chips[0].received, chips[1].received };
        bool wrote[2] = { app_write(&chips[0]), app_write(&chips[1]) };

        CHECK(wrote[0] && wrote[1]);
        settle();
        CHECK(chips[0].received == before[0] + 1);
        CHECK(chips[1].received == before[1] + 1);
    }
    stream();
    settle();
    for (unsigned i = 0; i < 2; i++) {
        CHECK(chips[i].channel->lost == 0);
        CHECK(!chips[i].rung);
    }
}

static void test_random(void)
{
    const char *scale = g_getenv("VSOC_TEST_SCALE");
    unsigned runs = 3000 * (scale ? (unsigned)atoi(scale) : 1);
    unsigned frames = 0;

    for (unsigned run = 0; run < runs; run++) {
        int trouble, cuts;

        chance = g_rand_new_with_seed(run);
        begin((uint32_t[]) { 1, 2, 3, 8 }[run % 4]);
        trouble = g_rand_int_range(chance, 0, 6);
        cuts = g_rand_int_range(chance, 0, 4) == 0;
        for (unsigned step = 0; step < 400; step++) {
            struct chip *chip = &chips[g_rand_int_range(chance, 0, 2)];

            if (!linked ? percent(20) : percent(cuts)) {
                if (linked) {
                    cut_link();
                } else {
                    connect_chips();
                }
            } else if (percent(50)) {
                app_acts(chip, trouble);
            } else if (linked && percent(50)) {
                device_sends(chip);
            } else if (linked) {
                device_receives(chip);
            }
        }
        calm_down();
        frames += chips[0].received + chips[1].received;
        end();
        g_rand_free(chance);
    }
    g_test_message("%u runs, %u frames", runs, frames);
    g_assert_cmpuint(frames, >, 80 * runs);
}

/* No events before both have reset, also on a channel that was used before. */
static void test_both_must_reset(void)
{
    for (unsigned used = 0; used < 2; used++) {
        chance = g_rand_new_with_seed(used);
        begin(4);
        connect_chips();
        quiet = true;
        noisy = false;
        for (unsigned round = 0; round <= used; round++) {
            for (unsigned i = 0; i < 2; i++) {
                app_open(&chips[i]);
            }
            app_reset(&chips[0]);
            settle();
            settle();
            g_assert_false(chips[0].connected);
            app_reset(&chips[1]);
            settle();
            g_assert_true(chips[0].connected && chips[1].connected);
            if (round < used) {
                app_end(&chips[0], true);
                app_end(&chips[1], true);
                settle();
            }
        }
        end();
        g_rand_free(chance);
    }
}

/* Frames of one that has closed arrive, as fast as they are read. */
static void test_close_delivers(void)
{
    chance = g_rand_new_with_seed(1);
    begin(2);
    connect_chips();
    quiet = true;
    noisy = false;
    for (unsigned i = 0; i < 2; i++) {
        app_open(&chips[i]);
        app_reset(&chips[i]);
    }
    settle();
    for (unsigned n = 0; n < 2; n++) {
        g_assert_true(app_write(&chips[0]));
    }
    while (device_sends(&chips[0])) {
        continue;
    }
    /* Two are on their way, two more wait for credit. */
    for (unsigned n = 0; n < 2; n++) {
        g_assert_true(app_write(&chips[0]));
    }
    app_end(&chips[0], true);
    settle();
    g_assert_cmpuint(chips[1].received, ==, 4);
    g_assert_false(chips[1].connected);
    end();
    g_rand_free(chance);
}

/*
 * Somebody has written to a word of the device's. When it is rung it sees that
 * and ends the session, and both sides are back at once (rule 9).
 */
static void test_forged_words(void)
{
    for (unsigned word = 0; word < 3; word++) {
        struct ivc_header *tx, *rx;
        uint32_t *words[3];

        chance = g_rand_new_with_seed(word);
        begin(4);
        tx = chips[0].direction[0];
        rx = chips[0].direction[1];
        words[0] = &tx->tx_state;
        words[1] = &tx->tx_count;
        words[2] = &rx->rx_count;
        connect_chips();
        quiet = true;
        noisy = false;
        for (unsigned i = 0; i < 2; i++) {
            app_open(&chips[i]);
            app_reset(&chips[i]);
        }
        settle();
        stream();
        c2c_channel_rung(chips[0].channel);
        settle();
        g_assert_cmpuint(chips[0].connection, ==, 1);
        excuse_all();
        *words[word] += 1000;
        c2c_channel_rung(chips[0].channel);
        settle();
        for (unsigned i = 0; i < 2; i++) {
            g_assert_true(chips[i].connected);
            g_assert_cmpuint(chips[i].connection, ==, 2);
        }
        stream();
        check_all_arrived();
        end();
        g_rand_free(chance);
    }
}

/* What a departure says of its reason. */
static void test_errors(void)
{
    uint32_t status;

    chance = g_rand_new_with_seed(1);
    begin(2);
    g_assert_cmphex(c2c_channel_status(chips[0].channel), ==, 0);
    calm_down();
    status = c2c_channel_status(chips[0].channel);
    g_assert_cmphex(status & HV_IVC_STATE_MASK, ==, HV_IVC_STATE_OPEN);
    cut_link();
    status = c2c_channel_status(chips[0].channel);
    g_assert_cmphex(status, ==, 1u << HV_IVC_GEN_SHIFT |
                    HV_C2C_ERROR_LINK << HV_IVC_ERRORS_SHIFT);
    calm_down();
    app_end(&chips[1], false);
    settle();
    status = c2c_channel_status(chips[0].channel);
    g_assert_cmphex(status, ==, 2u << HV_IVC_GEN_SHIFT);
    end();
    g_rand_free(chance);
}

/* ---- a peer that does what it must not ---- */

static const char *say(enum c2c_type type, uint64_t session, uint32_t count)
{
    static const uint8_t payload[FRAME_SIZE];
    struct c2c_message message = {
        .type = type, .session = session, .count = count, .payload = payload,
    };

    return c2c_channel_take(chips[0].channel, &message);
}

static void test_violations(void)
{
    uint64_t session;

    chance = g_rand_new_with_seed(1);
    begin(2);
    calm_down();
    session = chips[0].channel->offer;
    g_assert_nonnull(say(C2C_OPEN, session + 2, 0));
    g_assert_nonnull(say(C2C_OPEN, session + 1, 0));
    g_assert_nonnull(say(C2C_OPEN, UINT64_MAX, 0));
    g_assert_nonnull(say(C2C_CLOSE, session + 1, 0));
    g_assert_nonnull(say(C2C_RESET, UINT64_MAX, 0));
    g_assert_nonnull(say(C2C_FRAME, session + 1, 0));
    g_assert_nonnull(say(C2C_CREDIT, session, 3));
    g_assert_nonnull(say(C2C_CREDIT, session, UINT32_MAX));
    for (uint32_t i = chips[0].channel->granted; i > 0; i--) {
        g_assert_null(say(C2C_FRAME, session, 0));
    }
    g_assert_nonnull(say(C2C_FRAME, session, 0));
    /* What has been overtaken is no violation. */
    g_assert_null(say(C2C_CLOSE, session, 0));
    g_assert_null(say(C2C_CLOSE, session, 0));
    g_assert_null(say(C2C_FRAME, session, 0));
    g_assert_null(say(C2C_CREDIT, session, 1));
    g_assert_null(say(C2C_OPEN, session, 0));
    end();
    g_rand_free(chance);
}

/* Any messages, any words of the guest's: nothing breaks, nothing grows. */
static void test_hostile(void)
{
    for (unsigned run = 0; run < 300; run++) {
        unsigned due = 0;

        chance = g_rand_new_with_seed(run);
        begin(1 + run % 3);
        chips[0].channel->linked = true;
        for (unsigned step = 0; step < 1000; step++) {
            struct ivc_header *rx = chips[0].direction[1];
            struct ivc_header *tx = chips[0].direction[0];
            struct c2c_due next;

            switch (g_rand_int_range(chance, 0, 8)) {
            case 0:
                rx->tx_state = (uint32_t)g_rand_int_range(chance, 0, 4);
                break;
            case 1:
                rx->tx_count = (uint32_t)g_rand_int_range(chance, 0, 5);
                break;
            case 2:
                tx->rx_count = (uint32_t)g_rand_int_range(chance, 0, 5);
                break;
            case 3:
                c2c_channel_set_open(chips[0].channel, percent(70));
                break;
            case 4:
                say((enum c2c_type)g_rand_int_range(chance, C2C_OPEN,
                                                    C2C_FRAME + 1),
                    (uint64_t)g_rand_int_range(chance, 1, 8),
                    (uint32_t)g_rand_int_range(chance, 1, 4));
                break;
            case 5:
                next = c2c_channel_due(chips[0].channel);
                if (next.type != 0) {
                    c2c_channel_sent(chips[0].channel, &next);
                    due++;
                }
                break;
            default:
                c2c_channel_rung(chips[0].channel);
                break;
            }
            g_assert_cmpuint(chips[0].channel->credit, <=,
                             chips[0].table.nframes);
            g_assert_cmpuint(chips[0].channel->granted, <=,
                             chips[0].table.nframes);
        }
        g_assert_cmpuint(due, >, 0);
        end();
        g_rand_free(chance);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/c2c-channel/both-must-reset", test_both_must_reset);
    g_test_add_func("/c2c-channel/close-delivers", test_close_delivers);
    g_test_add_func("/c2c-channel/forged-words", test_forged_words);
    g_test_add_func("/c2c-channel/errors", test_errors);
    g_test_add_func("/c2c-channel/violations", test_violations);
    g_test_add_func("/c2c-channel/hostile", test_hostile);
    g_test_add_func("/c2c-channel/random", test_random);
    return g_test_run();
}

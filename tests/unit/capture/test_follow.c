/* SPDX-License-Identifier: MIT */
/*
 * What is followed is whole, in order and complete, or said to be lost; and no
 * word that an end can write leads out of the channel's memory. Includes
 * follow.c, to let the ends act between any two of its loads.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "ivc/ivc.h"
#include "ivc/ivc_shared.h"

static uint32_t stepped_load(const uint32_t *word);
#define ivc_load stepped_load
#include "../../../hw/capture/follow.c"
#undef ivc_load

#define MAX_FRAMES 16u
#define FRAME_SIZE 64u
#define SIZE (IVC_HEADER_SIZE + MAX_FRAMES * FRAME_SIZE)

/* Two directions, as the ends see them. On the heap: ASan has its borders. */
struct world {
    struct follow follow;
    struct ivc_header *headers[2];      /* [0]: end 0 sends */
    uint32_t status[2];
    uint64_t buffer[FRAME_SIZE / 8];
    GArray *records;                    /* of struct seen */
    uint32_t sent[2];                   /* also the private position */
};

struct seen {
    struct capture_record record;
    uint32_t text;                      /* the frame's first word */
    bool torn;                          /* its words differ */
};

/* Called before each load of the follower. */
static void (*step)(struct world *world);
static struct world *stepping;

static uint32_t stepped_load(const uint32_t *word)
{
    if (step != NULL) {
        step(stepping);
    }
    return ivc_load(word);
}

static void note(void *opaque, const struct capture_record *record,
                 const void *frame)
{
    struct world *world = opaque;
    struct seen seen = { .record = *record };

    if (frame != NULL) {
        uint32_t words[FRAME_SIZE / 4];

        memcpy(words, frame, sizeof(words));
        seen.text = words[0];
        for (unsigned i = 1; i < FRAME_SIZE / 4; i++) {
            seen.torn = seen.torn || words[i] != words[0];
        }
    }
    g_assert_cmpint(frame != NULL, ==, record->kind == CAPTURE_FRAME);
    g_array_append_val(world->records, seen);
}

static struct world *world_new(uint32_t nframes)
{
    struct world *world = g_new0(struct world, 1);
    size_t size = IVC_HEADER_SIZE + (size_t)nframes * FRAME_SIZE;

    world->follow.queue = 255;
    world->follow.nframes = nframes;
    world->follow.frame_size = FRAME_SIZE;
    for (unsigned i = 0; i < 2; i++) {
        world->headers[i] = aligned_alloc(64, size);
        memset(world->headers[i], 0, size);
        world->follow.ways[i].header = world->headers[i];
        world->follow.status[i] = &world->status[i];
        world->follow.partition[i] = (uint8_t)(2 + i);
    }
    world->records = g_array_new(FALSE, FALSE, sizeof(struct seen));
    stepping = world;
    step = NULL;
    return world;
}

static void world_free(struct world *world)
{
    for (unsigned i = 0; i < 2; i++) {
        free(world->headers[i]);
    }
    g_array_free(world->records, TRUE);
    g_free(world);
    step = NULL;
}

static bool look(struct world *world)
{
    return follow_look(&world->follow, world->buffer, sizeof(world->buffer),
                       note, world);
}

/* Sends a frame full of its number, room or no room. */
static void send_frame(struct world *world, unsigned way)
{
    uint32_t *frame = (uint32_t *)((uint8_t *)world->headers[way] +
                      IVC_HEADER_SIZE + (world->sent[way] %
                      world->follow.nframes) * FRAME_SIZE);

    for (unsigned i = 0; i < FRAME_SIZE / 4; i++) {
        frame[i] = world->sent[way];
    }
    world->sent[way]++;
    ivc_publish(&world->headers[way]->tx_count, world->sent[way]);
}

static void take_frame(struct world *world, unsigned way)
{
    ivc_publish(&world->headers[way]->rx_count,
                world->headers[way]->rx_count + 1);
}

static const struct seen *at(const struct world *world, unsigned i)
{
    g_assert_cmpuint(i, <, world->records->len);
    return &g_array_index(world->records, struct seen, i);
}

/* Every record is one that a sound run may have; counts them. */
static void assert_sound(const struct world *world, unsigned way,
                         uint64_t *frames, uint64_t *lost)
{
    uint32_t next = 0;
    bool any = false;

    *frames = *lost = 0;
    for (unsigned i = 0; i < world->records->len; i++) {
        const struct seen *seen = at(world, i);
        const struct capture_record *record = &seen->record;

        if (record->kind == CAPTURE_STATE || record->direction != way) {
            continue;
        }
        if (any) {
            g_assert_cmpuint(record->sequence, ==, next);
        }
        any = true;
        if (record->kind == CAPTURE_FRAME) {
            g_assert_false(seen->torn);
            g_assert_cmpuint(seen->text, ==, record->sequence);
            next = record->sequence + 1;
            (*frames)++;
        } else {
            g_assert_cmpuint(record->lost, >, 0);
            next = record->sequence + record->lost;
            *lost += record->lost;
        }
    }
    g_assert_cmpuint(*frames, ==, world->follow.ways[way].frames);
    g_assert_cmpuint(*lost, ==, world->follow.ways[way].lost);
}

static void test_begin(void)
{
    struct world *world = world_new(4);
    const struct seen *first;

    world->headers[0]->tx_state = 1;
    world->headers[1]->tx_state = 2;
    world->status[1] = 0x302;
    g_assert_true(look(world));
    g_assert_cmpuint(world->records->len, ==, 1);
    first = at(world, 0);
    g_assert_cmpuint(first->record.kind, ==, CAPTURE_STATE);
    g_assert_cmpuint(first->record.flags, ==, CAPTURE_INITIAL);
    g_assert_cmpuint(first->record.queue, ==, 255);
    g_assert_cmpuint(first->record.state[0], ==, 1);
    g_assert_cmpuint(first->record.state[1], ==, 2);
    g_assert_cmpuint(first->record.status[1], ==, 0x302);
    g_assert_cmpuint(first->record.partition[1], ==, 3);
    g_assert_cmpuint(first->record.frame_size, ==, FRAME_SIZE);
    g_assert_false(look(world));
    g_assert_cmpuint(world->records->len, ==, 1);
    world_free(world);
}

static void test_frames_that_lie_there_are_taken(void)
{
    struct world *world = world_new(4);
    uint64_t frames, lost;

    for (unsigned i = 0; i < 6; i++) {
        send_frame(world, 1);
        if (i < 4) {
            take_frame(world, 1);
        }
    }
    look(world);
    assert_sound(world, 1, &frames, &lost);
    g_assert_cmpuint(frames, ==, 2);
    g_assert_cmpuint(at(world, 1)->record.sequence, ==, 4);
    g_assert_cmpuint(at(world, 1)->record.tx_count, ==, 6);
    g_assert_cmpuint(at(world, 1)->record.rx_count, ==, 4);
    world_free(world);
}

static void test_both_ways(void)
{
    struct world *world = world_new(3);
    uint64_t frames, lost;

    look(world);
    for (unsigned i = 0; i < 100; i++) {
        send_frame(world, i % 2);
        take_frame(world, i % 2);
        g_assert_true(look(world));
    }
    for (unsigned way = 0; way < 2; way++) {
        assert_sound(world, way, &frames, &lost);
        g_assert_cmpuint(frames, ==, 50);
        g_assert_cmpuint(lost, ==, 0);
    }
    world_free(world);
}

static void test_a_whole_round_is_taken_if_nobody_has(void)
{
    struct world *world = world_new(4);
    uint64_t frames, lost;

    look(world);
    for (unsigned i = 0; i < 4; i++) {
        send_frame(world, 0);
    }
    look(world);
    assert_sound(world, 0, &frames, &lost);
    g_assert_cmpuint(frames, ==, 4);
    world_free(world);
}

/* A consumed frame, a round ago: its place may be written at this moment. */
static void test_the_place_that_may_be_written_is_lost(void)
{
    struct world *world = world_new(4);
    uint64_t frames, lost;

    look(world);
    for (unsigned i = 0; i < 4; i++) {
        send_frame(world, 0);
        take_frame(world, 0);
    }
    look(world);
    assert_sound(world, 0, &frames, &lost);
    g_assert_cmpuint(frames, ==, 3);
    g_assert_cmpuint(lost, ==, 1);
    g_assert_cmpuint(at(world, 1)->record.kind, ==, CAPTURE_LOSS);
    g_assert_cmpuint(at(world, 1)->record.sequence, ==, 0);
    world_free(world);
}

static void test_a_queue_of_one_frame(void)
{
    struct world *world = world_new(1);
    uint64_t frames, lost;

    look(world);
    for (unsigned i = 0; i < 10; i++) {
        send_frame(world, 0);
        if (i % 2 == 0) {
            look(world);            /* before it is taken: whole */
        }
        take_frame(world, 0);
        look(world);
    }
    assert_sound(world, 0, &frames, &lost);
    g_assert_cmpuint(frames, ==, 5);
    g_assert_cmpuint(lost, ==, 5);
    world_free(world);
}

static void test_what_was_overtaken_is_counted(void)
{
    struct world *world = world_new(4);
    uint64_t frames, lost;

    look(world);
    for (unsigned i = 0; i < 1000; i++) {
        send_frame(world, 0);
        take_frame(world, 0);
    }
    look(world);
    assert_sound(world, 0, &frames, &lost);
    g_assert_cmpuint(frames, ==, 3);
    g_assert_cmpuint(lost, ==, 997);
    g_assert_cmpuint(world->records->len, ==, 5);   /* one loss for all */
    world_free(world);
}

static unsigned step_count, step_at, step_frames;

static void overtake(struct world *world)
{
    if (step_count++ == step_at) {
        for (unsigned i = 0; i < step_frames; i++) {
            send_frame(world, 0);
            take_frame(world, 0);
        }
    }
}

/* Frames come between any two loads of a look. */
static void test_overtaken_at_any_load(void)
{
    for (unsigned nframes = 1; nframes <= 5; nframes++) {
        for (step_frames = 1; step_frames <= 2 * nframes + 1; step_frames++) {
            for (step_at = 0; step_at < 30; step_at++) {
                struct world *world = world_new(nframes);
                uint64_t frames, lost;

                look(world);
                for (unsigned i = 0; i < nframes; i++) {
                    send_frame(world, 0);
                }
                step_count = 0;
                step = overtake;
                look(world);
                look(world);
                step = NULL;
                look(world);
                assert_sound(world, 0, &frames, &lost);
                g_assert_cmpuint(frames + lost, ==, world->sent[0]);
                world_free(world);
            }
        }
    }
}

/* A transmitter that has begun to fill the next round's frame. */
static void half_write(struct world *world)
{
    if (step_count++ == step_at) {
        uint8_t *frame = (uint8_t *)world->headers[0] + IVC_HEADER_SIZE;

        for (unsigned i = 0; i < world->follow.nframes; i++) {
            take_frame(world, 0);
        }
        memset(frame, 0xee, FRAME_SIZE / 2);
    }
}

static void test_no_frame_is_torn(void)
{
    unsigned whole = 0;

    for (step_at = 0; step_at < 30; step_at++) {
        struct world *world = world_new(2);
        uint64_t frames, lost;

        look(world);
        send_frame(world, 0);
        send_frame(world, 0);
        step_count = 0;
        step = half_write;
        look(world);
        step = NULL;
        look(world);
        assert_sound(world, 0, &frames, &lost);
        g_assert_cmpuint(frames + lost, ==, 2);
        whole += frames == 2;
        world_free(world);
    }
    /* Late enough, and all was copied before. */
    g_assert_cmpuint(whole, >, 5);
    g_assert_cmpuint(whole, <, 30);
}

static void test_a_reset(void)
{
    struct world *world = world_new(4);
    const struct seen *seen;

    look(world);
    for (unsigned i = 0; i < 6; i++) {
        send_frame(world, 0);
        take_frame(world, 0);
        look(world);
    }
    g_array_set_size(world->records, 0);
    world->headers[0]->tx_state = IVC_SYNC;
    look(world);
    seen = at(world, 0);
    g_assert_cmpuint(seen->record.flags, ==, CAPTURE_STATE_CHANGED(0));

    world->headers[0]->tx_count = world->headers[0]->rx_count = 0;
    world->headers[0]->tx_state = IVC_ESTABLISHED;
    world->status[1] = 1;
    world->sent[0] = 0;
    send_frame(world, 0);
    look(world);
    seen = at(world, 1);
    g_assert_cmpuint(seen->record.flags, ==, CAPTURE_STATE_CHANGED(0) |
                     CAPTURE_STATUS_CHANGED(1) | CAPTURE_COUNTS_CLEARED(0));
    seen = at(world, 2);
    g_assert_cmpuint(seen->record.kind, ==, CAPTURE_FRAME);
    g_assert_cmpuint(seen->record.sequence, ==, 0);
    g_assert_cmpuint(seen->text, ==, 0);
    g_assert_cmpuint(world->records->len, ==, 3);
    g_assert_cmpuint(world->follow.resets, ==, 1);
    world_free(world);
}

/* 2^32 is no multiple of 3: the place goes on, whatever the count says. */
static void test_counts_that_wrap(void)
{
    struct world *world = world_new(3);
    uint32_t start = UINT32_MAX - 5;
    unsigned frames = 0;

    world->headers[0]->tx_count = world->headers[0]->rx_count = start;
    look(world);
    for (uint32_t i = 0; i < 12; i++) {
        uint8_t *places = (uint8_t *)world->headers[0] + IVC_HEADER_SIZE;
        uint64_t number = (uint64_t)start + i;

        memset(places + number % 3 * FRAME_SIZE, (int)i, FRAME_SIZE);
        ivc_publish(&world->headers[0]->tx_count, start + i + 1);
        look(world);
        take_frame(world, 0);
    }
    for (unsigned i = 0; i < world->records->len; i++) {
        const struct seen *seen = at(world, i);

        if (seen->record.kind == CAPTURE_FRAME) {
            g_assert_cmpuint(seen->record.sequence, ==, start + frames);
            g_assert_cmpuint(seen->text & 0xff, ==, frames);
            frames++;
        }
    }
    g_assert_cmpuint(frames, ==, 12);
    g_assert_cmpuint(world->follow.resets, ==, 0);
    world_free(world);
}

static GRand *dice;

static void scribble(struct world *world)
{
    uint32_t *words[] = {
        &world->headers[0]->tx_count, &world->headers[0]->tx_state,
        &world->headers[0]->rx_count, &world->headers[1]->tx_count,
        &world->headers[1]->tx_state, &world->headers[1]->rx_count,
    };
    uint32_t *word = words[g_rand_int_range(dice, 0, 6)];

    switch (g_rand_int_range(dice, 0, 8)) {
    case 0:
        *word = g_rand_int(dice);
        break;
    case 1:
        *word += 1;
        break;
    case 2:
        *word = 0;
        break;
    }
}

/* ASan sees to the borders; what is asked here is that each look ends. */
static void test_hostile_words(void)
{
    dice = g_rand_new_with_seed(20);
    for (unsigned round = 0; round < 300; round++) {
        struct world *world = world_new(1 + round % 5);

        step = scribble;
        for (unsigned i = 0; i < 100; i++) {
            unsigned before = world->records->len;

            look(world);
            /* Two states, and each way a round of frames and their losses. */
            g_assert_cmpuint(world->records->len - before, <=,
                             2 + 2 * (2 * world->follow.nframes + 1));
        }
        world_free(world);
    }
    g_rand_free(dice);
}

/* ---- two real ends in threads ---- */

#define STORM 200000u

struct storm {
    struct world *world;
    gint done;
};

static gpointer send_storm(gpointer opaque)
{
    struct storm *storm = opaque;
    struct world *world = storm->world;

    while (world->sent[0] < STORM) {
        uint32_t taken = ivc_load(&world->headers[0]->rx_count);

        if (world->sent[0] - taken < world->follow.nframes) {
            send_frame(world, 0);
            ivc_fence();
        }
    }
    return NULL;
}

static gpointer take_storm(gpointer opaque)
{
    struct storm *storm = opaque;
    struct world *world = storm->world;
    uint32_t taken = 0;

    while (taken < STORM) {
        if (ivc_load(&world->headers[0]->tx_count) != taken) {
            ivc_publish(&world->headers[0]->rx_count, ++taken);
        }
    }
    g_atomic_int_set(&storm->done, 1);
    return NULL;
}

static void test_a_storm(void)
{
    for (uint32_t nframes = 1; nframes <= 16; nframes *= 4) {
        struct world *world = world_new(nframes);
        struct storm storm = { .world = world };
        GThread *sender, *taker;
        uint64_t frames, lost;

        look(world);
        sender = g_thread_new("send", send_storm, &storm);
        taker = g_thread_new("take", take_storm, &storm);
        while (!g_atomic_int_get(&storm.done)) {
            look(world);
        }
        look(world);
        g_thread_join(sender);
        g_thread_join(taker);
        assert_sound(world, 0, &frames, &lost);
        g_assert_cmpuint(frames + lost, ==, STORM);
        world_free(world);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/follow/begin", test_begin);
    g_test_add_func("/follow/unread", test_frames_that_lie_there_are_taken);
    g_test_add_func("/follow/both_ways", test_both_ways);
    g_test_add_func("/follow/round", test_a_whole_round_is_taken_if_nobody_has);
    g_test_add_func("/follow/may_be_written",
                    test_the_place_that_may_be_written_is_lost);
    g_test_add_func("/follow/one_frame", test_a_queue_of_one_frame);
    g_test_add_func("/follow/overtaken", test_what_was_overtaken_is_counted);
    g_test_add_func("/follow/overtaken_at", test_overtaken_at_any_load);
    g_test_add_func("/follow/torn", test_no_frame_is_torn);
    g_test_add_func("/follow/reset", test_a_reset);
    g_test_add_func("/follow/wrap", test_counts_that_wrap);
    g_test_add_func("/follow/hostile", test_hostile_words);
    g_test_add_func("/follow/storm", test_a_storm);
    return g_test_run();
}

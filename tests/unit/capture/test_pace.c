/* SPDX-License-Identifier: MIT */
/* Who polls rests: by its share of the CPU, and more when nothing happens. */
#include <glib.h>

#include "pace.h"

/* Looks of so many ns for a second; returns the share of it in percent. */
static double run(uint32_t percent, uint64_t look, uint64_t news_every)
{
    struct pace pace = { .percent = percent };
    uint64_t time = 0, worked = 0, last_news = 0;

    while (time < 1000000000) {
        bool news = time - last_news >= news_every;
        uint64_t rest;

        last_news = news ? time : last_news;
        time += look;
        worked += look;
        rest = pace_rest(&pace, time, news);
        if (rest > 0) {
            g_assert_cmpuint(rest, <=, MAX(PACE_MAX_REST,
                                           100 * (PACE_SLICE + look)));
            time += rest;
            pace_resume(&pace, time);
        }
    }
    return 100.0 * (double)worked / (double)time;
}

static void test_share(void)
{
    static const uint64_t looks[] = { 100, 10000, 150000, 3000000 };
    static const uint32_t shares[] = { 1, 10, 50, 90 };

    for (unsigned i = 0; i < G_N_ELEMENTS(looks); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(shares); j++) {
            /* The last slice may be without its rest. */
            g_assert_cmpfloat(run(shares[j], looks[i], 0), <=,
                              shares[j] + 0.5);
        }
    }
    g_assert_cmpfloat(run(50, 1000, 0), >, 49);
    g_assert_cmpfloat(run(100, 1000, 0), >, 99.9);
}

static void test_idle(void)
{
    g_assert_cmpfloat(run(50, 1000, UINT64_MAX), <, 0.5);
    g_assert_cmpfloat(run(100, 1000, UINT64_MAX), <, 0.5);
}

static void test_rests_are_short_after_news(void)
{
    struct pace pace = { .percent = 50 };
    uint64_t idle = 0;

    g_assert_cmpuint(pace_rest(&pace, 1000, true), ==, 0);
    for (uint64_t time = 2000; time < 20000000; time += 1000) {
        uint64_t rest = pace_rest(&pace, time, false);

        pace_resume(&pace, time);
        idle = time - 1000;
        g_assert_cmpuint(rest, <=, MAX(idle / 8, PACE_MIN_REST));
        g_assert_cmpuint(rest, <=, PACE_MAX_REST);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pace/share", test_share);
    g_test_add_func("/pace/idle", test_idle);
    g_test_add_func("/pace/short", test_rests_are_short_after_news);
    return g_test_run();
}

/* SPDX-License-Identifier: MIT */
/* What is not NvSciIpc in the guide's programs. */
#include "guide.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct guide guide = { .frames = 1000 };

_Noreturn static void usage(FILE *out, const char *program, const char *what)
{
    fprintf(out, "usage: %s [--frames N] [--write NAME]... [--read NAME]...\n"
            "\n%s.\n", program, what);
    exit(out == stdout ? 0 : 2);
}

static void add(const char **names, unsigned *nr, const char *name,
                const char *program, const char *what)
{
    if (*nr == GUIDE_MAX) {
        usage(stderr, program, what);
    }
    names[(*nr)++] = name;
}

void guide_parse(int argc, char **argv, const char *what)
{
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout, argv[0], what);
        } else if (i + 1 == argc) {
            usage(stderr, argv[0], what);
        } else if (strcmp(argv[i], "--frames") == 0) {
            guide.frames = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--write") == 0) {
            add(guide.write, &guide.nr_write, argv[i + 1], argv[0], what);
        } else if (strcmp(argv[i], "--read") == 0) {
            add(guide.read, &guide.nr_read, argv[i + 1], argv[0], what);
        } else {
            usage(stderr, argv[0], what);
        }
    }
    /* They wait without end; SIGALRM ends what hangs. */
    alarm(300);
}

void guide_run(void *(*writer)(void *), void *(*reader)(void *))
{
    pthread_t threads[2];
    unsigned nr = 0;

    if (guide.nr_write > 0 &&
        pthread_create(&threads[nr++], NULL, writer, NULL) != 0) {
        guide_fail("pthread_create", NvSciError_Unknown);
    }
    if (guide.nr_read > 0 &&
        pthread_create(&threads[nr++], NULL, reader, NULL) != 0) {
        guide_fail("pthread_create", NvSciError_Unknown);
    }
    while (nr > 0) {
        pthread_join(threads[--nr], NULL);
    }
}

void guide_fill(void *buf, uint32_t size, uint32_t number)
{
    memset(buf, (int)(number % 251), size);
    memcpy(buf, &number, sizeof(number));
}

void guide_verify(const void *buf, uint32_t size, uint32_t number)
{
    const unsigned char *bytes = buf;
    uint32_t found;

    memcpy(&found, buf, sizeof(found));
    if (found != number) {
        fprintf(stderr, "frame %u is there, not %u\n", found, number);
        exit(1);
    }
    for (uint32_t i = sizeof(found); i < size; i++) {
        if (bytes[i] != number % 251) {
            fprintf(stderr, "frame %u: byte %u is %u\n", number, i, bytes[i]);
            exit(1);
        }
    }
}

_Noreturn void guide_fail(const char *what, NvSciError error)
{
    fprintf(stderr, "%s: NvSciError 0x%x\n", what, (unsigned)error);
    exit(1);
}

/* SPDX-License-Identifier: MIT */
/*
 * What is not NvSciIpc in the guide's programs: the command line, threads and
 * the content of frames.
 *
 * They make the calls of the programmer's guide in the guide's order. Each
 * --write NAME is written to, each --read NAME read from, by a thread each kind.
 */
#ifndef VSOC_TEST_GUIDE_H
#define VSOC_TEST_GUIDE_H

#include <stdint.h>

#include <nvscierror.h>

#define GUIDE_MAX 2

struct guide {
    const char *write[GUIDE_MAX];
    unsigned nr_write;
    const char *read[GUIDE_MAX];
    unsigned nr_read;
    uint32_t frames;
};
extern struct guide guide;

void guide_parse(int argc, char **argv, const char *what);
/* Runs the writer and the reader, each if it has an endpoint. */
void guide_run(void *(*writer)(void *), void *(*reader)(void *));

/* The frame of this number. */
void guide_fill(void *buf, uint32_t size, uint32_t number);
void guide_verify(const void *buf, uint32_t size, uint32_t number);

_Noreturn void guide_fail(const char *what, NvSciError error);

#endif

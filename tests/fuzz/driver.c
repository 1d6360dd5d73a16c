/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without libFuzzer: over files, and over mutations of
 * them. With clang, `-fsanitize=fuzzer` takes the place of this file.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE 0x48000u
#define MAX_FILES 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[MAX_FILES];
static unsigned nr_inputs;
static uint64_t state;

static void die(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(2);
}

/* xorshift64*: the same runs for the same seed, everywhere. */
static uint32_t draw(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* In memory of exactly its size, so that ASan sees a byte read behind it. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL) {
        die("malloc");
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input *input = &inputs[nr_inputs];

    if (file == NULL || nr_inputs == MAX_FILES) {
        die(path);
    }
    input->data = malloc(MAX_SIZE);
    if (input->data == NULL) {
        die(path);
    }
    input->size = fread(input->data, 1, MAX_SIZE, file);
    fclose(file);
    nr_inputs++;
}

static void read_path(const char *path)
{
    struct stat what;
    struct dirent *entry;
    DIR *folder;

    if (stat(path, &what) != 0) {
        die(path);
    }
    if (!S_ISDIR(what.st_mode)) {
        read_file(path);
        return;
    }
    folder = opendir(path);
    if (folder == NULL) {
        die(path);
    }
    while ((entry = readdir(folder)) != NULL) {
        char below[4096];

        if (entry->d_name[0] != '.') {
            snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
            read_path(below);
        }
    }
    closedir(folder);
}

/* Up to eight small changes; returns the new size. */
static size_t mutate(uint8_t *data, size_t size)
{
    static const uint32_t interesting[] = {
        0, 1, 2, 4, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff,
    };

    for (uint32_t left = 1 + draw(8); left > 0 && size > 4; left--) {
        uint32_t at = draw((uint32_t)size - 4);
        uint32_t from = draw((uint32_t)size - 4);
        uint32_t length = 1 + draw((uint32_t)size - (at > from ? at : from));
        uint32_t word;

        switch (draw(7)) {
        case 0:
            data[at] ^= (uint8_t)(1u << draw(8));
            break;
        case 1:
            data[at] = (uint8_t)draw(256);
            break;
        case 2:     /* an aligned big-endian word, as device trees have */
            word = interesting[draw(sizeof(interesting) / 4)];
            for (int i = 0; i < 4; i++) {
                data[(at & ~3u) + i] = (uint8_t)(word >> (24 - 8 * i));
            }
            break;
        case 3:     /* a word a little larger or smaller */
            data[(at & ~3u) + 3] += (uint8_t)(draw(17) - 8);
            break;
        case 4:     /* a piece of itself over another, aligned or not */
            if (draw(2) != 0) {
                at &= ~3u;
                from &= ~3u;
            }
            memmove(data + at, data + from, length > 64 ? 64 : length);
            break;
        case 5:
            size = draw(16) != 0 ? size : at + 1;
            break;
        default:
            memset(data + at, 0, length > 16 ? 16 : length);
            break;
        }
    }
    return size;
}

static int usage(const char *program, int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "Usage: %s [-n MUTATIONS] [-s SEED] FILE-OR-FOLDER...\n"
            "Runs the fuzz target over the files, then over as many mutations "
            "of them.\n", program);
    return status;
}

int main(int argc, char **argv)
{
    static uint8_t data[MAX_SIZE];
    unsigned long mutations = 0, seed = 1;
    int option;

    while ((option = getopt(argc, argv, "hn:s:")) != -1) {
        switch (option) {
        case 'h':
            return usage(argv[0], 0);
        case 'n':
            mutations = strtoul(optarg, NULL, 0);
            break;
        case 's':
            seed = strtoul(optarg, NULL, 0);
            break;
        default:
            return usage(argv[0], 2);
        }
    }
    if (optind == argc) {
        return usage(argv[0], 2);
    }
    for (; optind < argc; optind++) {
        read_path(argv[optind]);
    }
    if (nr_inputs == 0) {
        fprintf(stderr, "%s: no input in what was given\n", argv[0]);
        return 2;
    }

    for (unsigned i = 0; i < nr_inputs; i++) {
        run(inputs[i].data, inputs[i].size);
    }
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned long i = 0; i < mutations; i++) {
        const struct input *input = &inputs[draw(nr_inputs)];

        memcpy(data, input->data, input->size);
        run(data, mutate(data, input->size));
    }
    for (unsigned i = 0; i < nr_inputs; i++) {
        free(inputs[i].data);
    }
    printf("%u inputs, %lu mutations, seed %lu\n", nr_inputs, mutations, seed);
    return 0;
}

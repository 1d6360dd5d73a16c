/* SPDX-License-Identifier: MIT */
/* Reads a file as a whole: the configuration's, and the kernel's. */
#include "ipc/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Far above any use: 500 endpoints take 30 KiB, a device tree 2 MiB at most. */
#define MAX_FILE_SIZE (16u << 20)
#define READ_SIZE (64u << 10)         /* at first */

/* The whole file, or -errno. *text is the caller's to free. */
static int read_all(int fd, char **text, size_t *size)
{
    char *buffer = NULL;
    size_t used = 0, room = 0;
    int ret = 0;

    for (;;) {
        ssize_t got;

        if (used == room) {
            size_t larger = room ? 2 * room : READ_SIZE;
            char *grown = realloc(buffer, larger);

            if (!grown) {
                ret = -ENOMEM;
                break;
            }
            buffer = grown;
            room = larger;
        }
        do {
            got = read(fd, buffer + used, room - used);
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            ret = -errno;
            break;
        }
        used += (size_t)got;
        if (got == 0) {
            *text = buffer;
            *size = used;
            return 0;
        }
        if (used > MAX_FILE_SIZE) {
            ret = -EFBIG;
            break;
        }
    }
    free(buffer);
    return ret;
}

int read_file(int folder, const char *path, char **text, size_t *size)
{
    /* Non-blocking: a FIFO by mistake must not hang Init. */
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int ret;

    if (fd < 0) {
        return -errno;
    }
    ret = read_all(fd, text, size);
    close(fd);
    return ret;
}

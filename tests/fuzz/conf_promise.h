/* SPDX-License-Identifier: MIT */
/* What each parser of the configuration promises, of whatever input. */
#ifndef VSOC_CONF_PROMISE_H
#define VSOC_CONF_PROMISE_H

#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "ivc_geometry.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool is_name(const char name[CONF_NAME_SIZE])
{
    size_t length = strnlen(name, CONF_NAME_SIZE);

    return length > 0 && length < CONF_NAME_SIZE &&
           strpbrk(name, " \t\r\n/") == NULL;
}

static bool on_entry(void *opaque, const struct conf_entry *entry)
{
    unsigned *last_line = opaque;

    require(entry->line > *last_line);
    *last_line = entry->line;
    require(is_name(entry->name[0]));
    require(entry->gid == CONF_NO_GID ||
            (entry->gid > 0 && entry->gid < UINT32_MAX));
    switch (entry->backend) {
    case CONF_INTER_THREAD:
    case CONF_INTER_PROCESS:
        require(is_name(entry->name[1]));
        require(strcmp(entry->name[0], entry->name[1]) != 0);
        require(ivc_geometry_ok(entry->nframes, entry->frame_size));
        break;
    case CONF_INTER_VM:
        require(entry->name[1][0] == '\0' && entry->id < 512);
        break;
    case CONF_INTER_CHIP:
        require(entry->name[1][0] == '\0' && entry->id < 100);
        break;
    default:
        abort();
    }
    return true;
}

static void on_fault(void *opaque, unsigned line, const char *text)
{
    unsigned *last_line = opaque;

    require(line > *last_line);
    *last_line = line;
    for (; *text != '\0'; text++) {
        require(*text >= ' ' && *text <= '~');
    }
}

#endif

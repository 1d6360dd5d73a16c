/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes pcapng blocks: type, length, body padded to 4 bytes, length again. */
#include "pcapng.h"

#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET 6u

#define MAGIC 0x1a2b3c4du

#define OPTION_END 0u
#define SHB_USERAPPL 4u
#define IF_NAME 2u
#define IF_DESCRIPTION 3u
#define IF_TSRESOL 9u
#define ISB_STARTTIME 2u
#define ISB_ENDTIME 3u
#define ISB_IFRECV 4u
#define ISB_IFDROP 5u

static uint32_t padded(size_t size)
{
    return (uint32_t)((size + 3) & ~(size_t)3);
}

static uint32_t option_size(size_t size)
{
    return 4 + padded(size);
}

static void put(FILE *file, const void *data, size_t size)
{
    fwrite(data, 1, size, file);
}

static void put16(FILE *file, uint16_t value)
{
    put(file, &value, sizeof(value));
}

static void put32(FILE *file, uint32_t value)
{
    put(file, &value, sizeof(value));
}

static void put64(FILE *file, uint64_t value)
{
    put(file, &value, sizeof(value));
}

static void put_padding(FILE *file, size_t size)
{
    static const uint8_t zeros[4];

    put(file, zeros, padded(size) - size);
}

static void put_option(FILE *file, uint16_t code, const void *value,
                       size_t size)
{
    put16(file, code);
    put16(file, (uint16_t)size);
    put(file, value, size);
    put_padding(file, size);
}

/* A time is two words, the upper one first, whatever the byte order. */
static void put_time(FILE *file, uint64_t time)
{
    put32(file, (uint32_t)(time >> 32));
    put32(file, (uint32_t)time);
}

static void put_time_option(FILE *file, uint16_t code, uint64_t time)
{
    put16(file, code);
    put16(file, 8);
    put_time(file, time);
}

static void put_count_option(FILE *file, uint16_t code, uint64_t count)
{
    put16(file, code);
    put16(file, 8);
    put64(file, count);
}

void pcapng_section(FILE *file, const char *application)
{
    size_t length = strlen(application);
    uint32_t size = 28 + option_size(length) + 4;

    put32(file, BLOCK_SECTION);
    put32(file, size);
    put32(file, MAGIC);
    put16(file, 1);                 /* version 1.0 */
    put16(file, 0);
    put64(file, UINT64_MAX);        /* length of the section: not known */
    put_option(file, SHB_USERAPPL, application, length);
    put32(file, OPTION_END);
    put32(file, size);
}

void pcapng_interface(FILE *file, uint32_t snap_length, const char *name,
                      const char *description)
{
    size_t name_length = strlen(name);
    size_t description_length = strlen(description);
    uint32_t size = 20 + option_size(name_length) +
                    option_size(description_length) + option_size(1) + 4;
    uint8_t nanoseconds = 9;        /* 10^-9 */

    put32(file, BLOCK_INTERFACE);
    put32(file, size);
    put16(file, PCAPNG_LINKTYPE_USER0);
    put16(file, 0);
    put32(file, snap_length);
    put_option(file, IF_NAME, name, name_length);
    put_option(file, IF_DESCRIPTION, description, description_length);
    put_option(file, IF_TSRESOL, &nanoseconds, 1);
    put32(file, OPTION_END);
    put32(file, size);
}

void pcapng_packet(FILE *file, uint32_t interface, uint64_t time,
                   const void *head, size_t head_size, const void *body,
                   size_t body_size, size_t dropped)
{
    size_t captured = head_size + body_size;
    uint32_t size = 32 + padded(captured);

    put32(file, BLOCK_PACKET);
    put32(file, size);
    put32(file, interface);
    put_time(file, time);
    put32(file, (uint32_t)captured);
    put32(file, (uint32_t)(captured + dropped));
    put(file, head, head_size);
    if (body_size > 0) {
        put(file, body, body_size);
    }
    put_padding(file, captured);
    put32(file, size);
}

void pcapng_statistics(FILE *file, uint32_t interface, uint64_t start,
                       uint64_t end, uint64_t received, uint64_t dropped)
{
    uint32_t size = 24 + 4 * option_size(8) + 4;

    put32(file, BLOCK_STATISTICS);
    put32(file, size);
    put32(file, interface);
    put_time(file, end);
    put_time_option(file, ISB_STARTTIME, start);
    put_time_option(file, ISB_ENDTIME, end);
    put_count_option(file, ISB_IFRECV, received);
    put_count_option(file, ISB_IFDROP, dropped);
    put32(file, OPTION_END);
    put32(file, size);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a pcapng file: as much of the format as a capture of ours needs. */
#ifndef VSOC_PCAPNG_H
#define VSOC_PCAPNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PCAPNG_LINKTYPE_USER0 147u

/*
 * All write one block in the byte order of the host, with times in
 * nanoseconds since 1970. Errors stay in the stream: ferror() tells.
 */
void pcapng_section(FILE *file, const char *application);

/* Interfaces are numbered from 0 in the order of these. */
void pcapng_interface(FILE *file, uint32_t snap_length, const char *name,
                      const char *description);

/* A packet of two parts, of which `dropped` more bytes are not there. */
void pcapng_packet(FILE *file, uint32_t interface, uint64_t time,
                   const void *head, size_t head_size, const void *body,
                   size_t body_size, size_t dropped);

void pcapng_statistics(FILE *file, uint32_t interface, uint64_t start,
                       uint64_t end, uint64_t received, uint64_t dropped);

#endif

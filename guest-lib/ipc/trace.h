/* SPDX-License-Identifier: MIT */
/*
 * The trace: a line for what happens to endpoints and is rare, in the file that
 * the environment variable NVSCIIPC_TRACE names.
 *
 * All calls but trace_init are thread-safe, may be made in the child of a fork
 * at once, leave errno alone, and do nothing without a trace. They belong on
 * branches that are not taken when a frame moves or nothing has happened:
 * "cold" tells the compiler so. docs/specs/configuration.md has the lines.
 */
#ifndef VSOC_TRACE_H
#define VSOC_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "nvscierror.h"

/*
 * Looks at the variable; callers take turns. A file that cannot be opened is
 * said on standard error, and is no failure. Lines may be written until the
 * next call: what is done after NvSciIpcDeinit is told, too.
 */
__attribute__((cold))
void trace_init(void);

/* Whether there is a trace: for who has to remember something for it. */
__attribute__((cold))
bool trace_on(void);

/*
 * Something has happened to this endpoint, or (NULL) to the library. The name
 * may have any bytes and needs no NUL if it has CONF_NAME_SIZE of them.
 */
__attribute__((cold, noinline, format(printf, 2, 3)))
void trace_event(const char *endpoint, const char *format, ...);

/* GetEvent tells ASYNC_ERROR; NV_SCI_ASYNC_*. */
__attribute__((cold, noinline))
void trace_async_error(const char *endpoint, uint32_t errors);

/*
 * A call failed. Not written if this function failed with the same error for
 * this endpoint when last it failed, and nothing happened since: who asks again
 * and again shall not fill the file.
 */
__attribute__((cold, noinline))
void trace_failure(const char *endpoint, const char *what, NvSciError error);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The only loads, stores and fences on a channel's shared words.
 *
 * A word is written by one end and may change at any moment, to anything:
 * who loads it loads it once, into a local, and checks and uses the local.
 */
#ifndef VSOC_IVC_SHARED_H
#define VSOC_IVC_SHARED_H

#include <stdint.h>

/* The wire is little-endian. */
static inline uint32_t ivc_le32(uint32_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return value;
#else
    return __builtin_bswap32(value);
#endif
}

/*
 * Acquire: the word before what it announces, because the peer publishes in
 * the opposite order (frames before the count, counts before the state).
 */
static inline uint32_t ivc_load(const uint32_t *word)
{
    return ivc_le32(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

/* Release: what the word announces before the word. */
static inline void ivc_publish(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, ivc_le32(value), __ATOMIC_RELEASE);
}

/*
 * What we published before what we load next, because the peer, who does the
 * same the other way round, then cannot miss our store while we miss his.
 * A fence and not a pair of sequentially consistent accesses: QEMU's TCG puts
 * no barrier between an aarch64 store-release and a load-acquire behind it.
 *
 * GCC warns that ThreadSanitizer does not model fences. No other access relies
 * on this one for its ordering, so the sanitizer misses nothing.
 */
static inline void ivc_fence(void)
{
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A channel's memory and message queues, and which ends this process has open.
 *
 * A peer may rewrite the status words at any time, resize nothing, and take
 * O_NONBLOCK from the queues' descriptions, which both processes share.
 */
#include "backend/posix_shm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ivc_geometry.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u     /* Linux 6.3 */
#endif

/* Channels that one memory object holds in its life. */
#define MEMORY_CHANNELS 128

/* A status word. */
#define STATUS_GONE 1u
#define STATUS_DEPARTURE 2u         /* one of the number, in bits 24..1 */
#define STATUS_GENERATION 0xffffffu
#define STATUS_STRIDE 64
/* Against a peer that keeps rewriting the word. */
#define STATUS_TRIES 8

struct memory {
    struct memory *next;
    int fd;
    dev_t dev;
    ino_t ino;
    unsigned refs;              /* ends */
    /* If this process made it: */
    bool ours;
    int64_t gid;
    bool thread;                /* for ends of this process only */
    unsigned nr_channels;
    uint64_t used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static struct shm_end *ends;
static struct memory *memories;
static void (*fork_child)(void);

void shm_lock(void)
{
    pthread_mutex_lock(&lock);
}

void shm_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void shm_opening_lock(void)
{
    pthread_mutex_lock(&opening);
}

void shm_opening_unlock(void)
{
    pthread_mutex_unlock(&opening);
}

void shm_at_fork(void (*child)(void))
{
    fork_child = child;
}

static void close_queues(struct shm_channel *channel)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        if (channel->mq[i] >= 0) {
            mq_close(channel->mq[i]);
            channel->mq[i] = -1;
        }
    }
}

static void before_fork(void)
{
    shm_opening_lock();
    shm_lock();
}

static void after_fork_in_parent(void)
{
    shm_unlock();
    shm_opening_unlock();
}

/*
 * Nothing of the parent's may be kept alive by us. The ends themselves are
 * freed when the child abandons them.
 */
static void after_fork_in_child(void)
{
    while (ends) {
        struct shm_end *end = ends;

        ends = end->next;
        close_queues(&end->channel);
        end->inherited = true;
    }
    while (memories) {
        struct memory *memory = memories;

        memories = memory->next;
        close(memory->fd);
        free(memory);
    }
    if (fork_child) {
        fork_child();
    }
    shm_unlock();
    shm_opening_unlock();
}

/*
 * At load: handlers that are registered later, as those of the handles are,
 * run before ours in the parent. So whoever holds their locks may take ours.
 */
__attribute__((constructor))
static void watch_forks(void)
{
    if (pthread_atfork(before_fork, after_fork_in_parent,
                       after_fork_in_child) != 0) {
        fprintf(stderr, "nvsciipc: no memory to watch forks; a child would "
                "keep its parent's endpoints\n");
    }
}

/* Says what to raise. Returns -errno, as shm_failure has it. */
static int explain(int error, const char *what, bool queue)
{
    struct rlimit limit = { 0 };
    int spare;

    switch (error) {
    case EMFILE:
        /* For a queue this is said of two limits. */
        spare = queue ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
        if (spare >= 0) {
            close(spare);
            getrlimit(RLIMIT_MSGQUEUE, &limit);
            fprintf(stderr, "nvsciipc: %s: this user's message queues take "
                    "more than RLIMIT_MSGQUEUE, %llu bytes; raise it: "
                    "ulimit -q, or msgqueue in /etc/security/limits.conf\n",
                    what, (unsigned long long)limit.rlim_cur);
        } else {
            getrlimit(RLIMIT_NOFILE, &limit);
            fprintf(stderr, "nvsciipc: %s: this process has RLIMIT_NOFILE, "
                    "%llu, descriptors open, and an endpoint takes two; raise "
                    "it: ulimit -n, or nofile in /etc/security/limits.conf\n",
                    what, (unsigned long long)limit.rlim_cur);
        }
        break;
    case ENFILE:
        fprintf(stderr, "nvsciipc: %s: the system has fs.file-max files "
                "open; raise it: sysctl -w fs.file-max=N\n", what);
        break;
    case ENOSPC:
        fprintf(stderr, "nvsciipc: %s: the system has as many of them as "
                "fs.mqueue.queues_max says, 256 by default; a channel takes "
                "two: sysctl -w fs.mqueue.queues_max=1024\n", what);
        break;
    case ENOSYS:
        fprintf(stderr, "nvsciipc: %s: this kernel has no POSIX message "
                "queues; it needs CONFIG_POSIX_MQUEUE\n", what);
        break;
    default:
        fprintf(stderr, "nvsciipc: %s: %s\n", what, strerror(error));
        break;
    }
    return error == ENOSPC ? -EUSERS : -error;
}

int shm_failure(int error, const char *what)
{
    return explain(error, what, false);
}

/* FNV-1a. */
static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u;
    size_t i;

    for (i = 0; i < length; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
    }
    return (hash ^ hash >> 60) & ((UINT64_C(1) << 60) - 1);
}

bool shm_may_use(const struct conf_entry *entry)
{
    return entry->gid == CONF_NO_GID || geteuid() == 0 ||
           group_member((gid_t)entry->gid);
}

/* Its length, or 0: too long. */
static size_t make_key(char key[SHM_KEY_SIZE], const struct conf_entry *entry)
{
    const char *domain = entry->gid == CONF_NO_GID ? "uid" : "gid";
    long long id = entry->gid == CONF_NO_GID ? (long long)geteuid() :
                                               (long long)entry->gid;
    /* No name has a control character: no two keys read the same. */
    int length = snprintf(key, SHM_KEY_SIZE, "%s %s %lld\n%s\n%s\n%s",
                          entry->backend == CONF_INTER_THREAD ? "thread" :
                          "process", domain, id, entry->name[0],
                          entry->name[1], entry->origin ? entry->origin : "");

    return length > 0 && length < SHM_KEY_SIZE ? (size_t)length : 0;
}

struct shm_end *shm_end_new(const struct conf_entry *entry, unsigned number)
{
    char key[SHM_KEY_SIZE];
    size_t length = make_key(key, entry);
    struct shm_end *end = length ? calloc(1, sizeof(*end) + length) : NULL;

    if (!end) {
        return NULL;
    }
    memcpy(end->key, key, length);
    end->key_length = length;
    end->hash = hash_of(key, length);
    end->number = number;
    end->gid = entry->gid;
    end->nframes = entry->nframes;
    end->frame_size = entry->frame_size;
    end->channel.mq[0] = -1;
    end->channel.mq[1] = -1;
    return end;
}

struct shm_end *shm_find(const struct shm_end *like, unsigned number)
{
    struct shm_end *end;

    for (end = ends; end; end = end->next) {
        if (end->number == number && end->hash == like->hash &&
            end->key_length == like->key_length &&
            memcmp(end->key, like->key, like->key_length) == 0) {
            return end;
        }
    }
    return NULL;
}

struct shm_end *shm_next(struct shm_end *end)
{
    return end ? end->next : ends;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* The status page and two directions, whole pages; 0 if that is too much. */
static size_t channel_size(const struct shm_end *end)
{
    uint64_t page = page_size();
    uint64_t size = page + 2 * (uint64_t)ivc_direction_size(end->nframes,
                                                            end->frame_size);

    size = (size + page - 1) / page * page;
    return size <= SIZE_MAX / 2 ? (size_t)size : 0;
}

/* Memory */

static void memory_put(struct memory *memory)
{
    struct memory **link = &memories;

    if (--memory->refs != 0) {
        return;
    }
    while (*link != memory) {
        link = &(*link)->next;
    }
    *link = memory->next;
    close(memory->fd);
    free(memory);
}

/* Takes fd; one more reference. NULL: no memory, or fd is nothing. */
static struct memory *memory_adopt(int fd)
{
    struct memory *memory;
    struct stat status;

    if (fstat(fd, &status) < 0) {
        close(fd);
        return NULL;
    }
    for (memory = memories; memory; memory = memory->next) {
        if (memory->dev == status.st_dev && memory->ino == status.st_ino) {
            close(fd);
            memory->refs++;
            return memory;
        }
    }
    memory = calloc(1, sizeof(*memory));
    if (!memory) {
        close(fd);
        return NULL;
    }
    *memory = (struct memory) {
        .next = memories, .fd = fd, .refs = 1,
        .dev = status.st_dev, .ino = status.st_ino,
    };
    memories = memory;
    return memory;
}

/* Old kernels refuse the flag, new ones want it. */
static int nameless_memory(void)
{
    int fd = memfd_create("nvsciipc", MFD_CLOEXEC | MFD_ALLOW_SEALING |
                          MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("nvsciipc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }
    return fd;
}

static int own_memory(struct memory **memory, const struct shm_end *end)
{
    bool thread = end->domain == NULL;
    struct memory *m;
    int fd;

    for (m = memories; m; m = m->next) {
        if (m->ours && m->gid == end->gid && m->thread == thread &&
            m->nr_channels < MEMORY_CHANNELS) {
            m->refs++;
            *memory = m;
            return 0;
        }
    }
    fd = nameless_memory();
    if (fd < 0) {
        return shm_failure(errno, "no shared memory");
    }
    /* F_SEAL_SEAL: or a peer could forbid our successor to write. */
    if (fchmod(fd, end->gid == CONF_NO_GID ? 0600 : 0660) < 0 ||
        (end->gid != CONF_NO_GID &&
         fchown(fd, (uid_t)-1, (gid_t)end->gid) < 0) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        int error = errno;

        close(fd);
        return shm_failure(error, "no shared memory");
    }
    m = memory_adopt(fd);
    if (!m) {
        return -ENOMEM;
    }
    m->ours = true;
    m->gid = end->gid;
    m->thread = thread;
    *memory = m;
    return 0;
}

/* The channel's memory is known. */
static int map(struct shm_end *end)
{
    const struct memory *memory = end->channel.memory;
    void *mapped = mmap(NULL, end->map_size, PROT_READ | PROT_WRITE,
                        MAP_SHARED, memory->fd, (off_t)end->channel.offset);

    if (mapped == MAP_FAILED) {
        return shm_failure(errno, "a channel's memory cannot be mapped");
    }
    end->map = mapped;
    /* A child must not keep it from being freed. */
    (void)madvise(mapped, end->map_size, MADV_DONTFORK);
    return 0;
}

/* Status words */

static uint32_t *status_word(const struct shm_end *end, unsigned number)
{
    return (uint32_t *)(void *)(end->map + number * STATUS_STRIDE);
}

static bool is_gone(const struct shm_end *end, unsigned number)
{
    return (__atomic_load_n(status_word(end, number), __ATOMIC_ACQUIRE) &
            STATUS_GONE) != 0;
}

static void mark_open(struct shm_end *end, unsigned number)
{
    __atomic_fetch_and(status_word(end, number), ~STATUS_GONE,
                       __ATOMIC_ACQ_REL);
}

/*
 * Release: whoever sees that the end is gone sees all that it sent. Of an end
 * and a survivor that notices only one counts the departure.
 */
static void mark_gone(struct shm_end *end, unsigned number)
{
    uint32_t *word = status_word(end, number);
    uint32_t status = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    unsigned i;

    for (i = 0; i < STATUS_TRIES && (status & STATUS_GONE) == 0; i++) {
        if (__atomic_compare_exchange_n(word, &status,
                                        (status + STATUS_DEPARTURE) |
                                        STATUS_GONE, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return;
        }
    }
}

/* Message queues */

/* A timeout that is over: see the head of the file. */
static const struct timespec never_wait;

static void ring_queue(int mq)
{
    /* EAGAIN or ETIMEDOUT, full: told already. */
    while (mq_timedsend(mq, "", 0, 0, &never_wait) < 0 && errno == EINTR) {
    }
}

static bool drain_queue(int mq)
{
    char byte;
    ssize_t got;

    do {
        got = mq_timedreceive(mq, &byte, sizeof(byte), NULL, &never_wait);
    } while (got < 0 && errno == EINTR);
    return got >= 0;
}

static bool queue_is_sound(int mq)
{
    struct mq_attr attr;

    return mq >= 0 && mq_getattr(mq, &attr) == 0 && attr.mq_maxmsg == 1 &&
           attr.mq_msgsize == 1;
}

/*
 * The name is one that a predecessor, killed just here, may have left; the
 * claim to the channel says that nobody is just here now. If it is a
 * stranger's, another one.
 */
static int open_queue(const struct shm_end *end, unsigned number)
{
    struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 1 };
    mode_t mode = end->gid == CONF_NO_GID ? 0600 : 0660;
    char name[64];
    int length, mq;

    length = snprintf(name, sizeof(name), "/nvsciipc-%u-%016llx-%u",
                      end->domain ? (unsigned)geteuid() : (unsigned)getpid(),
                      (unsigned long long)end->hash, number);
    (void)mq_unlink(name);
    mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC,
                 mode, &attr);
    if (mq < 0 && errno == EEXIST) {
        uint64_t random = 0;

        if (getrandom(&random, sizeof(random), 0) < 0) {
            return -errno;
        }
        snprintf(name + length, sizeof(name) - (size_t)length, "-%016llx",
                 (unsigned long long)random);
        mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC,
                     mode, &attr);
    }
    if (mq < 0) {
        return explain(errno, "no message queue", true);
    }
    (void)mq_unlink(name);
    if (end->gid != CONF_NO_GID &&
        (fchown(mq, (uid_t)-1, (gid_t)end->gid) < 0 || fchmod(mq, mode) < 0)) {
        int error = errno;

        mq_close(mq);
        return shm_failure(error, "a message queue cannot be given to the group");
    }
    return mq;
}

/* Channels */

static int allocate(struct shm_end *end)
{
    struct memory *memory = NULL;
    int ret = own_memory(&memory, end);

    if (ret < 0) {
        return ret;
    }
    end->channel.memory = memory;
    end->channel.offset = memory->used;
    /* All of it, now: what is missing later would be a SIGBUS. */
    do {
        ret = posix_fallocate(memory->fd, (off_t)memory->used,
                              (off_t)end->map_size);
    } while (ret == EINTR);
    if (ret != 0) {
        fprintf(stderr, "nvsciipc: no shared memory for %zu bytes: %s\n",
                end->map_size, strerror(ret));
        return -ENOMEM;
    }
    memory->used += end->map_size;
    memory->nr_channels++;
    return 0;
}

int shm_create(struct shm_end *end)
{
    unsigned i;
    int ret;

    end->map_size = channel_size(end);
    if (end->map_size == 0) {
        return -ENOMEM;
    }
    ret = allocate(end);
    for (i = 0; i < 2 && ret == 0; i++) {
        end->channel.mq[i] = open_queue(end, i);
        if (end->channel.mq[i] < 0) {
            ret = end->channel.mq[i];
            end->channel.mq[i] = -1;
        }
    }
    return ret == 0 ? map(end) : ret;
}

int shm_join_local(struct shm_end *end, struct shm_end *far)
{
    int fd[3];
    unsigned i;
    int ret;

    if (far->nframes != end->nframes || far->frame_size != end->frame_size) {
        return -EPROTO;     /* the configuration was changed and read again */
    }
    fd[0] = far->channel.memory->fd;
    fd[1] = far->channel.mq[0];
    fd[2] = far->channel.mq[1];
    for (i = 0; i < 3; i++) {
        fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 0);
        if (fd[i] < 0) {
            int error = errno;

            while (i-- > 0) {
                close(fd[i]);
            }
            return shm_failure(error, "no second end");
        }
    }
    ret = shm_join(end, fd[0], far->channel.offset, fd[1], fd[2]);
    if (ret == 0) {
        end->met = true;
        shm_far_opened(far);
    }
    return ret;
}

static bool memory_is_sound(int fd, uint64_t offset, size_t size)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 &&
           fstat(fd, &status) == 0 && offset % page_size() == 0 &&
           offset <= (uint64_t)status.st_size &&
           size <= (uint64_t)status.st_size - offset;
}

int shm_join(struct shm_end *end, int memory, uint64_t offset, int mq0,
             int mq1)
{
    int ret = -EPROTO;

    end->channel.mq[0] = mq0;
    end->channel.mq[1] = mq1;
    end->map_size = channel_size(end);
    if (end->map_size == 0 || !queue_is_sound(mq0) || !queue_is_sound(mq1) ||
        !memory_is_sound(memory, offset, end->map_size)) {
        close(memory);
    } else {
        end->channel.memory = memory_adopt(memory);
        end->channel.offset = offset;
        ret = end->channel.memory ? map(end) : -ENOMEM;
    }
    return ret;
}

int shm_memory_fd(const struct shm_end *end)
{
    return end->channel.memory->fd;
}

void shm_far_departed(struct shm_end *end)
{
    if (!end->met) {
        return;
    }
    mark_gone(end, !end->number);
    ring_queue(end->channel.mq[end->number]);
}

void shm_far_opened(struct shm_end *end)
{
    /* Who asks owns it: the one before is gone, if that was not seen yet. */
    if (end->met && !is_gone(end, !end->number)) {
        shm_far_departed(end);
    }
    end->met = true;
    mark_open(end, !end->number);
}

void shm_publish(struct shm_end *end, struct link *link,
                 const struct backend *backend)
{
    uint32_t direction = ivc_direction_size(end->nframes, end->frame_size);
    char *first = end->map + page_size();

    end->next = ends;
    ends = end;
    *link = (struct link) {
        .backend = backend,
        .rx = end->number == 0 ? first : first + direction,
        .tx = end->number == 0 ? first + direction : first,
        .nframes = end->nframes,
        .frame_size = end->frame_size,
        .event_fd = end->channel.mq[end->number],
        .priv = end,
    };
}

void shm_withdraw(struct shm_end *end)
{
    struct shm_end **link = &ends;

    while (*link != end) {
        link = &(*link)->next;
    }
    *link = end->next;
    mark_gone(end, end->number);
    ring_queue(end->channel.mq[!end->number]);
    /* The last one out. Who opens now makes another channel. */
    if (!end->met || is_gone(end, !end->number)) {
        (void)madvise(end->map, end->map_size, MADV_REMOVE);
    }
}

void shm_leave(struct shm_end *end)
{
    if (end->map) {
        munmap(end->map, end->map_size);
        end->map = NULL;
    }
    close_queues(&end->channel);
    if (end->channel.memory) {
        memory_put(end->channel.memory);
        end->channel.memory = NULL;
    }
    end->met = false;
}

void shm_end_free(struct shm_end *end)
{
    free(end);
}

/* The backends' functions */

void shm_notify(struct link *link)
{
    struct shm_end *end = link->priv;

    /* The kernel's lock orders stores to the channel before the message. */
    ring_queue(end->channel.mq[!end->number]);
}

bool shm_ack(struct link *link)
{
    return drain_queue(link->event_fd);
}

void shm_wake(struct link *link)
{
    ring_queue(link->event_fd);
}

struct far_status shm_far_status(struct link *link)
{
    const struct shm_end *end = link->priv;
    uint32_t status = __atomic_load_n(status_word(end, !end->number),
                                      __ATOMIC_ACQUIRE);

    return (struct far_status) {
        .gone = (status & STATUS_GONE) != 0,
        .generation = status / STATUS_DEPARTURE & STATUS_GENERATION,
    };
}

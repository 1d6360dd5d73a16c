/* SPDX-License-Identifier: MIT */
/* Who owns an end: record locks in a shared file. */
#include "backend/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"

#define MAX_PATH 64
/* For who made the file, and has not yet given it to the group. */
#define NR_TRIES 50
#define TRY_NS 10000000

struct domain {
    struct domain *next;
    int64_t gid;
    uid_t uid;
    int fd;
    unsigned refs;
};

static struct domain *domains;

/* One answer for all users: a place that only some can write to is none. */
static const char *folder(void)
{
    struct stat status;

    if (stat("/run/lock", &status) == 0 && S_ISDIR(status.st_mode) &&
        (status.st_mode & 01777) == 01777) {
        return "/run/lock";
    }
    return "/tmp";
}

/* -ENOENT, or -errno of something that waiting does not help. */
static int open_existing(const char *path)
{
    /* Without O_CREAT: fs.protected_regular forbids it for others' files. */
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

static int create(const char *path, int64_t gid)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  0600);

    if (fd < 0) {
        return errno == EEXIST ? -EAGAIN : -errno;
    }
    /* The group before the mode: nobody else's group gets in meanwhile. */
    if (gid != CONF_NO_GID && (fchown(fd, (uid_t)-1, (gid_t)gid) < 0 ||
                               fchmod(fd, 0660) < 0)) {
        int ret = -errno;

        unlink(path);
        close(fd);
        return ret;
    }
    return fd;
}

/* Only a member can have made a file the group's. */
static bool is_sound(int fd, int64_t gid)
{
    struct stat status;

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    if (gid == CONF_NO_GID) {
        return status.st_uid == geteuid() && (status.st_mode & 0077) == 0;
    }
    if (status.st_gid != (gid_t)gid && status.st_uid == geteuid() &&
        (status.st_mode & 0077) == 0) {
        /* We died between making it and giving it to the group. */
        return fchown(fd, (uid_t)-1, (gid_t)gid) == 0 &&
               fchmod(fd, 0660) == 0;
    }
    return status.st_gid == (gid_t)gid && (status.st_mode & 0007) == 0;
}

static int open_file(const char *path, int64_t gid)
{
    const struct timespec pause = { .tv_nsec = TRY_NS };
    int fd = -EAGAIN;
    unsigned i;

    for (i = 0; i < NR_TRIES; i++) {
        fd = open_existing(path);
        if (fd == -ENOENT) {
            fd = create(path, gid);
        }
        if (fd >= 0 && is_sound(fd, gid)) {
            return fd;
        }
        if (fd >= 0) {
            close(fd);
            fd = -EPERM;
        } else if (fd != -EAGAIN && fd != -EACCES) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    return fd;
}

int domain_get(struct domain **domain, int64_t gid)
{
    char path[MAX_PATH];
    struct domain *d;
    struct stat status;

    for (d = domains; d; d = d->next) {
        if (d->gid == gid && (gid != CONF_NO_GID || d->uid == geteuid())) {
            break;
        }
    }
    snprintf(path, sizeof(path), "%s/nvsciipc-%s-%lu", folder(),
             gid == CONF_NO_GID ? "uid" : "gid",
             gid == CONF_NO_GID ? (unsigned long)geteuid() :
                                  (unsigned long)gid);
    if (d) {
        if (fstat(d->fd, &status) < 0 || status.st_nlink == 0) {
            fprintf(stderr, "nvsciipc: %s was removed while in use; processes "
                    "that use NvSciIpc have to be restarted\n", path);
            return -EIO;
        }
        d->refs++;
        *domain = d;
        return 0;
    }
    d = calloc(1, sizeof(*d));
    if (!d) {
        return -ENOMEM;
    }
    *d = (struct domain) { .gid = gid, .uid = geteuid(), .refs = 1 };
    d->fd = open_file(path, gid);
    if (d->fd < 0) {
        int ret = d->fd;

        fprintf(stderr, "nvsciipc: %s: %s; locks are kept there%s\n", path,
                strerror(-ret), ret == -EPERM ? ", and it is not ours: if "
                "nobody uses it, remove it" : "");
        free(d);
        return ret;
    }
    d->next = domains;
    domains = d;
    *domain = d;
    return 0;
}

void domain_put(struct domain *domain)
{
    struct domain **link = &domains;

    if (--domain->refs != 0) {
        return;
    }
    while (*link != domain) {
        link = &(*link)->next;
    }
    *link = domain->next;
    close(domain->fd);
    free(domain);
}

void domain_abandon_all(void)
{
    while (domains) {
        struct domain *domain = domains;

        domains = domain->next;
        close(domain->fd);
        free(domain);
    }
}

int domain_publish(struct domain *domain,
                   const uint8_t address[CLAIM_ADDRESS_SIZE])
{
    ssize_t written = pwrite(domain->fd, address, CLAIM_ADDRESS_SIZE,
                             (off_t)getpid() * CLAIM_ADDRESS_SIZE);

    if (written == CLAIM_ADDRESS_SIZE) {
        return 0;
    }
    return written < 0 ? -errno : -EIO;
}

int domain_look_up(struct domain *domain, pid_t pid,
                   uint8_t address[CLAIM_ADDRESS_SIZE])
{
    ssize_t got = pread(domain->fd, address, CLAIM_ADDRESS_SIZE,
                        (off_t)pid * CLAIM_ADDRESS_SIZE);

    return got == CLAIM_ADDRESS_SIZE ? 0 : -EAGAIN;
}

static struct flock byte_of(uint64_t hash, enum claim_what what, short type)
{
    return (struct flock) {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = (off_t)(hash * 4 + what),
        .l_len = 1,
    };
}

int claim_take(struct domain *domain, uint64_t hash, enum claim_what what)
{
    struct flock byte = byte_of(hash, what, F_WRLCK);

    if (fcntl(domain->fd, F_SETLK, &byte) == 0) {
        return 0;
    }
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

void claim_drop(struct domain *domain, uint64_t hash, enum claim_what what)
{
    struct flock byte = byte_of(hash, what, F_UNLCK);

    (void)fcntl(domain->fd, F_SETLK, &byte);
}

pid_t claim_holder(struct domain *domain, uint64_t hash, enum claim_what what)
{
    struct flock byte = byte_of(hash, what, F_WRLCK);

    if (fcntl(domain->fd, F_GETLK, &byte) < 0) {
        return -errno;
    }
    if (byte.l_type == F_UNLCK) {
        return 0;
    }
    /* 0: of another pid name space. */
    return byte.l_pid > 0 ? byte.l_pid : -ESRCH;
}

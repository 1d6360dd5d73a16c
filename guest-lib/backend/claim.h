/* SPDX-License-Identifier: MIT */
/*
 * Who owns an end: record locks in a file that a user's, or a group's,
 * processes share. docs/specs/intra-vm.md, "Owning an end".
 *
 * The kernel drops the locks of a process that dies. They exclude processes,
 * not threads: the caller serialises.
 */
#ifndef VSOC_CLAIM_H
#define VSOC_CLAIM_H

#include <stdint.h>
#include <sys/types.h>

#define CLAIM_ADDRESS_SIZE 16

/* Which byte of a channel. */
enum claim_what {
    CLAIM_SET_UP,
    CLAIM_END_0,
    CLAIM_END_1,
};

struct domain;

/* For CONF_NO_GID the effective user's. Said on standard error if refused. */
int domain_get(struct domain **domain, int64_t gid);
/* The last one drops all locks of this process there. */
void domain_put(struct domain *domain);
/* In the child of a fork: gives back what was inherited. */
void domain_abandon_all(void);

/* Of this process, and of others. The latter is not to be believed yet. */
int domain_publish(struct domain *domain,
                   const uint8_t address[CLAIM_ADDRESS_SIZE]);
int domain_look_up(struct domain *domain, pid_t pid,
                   uint8_t address[CLAIM_ADDRESS_SIZE]);

/* -EBUSY: another process has it. hash: 60 bits. */
int claim_take(struct domain *domain, uint64_t hash, enum claim_what what);
void claim_drop(struct domain *domain, uint64_t hash, enum claim_what what);
/* The process that has it, 0 for none or this one, or -errno. */
pid_t claim_holder(struct domain *domain, uint64_t hash, enum claim_what what);

#endif

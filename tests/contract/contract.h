/* SPDX-License-Identifier: MIT */
/*
 * What the contract tests share: checks, cases, and the far end of a channel.
 *
 * A program sees installed headers only and runs over any backend. Its cases
 * are played from the near end; what the far end has to do is asked of it by
 * far_end(), and is done in this thread or, over a channel of its own (the
 * control channel), by another process or guest.
 */
#ifndef VSOC_TEST_CONTRACT_H
#define VSOC_TEST_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nvsciipc.h>

#define READ NV_SCI_IPC_EVENT_READ
#define WRITE NV_SCI_IPC_EVENT_WRITE
#define EMPTY NV_SCI_IPC_EVENT_WRITE_EMPTY
#define EST NV_SCI_IPC_EVENT_CONN_EST
#define RESET NV_SCI_IPC_EVENT_CONN_RESET

/* For what is not promised by when; TCG on a busy machine is slow. */
#define PATIENCE_MS 20000
/* How long nothing has to come for us to believe that nothing will. */
#define QUIET_MS contract.quiet_ms

enum role {
    ROLE_BOTH,          /* both ends here */
    ROLE_NEAR,
    ROLE_FAR,
};

/* The command line. */
struct contract {
    enum role role;
    const char *near_name;
    const char *far_name;
    const char *control_near;
    const char *control_far;
    unsigned rounds;
    int quiet_ms;
    bool chips;         /* the ends are on two chips */
};
extern struct contract contract;

/* A program's own word of --help is what. */
void contract_parse(int argc, char **argv, const char *what);

#define check(condition) \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
#define check_equal(value, expected) \
    check_values(__FILE__, __LINE__, #value, (uint64_t)(value), \
                 (uint64_t)(expected))
#define check_ok(call) check_equal(call, NvSciError_Success)
#define check_error(call, name) check_equal(call, NvSciError_##name)

_Noreturn void check_failed(const char *file, int line, const char *what);
void check_values(const char *file, int line, const char *what,
                  uint64_t value, uint64_t expected);

struct contract_case {
    const char *name;
    void (*run)(void);
};

/* Runs them and says so in TAP; one that fails ends the program. */
int contract_run(const struct contract_case *cases, size_t nr);

int64_t now_us(void);
/* How many descriptors this process has, and the lowest number that is free. */
unsigned nr_descriptors(void);
unsigned free_descriptor(void);
/* Descriptors of this number and above cannot be had, until it is 0. */
void limit_descriptors(unsigned first);
/* Whether the descriptor becomes readable within so long. */
bool readable(int32_t fd, int ms);

enum far_call {
    FAR_OPEN,
    FAR_CLOSE,          /* argument: clear */
    FAR_RESET,
    FAR_GET_EVENT,      /* value: the events */
    FAR_WRITE,          /* argument: the frame's first word */
    FAR_FILL,           /* a whole frame in place; argument: each byte */
    FAR_READ,           /* value: so too */
    FAR_NOTIFICATION,   /* argument: on or off */
    FAR_READABLE,       /* argument: for how many ms; value: whether */
    FAR_ECHO,           /* argument: how many frames to send back */
    FAR_END,            /* no more calls */
};

struct far_answer {
    uint32_t error;
    uint32_t value;
};

struct far_answer far_end(enum far_call call, uint32_t argument);
/* The same, must succeed: the value. */
uint32_t far_ok(enum far_call call, uint32_t argument);

/* The other process or guest is there from here on; Init was called. */
void far_begin(void);
/* Its end is closed, and it is gone. Before Deinit. */
void far_finish(void);
/* The far end's whole life. */
int far_serve(void);

/*
 * Frames between chips are carried: what one end has written is at the other
 * one soon, elsewhere at once. These two wait for a frame to be there, if it
 * is carried.
 */
void frame_here(NvSciIpcEndpoint near_end);
void frame_there(void);

/* Waits until both ends had CONN_EST, and no notification is under way. */
void meet(NvSciIpcEndpoint near_end);
/* Until GetEvent here reports one of these events: all it reported. */
uint32_t wait_events(NvSciIpcEndpoint near_end, uint32_t mask);
/* Nothing is left that would make a descriptor readable. */
void settle(NvSciIpcEndpoint near_end);

#endif

/* SPDX-License-Identifier: MIT */
/* The single table of what goes wrong: -errno, NvSciError, and its name. */
#include "ipc/errmap.h"

#include <errno.h>
#include <stddef.h>

#define NAMED(error) NvSciError_##error, #error
#define NO_ERRNO 1              /* positive, so no -errno */

/* Success first: it is looked for most. */
static const struct {
    int error;
    NvSciError value;
    const char *name;
} errors[] = {
    { 0, NAMED(Success) },
    { -EAGAIN, NAMED(InsufficientMemory) },         /* queue empty, or full */
    { -ECONNRESET, NAMED(ConnectionReset) },
    { -EINVAL, NAMED(BadParameter) },
    { -ENOENT, NAMED(NoSuchEntry) },
    { -EBUSY, NAMED(Busy) },
    { -EACCES, NAMED(NotPermitted) },
    { -EPERM, NAMED(NotPermitted) },
    { -EOPNOTSUPP, NAMED(NotSupported) },
    { -ENOMEM, NAMED(InsufficientMemory) },
    { -EUSERS, NAMED(InsufficientResource) },       /* endpoints */
    { -EMFILE, NAMED(TooManyOpenFiles) },
    { -ENFILE, NAMED(FileTableOverflow) },
    { -EPROTO, NAMED(InconsistentData) },
    { -EFBIG, NAMED(FileTooBig) },
    { -EISDIR, NAMED(IsDirectory) },
    { -EIO, NAMED(IO) },
    /* What the exported functions find themselves. */
    { NO_ERRNO, NAMED(InvalidState) },
    { NO_ERRNO, NAMED(NotInitialized) },
    { NO_ERRNO, NAMED(Unknown) },
};

#define NR_ERRORS (sizeof(errors) / sizeof(errors[0]))

NvSciError errmap(int error)
{
    for (size_t i = 0; i < NR_ERRORS; i++) {
        if (errors[i].error == error) {
            return errors[i].value;
        }
    }
    return NvSciError_Unknown;
}

const char *errmap_name(NvSciError error)
{
    for (size_t i = 0; i < NR_ERRORS; i++) {
        if (errors[i].value == error) {
            return errors[i].name;
        }
    }
    return NULL;
}

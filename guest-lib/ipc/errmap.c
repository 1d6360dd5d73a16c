/* SPDX-License-Identifier: MIT */
/* The single table from -errno to NvSciError. */
#include "ipc/errmap.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    int error;
    NvSciError name;
} names[] = {
    { 0, NvSciError_Success },
    { -EAGAIN, NvSciError_InsufficientMemory },     /* queue empty, or full */
    { -ECONNRESET, NvSciError_ConnectionReset },
    { -EINVAL, NvSciError_BadParameter },
    { -ENOENT, NvSciError_NoSuchEntry },
    { -EBUSY, NvSciError_Busy },
    { -EACCES, NvSciError_NotPermitted },
    { -EPERM, NvSciError_NotPermitted },
    { -EOPNOTSUPP, NvSciError_NotSupported },
    { -ENOMEM, NvSciError_InsufficientMemory },
    { -EUSERS, NvSciError_InsufficientResource },   /* endpoints */
    { -EMFILE, NvSciError_TooManyOpenFiles },
    { -ENFILE, NvSciError_FileTableOverflow },
    { -EPROTO, NvSciError_InconsistentData },
    { -EFBIG, NvSciError_FileTooBig },
    { -EISDIR, NvSciError_IsDirectory },
    { -EIO, NvSciError_IO },
};

NvSciError errmap(int error)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].error == error) {
            return names[i].name;
        }
    }
    return NvSciError_Unknown;
}

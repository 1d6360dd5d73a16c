/* SPDX-License-Identifier: MIT */
/* What ivc_info.c uses of the kernel, for a test in user space. */
#ifndef VSOC_TEST_KERNEL_H
#define VSOC_TEST_KERNEL_H

#include <asm/byteorder.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define U32_MAX 0xffffffffu
#define __iomem

#define le16_to_cpup __le16_to_cpup
#define le32_to_cpup __le32_to_cpup
#define le64_to_cpup __le64_to_cpup

struct resource {
    u64 start;
    u64 end;                /* the last byte */
};

struct device {
    unsigned nr_errors;
    char error[256];        /* the last one */
};

/* "%pR" comes out as a pointer and an R. */
__attribute__((format(printf, 2, 3)))
void dev_err(struct device *dev, const char *format, ...);

#endif

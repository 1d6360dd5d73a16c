# SPDX-License-Identifier: MIT
"""Makes everything that the other scripts need, and writes down where it is.

The result is build/setup.json; all paths are absolute:

    qemu            qemu-system-aarch64 with our device
    qemu_args       arguments that every start of it needs (may be empty)
    ivshmem_server  QEMU's ivshmem-server
    qemu_python     a folder for sys.path with QEMU's own packages qemu.qmp and qemu.machine
    kernel          the guest's kernel, for -kernel
    kernel_release  what `uname -r` says in the guest
    initrd          the complete base initramfs, for -initrd; a VM's own files are a second
                    archive after it
    sdk_host        include/, lib/, lib/pkgconfig/ and bin/ for programs of the host
    sdk_aarch64     the same for programs of the guest
    cross_prefix    of the guest's compiler: "aarch64-linux-gnu-"

What the guest expects of whoever starts it stands in guest-lib/image/init.

Each thing made is stored under a key of all that goes into it, in ${VSOC_CACHE:-~/.cache/vsoc}
(what other checkouts can use as well) or build/ (what is this checkout's own). One run at a time
works on a cache.
"""

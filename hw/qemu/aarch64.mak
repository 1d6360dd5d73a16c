# SPDX-License-Identifier: GPL-2.0-or-later
# The devices of our QEMU: the virt machine, what the guest agent talks through, and ours.
CONFIG_ARM_VIRT=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VSOC=y

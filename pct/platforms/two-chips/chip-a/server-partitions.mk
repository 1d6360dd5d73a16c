# SPDX-License-Identifier: MIT
# The partitions (VMs) of chip A: GID_<name> := <id 0..15>.
GID_GUEST_VM := 2
GID_UPDATE   := 3

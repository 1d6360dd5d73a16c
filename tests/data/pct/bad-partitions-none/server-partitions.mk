# SPDX-License-Identifier: MIT
# No partition.
VM_A := 2

# SPDX-License-Identifier: MIT
"""What scripts/vsoc is made of: starts a virtual SoC and drives it over QMP and the guest agent."""

# SPDX-License-Identifier: MIT
"""Chooses how QEMU runs the guests: KVM where it really works, else TCG."""

from __future__ import annotations

import os
import platform
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Sequence

from .errors import ConfigError

MACHINE = ("-M", "virt,gic-version=3")
# Measured with two guests: a53, a57, a72, a76 boot and exchange frames alike; "max", with pointer
# authentication and larger page walks, takes a fifth more; thread= and tb-size= change nothing.
TCG = ("-accel", "tcg", "-cpu", "cortex-a57")
KVM = ("-accel", "kvm", "-cpu", "host")
PROBE_TIMEOUT = 5.0

# PSCI SYSTEM_OFF: mov w0, #0x84000008; hvc #0; b .
_POWER_OFF = struct.pack("<4I", 0x52800100, 0x72B08000, 0xD4000002, 0x14000000)


def works(qemu: Sequence[str], arguments: Sequence[str], timeout: float = PROBE_TIMEOUT) -> bool:
    """Whether QEMU runs four instructions with these arguments. That /dev/kvm can be opened says
    little: there are hosts where the guest then hangs or QEMU aborts.
    """
    with tempfile.TemporaryDirectory(prefix="vsoc-probe-") as folder:
        program = Path(folder) / "off"
        program.write_bytes(_POWER_OFF)
        try:
            done = subprocess.run([*qemu, "-nodefaults", "-no-user-config", "-display", "none",
                                   *MACHINE, *arguments, "-m", "64", "-kernel", str(program)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=timeout)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def choose(wanted: str, qemu: Sequence[str]) -> tuple[str, ...]:
    """QEMU's arguments for "auto", "tcg" or "kvm"."""
    if wanted == "tcg":
        return TCG
    # An emulator of aarch64 cannot use the KVM of another kind of host.
    possible = platform.machine() == "aarch64" and os.access("/dev/kvm", os.R_OK | os.W_OK)
    if possible and works(qemu, KVM):
        return KVM
    if wanted == "kvm":
        why = "a trial guest does not run" if possible else "this is no arm64 host with /dev/kvm"
        raise ConfigError(f'accel = "kvm": KVM cannot be used here: {why}; use "auto" or "tcg"')
    return TCG

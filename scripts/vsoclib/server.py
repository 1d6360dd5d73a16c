# SPDX-License-Identifier: MIT
"""QEMU's ivshmem-server: hands the shared memory and the doorbells to the QEMUs of a SoC."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .config import SocConfig
from .errors import StateError
from .process import Child
from .state import Folder

SOCKET = "server.sock"      # its files have the SoC's prefix before their names
LOG = "server.log"
SHM = Path("/dev/shm")
START_TIMEOUT = 10.0


def role(prefix: str) -> str:
    """What the server's process of the SoC with this prefix says it is."""
    return f"{prefix}server"


def memory_folder(size: int, folder: Folder) -> Path:
    """Where the shared memory lies: the server makes a file there and takes its name away at
    once, so that nothing is left whatever happens. The state folder if /dev/shm (small in
    containers) is too small.
    """
    try:
        free = os.statvfs(SHM)
    except OSError:
        return folder.path
    return SHM if free.f_bavail * free.f_frsize >= size else folder.path


def start(folder: Folder, soc: SocConfig, program: Path, size: int, vectors: int,
          bound: bool) -> Child:
    """Starts the server of one SoC; returns when QEMUs can connect."""
    socket = soc.prefix + SOCKET
    command = [str(program), "-F", "-S", socket, "-m", str(memory_folder(size, folder)),
               "-l", str(size), "-n", str(vectors)]
    child = Child.start(folder, role(soc.prefix), soc.prefix + LOG, command, bound)
    deadline = time.monotonic() + START_TIMEOUT
    while not (folder / socket).exists():
        if not child.running():
            raise child.error("ivshmem-server did not start")
        if time.monotonic() > deadline:
            child.kill()
            raise StateError(f"ivshmem-server made no socket in {START_TIMEOUT:g} s")
        time.sleep(0.002)
    return child

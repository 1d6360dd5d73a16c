# SPDX-License-Identifier: MIT
"""QEMU's ivshmem-server: hands the shared memory and the doorbells to the QEMUs of a SoC."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .errors import StateError
from .process import Child
from .state import Folder

SOCKET = "server.sock"
LOG = "server.log"
ROLE = "server"
SHM = Path("/dev/shm")
START_TIMEOUT = 10.0


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


def start(folder: Folder, program: Path, size: int, vectors: int, bound: bool) -> Child:
    """Starts the server; returns when QEMUs can connect."""
    command = [str(program), "-F", "-S", SOCKET, "-m", str(memory_folder(size, folder)),
               "-l", str(size), "-n", str(vectors)]
    child = Child.start(folder, ROLE, LOG, command, bound)
    deadline = time.monotonic() + START_TIMEOUT
    while not (folder / SOCKET).exists():
        if not child.running():
            raise child.error("ivshmem-server did not start")
        if time.monotonic() > deadline:
            child.kill()
            raise StateError(f"ivshmem-server made no socket in {START_TIMEOUT:g} s")
        time.sleep(0.002)
    return child

# SPDX-License-Identifier: MIT
"""What scripts/setup made and where it is: build/setup.json (described in setup/__init__.py)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import SetupError

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Artifacts:
    """The entries of setup.json that vsoc uses."""

    qemu: Path
    qemu_args: tuple[str, ...]
    ivshmem_server: Path
    qemu_python: Path
    kernel: Path
    initrd: Path
    sdk_host: Path
    sdk_aarch64: Path
    cross_prefix: str


def load() -> Artifacts:
    """Reads build/setup.json, or the file that VSOC_SETUP_JSON names."""
    path = Path(os.environ.get("VSOC_SETUP_JSON") or CHECKOUT / "build" / "setup.json")
    again = "run scripts/setup"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SetupError(f"there is no {path}: {again}") from None
    except (OSError, ValueError) as err:
        raise SetupError(f"cannot use {path}: {err}: {again}") from err
    values: dict[str, Any] = {}
    for field in fields(Artifacts):
        if field.name not in data:
            raise SetupError(f"{path} has no '{field.name}': {again}")
        value = data[field.name]
        if field.name == "qemu_args":
            values[field.name] = tuple(value)
        elif field.name == "cross_prefix":
            values[field.name] = value
        else:
            values[field.name] = Path(value)
            if not values[field.name].exists():
                raise SetupError(f"{value}, which {path} names, is not there: {again}")
    return Artifacts(**values)

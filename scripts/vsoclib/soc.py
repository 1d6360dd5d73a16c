# SPDX-License-Identifier: MIT
"""A SoC: the server, the machines, and the state folder they live in."""

from __future__ import annotations

import concurrent.futures
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Iterable, Optional

from . import accel, artifacts, channel, devicetree, initrd, pct, process, server
from .config import SocConfig, load
from .errors import ConfigError, StateError
from .machine import Machine, role
from .process import Child
from .state import Folder, all_folders

STATE = "soc.json"
TABLE = "table.pct"
TABLE_JSON = "table.json"

Say = Callable[[str], None]


def _quiet(_: str) -> None:
    pass


class Soc:
    """A SoC that is started by us, or found running.

    As a context manager it runs from `with` to the end of the block; nothing of it outlives the
    block, nor this process, however that ends.
    """

    def __init__(self, folder: Folder, say: Say = _quiet) -> None:
        self.folder = folder
        self.machines: dict[str, Machine] = {}
        self.server: Optional[Child] = None
        self.boot_timeout = 120.0
        self.table: dict[str, Any] = {}
        self.config: Optional[SocConfig] = None
        self.say = say

    @classmethod
    def new(cls, config: SocConfig, say: Say = _quiet) -> "Soc":
        """The SoC that a soc.toml describes, not started yet."""
        soc = cls(Folder.of(config.name, config.path), say)
        soc.config = config
        return soc

    @classmethod
    def attach(cls, folder: Folder) -> "Soc":
        """A SoC that was started before, by whomever."""
        soc = cls(folder)
        state = folder.read_json(STATE)
        if state is None:
            raise StateError(f"{folder.path.name} is not running; `vsoc up` starts it")
        channel.use_qemu_python(Path(state["qemu_python"]))
        soc.boot_timeout = state["boot_timeout"]
        soc.table = folder.read_json(TABLE_JSON) or {}
        found = {each.role: each for each in process.find(folder.path)}
        if server.ROLE in found:
            soc.server = Child(folder / server.LOG, state["server"], found[server.ROLE])
        for name, command in state["commands"].items():
            child = None
            if role(name) in found:
                child = Child(folder / f"{name}.qemu.log", command, found[role(name)])
            soc.machines[name] = Machine(folder, name, command, child)
        return soc

    def __enter__(self) -> "Soc":
        self.start(bound=True, purpose="run")
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __getitem__(self, name: str) -> Machine:
        try:
            return self.machines[name]
        except KeyError:
            raise ConfigError(f"{self.folder.path.name} has no VM '{name}'; it has "
                              f"{', '.join(self.machines)}") from None

    # Start

    def start(self, bound: bool, purpose: str) -> None:
        """Boots all machines at once. When it returns each guest answers; when it raises nothing
        is left running.

        bound: the SoC ends with this process. Else it runs on, until stop().
        """
        assert self.config is not None
        self.folder.lock(purpose)
        try:
            if process.find(self.folder.path):
                raise StateError(f"{self.config.name} is running already; "
                                 f"`vsoc down -f {self.config.path}` ends it")
            self._prepare(self.config, bound)
            self._boot(self.machines.values(), bound)
        except BaseException:
            self.stop(keep_logs=True)
            raise

    def _prepare(self, config: SocConfig, bound: bool) -> None:
        """Makes all files and starts the server."""
        made = artifacts.load()
        channel.use_qemu_python(made.qemu_python)
        self._clear()
        self.boot_timeout = config.boot_timeout
        table = self.folder / TABLE
        self.say(f"table {config.pct}")
        pct.compile_table(config.pct, table)
        self.table = pct.dump(table)
        self.folder.write_json(TABLE_JSON, self.table)

        qemu = [str(made.qemu), *made.qemu_args]
        chosen = accel.choose(config.accel, qemu)
        for vm in config.vms:
            initrd.write(made.initrd, vm, self.folder / f"{vm.name}.initrd")
            board = [*qemu, *accel.MACHINE, *chosen]
            tree = []
            if vm.channels == "dt":
                tree = devicetree.write(board, vm, self.folder.path)
            command = [*board, *tree, "-kernel", str(made.kernel),
                       *Machine.qemu_arguments(vm.name, vm.memory_mib, vm.append),
                       "-chardev", f"socket,id=board,path={server.SOCKET}",
                       "-device", f"hv-ivc,id=ivc,chardev=board,pct={TABLE},"
                                  f"partition={vm.partition}",
                       *vm.qemu]
            self.machines[vm.name] = Machine(self.folder, vm.name, command)
        self.server = server.start(self.folder, made.ivshmem_server,
                                   self.table["total"], self.table["nr_vectors"], bound)
        self.folder.write_json(STATE, {
            "name": config.name, "soc_toml": str(config.path), "bound": bound,
            "started": time.time(), "boot_timeout": config.boot_timeout,
            "qemu_python": str(made.qemu_python), "config": fingerprint(config),
            "server": self.server.command,
            "partitions": {vm.name: vm.partition for vm in config.vms},
            "commands": {name: machine.command for name, machine in self.machines.items()}})

    def _clear(self) -> None:
        """Removes what an earlier run left, but not the lock."""
        for path in self.folder.path.iterdir():
            if path.name != "lock":
                path.unlink()

    def _boot(self, missing: Iterable[Machine], bound: bool) -> None:
        """Starts the missing machines and waits until the guests of all answer, or one fails."""
        names = [machine.name for machine in missing]
        if names:
            self.say(f"booting {', '.join(names)}")
        for name in names:
            self.machines[name].start(bound)
        waiting = {machine.start_waiting(self.boot_timeout): machine
                   for machine in self.machines.values()}
        try:
            for future in concurrent.futures.as_completed(waiting):
                future.result()
                machine = waiting[future]
                if machine.name in names:
                    self.say(f"{machine.name} is up after {machine.ready_after:.1f} s")
        finally:
            for future in waiting:
                future.cancel()

    def complete(self, purpose: str) -> list[str]:
        """Starts those machines of a SoC found running that have ended. Returns their names."""
        self.folder.lock(purpose)
        if self.server is None or not self.server.running():
            raise StateError(f"the ivshmem-server of {self.folder.path.name} has ended: "
                             "`vsoc down`, then `vsoc up`")
        missing = [machine for machine in self.machines.values() if not machine.running()]
        try:
            self._boot(missing, bound=False)
        except BaseException:
            for machine in missing:
                machine.kill()
            raise
        return [machine.name for machine in missing]

    # End

    def stop(self, keep_logs: bool = False) -> None:
        """Ends all of it and removes the state folder (but for the logs, after a failure). Needs
        the lock.
        """
        with process.uninterrupted():
            children = [machine.child for machine in self.machines.values()] + [self.server]
            for child in children:
                if child is not None:
                    child.kill()
            process.kill_all(self.folder.path)
            for machine in self.machines.values():
                machine.close(for_good=True)
            if keep_logs:
                for path in self.folder.path.glob("*.initrd"):
                    path.unlink()
            else:
                self.folder.remove()
            self.folder.close()


def fingerprint(config: SocConfig) -> dict[str, Any]:
    """The configuration as JSON has it, to see whether a running SoC is still that."""
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        return str(value) if isinstance(value, Path) else value
    return dict(plain(asdict(config)))


def known_folder(path: Path) -> Folder:
    """The folder of this soc.toml. While it runs, the file may be wrong or gone."""
    folder = Folder.existing(path)
    if folder is None:
        config = load(path)
        folder = Folder.of(config.name, config.path)
    return folder


def report(folder: Folder) -> Optional[dict[str, Any]]:
    """What `vsoc status` shows of a SoC; None if nothing of it runs."""
    try:
        soc = Soc.attach(folder)
    except StateError:
        return None
    if soc.server is None and not any(each.running() for each in soc.machines.values()):
        return None
    state = folder.read_json(STATE)
    return {"name": state["name"], "soc_toml": state["soc_toml"], "folder": str(folder.path),
            "seconds": round(time.time() - state["started"], 1), "foreground": state["bound"],
            "server": soc.server.process.pid if soc.server is not None else None,
            "vms": [{"name": name, "partition": state["partitions"][name], "state": machine.state(),
                     "pid": machine.child.process.pid if machine.child is not None else None}
                    for name, machine in soc.machines.items()]}


def find_folder(path: Optional[Path], default: Path) -> Folder:
    """The folder of the SoC that the user means: that of the named soc.toml, or of the one in the
    current folder, or the only one that runs.
    """
    if path is not None or default.is_file():
        return known_folder(path or default)
    running = [folder for folder in all_folders() if process.find(folder.path)]
    if len(running) == 1:
        return running[0]
    if not running:
        raise StateError("no SoC is running; `vsoc up -f FILE` starts one")
    names = []
    for folder in running:
        state = folder.read_json(STATE) or {}
        names.append(f"  -f {state.get('soc_toml', folder.path)}")
    raise StateError("several SoCs are running; say which:\n" + "\n".join(names))


def down(folder: Folder) -> int:
    """Ends a SoC whatever state it is in, a vsoc that runs it included. Returns how many
    processes there were.
    """
    if not folder.path.exists():
        return 0
    try:
        ended = folder.take_over()
        count = process.kill_all(folder.path)
        folder.remove()
        return count + int(ended)
    except FileNotFoundError:       # the vsoc that we asked to end has removed it
        return 1
    finally:
        folder.close()

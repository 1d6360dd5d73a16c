# SPDX-License-Identifier: MIT
"""What a soc.toml describes, at work: servers, machines, links, and the state folder they live
in."""

from __future__ import annotations

import concurrent.futures
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Optional, Sequence

from . import (accel, artifacts, certificates, channel, devicetree, initrd, links, pct, process,
               server, timeline)
from .config import Config, SocConfig, VmConfig, load
from .errors import ConfigError, LinkError, StateError
from .links import LinkDevice, LinkEnd
from .machine import Machine, role
from .process import Child
from .state import Folder, all_folders

STATE = "soc.json"
TABLE = "table.pct"             # these two have the SoC's prefix before their names
TABLE_JSON = "table.json"
LINK_TIMEOUT = 15.0             # for local links to come up once all guests answer
LINK_POLL = 0.05

Say = Callable[[str], None]


def _quiet(_: str) -> None:
    pass


@dataclass
class Chip:
    """One SoC of those that a soc.toml describes."""

    name: str
    prefix: str             # of the names of its VMs and files
    table: dict[str, Any]
    server: Optional[Child] = None
    # None: no VM of it has an IVC queue.
    server_command: Optional[list[str]] = None

    def state(self) -> dict[str, Any]:
        """What soc.json keeps of it."""
        return {"name": self.name, "prefix": self.prefix, "server": self.server_command}


class Soc:
    """The SoC, or the linked SoCs, of a soc.toml: started by us, or found running.

    As a context manager it runs from `with` to the end of the block; nothing of it outlives the
    block, nor this process, however that ends.
    """

    def __init__(self, folder: Folder, say: Say = _quiet) -> None:
        self.folder = folder
        self.chips: dict[str, Chip] = {}
        self.machines: dict[str, Machine] = {}
        self.recorder: Optional[Child] = None
        self.links: list[LinkDevice] = []
        self.ends: list[LinkEnd] = []       # what we gave them, if we started it
        self.boot_timeout = 120.0
        self.config: Optional[Config] = None
        self.say = say

    @classmethod
    def new(cls, config: Config, say: Say = _quiet) -> "Soc":
        """What a soc.toml describes, not started yet."""
        soc = cls(Folder.of(config.name, config.path), say)
        soc.config = config
        return soc

    @classmethod
    def attach(cls, folder: Folder) -> "Soc":
        """What was started before, by whomever."""
        soc = cls(folder)
        state = folder.read_json(STATE)
        if state is None:
            raise StateError(f"{folder.path.name} is not running; `vsoc up` starts it")
        channel.use_qemu_python(Path(state["qemu_python"]))
        soc.boot_timeout = state["boot_timeout"]
        soc.links = [LinkDevice(**each) for each in state["links"]]
        found = {each.role: each for each in process.find(folder.path)}

        def child(name: str, log: str, command: Sequence[str]) -> Optional[Child]:
            return Child(folder / log, command, found[name]) if name in found else None

        for each in state["socs"]:
            prefix, command = each["prefix"], each["server"]
            serving = child(server.role(prefix), prefix + server.LOG, command or [])
            soc.chips[each["name"]] = Chip(each["name"], prefix,
                                           folder.read_json(prefix + TABLE_JSON) or {}, serving,
                                           command)
        soc.recorder = child(timeline.ROLE, timeline.LOG, [])
        for name, command in state["commands"].items():
            soc.machines[name] = Machine(folder, name, command,
                                         child(role(name), f"{name}.qemu.log", command))
        return soc

    def chip_of(self, vm: str) -> Chip:
        """The SoC that a VM belongs to."""
        return next(chip for chip in self.chips.values() if vm.startswith(chip.prefix))

    def running(self) -> bool:
        """Whether anything of it runs."""
        return any(chip.server is not None and chip.server.running()
                   for chip in self.chips.values()) or \
            any(machine.running() for machine in self.machines.values())

    def recording(self) -> bool:
        """Whether the time line goes on."""
        return self.recorder is not None and self.recorder.running()

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
        """Boots all machines at once. When it returns each guest answers and the links between
        them are up; when it raises nothing is left running.

        bound: the SoC ends with this process. Else it runs on, until stop().
        """
        assert self.config is not None
        self.folder.lock(purpose)
        ports = links.Ports()
        try:
            there = process.find(self.folder.path)
            if any(each.role != timeline.ROLE for each in there):
                raise StateError(f"{self.config.name} is running already; "
                                 f"`vsoc down -f {self.config.path}` ends it")
            for recorder in there:      # all that it has recorded has ended
                process.kill(recorder)
            self._prepare(self.config, bound, ports)
            self._record(bound)
            self._boot(self.machines.values(), bound)
        except BaseException:
            self.stop(keep_logs=True)
            raise
        finally:
            ports.close()

    def _prepare(self, config: Config, bound: bool, ports: links.Ports) -> None:
        """Makes all files and starts the servers."""
        made = artifacts.load()
        channel.use_qemu_python(made.qemu_python)
        self._clear()
        self.boot_timeout = config.boot_timeout
        for soc in config.socs:
            self.say(f"table {soc.pct}")
            table = self.folder / (soc.prefix + TABLE)
            pct.compile_table(soc.pct, table)
            self.chips[soc.name] = Chip(soc.name, soc.prefix, pct.dump(table))
            self.folder.write_json(soc.prefix + TABLE_JSON, self.chips[soc.name].table)
        self.ends = links.plan(config, {name: chip.table for name, chip in self.chips.items()},
                               ports)
        for end in self.ends:
            if end.link.tls is not None:
                certificates.check(end.link.tls, certificates.LISTENER if end.listens
                                   else certificates.CONNECTOR,
                                   f"{config.path}: link {end.link.name}")

        qemu = [str(made.qemu), *made.qemu_args]
        board = [*qemu, *accel.MACHINE, *accel.choose(config.accel, qemu)]
        for soc in config.socs:
            for vm in soc.vms:
                initrd.write(made.initrd, vm, self.folder / f"{vm.name}.initrd")
                tree = []
                if vm.channels == "dt":
                    tree = devicetree.write(board, vm, self.folder.path)
                command = [*board, *tree, "-kernel", str(made.kernel),
                           *Machine.qemu_arguments(vm.name, vm.memory_mib, vm.append, vm.trace),
                           *self._devices(soc, vm),
                           *vm.qemu]
                self.machines[vm.name] = Machine(self.folder, vm.name, command)
            self._start_server(soc, made.ivshmem_server, bound)
        self.links = [end.as_device() for end in self.ends]
        self._keep_state(config, made.qemu_python, bound)

    def _has_queues(self, soc: SocConfig, vm: VmConfig) -> bool:
        """Whether a VM needs hv-ivc: not if all that its partition has are channels to other
        chips. Of a partition that the table does not have, hv-ivc says so best.
        """
        slots = [each["slots"] for each in self.chips[soc.name].table["partitions"]
                 if vm.partition in (each["name"], str(each["id"]))]
        return slots != [[]] or not any(end.vm == vm.name for end in self.ends)

    def _devices(self, soc: SocConfig, vm: VmConfig) -> list[str]:
        """QEMU's arguments for the queues of a VM, inside its SoC and to other ones."""
        ends = [end for end in self.ends if end.vm == vm.name]
        table = soc.prefix + TABLE
        words = []
        if self._has_queues(soc, vm):
            words = ["-chardev", f"socket,id=board,path={soc.prefix}{server.SOCKET}",
                     "-device", f"hv-ivc,id=ivc,chardev=board,pct={table},"
                                f"partition={vm.partition}"]
        for end in ends:
            words += end.arguments(table, vm.partition)
        return words

    def _start_server(self, soc: SocConfig, program: Path, bound: bool) -> None:
        chip = self.chips[soc.name]
        if not any(self._has_queues(soc, vm) for vm in soc.vms):
            return
        chip.server = server.start(self.folder, soc, program, chip.table["total"],
                                   chip.table["nr_vectors"], bound)
        chip.server_command = chip.server.command

    def _keep_state(self, config: Config, qemu_python: Path, bound: bool) -> None:
        """Writes down what attach() and `vsoc status` need."""
        self.folder.write_json(STATE, {
            "name": config.name, "soc_toml": str(config.path), "bound": bound,
            "started": time.time(), "boot_timeout": config.boot_timeout,
            "qemu_python": str(qemu_python), "config": fingerprint(config),
            "socs": [chip.state() for chip in self.chips.values()],
            "links": [asdict(link) for link in self.links],
            "partitions": {vm.name: vm.partition for vm in config.vms},
            "commands": {name: machine.command for name, machine in self.machines.items()}})

    def _record(self, bound: bool) -> None:
        """Sees to it that the time line goes on."""
        if not self.recording():
            self.recorder = timeline.record(self.folder, list(self.machines), [
                chip.prefix for chip in self.chips.values()], bound)

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
        self._wait_for_links()

    def _wait_for_links(self) -> None:
        """Returns when the links whose ends are both ours are up. One with another host may come
        up whenever it likes.
        """
        deadline = time.monotonic() + LINK_TIMEOUT
        waiting = [link for link in self.links if link.local]
        while waiting:
            states = [link.look(self.machines[link.vm]) for link in waiting]
            waiting = [link for link, state in zip(waiting, states) if not state.up]
            if waiting and time.monotonic() > deadline:
                reasons = [f"  {state.link}: {state.vm}: {state.error}" for state in states
                           if not state.up]
                raise LinkError(f"after {LINK_TIMEOUT:g} s these links are down:\n"
                                + "\n".join(reasons))
            if waiting:
                time.sleep(LINK_POLL)
        for name in dict.fromkeys(link.link for link in self.links if link.local):
            self.say(f"link {name} is up")

    def complete(self, purpose: str) -> list[str]:
        """Starts those machines of a SoC found running that have ended. Returns their names."""
        self.folder.lock(purpose)
        for chip in self.chips.values():
            if chip.server_command and (chip.server is None or not chip.server.running()):
                raise StateError(f"the ivshmem-server of {self.folder.path.name} "
                                 f"({chip.name}) has ended: `vsoc down`, then `vsoc up`")
        missing = [machine for machine in self.machines.values() if not machine.running()]
        self._record(bound=False)
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
            children = [machine.child for machine in self.machines.values()]
            children += [chip.server for chip in self.chips.values()]
            for child in children:
                if child is not None:
                    child.kill()
            if self.recorder is not None:
                if keep_logs:
                    timeline.finish(self.recorder)
                self.recorder.kill()
            process.kill_all(self.folder.path)
            for machine in self.machines.values():
                machine.close(for_good=True)
            if keep_logs:
                for path in self.folder.path.glob("*.initrd"):
                    path.unlink()
            else:
                self.folder.remove()
            self.folder.close()


def fingerprint(config: Config) -> dict[str, Any]:
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
    """What `vsoc status` shows of a soc.toml; None if nothing of it runs."""
    try:
        soc = Soc.attach(folder)
    except StateError:
        return None
    if not soc.running():
        return None
    state = folder.read_json(STATE)
    return {"name": state["name"], "soc_toml": state["soc_toml"], "folder": str(folder.path),
            "seconds": round(time.time() - state["started"], 1), "foreground": state["bound"],
            "socs": [{"name": chip.name,
                      "server": chip.server.process.pid if chip.server is not None else None}
                     for chip in soc.chips.values()],
            "vms": [{"name": name, "soc": soc.chip_of(name).name,
                     "partition": state["partitions"][name], "state": machine.state(),
                     "pid": machine.child.process.pid if machine.child is not None else None}
                    for name, machine in soc.machines.items()],
            "links": [asdict(link.look(soc.machines[link.vm])) for link in soc.links]}


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

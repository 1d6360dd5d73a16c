# SPDX-License-Identifier: MIT
"""The command line of vsoc: arguments in, exit code out."""

from __future__ import annotations

import argparse
import concurrent.futures
import errno
import json
import os
import shlex
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence

from . import arguments
from .config import DEFAULT_FILE, load
from .errors import ConfigError, SetupError, StateError, VsocError
from .output import Labelled, Progress, table, write_all
from .state import cache_folder

EPILOG = """exit codes:
  0    it worked
  1    it failed: a guest did not come up, a command of `run` failed, ...
  2    wrong command line, wrong soc.toml
  124  exec, run: a command took longer than --timeout; wait: what it waits for did not come
  125  exec: vsoc itself failed; else exec has the exit code of its command, 128 + n if
       signal n ended it
  130  interrupted (Ctrl-C); 129, 143: hung up, terminated
  test has pytest's exit codes, cc the compiler's

A SoC is found by its soc.toml: -f FILE, or ./soc.toml, or the only SoC that is running.
docs/specs/soc-toml.md describes the file, docs/man/vsoc.1 all of this."""

EXEC_FAILED = 125
# A disk that is full or a folder that is not ours to write: nothing that a traceback explains.
_HOST_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)


class Terminated(BaseException):
    """SIGTERM or SIGHUP came."""


def _terminate(number: int, _frame: object) -> NoReturn:
    raise Terminated(number)


def _config_path(args: argparse.Namespace) -> Path:
    return args.file or Path(DEFAULT_FILE)


def _attach(args: argparse.Namespace) -> Any:
    from .soc import Soc, find_folder

    return Soc.attach(find_folder(args.file, Path(DEFAULT_FILE)))


def _table_of(config_path: Path) -> str:
    return f" -f {shlex.quote(str(config_path))}" if config_path != Path(DEFAULT_FILE) else ""


# Each command: its function, then its parser below.

def up(args: argparse.Namespace) -> int:
    """Boots the SoC, or those of its VMs that have ended."""
    from .soc import Soc, fingerprint

    config = load(_config_path(args))
    say = Progress()
    soc = Soc.new(config, say)
    try:
        there = Soc.attach(soc.folder)
    except StateError:
        there = None
    if there is not None and there.running():
        there.say = say
        state = there.folder.read_json("soc.json")
        if state["config"] != fingerprint(config):
            raise StateError(f"{config.name} is running with another soc.toml than "
                             f"{config.path} is now: `vsoc down` first")
        started = there.complete("up")
        say(f"{config.name} is up" if started else f"{config.name} is up already")
    else:
        soc.start(bound=False, purpose="up")
        say(f"{config.name} is up; `vsoc down{_table_of(_config_path(args))}` ends it")
    return 0


def down(args: argparse.Namespace) -> int:
    """Ends the SoC."""
    from .soc import down as end, find_folder, known_folder

    say = Progress()
    if args.all:
        from .state import all_folders
        for folder in all_folders():
            say(f"{folder.path.name}: {end(folder)} processes ended")
        return 0
    if args.file is None and not Path(DEFAULT_FILE).is_file():
        folder = find_folder(None, Path(DEFAULT_FILE))
    else:
        folder = known_folder(_config_path(args))
    count = end(folder)
    say(f"{folder.path.name} is down" if count else f"{folder.path.name} was not running")
    return 0


def status(args: argparse.Namespace) -> int:
    """Shows the SoCs, their VMs and links."""
    from .soc import find_folder, report
    from .state import all_folders

    folders = [find_folder(args.file, Path(DEFAULT_FILE))] if args.file else list(all_folders())
    reports = [each for each in map(report, folders) if each is not None]
    if args.json:
        print(json.dumps(reports, indent=2))
    elif reports:
        rows = [(soc["name"], vm["name"], vm["partition"], vm["state"], vm["pid"] or "-",
                 soc["soc_toml"]) for soc in reports for vm in soc["vms"]]
        print(table(("SOC", "VM", "PARTITION", "STATE", "PID", "SOC.TOML"), rows))
        ends = [(soc["name"], end["link"], f"{end['vm']}:{end['device']}", end["way"],
                 "up" if end["up"] else f"down: {end['error']}")
                for soc in reports for end in soc["links"]]
        if ends:
            print("\n" + table(("SOC", "LINK", "END", "WAY", "STATE"), ends))
    else:
        print("no SoC is running")
    if not args.file:
        return 0
    good = bool(reports) and all(vm["state"] == "running" for vm in reports[0]["vms"])
    return 0 if good else 1


def run(args: argparse.Namespace) -> int:
    """Boots the SoC, runs each VM's `run` command, ends the SoC."""
    from .soc import Soc

    config = load(_config_path(args))
    commands = {vm.name: vm.run for vm in config.vms if vm.run is not None}
    if not commands:
        raise ConfigError(f"{config.path}: no VM has a `run` command")
    say = Progress()
    width = max(map(len, commands))
    with Soc.new(config, say) as soc:
        futures = {}
        outputs = []
        for index, (name, command) in enumerate(commands.items()):
            say(f"{name}: {command}")
            outputs.append(Labelled(name, width, index))
            futures[soc[name].submit(command, args.timeout, output=outputs[-1])] = name
        failed = ""
        try:
            for future in concurrent.futures.as_completed(futures):
                name = futures[future]
                code = future.result().returncode
                say(f"{name}: ended with exit code {code}")
                if code != 0:
                    failed = f"{name}: `{commands[name]}` failed with exit code {code}"
                    break
        finally:
            # The others may wait for the one that failed, for ever. The SoC's end ends them.
            for output in outputs:
                output.finish()
        if failed:
            raise VsocError(failed)
    return 0


def demo(args: argparse.Namespace) -> int:
    """Guests exchange frames over every channel that both ends' configurations name."""
    from .demo import CHIPS, DEMO, demo as show

    return int(show(args.file or (CHIPS if args.chips else DEMO), args.platform, args.frames))


def execute(args: argparse.Namespace) -> int:
    """Runs a command in a guest."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise ConfigError("no command: vsoc exec VM -- COMMAND [ARGUMENT...]")
    if args.command[0] != "--" and command[0].startswith("-"):
        raise ConfigError(f"{command[0]} stands behind the VM, where the command begins: options "
                          "go before it, as in vsoc exec --timeout 5 VM -- COMMAND")
    stdin = sys.stdin.buffer.read() if args.stdin else b""
    machine = _attach(args)[args.vm]
    machine.check_awake()
    result = machine.run(command, args.timeout, stdin, lambda is_error, data: write_all(
        sys.stderr.buffer if is_error else sys.stdout.buffer, data))
    return int(result.returncode)


def push(args: argparse.Namespace) -> int:
    """Copies files into a guest."""
    machine = _attach(args)[args.vm]
    machine.check_awake()
    *sources, target = args.paths
    if not sources:
        raise ConfigError("vsoc push VM SOURCE... DESTINATION: the destination is missing")
    if not target.startswith("/"):
        raise ConfigError(f"the destination {target} is not an absolute path")
    folder = target.endswith("/") or len(sources) > 1 or \
        machine.run(["test", "-d", target], timeout=60).returncode == 0
    for source in map(Path, sources):
        try:
            data = source.read_bytes()
            mode = stat.S_IMODE(source.stat().st_mode)
        except OSError as err:
            raise ConfigError(f"cannot read {source}: {err.strerror}") from None
        name = f"{target.rstrip('/')}/{source.name}" if folder else target
        machine.push(data, name, mode)
        print(f"{source} -> {args.vm}:{name} ({len(data)} bytes)")
    return 0


def logs(args: argparse.Namespace) -> int:
    """Shows a guest's console, or what QEMU or the server said."""
    from .process import read_log
    from .soc import find_folder
    from .state import Folder

    folder: Folder = find_folder(args.file, Path(DEFAULT_FILE))
    state = folder.read_json("soc.json")
    if state is None:
        raise StateError(f"{folder.path.name} has no logs: it has not run, or has ended well")
    if args.server:
        from .server import LOG, role
        files = {role(soc["prefix"]): folder / (soc["prefix"] + LOG) for soc in state["socs"]}
    else:
        names = [args.vm] if args.vm else list(state["commands"])
        for name in names:
            if name not in state["commands"]:
                raise ConfigError(f"there is no VM '{name}'; there are "
                                  f"{', '.join(state['commands'])}")
        kind = "qemu" if args.qemu else "console"
        files = {name: folder / f"{name}.{kind}.log" for name in names}
    if len(files) == 1 and not args.follow:
        [path] = files.values()
        sys.stdout.write(read_log(path, limit=1 << 30))
        return 0
    width = max(map(len, files))
    outputs = {name: Labelled(name, width, index) for index, name in enumerate(files)}
    positions = dict.fromkeys(files, 0)
    while True:
        for name, path in files.items():
            if path.exists():
                with open(path, "rb") as log:
                    log.seek(positions[name])
                    data = log.read()
                positions[name] += len(data)
                outputs[name](False, data)
        if not args.follow:
            break
        if not folder.path.exists():
            raise StateError(f"{folder.path.name} has ended")
        time.sleep(0.2)
    for output in outputs.values():
        output.finish()
    return 0


def console(args: argparse.Namespace) -> int:
    """Connects the terminal to a guest's console."""
    from .console import attach

    soc = _attach(args)
    soc[args.vm].check_process()
    attach(soc.folder, f"{args.vm}.console.sock")
    return 0


def reset(args: argparse.Namespace) -> int:
    """Presses a guest's reset button and waits until it is up again."""
    say = Progress()
    soc = _attach(args)
    machine = soc[args.vm]
    machine.check_process()
    machine.reset(soc.boot_timeout)
    say(f"{args.vm} is up again")
    return 0


def kill(args: argparse.Namespace) -> int:
    """Ends a VM's QEMU as a crash would; `vsoc up` starts it again."""
    machine = _attach(args)[args.vm]
    machine.check_process()
    machine.kill()
    return 0


def qmp(args: argparse.Namespace) -> int:
    """Sends one QMP command to a VM's QEMU and prints the answer."""
    try:
        arguments = json.loads(args.arguments) if args.arguments else {}
    except ValueError as err:
        raise ConfigError(f"the arguments are not JSON: {err}") from None
    if not isinstance(arguments, dict):
        raise ConfigError("the arguments are not a JSON object, as {\"path\": \"/machine\"} is")
    machine = _attach(args)[args.vm]
    machine.check_process()
    print(json.dumps(machine.qmp(args.qmp_command, arguments), indent=2))
    return 0


def cross_compile(arguments: Sequence[str]) -> int:
    """Runs the guest's compiler with our headers and libraries."""
    from . import artifacts

    if list(arguments) in (["--help"], ["-h"]):
        print("usage: vsoc cc ARGUMENT...\n\n"
              "The guest's C compiler (aarch64-linux-gnu-gcc) with vsoc's headers and libraries,\n"
              "for example\n"
              "    vsoc cc -O2 app.c -o app -lnvsciipc\n"
              "All arguments go to it as they are; `vsoc cc --help=common` is its own help.")
        return 0
    made = artifacts.load()
    compiler = f"{made.cross_prefix}gcc"
    library = made.sdk_aarch64 / "lib"
    try:
        os.execvp(compiler, [compiler, f"-I{made.sdk_aarch64 / 'include'}", f"-L{library}",
                             f"-Wl,-rpath-link,{library}", *arguments])
    except FileNotFoundError:
        raise SetupError(f"there is no {compiler}: run scripts/setup") from None


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from . import (capture, certificates, fault_command, graph, log_command, pct, scenario_command,
                   top as live, wait_command)

    top = argparse.ArgumentParser(
        prog="vsoc", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A virtual SoC in QEMU for NvSciIpc software: starts guests and drives them.")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, function: Any, vm: bool = False, soc: bool = True,
            **options: Any) -> argparse.ArgumentParser:
        text = function.__doc__
        made = commands.add_parser(name, help=text.rstrip(".").split(";")[0], description=text,
                                   **options)
        made.set_defaults(run=function)
        if soc:
            arguments.soc_file(made)
        if vm:
            made.add_argument("vm", metavar="VM", help="the VM's name in soc.toml")
        return made

    made = add("demo", demo, soc=False)
    which = made.add_mutually_exclusive_group()
    which.add_argument("-f", "--file", type=Path, metavar="SOC_TOML",
                       help="another SoC than docs/examples/two-guests/soc.toml")
    which.add_argument("--chips", action="store_true",
                       help="two linked SoCs: docs/examples/two-chips/soc.toml")
    made.add_argument("--platform", type=Path, metavar="DIR",
                      help="take platform_config.h from this folder")
    made.add_argument("-n", "--frames", type=int, default=500, metavar="N",
                      help="frames to send over each queue, and back (default %(default)s)")
    add("up", up)
    made = add("down", down)
    made.add_argument("--all", action="store_true", help="end all SoCs")
    made = add("status", status)
    made.add_argument("--json", action="store_true", help="as JSON, with the state folder")
    made = add("run", run)
    made.add_argument("--timeout", type=float, metavar="SECONDS",
                      help="kill a command that takes longer, and fail")
    made = add("exec", execute, vm=True,
               usage="vsoc exec [-h] [-f SOC_TOML] [--timeout SECONDS] [-i] "
                     "VM -- COMMAND [ARGUMENT...]")
    made.add_argument("--timeout", type=float, metavar="SECONDS",
                      help="kill the command after this time and exit with 124")
    made.add_argument("-i", "--stdin", action="store_true",
                      help="read stdin to its end and give it to the command")
    made.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND",
                      help="the command and its arguments; use `sh -c '...'` for a shell line")
    made = add("push", push, vm=True)
    made.add_argument("paths", nargs="+", metavar="SOURCE... DESTINATION",
                      help="files of the host, and a file or folder of the guest")
    made = add("logs", logs)
    made.add_argument("vm", nargs="?", metavar="VM", help="the VM (default: all)")
    made.add_argument("--follow", action="store_true", help="go on with what comes")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--qemu", action="store_true", help="what QEMU printed, not the console")
    which.add_argument("--server", action="store_true", help="what ivshmem-server printed")
    add("console", console, vm=True)
    add("reset", reset, vm=True)
    add("kill", kill, vm=True)
    made = add("qmp", qmp, vm=True)
    made.add_argument("qmp_command", metavar="COMMAND", help="a QMP command, e.g. query-status")
    made.add_argument("arguments", nargs="?", metavar="JSON", help="its arguments, a JSON object")
    log_command.add_parser(commands)
    live.add_parser(commands)
    capture.add_parser(commands)
    graph.add_parser(commands)
    pct.add_parser(commands)
    certificates.add_parser(commands)
    scenario_command.add_parser(commands)
    fault_command.add_parser(commands)
    wait_command.add_parser(commands)
    commands.add_parser("cc", add_help=False, help="the guest's C compiler with our headers and "
                                                   "libraries")
    return top


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    failed = EXEC_FAILED if words[:1] == ["exec"] else None
    try:
        if words[:1] == ["cc"]:
            return cross_compile(words[1:])
        top = parser()
        args, rest = top.parse_known_args(words)
        if rest and "pytest_arguments" not in args:
            top.error(f"unrecognized arguments: {' '.join(rest)}")
        args.pytest_arguments = rest
        return int(args.run(args))
    except VsocError as err:
        sys.stdout.flush()
        print(f"vsoc: {err}", file=sys.stderr)
        return err.exit_code if failed is None or err.exit_code == 124 else failed
    except KeyboardInterrupt:
        print("vsoc: interrupted", file=sys.stderr)
        return 130
    except Terminated as end:
        print("vsoc: terminated", file=sys.stderr)
        return 128 + int(end.args[0])
    except BrokenPipeError:
        # The reader of our output went away; do not fail again when Python flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as err:
        if err.errno not in _HOST_TROUBLE:
            raise
        print(f"vsoc: {err.filename or cache_folder()}: {err.strerror}", file=sys.stderr)
        return 1 if failed is None else failed

# SPDX-License-Identifier: MIT
"""`vsoc pct`: checks, shows and compiles partition configuration tables (docs/specs/pct.md).

A platform_config.h is C: gcc builds it into pct/pct_compile.c, and running that judges it and
writes the blob. What gcc says of bad C is told in the form of every other broken rule. A blob is
judged and shown by pct/pct_dump.c.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence, Union

from .errors import VsocError
from .pct_diagnostics import FORM, Diagnostics
from .state import cache_folder

PathLike = Union[str, "os.PathLike[str]"]

MEMORY = 1 << 30            # bytes of shared memory that a table may take by default
TIMEOUT = 60                # seconds for make, gcc or the table's own code
MAX_ERRORS = 20             # of gcc; more help nobody

# What a make that runs us would tell ours.
MAKE_VARIABLES = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "GNUMAKEFLAGS", "MAKEFILES", "MAKELEVEL")

SOURCES = Path(__file__).resolve().parents[2] / "pct"
PURE = ("fdt_sound.c", "pct_check.c", "pct_fdt.c", "pct_layout.c")
MK = "server-partitions.mk"
DTB_MAGIC = b"\xd0\x0d\xfe\xed"


class PctError(VsocError):
    """A table broke rules: a message each."""

    def __init__(self, messages: Sequence[str]) -> None:
        self.messages = list(messages)
        super().__init__("\n".join(messages))


def check(path: PathLike, partitions: Optional[PathLike] = None,
          memory: int = MEMORY) -> list[str]:
    """Judges a platform_config.h or a compiled table; a message for each broken rule."""
    try:
        if _is_blob(path):
            _dump_blob(os.fspath(path), os.fspath(path), memory, ["-c"])
        else:
            _compile(os.fspath(path), None, partitions, memory)
    except PctError as err:
        return err.messages
    return []


def compile_table(path: PathLike, out: PathLike, partitions: Optional[PathLike] = None,
                  memory: int = MEMORY) -> None:
    """Compiles a platform_config.h into out, whole or not at all. Raises PctError.

    If path is a compiled table already, it is checked and copied.
    """
    if _is_blob(path):
        _dump_blob(os.fspath(path), os.fspath(path), memory, ["-c"])
        _copy(path, out)
    else:
        _compile(os.fspath(path), os.fspath(out), partitions, memory)


def dump(path: PathLike, partitions: Optional[PathLike] = None,
         memory: int = MEMORY) -> dict[str, Any]:
    """The table with its layout, as `vsoc pct show --json` prints it. Raises PctError."""
    result: dict[str, Any] = json.loads(_show(path, partitions, memory, ["-j"]))
    return result


def _show(path: PathLike, partitions: Optional[PathLike], memory: int,
          options: list[str]) -> str:
    if _is_blob(path):
        return _dump_blob(os.fspath(path), os.fspath(path), memory, options)
    with tempfile.TemporaryDirectory(prefix="vsoc-pct-") as folder:
        blob = os.path.join(folder, "table.pct")
        _compile(os.fspath(path), blob, partitions, memory)
        return _dump_blob(blob, os.fspath(path), memory, options)


def _is_blob(path: PathLike) -> bool:
    """Tells a compiled table from a source. Raises PctError if it cannot be read."""
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            return file.read(4) == DTB_MAGIC or name.endswith((".pct", ".dtb"))
    except FileNotFoundError:
        raise PctError([f"{name}: no such file; give a platform_config.h or a compiled table"
                        ]) from None
    except IsADirectoryError:
        raise PctError([f"{name}: is a folder; give the platform_config.h in it"]) from None
    except OSError as err:
        raise PctError([f"{name}: cannot read: {err.strerror}"]) from err


def _copy(path: PathLike, out: PathLike) -> None:
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(os.path.abspath(out)),
                                         delete=False) as file:
            temporary = file.name
            file.write(Path(path).read_bytes())
        shutil.copymode(path, temporary)
        os.replace(temporary, out)
    except OSError as err:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise PctError([f"{os.fspath(out)}: cannot write: {err.strerror}"]) from err


# The tools


def _run(command: Sequence[str], cwd: Optional[str] = None) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES}
    env["LC_ALL"] = "C"
    try:
        return subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", errors="surrogateescape",
                              timeout=TIMEOUT, check=False)
    except FileNotFoundError:
        raise PctError([f"{command[0]}: not installed; run scripts/setup"]) from None
    except subprocess.TimeoutExpired:
        raise PctError([f"{command[0]}: did not end in {TIMEOUT} s; is there a loop in the table?"
                        ]) from None


def _tools() -> Path:
    """The folder with pct_dump and the pure sources' objects; built once a state of pct/."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    gcc = shutil.which("gcc")
    if gcc is None:
        raise PctError(["gcc: not installed; run scripts/setup"])
    compiler = os.stat(gcc)
    digest.update(f"{os.path.realpath(gcc)} {compiler.st_size} {compiler.st_mtime_ns}".encode())

    folder = cache_folder() / "pct" / digest.hexdigest()[:16]
    if folder.exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="new-") as new:
            _build_tools(Path(new))
            try:
                os.rename(new, folder)
            except OSError:
                if not folder.exists():     # another vsoc was quicker: its work is as good
                    raise
            else:
                os.mkdir(new)               # for the context manager to remove
    except OSError as err:
        raise PctError([f"{folder}: cannot write: {err.strerror}; VSOC_CACHE may name another "
                        "cache folder"]) from err
    return folder


def _build_tools(folder: Path) -> None:
    built = _run(["gcc", "-std=gnu11", "-O1", "-c",
                  *(str(SOURCES / name) for name in (*PURE, "pct_dump.c"))], cwd=str(folder))
    if built.returncode == 0:
        objects = [str(path) for path in sorted(folder.glob("*.o"))]
        built = _run(["gcc", *objects, "-lfdt", "-o", str(folder / "pct_dump")])
    if built.returncode != 0:
        raise PctError([f"the PCT tools cannot be built: {built.stderr.strip()}\n"
                        "run scripts/setup: libfdt-dev may be missing"])


def _dump_blob(blob: str, name: str, memory: int, options: list[str]) -> str:
    result = _run([str(_tools() / "pct_dump"), *options, "-m", str(memory), "-n", name, "--",
                   blob])
    if result.returncode != 0:
        raise PctError(_lines(result.stderr) or
                       [f"{name}: pct_dump ended with {result.returncode}"])
    return result.stdout


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


# server-partitions.mk


@dataclass
class _Partition:
    name: str
    value: str
    line: int       # 0: unknown

    def at(self, makefile: str) -> str:
        return f"{makefile}:{self.line}" if self.line else makefile


def _read_partitions(makefile: str) -> list[_Partition]:
    """Lets make read it. Raises PctError."""
    try:
        text = Path(makefile).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as err:
        raise PctError([f"{makefile}: rule partitions: cannot read: {err.strerror}; it has the "
                        "partitions' ids, a line like GID_GUEST_VM := 2 each; put it there or "
                        "give --partitions MK"]) from err
    mark = "vsoc-partition "
    goal = "vsoc-partitions"
    # A rule is expanded when all is read; names from the environment are left out.
    rule = (f"{goal}: ; $(foreach v,$(sort $(filter GID_%,$(.VARIABLES))),"
            f"$(if $(filter file override,$(origin $v)),$(info {mark}$v $($v))))@:")
    folder, base = os.path.split(os.path.abspath(makefile))
    result = _run(["make", "-s", "-r", "-R", "--no-print-directory", "-f", base, "--eval", rule,
                   goal], cwd=folder)
    if result.returncode != 0:
        raise PctError([_make_message(makefile, result.stderr)])

    partitions = []
    for line in result.stdout.splitlines():
        if line.startswith(mark):
            name, _, value = line[len(mark):].partition(" ")
            partitions.append(_Partition(name, value.strip(), _assigned_in(text, name)))
    return partitions


def _assigned_in(text: str, variable: str) -> int:
    """The last line of a makefile that assigns the variable; 0 if none is seen to."""
    assignment = re.compile(rf"\s*((override|export)\s+)*{re.escape(variable)}\s*(:{{0,3}}|\?)=")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if assignment.match(line)]
    return lines[-1] if lines else 0


def _make_message(makefile: str, stderr: str) -> str:
    for line in _lines(stderr):
        found = re.match(r"(.*?):(\d+): (?:\*\*\* )?(.*?)(?:\.?  Stop\.)?$", line)
        if found:
            name = makefile if found[1] == os.path.basename(makefile) else found[1]
            return f"{name}:{found[2]}: rule partitions: make says: {found[3]}"
    last = (_lines(stderr) or ["nothing"])[-1]
    return f"{makefile}: rule partitions: make says: {last}"


def _judge_partition(partition: _Partition, where: str) -> str:
    """What keeps C from taking it, or nothing. The other rules are pct_check's."""
    if not re.fullmatch(r"[A-Za-z_]\w*", partition.name, re.ASCII):
        return f"{where}: rule partition-name: it is no C name; use letters, digits and _"
    # Not 010, which some read as 8 and some as 10.
    if not re.fullmatch(r"0|-?[1-9]\d{0,17}|0[xX][0-9a-fA-F]{1,15}", partition.value, re.ASCII):
        return (f"{where}: rule partitions: its value '{partition.value}' is no number; use an id "
                "from 0 to 15")
    return ""


def _judged_partitions(makefile: str) -> list[tuple[_Partition, int]]:
    """The partitions with their ids, by rising id. Raises PctError."""
    partitions = _read_partitions(makefile)
    messages = [_judge_partition(partition, f"{partition.at(makefile)}: partition {partition.name}")
                for partition in partitions]
    if not partitions:
        messages.append(f"{makefile}: rule partition-count: 0 partitions; give 1 to 16, a line "
                        "like GID_GUEST_VM := 2 each")
    if any(messages):
        raise PctError([message for message in messages if message])
    ids = [(partition, int(partition.value, 0)) for partition in partitions]
    return sorted(ids, key=lambda pair: (pair[1], pair[0].name))


def _c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _partitions_c(makefile: str, partitions: list[tuple[_Partition, int]]) -> str:
    lines = []
    for partition, number in partitions:
        value = number if number != 0 else "PCT_SOURCE_PARTITION_0"
        lines.append(f"#define {partition.name} {value}")
    lines.append("static const struct pct_source_partition pct_source_partitions[] = {")
    for partition, number in partitions:
        place = f"{{ {_c_string(makefile)}, {partition.line} }}" if partition.line else "{ 0, 0 }"
        lines.append(f"    {{ {_c_string(partition.name)}, {number}, {place} }},")
    lines.append("};\n")
    return "\n".join(lines)


# platform_config.h


def _is_fragment(text: str) -> bool:
    """Whether the first token is a '.', so that the file is the inner part of an initialiser."""
    text = re.sub(r"\\\n", "", text)
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r"^\s*#[^\n]*", "", text, flags=re.M)
    return text.lstrip().startswith(".")


def _source_c(name: str, text: str) -> str:
    """What pct_compile.c includes: the file under its own name, a fragment within braces."""
    begin, end = (FORM, "};") if _is_fragment(text) else ("", "")
    # The last line is where gcc finds that something was not closed.
    return f"{begin}\n#line 1 {_c_string(name)}\n{text}\n{end} extern int pct_source_end;\n"


def _compile(name: str, out: Optional[str], partitions: Optional[PathLike], memory: int) -> None:
    """Compiles the table of a source, and runs it. Raises PctError."""
    makefile = os.path.join(os.path.dirname(name), MK)
    if partitions is not None:
        makefile = os.fspath(partitions)
    read = _judged_partitions(makefile)
    try:
        text = Path(name).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as err:
        raise PctError([f"{name}: cannot read: {err.strerror}"]) from err
    tools = _tools()

    with tempfile.TemporaryDirectory(prefix="vsoc-pct-") as folder:
        source = Path(folder) / "source.h"
        source.write_text(_source_c(name, text), encoding="utf-8", errors="surrogateescape")
        ids = Path(folder) / "partitions.h"
        ids.write_text(_partitions_c(makefile, read), encoding="utf-8", errors="surrogateescape")
        program = os.path.join(folder, "compile")
        built = _run([
            "gcc", "-std=gnu11", "-O0", "-iquote", os.path.dirname(name) or ".",
            f"-DPCT_PARTITIONS={_c_string(str(ids))}", f"-DPCT_SOURCE={_c_string(str(source))}",
            "-fdiagnostics-plain-output", "-ftrack-macro-expansion=0",
            f"-fmax-errors={MAX_ERRORS}", "-Werror", "-Wno-cpp", "-Wfloat-conversion",
            "-Woverride-init", "-Wno-error=override-init", str(SOURCES / "pct_compile.c"),
            *(str(tools / f"{pure[:-2]}.o") for pure in PURE), "-lfdt", "-o", program])
        said = Diagnostics(name, text, [pair[0].name for pair in read])
        messages = said.messages(built.stderr)
        if built.returncode != 0:
            raise PctError(messages or [f"{name}: gcc failed: {built.stderr.strip()}"])
        # What is given twice is a fault too; the program tells the others, and writes nothing.
        writes = ["-o", out] if out is not None and not messages else []
        result = _run([program, "-m", str(memory), *writes, "--", name, makefile])
        messages += _lines(result.stderr)
        if result.returncode != 0 and not messages:
            messages = [f"{name}: its compiler ended with {result.returncode}"]
        if messages:
            raise PctError(messages)


# The command line


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,15})([KMG]?)", text, re.ASCII)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size; write bytes, or a number with K, M or G")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def _tell(messages: Sequence[str]) -> int:
    """As a compiler does: nothing before the file's name."""
    for message in messages:
        print(message, file=sys.stderr)
    return 1 if messages else 0


def _run_check(args: argparse.Namespace) -> int:
    return _tell(check(args.file, args.partitions, args.memory))


def _run_show(args: argparse.Namespace) -> int:
    try:
        shown = _show(args.file, args.partitions, args.memory, ["-j"] if args.json else [])
    except PctError as err:
        return _tell(err.messages)
    sys.stdout.write(shown)
    return 0


def _run_compile(args: argparse.Namespace) -> int:
    try:
        compile_table(args.file, args.output, args.partitions, args.memory)
    except PctError as err:
        return _tell(err.messages)
    return 0


def add_parser(subparsers: Any) -> None:
    """Adds `pct`; args.run(args) then returns the exit code or raises VsocError."""
    pct = subparsers.add_parser(
        "pct", help="check, show or compile a partition configuration table",
        description="Checks, shows or compiles a partition configuration table.")
    commands = pct.add_subparsers(dest="pct_command", metavar="COMMAND", required=True)

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text.capitalize() + ".")
        parser.add_argument("file", metavar="FILE",
                            help="a platform_config.h, or a compiled table (*.pct)")
        parser.add_argument("--partitions", metavar="MK",
                            help=f"the makefile with the partitions' ids ({MK} beside FILE)")
        parser.add_argument("--memory", metavar="SIZE", type=_size, default=MEMORY,
                            help="shared memory it has to fit: bytes, or with K, M or G (1G)")
        parser.set_defaults(run=run)
        return parser

    add("check", _run_check, "report every broken rule; exit 0 if there is none, else 1")
    add("show", _run_show, "show partitions, queues and their layout").add_argument(
        "--json", action="store_true", help="as JSON")
    add("compile", _run_compile, "compile the table for the device").add_argument(
        "-o", "--output", metavar="OUT", required=True, help="the file to write")

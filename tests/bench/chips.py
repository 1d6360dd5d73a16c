# SPDX-License-Identifier: MIT
"""INTER_CHIP between guests of two SoCs, beside INTER_VM and plain sockets."""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Optional

from program import Bench, BenchError, Case, progress

if TYPE_CHECKING:
    from vsoclib.soc import Soc

CASES = (
    Case("pingpong", 64, 1000),
    Case("pingpong", 1536, 1000),
    Case("stream", 64, 4000),
    Case("stream", 1536, 4000),
    Case("stream", 24576, 1500),
)
SIZES = tuple(sorted({case.size for case in CASES}))
BYTES = 393216      # a direction holds so many, or 64 frames

# Transport -> what it is. The first two are what is measured, the others what it is compared with.
CHIPS = {"chip-unix": "INTER_CHIP, linked by a unix socket", "chip-tcp": "INTER_CHIP, linked by TCP"}
OTHERS = {"vm": "INTER_VM, of one SoC", "unix": "a unix socket, of the host", "tcp": "TCP on the host's loopback"}
PEER = {"chip-unix": "b.near", "chip-tcp": "b.near", "vm": "a.beside"}
TIMEOUT = 120.0

PARTITIONS = """# SPDX-License-Identifier: MIT
GID_NEAR   := 2
GID_BESIDE := 3
"""
SOC = """
name = "bench"
[soc.a]
pct = "platform_config.h"
[soc.a.vm.near]
partition = "GID_NEAR"
cfg = "bench.cfg"
[soc.a.vm.beside]
partition = "GID_BESIDE"
cfg = "bench.cfg"
[soc.b]
pct = "platform_config.h"
[soc.b.vm.near]
partition = "GID_NEAR"
cfg = "bench.cfg"
[link.unix]
ends = ["a.near", "b.near"]
devices = {unix}
[link.tcp]
ends = ["a.near", "b.near"]
transport = "tcp"
devices = {tcp}
"""


def shape(size: int) -> str:
    return f".nframes = {min(64, BYTES // size)}, .frame_size = {size}"


def write_soc(folder: Path) -> Path:
    """Both chips have the same table: a channel of each size over each link, and a queue of each."""
    number = {(way, size): 10 * place + i for place, way in enumerate(PEER) for i, size in enumerate(SIZES)}
    devices = [f"[{n}] = {{ .owner = GID_NEAR, .remote = {n}, {shape(size)} }},"
               for (way, size), n in number.items() if way != "vm"]
    queues = [f"[{n}] = {{ .peers = {{GID_NEAR, GID_BESIDE}}, {shape(size)} }},"
              for (way, size), n in number.items() if way == "vm"]
    (folder / "platform_config.h").write_text("\n".join([
        "const struct platform_config platform_config = {", ".ivc = { .queue = {", *queues, "} },",
        ".c2c = { .device = {", *devices, "} },", "};", ""]))
    (folder / "server-partitions.mk").write_text(PARTITIONS)
    (folder / "bench.cfg").write_text("".join(
        f"{'INTER_VM' if way == 'vm' else 'INTER_CHIP'} {way}-{size} {n}\n" for (way, size), n in number.items()))
    path = folder / "soc.toml"
    path.write_text(SOC.format(**{link: [n for (way, _), n in number.items() if way == f"chip-{link}"]
                                  for link in ("unix", "tcp")}))
    return path


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Soc]:
    # Only here: the other measurements need no guests, nor what drives them.
    from vsoclib import config
    from vsoclib.errors import VsocError
    from vsoclib.soc import Soc

    progress("boot three guests of two SoCs")
    try:
        # Standard output is for the figures.
        with contextlib.redirect_stdout(sys.stderr), Soc.new(config.load(write_soc(folder))) as soc:
            yield soc
    except VsocError as error:
        raise BenchError(str(error)) from error


def run_guests(soc: Soc, way: str, case: Case, count: int) -> dict[str, Any]:
    """One run of ivcping, in the words of tests/bench/bench."""
    name = f"{way}-{case.size}"
    server = soc[PEER[way]].submit(["ivcping", "--server", name], TIMEOUT)
    client = soc["a.near"].run(["ivcping", "--client", name, "--mode", case.mode, "--size", str(case.size), "--count",
                                str(count), "--json"], timeout=TIMEOUT)
    for result in client, server.result():
        if result.returncode:
            raise BenchError(f"ivcping over {name}: exit code {result.returncode}\n{result.stderr.decode()}")
    said = json.loads(client.stdout)
    if case.mode == "stream":
        figures = {"frame_ns": 1e9 / said["frames_per_s"]}
    else:
        figures = {"median_ns": said["rtt_us"]["median"] * 1000, "p99_ns": said["rtt_us"]["p99"] * 1000}
    return {"count": count, **figures}


def run_host(bench: Bench, way: str, case: Case, count: int) -> dict[str, Any]:
    return dict(json.loads(bench.run(
        "--transport", way, "--size", str(case.size), "--count", str(count), "--warm-up", str(min(1000, count)),
        *(["--stream"] if case.mode == "stream" else []))))


def run_all(bench: Bench, soc: Soc, rounds: int, count: Optional[int]) -> dict[tuple[Case, str], list[dict[str, Any]]]:
    runs: dict[tuple[Case, str], list[dict[str, Any]]] = {}
    for number in range(rounds):
        for case in CASES:
            progress(f"round {number + 1} of {rounds}: {case.mode}, frames of {case.size} bytes")
            for way in (*CHIPS, *OTHERS):
                wanted = count or case.count
                runs.setdefault((case, way), []).append(
                    run_guests(soc, way, case, wanted) if way in PEER else run_host(bench, way, case, wanted))
    return runs


def measure(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    with started(bench.folder) as soc:
        runs = run_all(bench, soc, options.rounds, options.count)
    results = []
    for (case, way), of_way in runs.items():
        result: dict[str, Any] = {"transport": way, "mode": case.mode, "size": case.size, "runs": of_way}
        for key in ("median_ns", "p99_ns", "frame_ns"):
            if key in of_way[0]:
                result[key] = statistics.median(run[key] for run in of_way)
        if case.mode == "stream":
            result["frames_per_s"] = round(1e9 / result["frame_ns"])
            result["mbytes_per_s"] = round(case.size * 1e3 / result["frame_ns"], 1)
        if way in CHIPS:
            result["ratios"] = {other: round(statistics.median(
                own[case.value] / its[case.value] for own, its in zip(of_way, runs[case, other])), 3)
                for other in OTHERS}
        results.append(result)
    return {"rounds": options.rounds, "results": results}


def show(report: dict[str, Any]) -> None:
    """A table of times, and one of ratios."""
    results = report["results"]
    print()
    for way, what in {**CHIPS, **OTHERS}.items():
        print(f"  {way:<10} {what}")
    print("\nRound trip in us (median / p99); streamed frame in us, and MB/s\n")
    heads = [f"{'trip' if case.mode == 'pingpong' else 'frame'} {case.size}" for case in CASES]
    print(" " * 12 + "".join(head.rjust(20) for head in heads))
    for way in (*CHIPS, *OTHERS):
        cells = []
        for result in (each for each in results if each["transport"] == way):
            if result["mode"] == "pingpong":
                cells.append(f"{result['median_ns'] / 1000:.1f} / {result['p99_ns'] / 1000:.0f}")
            else:
                cells.append(f"{result['frame_ns'] / 1000:.2f}, {result['mbytes_per_s']:.1f}")
        print("  " + way.ljust(10) + "".join(cell.rjust(20) for cell in cells))
    print("\nRatios of INTER_CHIP's time to another's, each the median of paired runs\n")
    print(" " * 19 + "".join(head.rjust(14) for head in heads))
    for way in CHIPS:
        for other in OTHERS:
            row = [each["ratios"][other] for each in results if each["transport"] == way]
            print(f"  {way:<9} / {other:<5}" + "".join(f"{ratio:14.2f}" for ratio in row))


def add_to(what: Any, common: argparse.ArgumentParser) -> None:
    parser = what.add_parser("chips", help="INTER_CHIP between guests of two SoCs, on this machine", parents=[common],
                             description="Round trips and streams over INTER_CHIP between guests of two SoCs, over a "
                             "link by unix socket and one by TCP, against INTER_VM and against plain sockets between "
                             "processes of the host. Boots three guests.")
    parser.set_defaults(measure=measure, show=show)

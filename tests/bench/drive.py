# SPDX-License-Identifier: MIT
"""Runs tests/bench/bench many times and compares; docs/devel/bench.md says how to read what comes out."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, Optional

import chips
from program import Bench, BenchError, Case, NotHere, build, count_of, host, progress

SKIP = "not measured"
# Transports that are measured beside channels between chips only.
SOCKETS = {"unix", "tcp"}

OURS = ("nvsciipc-select", "nvsciipc-event", "nvsciipc-poll")
LIMIT = {"nvsciipc-select": "ring-mqueue", "nvsciipc-event": "ring-mqueue", "nvsciipc-poll": "ring-spin"}
PEERS = {"processes": "INTER_PROCESS", "threads": "INTER_THREAD"}
PLACES = {"one": "both sides on one CPU", "each": "a CPU for each side"}


CASES = (
    Case("pingpong", 64, 10_000),
    Case("pingpong", 1536, 10_000),
    Case("stream", 64, 100_000),
    Case("stream", 1536, 50_000),
    Case("stream", 24576, 8_000),
)


def arguments(transport: str, peers: str, cpus: str, mode: str, size: int, count: int) -> list[str]:
    return ["--transport", transport, "--size", str(size), "--count", str(count), "--cpus", cpus,
            "--warm-up", str(min(1000, count)), *(["--stream"] if mode == "stream" else []),
            *(["--threads"] if peers == "threads" else [])]


def cpus() -> dict[str, str]:
    """Place -> CPUs of the two sides."""
    allowed = sorted(os.sched_getaffinity(0))
    places = {"one": f"{allowed[0]},{allowed[0]}"}
    if len(allowed) > 1:
        places["each"] = f"{allowed[0]},{allowed[1]}"
    return places


def own_transports(bench: Bench) -> list[str]:
    return [name for name in bench.transports() if name not in SOCKETS]


# Figures


def measure(bench: Bench, rounds: int, count: Optional[int]) -> list[dict[str, Any]]:
    """Every transport in every case, `rounds` times; those of a round right after each other."""
    results: dict[tuple[str, str, Case, str], dict[str, Any]] = {}
    transports = own_transports(bench)
    places = cpus()
    if "each" not in places:
        bench.notes.add(f"{SKIP}: a CPU for each side: this process may use one only")
    if "zeromq" not in transports:
        bench.notes.add(f"{SKIP}: zeromq: the program was built without it")
    for number in range(rounds):
        for peers, backend in PEERS.items():
            for place, pinned in places.items():
                progress(f"round {number + 1} of {rounds}: {backend}, {PLACES[place]}")
                for case in CASES:
                    for transport in transports + (["memcpy"] if case.mode == "stream" else []):
                        run = arguments(transport, peers, pinned, case.mode, case.size, count or case.count)
                        result = results.setdefault((peers, place, case, transport), {
                            "backend": backend, "cpus": place, "mode": case.mode, "size": case.size,
                            "transport": transport, "runs": []})
                        try:
                            result["runs"].append(json.loads(bench.run(*run)))
                        except NotHere as reason:
                            bench.notes.add(f"{SKIP}: {transport}, frames of {case.size} bytes: {reason}")
    for (peers, place, case, transport), result in results.items():
        if not result["runs"]:
            continue
        for key in ("median_ns", "p99_ns", "frame_ns"):
            if key in result["runs"][0]:
                result[key] = statistics.median(run[key] for run in result["runs"])
        if case.mode == "stream":
            result["frames_per_s"] = round(1e9 / result["frame_ns"])
        if transport in OURS:
            result["ratios"] = {
                other: statistics.median(own[case.value] / its[case.value]
                                         for own, its in zip(result["runs"], against["runs"]))
                for (p, c, k, other), against in results.items()
                if (p, c, k) == (peers, place, case) and other not in OURS and against["runs"]}
    return [result for result in results.values() if result["runs"]]


def aims(results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What we hold ourselves to: our time against another's, at most so many times."""
    for result in results:
        ratios = result.get("ratios")
        if ratios is None:
            continue
        way = result["transport"]
        blocking = way != "nvsciipc-poll"
        wanted: dict[str, float] = {}
        if result["mode"] == "pingpong":
            wanted = {"ring-mqueue": 1.15, "seqpacket": 1.0, "zeromq": 1.0} if blocking else {"ring-spin": 1.5}
        else:
            wanted = {LIMIT[way]: 1.25}
            if result["size"] == 1536 and result["cpus"] == "one":
                wanted["pipe"] = 1 / 3
        for other, most in wanted.items():
            if other in ratios:
                yield {**{key: result[key] for key in ("backend", "cpus", "mode", "size", "transport")},
                       "against": other, "ratio": round(ratios[other], 3), "at_most": round(most, 3),
                       "met": ratios[other] <= most}


def print_table(results: list[dict[str, Any]]) -> None:
    """A table for each backend and place: microseconds a round trip (median, p99), nanoseconds a streamed frame."""
    for backend in PEERS.values():
        for place, what in PLACES.items():
            rows: dict[str, list[str]] = {}
            some = [r for r in results if (r["backend"], r["cpus"]) == (backend, place)]
            if not some:
                continue
            for number, case in enumerate(CASES):
                for r in some:
                    if (r["mode"], r["size"]) == (case.mode, case.size):
                        row = rows.setdefault(r["transport"], ["-"] * len(CASES))
                        row[number] = f"{r['median_ns'] / 1000:.2f} / {r['p99_ns'] / 1000:.1f}" \
                            if case.mode == "pingpong" else f"{r['frame_ns']:.0f}"
            print(f"\n{backend} and its equals, {what}: round trip in us (median / p99), streamed frame in ns\n")
            heads = [f"{'trip' if case.mode == 'pingpong' else 'frame'} {case.size}" for case in CASES]
            print("  " + "".ljust(17) + "".join(head.rjust(19 if head[0] == "t" else 13) for head in heads))
            for transport, row in rows.items():
                print("  " + transport.ljust(17) + "".join(
                    cell.rjust(19 if head[0] == "t" else 13) for cell, head in zip(row, heads)))


def print_aims(judged: list[dict[str, Any]]) -> None:
    print("\nRatios of our time to another's, each the median of paired runs, and what we aim at\n")
    for aim in judged:
        print(f"  {aim['backend']:<14}{aim['cpus']:<5}{aim['mode']:<9}{aim['size']:>6}  {aim['transport']:<16} / "
              f"{aim['against']:<12}{aim['ratio']:>7.2f}  at most {aim['at_most']:.2f}"
              f"{'' if aim['met'] else '  missed'}")


# Costs

# The functions of bench.c that are measured.
MEASURED = ("ask", "answer", "send_all", "receive_all")


def strace_counts(bench: Bench, run: list[str]) -> dict[str, int]:
    """System call -> how often, in both sides."""
    report = bench.folder / "strace"
    bench.run(*run, under=("strace", "-f", "-c", "-o", str(report)))
    counts = {}
    for line in report.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts


def callgrind_counts(bench: Bench, run: list[str]) -> dict[str, int]:
    """Function -> instructions in user space, in both sides."""
    report = bench.folder / "callgrind"
    bench.run(*run, under=("valgrind", "--tool=callgrind", f"--callgrind-out-file={report}", "--quiet",
                           *(f"--toggle-collect={name}" for name in MEASURED)))
    listing = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", str(report)], check=True,
                             capture_output=True, text=True).stdout
    counts: dict[str, int] = {}
    for line in listing.splitlines():
        match = re.match(r"\s*([\d,]+) \([\d. ]+%\)\s+[^:]+:(\S+)", line)
        if match:
            counts[match.group(2)] = counts.get(match.group(2), 0) + int(match.group(1).replace(",", ""))
    return counts


def cost(bench: Bench, count: int) -> list[dict[str, Any]]:
    """What one round trip and one streamed frame cost: the difference between a run and one twice as long."""
    results = []
    pinned = cpus()["one"]
    for mode, size in (("pingpong", 64), ("stream", 1536)):
        for transport in own_transports(bench):
            progress(f"cost of {mode} over {transport}")
            result: dict[str, Any] = {"mode": mode, "size": size, "transport": transport}
            tools = {"system_calls": strace_counts}
            # Under valgrind, how often a loop that waits by looking goes round says nothing.
            if transport not in ("nvsciipc-poll", "ring-spin", "zeromq"):
                tools["instructions"] = callgrind_counts
            try:
                for key, tool in tools.items():
                    once, twice = (tool(bench, arguments(transport, "threads", pinned, mode, size, n) + [
                        "--warm-up", "64"]) for n in (count, 2 * count))
                    each = {name: (twice[name] - once.get(name, 0)) / count for name in twice}
                    result[key] = {name: round(n, 3) for name, n in sorted(each.items(), key=lambda item: -item[1])
                                   if n >= 0.005}
            except NotHere as reason:
                bench.notes.add(f"{SKIP}: {transport}: {reason}")
                continue
            results.append(result)
    return results


def print_cost(results: list[dict[str, Any]]) -> None:
    for result in results:
        what = "a round trip" if result["mode"] == "pingpong" else "a streamed frame"
        print(f"\n{what} of {result['size']} bytes over {result['transport']}, both sides together")
        for key, unit in (("system_calls", "system calls"), ("instructions", "instructions in user space")):
            if key in result:
                print(f"  {sum(result[key].values()):8.2f} {unit}")
                for name, n in list(result[key].items())[:16]:
                    print(f"    {n:10.2f} {name}")


def intra(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    if options.cost:
        return {"cost": cost(bench, options.count or 1000)}
    results = measure(bench, options.rounds, options.count)
    return {"rounds": options.rounds, "results": results, "aims": list(aims(results))}


def show_intra(report: dict[str, Any]) -> None:
    if "cost" in report:
        print_cost(report["cost"])
    else:
        print_table(report["results"])
        print_aims(report["aims"])


def add_intra(what: Any, common: argparse.ArgumentParser) -> None:
    parser = what.add_parser("intra", help="INTER_THREAD and INTER_PROCESS, on this machine", parents=[common],
                             description="Round trips and streams over INTER_THREAD and INTER_PROCESS, each way of "
                             "waiting, against what the system offers and against the limits. Takes some minutes.")
    parser.add_argument("--cost", action="store_true", help="instead: the system calls (strace -c) and instructions "
                        "(callgrind) of one round trip and of one streamed frame")
    parser.set_defaults(measure=intra, show=show_intra)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the library. "
                                     "docs/devel/bench.md says how to read what comes out.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    common.add_argument("--rounds", type=count_of, default=3, help="paired runs of each (3)")
    common.add_argument("--count", type=count_of, help="round trips or frames of each run")
    common.add_argument("--program", type=Path, help="the built tests/bench/bench (it is built)")
    what = parser.add_subparsers(dest="what", required=True)
    add_intra(what, common)
    chips.add_to(what, common)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="vsoc-bench-") as folder:
            bench = Bench(options.program or build(), Path(folder))
            report: dict[str, Any] = {"host": host(), **options.measure(bench, options), "notes": sorted(bench.notes)}
    except BenchError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scripts/bench: interrupted", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(report, indent=1))
        return 0
    print("{cpu}, {cpus} CPUs, Linux {kernel}, load {load:.1f}".format(**report["host"]))
    options.show(report)
    for note in report["notes"]:
        print(note)
    return 0


if __name__ == "__main__":
    sys.exit(main())

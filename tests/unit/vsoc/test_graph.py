# SPDX-License-Identifier: MIT
"""vsoc graph: what is drawn, and that Graphviz takes it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
from vsoc_samples import CHECKOUT
from vsoclib.graph import Chip, Vm, draw, quote, ranges
from vsoclib.observe import Channel, End

Vsoc = Callable[..., "subprocess.CompletedProcess[str]"]

TABLE: "dict[str, Any]" = {
    "partitions": [{"name": "A", "id": 2}, {"name": "B", "id": 3}, {"name": "M", "id": 4}],
    "queues": [
        {"id": 6, "peers": ["A", "A"], "loopback": True, "nframes": 4, "frame_size": 64},
        {"id": 7, "peers": ["A", "A"], "loopback": True, "nframes": 4, "frame_size": 64},
        {"id": 255, "peers": ["B", "A"], "loopback": False, "nframes": 8, "frame_size": 64},
        {"id": 264, "peers": ["A", "M"], "loopback": False, "nframes": 8, "frame_size": 64}],
    "c2c": [{"device": 5, "owner": "A", "remote": 9, "nframes": 16, "frame_size": 128}]}
VMS = {"A": Vm("guest", {255: "to_b", 6: "here"}, {5: "chip"}), "B": Vm("update", {255: "to_a"})}


def parsed(text: str) -> "tuple[dict[str, Any], list[tuple[str, str, dict[str, Any]]]]":
    """Nodes by name, and edges, as Graphviz understands them."""
    dot = shutil.which("dot")
    assert dot, "dot is missing; scripts/setup installs graphviz"
    done = subprocess.run([dot, "-Tdot_json"], input=text, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    seen = json.loads(done.stdout)
    things = {each["_gvid"]: each for each in seen["objects"]}
    nodes = {each["name"]: each for each in seen["objects"] if "nodes" not in each}
    return nodes, [(things[each["tail"]]["name"], things[each["head"]]["name"], each)
                   for each in seen["edges"]]


def labels(edges: "list[tuple[str, str, dict[str, Any]]]") -> "list[tuple[str, str, str]]":
    return [(tail, head, edge["label"]) for tail, head, edge in edges]


def test_partitions_queues_and_the_other_chip() -> None:
    nodes, edges = parsed(draw([Chip("demo", TABLE, VMS)]))
    assert set(nodes) == {"demo/A", "demo/B", "demo/M", "other chip"}
    assert nodes["demo/A"]["label"] == "guest\\nA (2)"
    assert nodes["demo/M"]["label"] == "M (4)\\nno VM" and nodes["demo/M"]["style"] == "dashed"
    assert sorted(labels(edges)) == [
        ("demo/A", "demo/A", "6/7: 4 x 64\\nhere"),
        ("demo/A", "demo/M", "264: 8 x 64"),
        ("demo/A", "other chip", "c2c 5 - 9: 16 x 128\\nchip"),
        ("demo/B", "demo/A", "255: 8 x 64\\nto_a, to_b")]
    assert all("color" not in edge for _, _, edge in edges)


def test_chips_that_both_are_here() -> None:
    far = {**TABLE, "queues": [],
           "c2c": [{"device": 9, "owner": "B", "remote": 5, "nframes": 16, "frame_size": 128}]}
    nodes, edges = parsed(draw([Chip("a", {**TABLE, "queues": []}, VMS),
                                Chip("b", far, {"B": Vm("b.update", {}, {9: "chip_b"})})]))
    assert "other chip" not in nodes
    assert labels(edges) == [("a/A", "b/B", "c2c 5 - 9: 16 x 128\\nchip, chip_b")]


def test_many_queues_between_two_are_one_line() -> None:
    table = {"partitions": TABLE["partitions"], "queues": [
        {"id": number, "peers": ["A", "B"], "loopback": False, "nframes": 1, "frame_size": 64}
        for number in [*range(500), 511]]}
    live = {"17": channel("17", 100.0)}
    _, edges = parsed(draw([Chip("demo", table, VMS, live)]))
    [(_, _, edge)] = edges
    assert edge["label"] == "501 queues: 0-499, 511\\n17: guest: 100/s, update: 0/s"


def channel(name: str, rate: float, **more: Any) -> Channel:
    a = End("guest", "A", 5, "open", "established", frames_per_s=rate)
    b = End("update", "B", 5, "open", more.get("state", "established"))
    b.presence = more.get("presence", "open")
    b.faults = more.get("faults", {})
    return Channel(name, "ivc", 8, 64, 1.0, (a, b))


@pytest.mark.parametrize("more,colour", [
    ({}, "#2e7d32"), ({"state": "sync"}, "#e65100"), ({"presence": "gone"}, "#9e9e9e")])
def test_the_colour_tells_the_state(more: "dict[str, Any]", colour: str) -> None:
    _, edges = parsed(draw([Chip("demo", TABLE, VMS, {"255": channel("255", 0.0, **more)})]))
    [edge] = [edge for _, _, edge in edges if edge["label"].startswith("255")]
    assert (edge["color"], edge["penwidth"]) == (colour, "1")


def test_what_goes_on_stands_at_the_line() -> None:
    live = {"255": channel("255", 12.3, faults={"dropped": 3}),
            "guest:c2c0:5": channel("guest:c2c0:5", 7.0)}
    _, edges = parsed(draw([Chip("demo", TABLE, VMS, live)]))
    shown = {edge["label"].partition(":")[0]: edge for _, _, edge in edges}
    assert shown["255"]["label"].endswith("guest: 12/s, update: 0/s\\ndropped 3")
    assert shown["255"]["penwidth"] == "3"
    assert shown["c2c 5 - 9"]["label"].endswith("guest: 7/s, update: 0/s")


def test_a_vm_that_has_ended_is_marked() -> None:
    nodes, _ = parsed(draw([Chip("demo", TABLE, {"A": Vm("guest", state="stopped")})]))
    assert nodes["demo/A"]["label"].endswith("\\nstopped")


def test_names_that_are_quoted() -> None:
    assert quote('a "b"\\\n') == '"a \\"b\\"\\\\\\n"'
    parsed(draw([Chip('x" y\\', TABLE, {"A": Vm("guest", {255: 'q"[label=z]'})})]))


@pytest.mark.parametrize("numbers,text", [
    ([], ""), ([5], "5"), ([3, 1, 2], "1-3"), ([1, 2, 4, 9, 10], "1-2, 4, 9-10")])
def test_ranges(numbers: "list[int]", text: str) -> None:
    assert ranges(numbers) == text


TWO_GUESTS = str(CHECKOUT / "docs/examples/two-guests/soc.toml")
TWO_CHIPS = str(CHECKOUT / "docs/examples/two-chips/soc.toml")


@pytest.mark.parametrize("name,begin", [("x.svg", b"<?xml"), ("x.png", b"\x89PNG"),
                                        ("x.dot", b"digraph vsoc {")])
def test_files(name: str, begin: bytes, vsoc: Vsoc, tmp_path: Path) -> None:
    done = vsoc("graph", "-f", TWO_CHIPS, "-o", str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name).read_bytes().startswith(begin)


def test_the_example(vsoc: Vsoc) -> None:
    nodes, edges = parsed(vsoc("graph", "-f", TWO_GUESTS).stdout)
    assert nodes["two-guests/GID_UPDATE"]["label"] == "update\\nGID_UPDATE (3)"
    assert ("two-guests/GID_GUEST_VM", "two-guests/GID_UPDATE",
            "255: 64 x 1536\\nivc_test") in labels(edges)


def test_the_example_of_two_chips(vsoc: Vsoc) -> None:
    _, edges = parsed(vsoc("graph", "-f", TWO_CHIPS).stdout)
    assert ("a/GID_GUEST_VM", "b/GID_GUEST_VM", "c2c 6 - 7: 13 x 320\\nchip_odd") in labels(edges)


def test_an_unknown_kind_of_file(vsoc: Vsoc) -> None:
    done = vsoc("graph", "-f", TWO_GUESTS, "-o", "x.gif")
    assert done.returncode == 2 and "does not end in one of .svg, .png, .pdf" in done.stderr


def test_a_folder_that_is_not_there(vsoc: Vsoc) -> None:
    done = vsoc("graph", "-f", TWO_GUESTS, "-o", "/nowhere/x.dot")
    assert done.returncode == 2 and "cannot write /nowhere/x.dot" in done.stderr
    done = vsoc("graph", "-f", TWO_GUESTS, "-o", "/nowhere/x.svg")
    assert done.returncode == 1 and "dot could not make /nowhere/x.svg" in done.stderr


def test_without_graphviz(vsoc: Vsoc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("gcc", "make", "as", "ld"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    done = vsoc("graph", "-f", TWO_GUESTS, "-o", str(tmp_path / "x.svg"))
    assert done.returncode == 1 and "graphviz" in done.stderr
    assert vsoc("graph", "-f", TWO_GUESTS).returncode == 0

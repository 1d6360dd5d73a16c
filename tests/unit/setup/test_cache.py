# SPDX-License-Identifier: MIT
"""The cache: an entry is whole or not there, is made once, and goes when nobody uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vsoclib.setup import cache as cache_module
from vsoclib.setup.cache import Cache, content_key, source_files, tree_key


def no_wait() -> None:
    raise AssertionError("the cache is locked")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_entry_is_made_once(cache: Cache) -> None:
    made = []

    def make(work: Path) -> None:
        made.append(work)
        (work / "x").write_text("1")

    with cache.locked(no_wait):
        first = cache.publish("kind", "key", make)
        assert cache.publish("kind", "key", make) == first
    assert len(made) == 1
    assert (first / "x").read_text() == "1"


def test_failure_publishes_nothing(cache: Cache) -> None:
    def make(work: Path) -> None:
        (work / "half").write_text("made")
        raise RuntimeError

    with cache.locked(no_wait):
        with pytest.raises(RuntimeError):
            cache.publish("kind", "key", make)
        assert not cache.has("kind", "key")
    assert [path.name for path in cache.root.iterdir()] == ["lock"]


def test_next_run_removes_what_a_killed_one_left(cache: Cache) -> None:
    left = cache.root / "tmp/kind/half"
    left.parent.mkdir(parents=True)
    left.write_text("made")
    with cache.locked(no_wait):
        assert not left.exists()


def test_second_run_waits(cache: Cache) -> None:
    code = ("import sys, time; from pathlib import Path; from vsoclib.setup.cache import Cache\n"
            "with Cache(Path(sys.argv[1])).locked(lambda: None):\n"
            "    print('locked', flush=True); time.sleep(0.5)\n")
    scripts = Path(cache_module.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code, str(cache.root)], stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": str(scripts)}) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        waited = []
        with cache.locked(lambda: waited.append(other.poll())):
            other.wait(timeout=5)
        assert waited == [None]


@pytest.mark.parametrize("kind, kept", [("qemu", cache_module._KEEP_MOST),
                                        ("qemu-tree", cache_module._KEEP_TREES)])
def test_prune_keeps_the_latest(cache: Cache, kind: str, kept: int) -> None:
    for number in range(kept + 3):
        cache.publish(kind, f"{number:02}", lambda work: None)
        used = time.time() - number
        os.utime(cache.path(kind, f"{number:02}"), (used, used))
    cache.prune()
    assert sorted(path.name for path in cache.root.glob(f"{kind}-*")) == [
        f"{kind}-{number:02}" for number in range(kept)]


def test_prune_removes_the_unused_but_not_the_last(cache: Cache) -> None:
    for key, days in (("a", 100), ("b", 200)):
        cache.publish("kind", key, lambda work: None)
        used = time.time() - days * 86400
        os.utime(cache.path("kind", key), (used, used))
    cache.prune()
    assert [path.name for path in cache.root.glob("kind-*")] == ["kind-a"]


def test_prune_leaves_what_is_not_ours(cache: Cache) -> None:
    (cache.root / "pct").mkdir(parents=True)
    cache.prune()
    assert (cache.root / "pct").is_dir()


def test_keys_tell_parts_apart() -> None:
    assert content_key("ab", "c") != content_key("a", "bc") != content_key("abc")


def test_tree_key_sees_name_mode_and_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    keys = {tree_key(tmp_path, ["a"])}
    path.chmod(0o755)
    keys.add(tree_key(tmp_path, ["a"]))
    path.write_text("2")
    keys.add(tree_key(tmp_path, ["a"]))
    path.rename(tmp_path / "b")
    keys.add(tree_key(tmp_path, ["b"]))
    assert len(keys) == 4


def test_source_files_are_sorted_and_filtered(tmp_path: Path) -> None:
    for name in ("d/b.c", "d/e/a.h", "d/x.py", "d/__pycache__/x.c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert source_files(tmp_path, ["d"], (".c", ".h")) == ["d/b.c", "d/e/a.h"]

# SPDX-License-Identifier: MIT
"""A VM's device tree: the lines of a configuration become the strings of its channel list."""

import subprocess
from pathlib import Path

import pytest
from vsoc_samples import CHECKOUT
from vsoclib import devicetree
from vsoclib.config import VmConfig
from vsoclib.errors import ConfigError, ProcessError, SetupError

# As QEMU's own tree, in short.
TREE = b"""/dts-v1/;
/ { #address-cells = <2>; cpus { cpu@0 { reg = <0>; }; };
    chosen { stdout-path = "/pl011@9000000"; }; };
"""


def channels(tree: Path) -> list[bytes]:
    """The strings of the list, as libfdt's own tool reads them."""
    shown = subprocess.run(["fdtget", "-t", "bx", str(tree), "/chosen/nvsciipc",
                            "nvsciipc,channel-db"], check=True, capture_output=True, text=True)
    data = bytes(int(byte, 16) for byte in shown.stdout.split())
    assert not data or data[-1:] == b"\0"
    return data.split(b"\0")[:-1]


def get(tree: Path, node: str, name: str) -> str:
    return subprocess.run(["fdtget", str(tree), node, name], check=True, capture_output=True,
                          text=True).stdout.strip()


def add(tmp_path: Path, name: str, text: bytes) -> Path:
    (tmp_path / name).write_bytes(text)
    return devicetree.add_channels(TREE, VmConfig("guest", "2", cfg=tmp_path / name,
                                                  channels="dt"), tmp_path)


def test_lines_become_entries(tmp_path: Path) -> None:
    tree = add(tmp_path, "cfg", b"\xef\xbb\xbf#CFGVER:1\r\nINTER_PROCESS\ta b  64 1536\r\n\n"
                                b"  # nothing\nINTER_VM name#1 255 30000 # group\nINTER_VM c 1")
    assert tree == tmp_path / "guest.dtb"
    assert channels(tree) == [b"INTER_PROCESS", b"a", b"b", b"64", b"1536",
                              b"INTER_VM", b"name#1", b"255", b"30000", b"INTER_VM", b"c", b"1"]
    assert get(tree, "/chosen/nvsciipc", "compatible") == "nvsciipc,channel-db"
    assert get(tree, "/chosen/nvsciipc", "status") == "okay"


def test_the_rest_of_the_tree_stays(tmp_path: Path) -> None:
    tree = add(tmp_path, "cfg", b"INTER_VM a 1\n")
    assert get(tree, "/chosen", "stdout-path") == "/pl011@9000000"
    assert get(tree, "/cpus/cpu@0", "reg") == "0"


def test_any_bytes(tmp_path: Path) -> None:
    odd = bytes(byte for byte in range(1, 256) if byte not in b"\t\n\r #")
    tree = add(tmp_path, "cfg", b"INTER_VM x" + odd + b"0 \\n1\n")
    assert channels(tree) == [b"INTER_VM", b"x" + odd + b"0", b"\\n1"]


def test_no_line(tmp_path: Path) -> None:
    assert not channels(add(tmp_path, "cfg", b"# nothing\n"))


def test_many_lines(tmp_path: Path) -> None:
    lines = [b"INTER_PROCESS a%d b%d 64 1536\n" % (i, i) for i in range(2000)]
    assert len(channels(add(tmp_path, "cfg", b"".join(lines)))) == 10000


def test_a_fragment(tmp_path: Path) -> None:
    text = (CHECKOUT / "dts/nvsciipc.dtsi").read_bytes()
    assert channels(add(tmp_path, "my.dtsi", text))[-4:] == [b"INTER_VM", b"ivc_test", b"255", b"0"]


def test_a_fragment_that_includes_one(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/other.dtsi").write_bytes((CHECKOUT / "dts/nvsciipc.dtsi").read_bytes())
    cfg = tmp_path / "here/my.dtsi"
    cfg.write_text('/include/ "other.dtsi"\n')
    (tmp_path / "state").mkdir()
    tree = devicetree.add_channels(TREE, VmConfig("guest", "2", cfg=cfg, channels="dt"),
                                   tmp_path / "state")
    assert len(channels(tree)) == 29


@pytest.mark.parametrize("text,line,words", [
    (b"INTER_VM a 1\nstray 2\n", 2, "'stray' is no backend"),
    (b"\n\nINTER_VM a\0b 2\n", 3, "NUL byte")], ids=["no backend", "NUL"])
def test_a_line_that_cannot_be_an_entry(text: bytes, line: int, words: str,
                                        tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        add(tmp_path, "cfg", text)
    assert str(caught.value).startswith(f"{tmp_path}/cfg:{line}: ") and words in str(caught.value)


def test_a_fragment_that_dtc_refuses(tmp_path: Path) -> None:
    with pytest.raises(ProcessError) as caught:
        add(tmp_path, "my.dtsi", b"/ {\n    chosen {\n        nvsciipc\n    };\n};\n")
    text = str(caught.value)
    assert "guest: dtc cannot compile" in text and f"{tmp_path}/my.dtsi:4" in text


def test_a_qemu_that_writes_no_tree(tmp_path: Path) -> None:
    (tmp_path / "cfg").write_bytes(b"INTER_VM a 1\n")
    with pytest.raises(ProcessError, match="guest: QEMU does not write its device tree"):
        devicetree.write(["/bin/false"], VmConfig("guest", "2", cfg=tmp_path / "cfg",
                                                  channels="dt"), tmp_path)


def test_no_dtc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="there is no dtc: run scripts/setup"):
        add(tmp_path, "cfg", b"INTER_VM a 1\n")


def test_a_cfg_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        devicetree.fragment(tmp_path / "none")

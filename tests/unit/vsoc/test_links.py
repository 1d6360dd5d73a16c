# SPDX-License-Identifier: MIT
"""Links: which channels each carries, what QEMU is told, and what its log says of a refusal."""

import socket
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

import pytest
from vsoc_samples import CHIPS, GOOD
from vsoclib import links
from vsoclib.config import load
from vsoclib.errors import ConfigError
from vsoclib.links import LinkEnd, Ports

Write = Callable[[str], Path]
Entry = tuple[str, int, int, int, int]      # owner, device, remote, nframes, frame_size

NEAR: list[Entry] = [("GID_GUEST_VM", 5, 5, 64, 1536), ("GID_GUEST_VM", 6, 7, 4, 64),
                     ("GID_GUEST_VM", 8, 9, 4, 64), ("GID_UPDATE", 10, 10, 64, 1536)]
# 9 points elsewhere.
FAR: list[Entry] = [("GID_GUEST_VM", 5, 5, 64, 1536), ("GID_GUEST_VM", 7, 6, 4, 64),
                    ("GID_GUEST_VM", 9, 1, 4, 64), ("GID_UPDATE", 8, 8, 4, 64)]


def table(entries: Sequence[Entry]) -> dict[str, Any]:
    """As much of `vsoc pct show --json` as counts here."""
    return {"partitions": [{"id": 2, "name": "GID_GUEST_VM"}, {"id": 3, "name": "GID_UPDATE"}],
            "c2c": [{"owner": owner, "device": device, "remote": remote, "nframes": nframes,
                     "frame_size": size} for owner, device, remote, nframes, size in entries]}


def plan(path: Path, near: Sequence[Entry] = (), far: Sequence[Entry] = (),
         ports: Optional[Ports] = None) -> list[LinkEnd]:
    config = load(path)
    tables = {soc.name: table(entries) for soc, entries in zip(config.socs, (near or NEAR,
                                                                             far or FAR))}
    return links.plan(config, tables, ports or Ports())


def chardev(end: LinkEnd) -> str:
    words = end.arguments("t.pct", "2")
    return words[words.index("-chardev") + 1]


def device(end: LinkEnd) -> str:
    words = end.arguments("t.pct", "2")
    assert words[-2] == "-device"
    return words[-1]


def test_channels_that_point_at_each_other(soc_toml: Write) -> None:
    ends = plan(soc_toml(CHIPS))
    assert [(end.vm, end.device, [each.device for each in end.channels]) for end in ends] == [
        ("a.guest", "c2c0", [5, 6]), ("b.guest", "c2c0", [5, 7]), ("a.update", "c2c0", [10])]


def test_the_arguments(soc_toml: Write) -> None:
    near, far, out = plan(soc_toml(CHIPS.replace("[link.out]", "keepalive = 400\n[link.out]")))
    assert chardev(near) == "socket,id=link-main,path=link.main.sock,server=on,wait=off"
    assert chardev(far) == "socket,id=link-main,path=link.main.sock,reconnect-ms=200"
    assert chardev(out) == ("socket,id=link-out,host=0.0.0.0,port=7000,nodelay=on,server=on,"
                            "wait=off")
    assert device(near) == ("hv-c2c,id=c2c0,chardev=link-main,pct=t.pct,partition=2,devices=5/6,"
                            "keepalive=400")
    assert device(far).endswith("devices=5/7,keepalive=400")
    assert device(out).endswith("devices=10")


def test_two_links_of_one_vm(soc_toml: Write) -> None:
    ends = plan(soc_toml(CHIPS.replace("[link.out]", 'devices = [6]\n[link.more]\ndevices = [5]\n'
                                                     'ends = ["b.guest", "a.guest"]\n[link.out]')))
    assert [(end.vm, end.device, end.chardev, [each.device for each in end.channels])
            for end in ends[:4]] == [
        ("a.guest", "c2c0", "link-main", [6]), ("b.guest", "c2c0", "link-main", [7]),
        ("b.guest", "c2c1", "link-more", [5]), ("a.guest", "c2c1", "link-more", [5])]


def test_tcp_gets_a_port_that_is_kept(soc_toml: Write) -> None:
    ports = Ports()
    near, far, _ = plan(soc_toml(CHIPS.replace("[link.out]", 'transport = "tcp"\n[link.out]')),
                        ports=ports)
    where = f"host=127.0.0.1,port={near.port},nodelay=on"
    assert chardev(near) == f"socket,id=link-main,{where},server=on,wait=off"
    assert chardev(far) == f"socket,id=link-main,{where},reconnect-ms=200"
    with socket.socket() as thief:
        with pytest.raises(OSError):
            thief.bind(("127.0.0.1", near.port))
    with socket.socket() as qemu:       # it sets this option
        qemu.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        qemu.bind(("127.0.0.1", near.port))
        qemu.listen()
        ports.close()


def test_tls(soc_toml: Write, tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    near, far, out = plan(soc_toml(CHIPS.replace("[link.out]", 'tls = "a,b"\n[link.out]')
                                   + 'tls = "."\npeer = "chip-b"\n'))
    words = far.arguments("t", "2")
    assert words[:4] == ["-object", f"tls-creds-x509,id=tls-main,dir={tmp_path}/a,,b,"
                                    "endpoint=client,verify-peer=on",
                         "-trace", "chr_socket_tls_handshake_err"]
    assert chardev(far).endswith("reconnect-ms=1000,tls-creds=tls-main")
    assert "endpoint=server,verify-peer=on" in near.arguments("t", "2")[1]
    assert "authz" not in str(near.arguments("t", "2"))
    assert "authz-simple,id=peer-out,identity=CN=chip-b" in out.arguments("t", "2")
    assert chardev(out).endswith(",tls-creds=tls-out,tls-authz=peer-out")


def test_ipv6(soc_toml: Write) -> None:
    path = soc_toml(GOOD + '[link.x]\nvm = "guest"\nconnect = "[fe80::1]:70"\n')
    [end] = plan(path)
    assert chardev(end).startswith("socket,id=link-x,host=fe80::1,port=70,")
    assert end.way() == "connect [fe80::1]:70"


# name, the entries of both chips, (old, new) in CHIPS, line, words of the message
Bad = tuple[list[Entry], list[Entry], tuple[str, str], int, str]
BAD: dict[str, Bad] = {
    "no channel": (NEAR, FAR[2:], ("", ""), 16, "no channel for link main: no .c2c entry of "
                                                "a.guest has a remote in b.guest"),
    "no channel to the world": (NEAR[:3], FAR, ("", ""), 18, "no .c2c entry of a.update"),
    "one-sided device": (NEAR, FAR, ("[link.out]", "devices = [8]\n[link.out]"), 18,
                         "device 8 is no channel between a.guest and b.guest: the .c2c entries "
                         "have 5, 6"),
    "another's device": (NEAR, FAR, ("0:7000\"", "0:7000\"\ndevices = [5]"), 21,
                         "device 5 is no channel of a.update: the .c2c entries have 10"),
    "geometry": ([("GID_GUEST_VM", 5, 5, 63, 1536), *NEAR[1:]], FAR, ("", ""), 16,
                 "device 5 of a.guest has 63 x 1536 bytes, its remote 5 in b.guest has 64 x 1536"),
    "two links": (NEAR, FAR, ("[link.out]", '[link.more]\nends = ["a.guest", "b.guest"]\n'
                              "[link.out]"), 18, "device 5 of a.guest is carried by link main"),
    "two links at the far end": (
        NEAR, FAR, ("[link.out]", '[link.more]\nvm = "b.guest"\nlisten = "h:1"\ndevices = [7]\n'
                    "[link.out]"), 18, "device 7 of b.guest is carried by link main"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str, soc_toml: Write) -> None:
    near, far, (old, new), line, words = BAD[name]
    path = soc_toml(CHIPS.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        plan(path, near, far)
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: "), text
    assert words in text


REFUSED = ("42@1.5:chr_socket_tls_handshake_err chardev socket TLS handshake error 0x55aa "
           "(link-main): The certificate hasn't got a known issuer\n")


@pytest.mark.parametrize("log,reason", [
    ("", None),
    (REFUSED, "TLS: The certificate hasn't got a known issuer"),
    ("hv-c2c c2c0: the link to the other chip is down: it hung up\n" + REFUSED,
     "TLS: The certificate hasn't got a known issuer"),
    (REFUSED + "hv-c2c c2c0: the link to the other chip is up\n", None),
    (REFUSED.replace("link-main", "link-other"), None),
])
def test_why_tls_refused(log: str, reason: Optional[str], soc_toml: Write) -> None:
    near, *_ = plan(soc_toml(CHIPS))
    assert near.as_device().refusal(log) == reason

# SPDX-License-Identifier: MIT
"""Certificates of links: what `vsoc certs` makes is good, and each bad one is refused by name."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from vsoclib.certificates import CONNECTOR, LISTENER, End, check, make
from vsoclib.errors import ConfigError, SetupError

Vsoc = Callable[..., "subprocess.CompletedProcess[str]"]


def text_of(cert: Path) -> str:
    return subprocess.run(["openssl", "x509", "-in", str(cert), "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hosts of one CA, and one of another."""
    folder = tmp_path_factory.mktemp("certs")
    make(folder / "ours", [End.parse("chip-a"), End.parse("chip-b=10.0.0.2,b.lan,fd00::2")])
    make(folder / "theirs", [End.parse("chip-b")])
    return folder


@pytest.fixture
def end(made: Path, tmp_path: Path) -> Path:
    """A folder of an end to be damaged."""
    return Path(shutil.copytree(made / "ours/chip-a", tmp_path / "end"))


def test_good(made: Path) -> None:
    for host in ("chip-a", "chip-b"):
        for role in (LISTENER, CONNECTOR):
            check(made / "ours" / host, role, "x")


def test_what_is_in_them(made: Path) -> None:
    server = text_of(made / "ours/chip-b/server-cert.pem")
    # openssl of Debian 13 writes no spaces.
    assert re.search("Subject: CN ?= ?chip-b\n", server)
    assert "TLS Web Server Authentication" in server
    assert ("DNS:chip-b, IP Address:10.0.0.2, DNS:b.lan, IP Address:FD00:0:0:0:0:0:0:2, "
            "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1") in server
    assert "TLS Web Client Authentication" in text_of(made / "ours/chip-b/client-cert.pem")
    assert "CA:TRUE" in text_of(made / "ours/ca-cert.pem")


def test_keys_are_private(made: Path) -> None:
    keys = list((made / "ours").rglob("*-key.pem"))
    assert len(keys) == 5 and all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in keys)
    assert stat.S_IMODE((made / "ours/chip-a").stat().st_mode) == 0o700
    assert not (made / "ours/chip-a/ca-key.pem").exists()


def test_the_ca_stays_and_a_host_gets_new_ones(made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made / "ours", tmp_path / "again"))
    ca, cert = (folder / name for name in ("ca-cert.pem", "chip-a/server-cert.pem"))
    before = (ca.read_bytes(), cert.read_bytes())
    make(folder, [End.parse("chip-a"), End.parse("chip-c")])
    assert ca.read_bytes() == before[0] and cert.read_bytes() != before[1]
    for host in ("chip-a", "chip-c"):
        check(folder / host, LISTENER, "x")
    assert sorted(path.name for path in folder.iterdir()) == [
        "ca-cert.pem", "ca-key.pem", "chip-a", "chip-b", "chip-c"]


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        check(folder, LISTENER, "soc.toml: link 0")
    text = str(caught.value)
    assert text.startswith("soc.toml: link 0: ")
    return text


@pytest.mark.parametrize("name", ["ca-cert.pem", "server-cert.pem", "server-key.pem"])
def test_missing(name: str, end: Path) -> None:
    (end / name).unlink()
    assert f"there is no {end / name}; `vsoc certs` makes" in refusal(end)


def test_only_its_own_role_counts(end: Path) -> None:
    (end / "client-key.pem").unlink()
    check(end, LISTENER, "x")


def test_unreadable(end: Path) -> None:
    (end / "server-key.pem").unlink()
    (end / "server-key.pem").mkdir()
    assert f"cannot read {end}/server-key.pem: Is a directory" in refusal(end)


@pytest.mark.parametrize("name", ["ca-cert.pem", "server-cert.pem"])
def test_no_certificate(name: str, end: Path) -> None:
    (end / name).write_text("nothing\n")
    assert f"{end / name} cannot be used: it is no certificate" in refusal(end)


def test_no_key(end: Path) -> None:
    (end / "server-key.pem").write_text("nothing\n")
    assert f"{end}/server-key.pem is no private key" in refusal(end)


def test_a_key_with_a_pass_phrase(end: Path) -> None:
    key = end / "server-key.pem"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out",
                    end / "new"], check=True)
    os.replace(end / "new", key)
    assert f"{key} is no private key, or has a pass phrase" in refusal(end)


def test_another_key(end: Path) -> None:
    shutil.copyfile(end / "client-key.pem", end / "server-key.pem")
    assert f"{end}/server-key.pem is not the key of {end}/server-cert.pem" in refusal(end)


def test_another_ca(end: Path, made: Path) -> None:
    shutil.copyfile(made / "theirs/ca-cert.pem", end / "ca-cert.pem")
    text = refusal(end)
    assert f"{end}/server-cert.pem cannot be used: " in text and "against ca-cert.pem" in text


def test_a_certificate_of_the_other_role(end: Path) -> None:
    for name in ("cert", "key"):
        shutil.copyfile(end / f"client-{name}.pem", end / f"server-{name}.pem")
    assert "server-cert.pem cannot be used: " in refusal(end)
    assert "purpose" in refusal(end)


@pytest.mark.parametrize("day,words", [("2020-01-01", "certificate is not yet valid"),
                                       ("2100-01-01", "certificate has expired")])
def test_not_valid_now(day: str, words: str, end: Path, monkeypatch: pytest.MonkeyPatch,
                       tmp_path: Path) -> None:
    """openssl is told another day, as its certificates cannot be made for one."""
    seconds = subprocess.run(["date", "-d", day, "+%s"], check=True, capture_output=True,
                             text=True).stdout.strip()
    real = shutil.which("openssl")
    fake = tmp_path / "bin/openssl"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n[ "$1" = verify ] && shift && set -- verify -attime {seconds} '
                    f'"$@"\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    assert words in refusal(end)


def test_no_openssl(end: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="there is no openssl: run scripts/setup"):
        check(end, LISTENER, "x")


def test_the_command(vsoc: Vsoc, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    done = vsoc("certs", str(folder), "chip-a", "chip-b=10.0.0.2")
    assert done.returncode == 0 and f"{folder}/ca-key.pem: keep it" in done.stdout
    assert f"{folder}/chip-b: " in done.stdout
    assert "chip-b, 10.0.0.2, localhost" in done.stdout
    check(folder / "chip-b", CONNECTOR, "x")
    assert vsoc("certs", str(folder)).returncode == 0 and (folder / "localhost").is_dir()


@pytest.mark.parametrize("words,message", [
    (("../a",), "'../a' is no name of a host"), (("a=b c",), "'b c' is no name"),
    (("a/CN=b",), "no name"), (("--days", "0"), "--days 0"), (("a=",), None)])
def test_the_command_refuses(words: "tuple[str, ...]", message: str, vsoc: Vsoc,
                             tmp_path: Path) -> None:
    done = vsoc("certs", str(tmp_path / "certs"), *words)
    assert done.returncode == (2 if message else 0)
    assert (message or "") in done.stderr


def test_a_folder_that_cannot_be_made(vsoc: Vsoc, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = vsoc("certs", str(tmp_path / "file/certs"))
    assert done.returncode == 2 and "cannot write" in done.stderr

# SPDX-License-Identifier: MIT
"""Certificates of links: `vsoc certs` makes them, and `vsoc up` judges those that it is given.

The folder of one end has the names that QEMU's tls-creds-x509 wants. All work is openssl's.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence

from .errors import ConfigError, ProcessError, SetupError

CA_CERT, CA_KEY = "ca-cert.pem", "ca-key.pem"
TIMEOUT = 60.0
CA_DAYS = 3650
DAYS = 365
# Every listener's certificate is good for a trial on one host, too.
LOCAL = ("localhost", "127.0.0.1", "::1")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,61}[A-Za-z0-9])?")


class Role(NamedTuple):
    """What an end is in the handshake."""

    name: str               # of its files
    usage: str              # in its certificate
    purpose: str            # for openssl verify


LISTENER = Role("server", "serverAuth", "sslserver")
CONNECTOR = Role("client", "clientAuth", "sslclient")


def _openssl(*words: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = ["openssl", *map(str, words)]
    try:
        # Without these it would ask the terminal for a pass phrase, or read another one's defaults.
        return subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT,
                              env={**os.environ, "LC_ALL": "C", "OPENSSL_CONF": os.devnull},
                              start_new_session=True)
    except FileNotFoundError:
        raise SetupError("there is no openssl: run scripts/setup") from None
    except subprocess.TimeoutExpired:
        raise ProcessError("openssl does not end", command, None) from None


# Judging


def _read(path: Path, where: str) -> None:
    try:
        path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{where}: there is no {path}; `vsoc certs` makes such folders") from None
    except OSError as err:
        raise ConfigError(f"{where}: cannot read {path}: {err.strerror}") from None


def _reason(text: bytes) -> str:
    """What openssl verify holds against a certificate."""
    found = re.search(rb"error \d+ at \d+ depth lookup: ?(.*)", text)
    return found[1].decode(errors="replace").strip() if found else "it is no certificate"


def _check_certificate(cert: Path, ca: Path, role: Optional[Role], where: str) -> None:
    """Holds a certificate against the CA; the CA itself without a role."""
    purpose = ("-purpose", role.purpose) if role is not None else ()
    done = _openssl("verify", *purpose, "-no-CApath", "-no-CAstore", "-CAfile", ca, cert)
    if done.returncode != 0:
        raise ConfigError(f"{where}: {cert} cannot be used: {_reason(done.stdout + done.stderr)}; "
                          f"it is held against {ca.name} in the same folder")


def check(folder: Path, role: Role, where: str) -> None:
    """Judges the files of one end before QEMU reads them; where: which link wants them."""
    ca, cert, key = (folder / name for name in
                     (CA_CERT, f"{role.name}-cert.pem", f"{role.name}-key.pem"))
    for path in (ca, cert, key):
        _read(path, where)
    _check_certificate(ca, ca, None, where)
    _check_certificate(cert, ca, role, where)
    private = _openssl("pkey", "-in", key, "-pubout", "-passin", "pass:")
    if private.returncode != 0:
        raise ConfigError(f"{where}: {key} is no private key, or has a pass phrase; QEMU needs one "
                          "without")
    if _openssl("x509", "-in", cert, "-noout", "-pubkey").stdout != private.stdout:
        raise ConfigError(f"{where}: {key} is not the key of {cert}")


# Making


class End(NamedTuple):
    """One end of links: its name, and the hosts under which others connect to it."""

    name: str
    hosts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "End":
        """From NAME or NAME=HOST,..."""
        name, _, hosts = text.partition("=")
        end = cls(name, tuple(dict.fromkeys((name, *filter(None, hosts.split(",")), *LOCAL))))
        for each in end.hosts:
            if not _NAME.fullmatch(each) and each not in LOCAL:
                raise ConfigError(f"'{each}' is no name of a host, nor an address; write "
                                  "NAME or NAME=HOST,HOST")
        return end

    def alternatives(self) -> str:
        """The hosts as a certificate has them."""
        words = []
        for host in self.hosts:
            try:
                words.append(f"IP:{ipaddress.ip_address(host)}")
            except ValueError:
                words.append(f"DNS:{host}")
        return ",".join(words)


def _make(*words: object) -> None:
    done = _openssl(*words)
    if done.returncode != 0:
        raise ProcessError("openssl failed", ["openssl", *map(str, words)], done.returncode,
                           done.stderr.decode(errors="replace"))


def _certificate(cert: Path, key: Path, name: str, days: int, extensions: Sequence[str],
                 signer: Optional[tuple[Path, Path]]) -> None:
    """A new key, which its owner alone can read, and a certificate of it."""
    _make("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    by = ("-CA", signer[0], "-CAkey", signer[1]) if signer is not None else ()
    added = [word for each in extensions for word in ("-addext", each)]
    _make("req", "-x509", "-new", "-sha256", "-key", key, "-out", cert, "-days", days,
          "-subj", f"/CN={name}", *by, *added)


def _make_end(folder: Path, end: End, ca: Path, days: int) -> None:
    shutil.copyfile(ca / CA_CERT, folder / CA_CERT)
    for role in (LISTENER, CONNECTOR):
        _certificate(folder / f"{role.name}-cert.pem", folder / f"{role.name}-key.pem", end.name,
                     days, ["basicConstraints=critical,CA:FALSE",
                            "keyUsage=critical,digitalSignature,keyEncipherment",
                            f"extendedKeyUsage={role.usage}",
                            f"subjectAltName={end.alternatives()}"],
                     (ca / CA_CERT, ca / CA_KEY))


def _publish(new: Path, target: Path) -> None:
    """Moves the files of a folder to another one, which may have older ones."""
    target.mkdir(mode=0o700, exist_ok=True)
    for path in new.iterdir():
        path.replace(target / path.name)


def make(folder: Path, ends: Sequence[End], days: int = DAYS) -> None:
    """Makes a CA if there is none in the folder, and below it a folder for each end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
            work = Path(name)
            if not ((folder / CA_CERT).exists() and (folder / CA_KEY).exists()):
                _certificate(work / CA_CERT, work / CA_KEY, "vsoc links", CA_DAYS,
                             ["basicConstraints=critical,CA:TRUE",
                              "keyUsage=critical,keyCertSign,cRLSign"], None)
                _publish(work, folder)
            for end in ends:
                _make_end(work, end, folder, days)
                _publish(work, folder / end.name)
    except OSError as err:
        raise ConfigError(f"cannot write {err.filename or folder}: {err.strerror}") from None


# The command


def _command(args: argparse.Namespace) -> int:
    if args.days < 1:
        raise ConfigError(f"--days {args.days} is not at least 1")
    ends = [End.parse(text) for text in args.names or ["localhost"]]
    make(args.folder, ends, args.days)
    print(f"{args.folder / CA_KEY}: keep it to yourself; it makes more certificates")
    for end in ends:
        print(f'{args.folder / end.name}: tls = "..." of {end.name}, which others reach as '
              f"{', '.join(end.hosts)}")
    return 0


def add_parser(commands: Any) -> None:
    """Adds `certs` to the command line."""
    text = ("Makes certificates for links with TLS: a CA in DIR, if there is none, and for each "
            "NAME a folder DIR/NAME for `tls` of a link in soc.toml.")
    made = commands.add_parser("certs", help="certificates for links with TLS", description=text)
    made.add_argument("folder", type=Path, metavar="DIR", help="the CA's folder")
    made.add_argument("names", nargs="*", metavar="NAME[=HOST,...]",
                      help="a host: its name in certificates (CN), and other names or addresses "
                           "under which it is reached (default: localhost)")
    made.add_argument("--days", type=int, default=DAYS, metavar="N",
                      help="how long the hosts' certificates are valid (default %(default)s)")
    made.set_defaults(run=_command)

# SPDX-License-Identifier: MIT
"""What `meson install` gives to those who build applications: headers, libraries, pkg-config files, manual pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
HEADERS = {"nvscierror.h", "nvscievent.h", "nvsciipc.h"}
# Symbols that an application may well have itself, and that our libraries are made of.
APPLICATION = r"""
#include <stdio.h>
#include <string.h>

#include <nvscievent.h>
#include <nvsciipc.h>

int handle_get(void);
int service_wait(void);
int handle_get(void) { return 1; }
int service_wait(void) { return 2; }

static NvSciIpcEndpoint end[2];

static int await(int i, uint32_t wanted)
{
    uint32_t events, other;

    for (int tries = 0; tries < 100; tries++) {
        if (NvSciIpcGetEventSafe(end[!i], &other) ||
            NvSciIpcGetEventSafe(end[i], &events)) {
            return 1;
        }
        if (events & wanted) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    NvSciEventLoopService *service;
    NvSciEventNotifier *notifier;
    char sent[64] = "a frame", got[64] = "";
    uint32_t bytes;

    if (handle_get() + service_wait() != 3 ||
        NvSciEventLoopServiceCreateSafe(1, NULL, &service) || NvSciIpcInit() ||
        NvSciIpcOpenEndpoint("end_0", &end[0]) ||
        NvSciIpcOpenEndpointWithEventService("end_1", &end[1],
                                             &service->EventService) ||
        NvSciIpcGetEventNotifier(end[1], &notifier) ||
        NvSciIpcResetEndpointSafe(end[0]) ||
        NvSciIpcResetEndpointSafe(end[1]) ||
        await(0, NV_SCI_IPC_EVENT_WRITE) || await(1, NV_SCI_IPC_EVENT_WRITE)) {
        return 1;
    }
    if (NvSciIpcWriteSafe(end[0], sent, sizeof(sent), &bytes) ||
        service->WaitForEvent(notifier, 1000000) ||
        await(1, NV_SCI_IPC_EVENT_READ) ||
        NvSciIpcReadSafe(end[1], got, sizeof(got), &bytes) ||
        strcmp(got, sent) != 0) {
        return 2;
    }
    notifier->Delete(notifier);
    NvSciIpcCloseEndpoint(end[0]);
    NvSciIpcCloseEndpoint(end[1]);
    NvSciIpcDeinit();
    service->EventService.Delete(&service->EventService);
    puts(got);
    return 0;
}
"""


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run([str(word) for word in command], env={**os.environ, **environment},
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def usr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a packager would, and installed below a folder of its own."""
    folder = tmp_path_factory.mktemp("packager")
    run("meson", "setup", folder / "build", TOP, "-Dtests=false", "-Dhost-tools=false", "--prefix=/usr", "--libdir=lib")
    run("meson", "install", "-C", folder / "build", "--destdir", folder / "root")
    return folder / "root/usr"


def flags(usr: Path, *more: str) -> list[str]:
    return run("pkg-config", *more, "--cflags", "--libs", "nvsciipc", "nvscievent",
               PKG_CONFIG_LIBDIR=str(usr / "lib/pkgconfig"), PKG_CONFIG_SYSROOT_DIR=str(usr.parent),
               PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1").split()


def needed(program: Path) -> set[str]:
    return {name for name in re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-dW", program))
            if name.startswith("libnvsci")}


def test_files(usr: Path) -> None:
    assert {path.name for path in (usr / "include").iterdir()} == HEADERS
    assert {path.name for path in (usr / "lib").iterdir()} == {
        "libnvsciipc.so", "libnvsciipc.a", "libnvscievent.so", "libnvscievent.a", "pkgconfig"}


@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_application(usr: Path, tmp_path: Path, static: bool) -> None:
    more = ["-static", *flags(usr, "--static")] if static else flags(usr)
    program = tmp_path / "application"
    (tmp_path / "application.c").write_text(APPLICATION)
    run("cc", "-Wall", "-Wextra", "-Werror", tmp_path / "application.c", "-o", program, *more)
    assert needed(program) == (set() if static else {"libnvsciipc.so", "libnvscievent.so"})
    (tmp_path / "nvsciipc.cfg").write_text("INTER_THREAD end_0 end_1 4 64\n")
    assert run(program, LD_LIBRARY_PATH=str(usr / "lib"), NVSCIIPC_CFG=str(tmp_path / "nvsciipc.cfg")) == "a frame\n"


@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_vsoc_cc(tmp_path: Path, static: bool) -> None:
    (tmp_path / "application.c").write_text(APPLICATION)
    run(TOP / "scripts/vsoc", "cc", *(["-static"] if static else []), tmp_path / "application.c",
        "-o", tmp_path / "application", "-lnvsciipc", "-lnvscievent")
    assert "AArch64" in run("readelf", "-h", tmp_path / "application")
    assert needed(tmp_path / "application") == (set() if static else {"libnvsciipc.so", "libnvscievent.so"})


@pytest.mark.parametrize("library", ["nvsciipc", "nvscievent"])
def test_static_library_has_public_symbols_only(usr: Path, library: str) -> None:
    listing = run("nm", "-g", "--defined-only", "-P", usr / f"lib/lib{library}.a")
    static = {line.split()[0] for line in listing.splitlines() if len(line.split()) > 1}
    listing = run("nm", "-D", "--defined-only", "-P", usr / f"lib/lib{library}.so")
    assert static == {line.split()[0] for line in listing.splitlines()} != set()


def public_names() -> set[str]:
    names = set()
    for header in HEADERS:
        text = (TOP / "guest-lib/include" / header).read_text()
        names |= set(re.findall(r"^(?:NvSciError|void)\s+(NvSci\w+)\(", text, re.M))
    # The structs with members to call.
    return names | {"NvSciEventLoopService", "NvSciEventNotifier", "NvSciEventService", "NvSciLocalEvent"}


def test_a_manual_page_for_each_function(usr: Path) -> None:
    pages = {path.stem for path in (usr / "share/man/man3").iterdir()}
    assert pages == public_names()


def test_manual_page_says_its_own_names(usr: Path) -> None:
    """`man NAME` shows the page of NAME, links followed, and its first lines and its synopsis have NAME in them."""
    assert shutil.which("man"), "man is missing; scripts/setup installs man-db"
    for name in sorted(public_names()):
        shown = run("man", "-M", usr / "share/man", "3", name, MANWIDTH="200", MAN_KEEP_FORMATTING="")
        brief, synopsis = shown.split("SYNOPSIS")
        assert re.search(rf"\b{name}\b.* - ", brief), name
        assert re.search(rf"\b{name}\b(\(| {{)", synopsis.split("DESCRIPTION")[0]), name
    assert "INTER_PROCESS" in run("man", "-M", usr / "share/man", "5", "nvsciipc.cfg")


def test_manual_pages_are_clean(usr: Path) -> None:
    pages = sorted((usr / "share/man").glob("man*/*"))
    for page in pages:
        if not page.read_text().startswith(".so "):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", page], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
    # Every page that a page refers to is one of ours, or the system's.
    ours = {f"{path.stem}({path.suffix[1:]})" for path in pages}
    for page in pages:
        for name, section in re.findall(r"^\.BR (NvSci\w+|nvsciipc\.cfg) \((\d)\)", page.read_text(), re.M):
            assert f"{name}({section})" in ours, f"{page.name} refers to {name}({section})"

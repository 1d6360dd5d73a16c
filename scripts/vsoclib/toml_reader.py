# SPDX-License-Identifier: MIT
"""Typed values out of a TOML file; an error names file, line and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Optional, Union

from .errors import ConfigError

KeyPath = tuple[str, ...]


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def _line_of(text: str, path: KeyPath) -> int:
    """The line on which the key at path begins.

    tomllib keeps no positions, so it is asked again: the statement begins on the line after the
    longest prefix of whole lines that parses and does not have the key yet. Only errors take this
    road.
    """
    lines = text.splitlines(keepends=True)
    start = 1
    for count in range(1, len(lines) + 1):
        try:
            node: Any = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue        # in the middle of a statement of several lines
        for key in path:
            if not isinstance(node, dict) or key not in node:
                break
            node = node[key]
        else:
            return start
        start = count + 1
    return 1


def _place(at: KeyPath) -> str:
    return f"[{'.'.join(at)}]" if at else "the file"


class Reader:
    """Takes typed values out of a parsed file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text

    @classmethod
    def of(cls, path: Path) -> "Reader":
        """A reader of this file."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"there is no {path}; name the SoC's soc.toml with -f") from None
        except (OSError, UnicodeDecodeError) as err:
            raise ConfigError(f"cannot read {path}: {err}") from err

    def parse(self) -> dict[str, Any]:
        """The whole file."""
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as err:
            match = re.search(r"\(at line (\d+), column \d+\)", str(err))
            line = match[1] if match else str(max(1, len(self.text.splitlines())))
            raise ConfigError(f"{self.path}:{line}: not TOML: {err}") from None

    def error(self, key: KeyPath, message: str) -> ConfigError:
        """That something is wrong with a key."""
        line = _line_of(self.text, key) if key else 1
        return ConfigError(f"{self.path}:{line}: {message}")

    def table(self, parent: dict[str, Any], key: KeyPath) -> dict[str, Any]:
        """The table at key, whose last word is looked up in its parent."""
        value = parent.get(key[-1])
        if value is None:
            raise self.error(key[:-1], f"the table [{'.'.join(key)}] is missing")
        if not isinstance(value, dict):
            raise self.error(key, f"{'.'.join(key)} is not a table")
        return value

    def known(self, table: dict[str, Any], at: KeyPath, names: tuple[str, ...]) -> None:
        """Refuses a key that is none of these."""
        for name in table:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"; is it '{near[0]}'?" if near else f"; known are {', '.join(names)}"
                raise self.error(at + (name,), f"unknown key '{name}' in {_place(at)}{hint}")

    def get(self, table: dict[str, Any], at: KeyPath, name: str,
            kind: Union[type, tuple[type, ...]], what: str, default: Any = None,
            required: bool = False) -> Any:
        """The value of a key, or the default; `what` says which kind it is."""
        if name not in table:
            if required:
                raise self.error(at, f"{_place(at)} has no '{name}'")
            return default
        value = table[name]
        # bool is an int in Python, but not in TOML.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(at + (name,), f"'{name}' is not {what}")
        return value

    def name(self, key: KeyPath, name: str, what: str) -> str:
        """A name that the key is or has."""
        if not _NAME.fullmatch(name):
            raise self.error(key, f"'{name}' cannot name {what}: use letters, digits, '-' and "
                                  "'_', at most 32")
        return name

    def file(self, table: dict[str, Any], at: KeyPath, name: str,
             required: bool = False) -> Optional[Path]:
        """The full path of the file that a key names."""
        value = self.get(table, at, name, str, "a string (a file name)", required=required)
        return None if value is None else self.existing(value, at + (name,))

    def folder(self, table: dict[str, Any], at: KeyPath, name: str,
               hint: str = "") -> Optional[Path]:
        """The full path of the folder that a key names."""
        value = self.get(table, at, name, str, "a string (a folder's name)")
        if value is None:
            return None
        path = (self.path.parent / value).resolve()
        if not path.is_dir():
            raise self.error(at + (name,), f"there is no folder {path}{hint}")
        return path

    def existing(self, name: str, key: KeyPath) -> Path:
        """The full path of a file; key named it."""
        path = (self.path.parent / name).resolve()
        if path.is_dir():
            raise self.error(key, f"{path} is a folder; name a file")
        if not path.is_file():
            raise self.error(key, f"there is no file {path}")
        return path

    def strings(self, table: dict[str, Any], at: KeyPath, name: str) -> list[str]:
        """A list of strings, which may be absent."""
        return self._list(table, at, name, str, "a list of strings")

    def integers(self, table: dict[str, Any], at: KeyPath, name: str) -> list[int]:
        """A list of integers, which may be absent."""
        return self._list(table, at, name, int, "a list of integers")

    def _list(self, table: dict[str, Any], at: KeyPath, name: str, kind: type,
              what: str) -> list[Any]:
        values = self.get(table, at, name, list, what, default=[])
        if not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
            raise self.error(at + (name,), f"'{name}' is not {what}")
        return list(values)

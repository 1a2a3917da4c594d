"""What a power cut leaves: the disk built again from a recording of the shim's.

Synced bytes are there. Of what was not synced, each write is there, lost, or there in
some of its 512-byte sectors; a new name is only certain after its folder was synced, and
a removed one may be back. That is what POSIX allows, which is more than a good disk does.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

CREATE, WRITE, TRUNC, SYNC, DIRSYNC, UNLINK, RENAME, MAPPED = range(1, 9)
_HEAD = struct.Struct("<IIIIqqq")
_MAGIC = 0x746E6266
SECTOR = 512
ACKNOWLEDGED = "acknowledged"


class Operation(NamedTuple):
    """One change that a process made below the watched folder."""

    kind: int
    file: int
    path: str
    offset: int
    size: int
    data: bytes
    microseconds: int


def read_log(path: Path) -> list[Operation]:
    """Return the recorded operations in their order."""
    data = path.read_bytes()
    operations = []
    place = 0
    while place < len(data):
        magic, kind, file, path_size, offset, size, microseconds = _HEAD.unpack_from(data, place)
        assert magic == _MAGIC
        place += _HEAD.size
        name = data[place : place + path_size].decode()
        place += path_size
        content = data[place : place + size] if kind in (WRITE, RENAME) else b""
        place += len(content)
        operations.append(Operation(kind, file, name, offset, size, content, microseconds))
    return operations


@dataclass
class _File:
    synced: bytes = b""
    pending: list[Operation] = field(default_factory=list)


class Disk:
    """A disk with a cache in front of it, to which operations are applied one by one."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._pending_names: list[Operation] = []
        self.acknowledged: list[tuple[int, list[object]]] = []

    def apply(self, operation: Operation) -> None:
        """Take in the next operation."""
        kind, path = operation.kind, operation.path
        if path.endswith("-shm"):
            return
        if path.endswith(f"/{ACKNOWLEDGED}"):
            if kind == WRITE:
                self.acknowledged.append((operation.microseconds, json.loads(operation.data)))
            return
        if kind == MAPPED and "-spool-" in path:
            # Nobody waits for these pages to reach the disk; here they never do.
            return
        assert kind != MAPPED, f"{path} is written through a mapping, which this replayer cannot see"
        if kind in (CREATE, UNLINK, RENAME):
            self._pending_names.append(operation)
        elif kind == DIRSYNC:
            here = [item for item in self._pending_names if str(Path(item.path).parent) == path]
            for item in here:
                _rename(self._names, item)
            self._pending_names = [item for item in self._pending_names if item not in here]
        file = self._files.setdefault(operation.file, _File())
        if kind in (WRITE, TRUNC):
            file.pending.append(operation)
        elif kind == SYNC:
            content = bytearray(file.synced)
            for item in file.pending:
                _change(content, item)
            file.synced, file.pending = bytes(content), []

    def cut(self, chance: Random) -> dict[str, bytes]:
        """Return the files after a power cut at this moment, by path."""
        # A cache is written out in order, in any order, or not at all.
        mode = chance.choice(["lost", "kept", "in order", "any", "any", "torn", "torn"])
        names = copy(self._names)
        for item in _survivors(self._pending_names, mode, chance):
            _rename(names, item)
        found = {}
        for path, number in names.items():
            file = self._files.get(number, _File())
            content = bytearray(file.synced)
            for item in _survivors(file.pending, mode, chance):
                _change(content, item, chance if mode == "torn" else None)
            found[path] = bytes(content)
        return found


def _survivors(items: list[Operation], mode: str, chance: Random) -> list[Operation]:
    if mode == "lost":
        return []
    if mode == "kept":
        return list(items)
    if mode == "in order":
        return items[: chance.randrange(len(items) + 1)]
    share = chance.choice([0.1, 0.5, 0.9])
    return [item for item in items if chance.random() < share]


def _rename(names: dict[str, int], operation: Operation) -> None:
    if operation.kind == CREATE:
        names[operation.path] = operation.file
    elif operation.kind == UNLINK:
        names.pop(operation.path, None)
    elif operation.path in names:
        names[operation.data.decode()] = names.pop(operation.path)


def _change(content: bytearray, operation: Operation, chance: Random | None = None) -> None:
    if operation.kind == TRUNC:
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
        return
    end = operation.offset + len(operation.data)
    content.extend(bytes(max(0, end - len(content))))
    for first, last in _sectors(operation.offset, end):
        if chance is None or chance.random() < 0.6:
            content[first:last] = operation.data[first - operation.offset : last - operation.offset]


def _sectors(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        last = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, last
        start = last


def power_cuts(
    operations: list[Operation], count: int, chance: Random, *, near: int | None = None
) -> Iterator[tuple[int, dict[str, bytes], list[tuple[int, list[object]]]]]:
    """Yield power cuts at random moments: (microseconds, files, what was acknowledged before).

    With ``near`` half of them fall around operations of this kind.
    """
    places = [chance.randrange(len(operations)) for _ in range(count)]
    if near is not None:
        around = [index for index, item in enumerate(operations) if item.kind == near]
        places = [
            min(len(operations) - 1, max(0, chance.choice(around) + chance.randrange(-3, 12)))
            if around and number % 2
            else place
            for number, place in enumerate(places)
        ]
    disk, done = Disk(), 0
    for place in sorted(places):
        while done <= place:
            disk.apply(operations[done])
            done += 1
        yield operations[place].microseconds, disk.cut(chance), list(disk.acknowledged)

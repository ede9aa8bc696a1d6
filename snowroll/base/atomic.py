"""The one module that writes files: temp in the same folder -> write -> fsync -> rename -> fsync of the folder.

A reader sees the old bytes or the new bytes, never half of either, whatever is killed when.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from snowroll.base.errors import StoreError

_TEMP = ".part-"  # temp names: <target>.part-<namespace>-<pid>-<n>; swept by `sweep`
_STRANGE_S = 3_600.0  # a writer whose processes we cannot see has gone when nothing was written for so long. A guess
_count = 0


def write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data`. durable=False: for what can be made again, so that a power cut may lose it."""
    write_with(path, lambda file: file.write(data), durable=durable)


def write_text(path: Path, text: str) -> None:
    write(path, text.encode())


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    write(path, (json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_with(path: Path, fill: Callable[[BinaryIO], Any], *, durable: bool = True) -> None:
    """Replace `path` by what `fill` writes into the file it is given."""

    def fill_path(temp: Path) -> None:
        with open(temp, "wb") as file:
            fill(file)

    publish(path, fill_path, durable=durable)


def publish(path: Path, fill: Callable[[Path], Any], *, durable: bool = True) -> None:
    """Replace `path` by the file that `fill` makes at the temporary path it is given."""
    global _count
    _count += 1
    temp = path.with_name(f"{path.name}{_TEMP}{pid_namespace()}-{os.getpid()}-{_count}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(temp)
        if durable:
            _sync(temp)
        os.replace(temp, path)
        if durable:
            _sync(path.parent)
    except BaseException as fault:
        with suppress(OSError):  # a read-only disk; what is left is swept
            temp.unlink(missing_ok=True)
        # torch and safetensors report a full disk as RuntimeError / SafetensorError, not OSError
        if isinstance(fault, OSError) or "No space left" in str(fault) or "unexpected pos" in str(fault):
            raise _in_words(path, fault) from fault
        raise


def append_line(path: Path, line: str) -> None:
    """Append one line in one write. For logs a person reads; truth lives in the catalog."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(line.encode() + b"\n")
    except OSError as fault:
        raise _in_words(path, fault) from fault


def sweep(folder: Path) -> int:
    """Delete temp files whose writer is gone. Returns how many."""
    swept = 0
    for temp in orphans(folder):
        temp.unlink(missing_ok=True)
        swept += 1
    return swept


def orphans(folder: Path) -> Iterator[Path]:
    """Temp files whose writer is gone."""
    for temp in folder.rglob(f"*{_TEMP}*"):
        told = temp.name.rpartition(_TEMP)[2].split("-")
        if len(told) == 3 and all(map(str.isdigit, told)) and _is_gone(temp, int(told[0]), int(told[1])):
            yield temp


def _is_gone(temp: Path, namespace: int, pid: int) -> bool:
    """Whether nobody writes this file any more. In another container a process of our number is another process."""
    if namespace == pid_namespace():
        return not _is_alive(pid)
    try:
        return time.time() - temp.stat().st_mtime > _STRANGE_S
    except FileNotFoundError:
        return False


@cache
def pid_namespace() -> int:
    """Tells apart who has process numbers of their own: containers; 0 where the system does not say."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _in_words(path: Path, fault: BaseException) -> StoreError:
    number = fault.errno if isinstance(fault, OSError) else errno.ENOSPC
    if number in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("the disk is full; nothing was lost", where=path, cure="free some space and repeat")
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreError("this folder cannot be written to", where=path.parent, cure="choose a writable one")
    return StoreError(f"writing failed ({fault})", where=path, cure="check the disk and repeat the command")

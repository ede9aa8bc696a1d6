"""Functions that decoding children run in the tests: some do what a hostile decoder does."""

import os
import signal
import sys
import time
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError


@dataclass(frozen=True)
class Seen:
    size: int
    text: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Options:
    add: int = 0


def obey(raw: bytes) -> object:
    """Does what the bytes say."""
    if raw == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if raw == b"killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if raw == b"spin":
        while True:
            pass
    if raw == b"hang":
        time.sleep(1000)
    if raw == b"memory":
        return len(np.ones(1 << 30, np.uint8))
    if raw == b"refuse":
        raise DataError("not a picture", where="here", cure="remove it")
    if raw == b"bug":
        raise KeyError("oops")
    if raw == b"print":
        print("noise " * 1000, flush=True)
        os.write(1, b"noise")
    if raw == b"modules":
        return sorted({"torch", "PIL", "sqlalchemy", "decode_jobs"} & set(sys.modules))
    if raw == b"pid":
        return os.getpid()
    return len(raw)


def see(raw: bytes) -> Seen:
    return Seen(len(raw), raw.decode(), np.frombuffer(raw, np.uint8).reshape(1, -1))


def lie(raw: bytes) -> int:
    return see(raw)  # type: ignore[return-value]


def columns(raw: bytes, options: Options) -> dict[str, np.ndarray]:
    """Fixed `first` [3], ragged `all` [*] and `pairs` [*, 2]; 'bad' cannot be read, 'odd' has another shape."""
    if raw == b"bad":
        raise DataError("a bad sample")
    if raw == b"crash":
        os.abort()
    values = np.frombuffer(raw, np.uint8) + np.uint8(options.add)
    first = np.resize(values, 4 if raw == b"odd" else 3)
    return {"first": first, "all": values, "pairs": np.stack([values, values], axis=1).astype(np.float32)}


class Encoder:
    """Like a task: keeps no state."""

    def columns(self, raw: bytes, options: Options) -> dict[str, np.ndarray]:
        return columns(raw, options)


def picture(raw: bytes, size_px: int) -> dict[str, np.ndarray]:
    from snowroll.prepare.pictures import open_rgb, resize

    return {"image": resize(open_rgb(raw, at_least_px=size_px), size_px, "crop")}

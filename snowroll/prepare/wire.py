"""How the engine and its decoding children talk: JSON with raw arrays behind it. Never pickle.

A child that a hostile picture has taken over can answer anything, so what comes back is data only: numbers, text,
lists, arrays, and the one dataclass that the function's signature promises.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial, reduce
from importlib import import_module
from types import FunctionType, MethodType
from typing import Any, BinaryIO, get_type_hints

import numpy as np

_MOST = 1 << 31  # bytes of one message; more is a fault, not a picture


def send(file: BinaryIO, value: Any, flush: bool = True) -> None:
    """Write one message. flush: it goes now, and what was written before it."""
    arrays: list[np.ndarray] = []
    head = json.dumps(_flatten(value, arrays)).encode("utf-8", "surrogatepass")
    file.write(len(head).to_bytes(4, "big") + head)
    for array in arrays:
        file.write(array.data.cast("B") if array.size else b"")
    if flush:
        file.flush()


def receive(file: BinaryIO, promised: type | None = None) -> Any:
    """Read one message. `promised`: the dataclass it may hold. Raises EOFError where the other end is gone."""
    head = json.loads(_exactly(file, int.from_bytes(_exactly(file, 4), "big")))
    return _build(head, file, promised)


def promise(function: Callable[..., Any]) -> type | None:
    """The dataclass that a function says it returns, if it is one."""
    while isinstance(function, partial):
        function = function.func
    found = get_type_hints(function).get("return") if isinstance(function, FunctionType | MethodType) else None
    return found if isinstance(found, type) and is_dataclass(found) else None


def spell_call(value: Any) -> Any:
    """A module-level function, a method of an object that keeps no state, or a partial of them, as JSON.

    Arguments may be JSON, dataclasses and such functions again. It goes from the engine to its own child only.
    """
    if isinstance(value, partial):
        keywords = {name: spell_call(item) for name, item in value.keywords.items()}
        return {"call": spell_call(value.func), "given": [spell_call(item) for item in value.args], "named": keywords}
    if isinstance(value, MethodType):
        return {"method": value.__name__, "of": _spell_name(type(value.__self__))}
    if isinstance(value, FunctionType | type):
        return {"name": _spell_name(value)}
    if is_dataclass(value):
        return {
            "made": _spell_name(type(value)),
            "from": {f.name: spell_call(getattr(value, f.name)) for f in fields(value)},
        }
    if isinstance(value, tuple | list):
        return {"list": [spell_call(item) for item in value], "tuple": isinstance(value, tuple)}
    return {"plain": value}


def read_call(told: Any) -> Any:
    """What `spell_call` was given."""
    match told:
        case {"call": call, "given": given, "named": named}:
            keywords = {name: read_call(item) for name, item in named.items()}
            return partial(read_call(call), *[read_call(item) for item in given], **keywords)
        case {"method": name, "of": kind}:
            return getattr(_named(kind)(), name)
        case {"name": name}:
            return _named(name)
        case {"made": kind, "from": values}:
            return _named(kind)(**{name: read_call(item) for name, item in values.items()})
        case {"list": items, "tuple": is_tuple}:
            return (tuple if is_tuple else list)(read_call(item) for item in items)
    return told["plain"]


def _spell_name(thing: Any) -> list[str]:
    module, name = thing.__module__, thing.__qualname__
    if module == "__main__" or "<" in name:
        raise TypeError(
            f"{module}.{name} cannot run in a decoding child: it must stand at the top of an importable file"
        )
    return [module, name]


def _named(name: list[str]) -> Any:
    module = sys.modules.get(name[0]) or import_module(name[0])
    return reduce(getattr, name[1].split("."), module)


def _flatten(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value))
        return {"@": "array", "dtype": value.dtype.str, "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        arrays.append(np.frombuffer(value, np.uint8))
        return {"@": "bytes", "size": len(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {"@": "made", "from": [_flatten(getattr(value, f.name), arrays) for f in fields(value)]}
    if isinstance(value, dict):
        return {"@": "dict", "keys": list(value), "values": [_flatten(item, arrays) for item in value.values()]}
    if isinstance(value, list | tuple):
        return [_flatten(item, arrays) for item in value]
    return value


def _build(told: Any, file: BinaryIO, promised: type | None) -> Any:
    if isinstance(told, list):
        return [_build(item, file, promised) for item in told]
    if not isinstance(told, dict):
        return told
    match told:
        case {"@": "array", "dtype": str(spelled), "shape": list(shape)}:
            dtype = np.dtype(spelled)
            flat = np.frombuffer(_exactly(file, int(np.prod(shape, dtype=object)) * dtype.itemsize), dtype)
            return flat.reshape(shape)
        case {"@": "bytes", "size": int(size)}:
            return _exactly(file, size)
        case {"@": "dict", "keys": list(keys), "values": list(values)}:
            return dict(zip(keys, (_build(item, file, promised) for item in values), strict=True))
        case {"@": "made", "from": list(values)} if promised is not None:
            names = [f.name for f in fields(promised)]
            return promised(**dict(zip(names, (_build(item, file, promised) for item in values), strict=True)))
    raise ValueError("a child answered something that was not promised")


def _exactly(file: BinaryIO, size: int) -> bytes:
    if not 0 <= size <= _MOST:
        raise ValueError(f"a message of {size} bytes")
    data = file.read(size)
    if len(data) < size:
        raise EOFError("the other end is gone")
    return data

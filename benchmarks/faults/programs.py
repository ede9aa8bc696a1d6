"""Healthy programs: six that a person might write, and variants of them that are unusual and right."""

from __future__ import annotations

from collections.abc import Callable

from cases import Program
from healthy import plain, unusual

PROGRAMS: dict[str, Callable[[], Program]] = {
    build.__name__: build for build in (plain.digits, plain.signs, plain.beats, plain.machines, plain.dial, plain.talk)
}
CLEAN: dict[str, Callable[[], Program]] = {build.__name__: build for build in unusual.VARIANTS}

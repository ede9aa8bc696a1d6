"""What every benchmark here needs: peers in environments of their own, a process's time and memory seen from outside,
and ratios of interleaved runs.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
WORK = HERE.parent / ".benchmarks"
DATA = Path(os.environ.get("SNOWROLL_DATA", HERE.parent.parent / "shared" / "data"))


def peer_python(name: str, packages: Sequence[str]) -> Path:
    """The interpreter of a throw-away environment with these packages and nothing of ours."""
    folder = WORK / "peers" / name
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        uv = Path(sys.executable).parent / "uv"
        tool = [uv, "pip", "install", "-q", "--python", python] if uv.exists() else [python, "-m", "pip", "install"]
        subprocess.run([*tool, *packages], check=True)
        (folder / "ready").touch()
    return python


def versions(python: Path, packages: Sequence[str]) -> str:
    code = "import sys; from importlib.metadata import version; print(*(f'{p} {version(p)}' for p in sys.argv[1:]))"
    return subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """One line to stand above a table: figures from another machine differ."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    family = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    widest = next((flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in family), "no AVX2")
    cores = len(os.sched_getaffinity(0))
    name = model.partition(":")[2].strip()
    return f"{platform.machine()}, {name}, {cores} cores, {widest}, load {os.getloadavg()[0]:.1f}"


def spread(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f}x [{min(ratios):.2f}, {max(ratios):.2f}]" if ratios else "none"


def cpu_seconds(group: int) -> float:
    """Used so far by a process group, workers that have ended included."""
    ticks = 0
    for fields in _members(group):
        ticks += sum(int(field) for field in fields[11:15])  # own, and of children that were waited for
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_bytes(group: int) -> int:
    """Proportional set size of a process group now: pages that several processes share count once."""
    total = 0
    for pid in _pids(group):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
    return total


def _members(group: int) -> Iterator[list[str]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == group:
            yield fields


def _pids(group: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[2]) == group:
            yield int(text.split()[0])


@dataclass(slots=True)
class Leg:
    """One whole process, watched from outside: what it said, when, and what it had used by then."""

    said: list[dict[str, Any]] = field(default_factory=list)  # JSON lines, each with `at_s` and `cpu_s`
    seconds: float = 0.0
    peak_mb: float = 0.0

    def of(self, key: str) -> list[dict[str, Any]]:
        return [line for line in self.said if key in line]


def watch(command: Sequence[str | Path], threads: int, timeout_s: float = 3600) -> Leg:
    """Run to the end. Every line on stdout that is a JSON object is stamped with seconds and CPU seconds so far."""
    leg = Leg()
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.perf_counter()
    life = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, env=env, start_new_session=True
    )  # fmt: skip
    ended = threading.Event()

    def sample_memory() -> None:
        while not ended.wait(0.25):
            leg.peak_mb = max(leg.peak_mb, memory_bytes(life.pid) / 1e6)

    sampler = threading.Thread(target=sample_memory)
    sampler.start()
    alarm = threading.Timer(timeout_s, lambda: os.killpg(life.pid, signal.SIGKILL))
    alarm.start()
    try:
        for line in life.stdout or ():
            if line.startswith("{"):
                stamp = {"at_s": time.perf_counter() - began, "cpu_s": cpu_seconds(life.pid)}
                leg.said.append(json.loads(line) | stamp)
    finally:
        code = life.wait()
        leg.seconds = time.perf_counter() - began
        alarm.cancel()
        ended.set()
        sampler.join()
    if code:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {code}")
    return leg


def verb(*tokens: str | Path, may_fail: bool = False) -> list[tuple[float, str]]:
    """The lines that a verb prints, each with the time when it came. may_fail: it may find fault, which is exit 1."""
    command = [sys.executable, "-m", "snowroll", *map(str, tokens)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as life:
        lines = [(time.monotonic(), line) for line in life.stdout or ()]
    if life.returncode not in (0, int(may_fail)):
        raise SystemExit(f"{' '.join(command)} ended with {life.returncode}: {lines[-1][1] if lines else ''}")
    return lines

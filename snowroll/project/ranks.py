"""One run on several processes of this machine: start them, hear them, and be sure that none is left behind.

They find each other in a file, so that no port is opened for it: see docs/decisions/003-ranks-are-started-by-us.md.
Each holds the end of a pipe whose other end is here: when this process is gone, however it went, the pipe closes and
they stop at once. What they say comes back as lines of JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Literal

from snowroll.base import atomic, errors
from snowroll.base.device import refuse_processes
from snowroll.base.errors import Interrupted, SnowrollError
from snowroll.base.nouns import Json, Plan
from snowroll.project.data import Packed
from snowroll.project.models import build_blank
from snowroll.project.opened import Opened, Say
from snowroll.project.plans import write_plan

if TYPE_CHECKING:
    from torch import nn

Work = Literal["fit", "measure"]
ORDER, MEET, KEPT = "order.json", "meet", "kept.safetensors"  # in the folder the processes share
STOPS_WITHIN_S = 10.0  # after its pipe was closed; one that does not is killed


def fit_in_ranks(opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say) -> nn.Module:
    """Train on `plan.processes` processes. Returns the model whose weights are to be kept.

    Raises Interrupted when one of them was killed, and what one of them raised.
    """
    from safetensors.torch import load_file

    say(f"{plan.processes} processes share each batch; threads in each: {plan.threads_each}")
    with _desk(opened, packed, plan, folder, "fit") as desk:
        _work(desk, plan, lambda told: say(told["say"]))
        model = build_blank(opened.task, plan.task, packed.schema)
        model.load_state_dict(load_file(desk / KEPT))
    return _laid_out(model, plan)


def measure_in_ranks(opened: Opened, packed: Packed, plan: Plan, now: Callable[[], float]) -> tuple[float, float]:
    """(seconds of a step, seconds that starting the processes costs): measured by all of them together, exchange of
    gradients included. They are started once to measure and once to train, so both starts are counted.
    """
    from snowroll.train.calibrate import MEASURED

    began, heard = now(), []
    with _desk(opened, packed, plan, opened.store.dot, "measure") as desk:
        _work(desk, plan, lambda told: heard.append(told["step_s"]))
    step_s = max(heard)
    return step_s, 2 * max(0.0, now() - began - MEASURED * step_s)


def _laid_out(model: nn.Module, plan: Plan) -> nn.Module:
    from dataclasses import replace

    from snowroll.train.fit import begin

    begin(model, replace(plan, ema=0.0))
    return model


@contextmanager
def _desk(opened: Opened, packed: Packed, plan: Plan, folder: Path, work: Work) -> Iterator[Path]:
    """A folder with what the processes have to know, cleared away afterwards."""
    desk = folder / "ranks"
    shutil.rmtree(desk, ignore_errors=True)  # a killed run's
    write_plan(desk, plan, {})
    flags = {key: value for key, value in opened.settings.values.items() if opened.settings.origins[key] == "flag"}
    order = {
        "work": work,
        "root": str(opened.root.resolve()),
        "flags": flags,
        "version": asdict(packed.version),  # a fold's is in no catalog
        "rows": {split: rows.tolist() for split, rows in packed.rows.items()},
        "folder": str(folder.resolve()),
    }
    atomic.write_json(desk / ORDER, order, indent=None)
    try:
        yield desk
    finally:
        shutil.rmtree(desk, ignore_errors=True)


def _work(desk: Path, plan: Plan, hear: Callable[[dict[str, Json]], None]) -> None:
    """Run the processes to their end, all of them; raise what ended them early."""
    refuse_processes(plan.processes, plan.device)
    ranks = [_start(desk, number, plan) for number in range(plan.processes)]
    heard: SimpleQueue[tuple[int, dict[str, Json] | None]] = SimpleQueue()
    for number, rank in enumerate(ranks):
        Thread(target=_listen, args=(number, rank, heard), daemon=True).start()
    faults: list[dict[str, Json]] = []
    killed: dict[int, int] = {}  # number -> signal
    at_work = set(range(len(ranks)))
    try:
        while at_work:
            number, told = heard.get()
            if told is None:
                at_work.discard(number)
                code = ranks[number].wait()
                if code < 0:
                    killed[number] = -code
                if code:  # the others wait for it in vain
                    break
            elif "fault" in told:
                faults.append(told)
            else:
                hear(told)
    finally:
        codes = _stop(ranks)
    with suppress(Empty):  # what was said before the end, and is heard after it
        while at_work:
            number, told = heard.get(timeout=STOPS_WITHIN_S)
            if told is None:
                at_work.discard(number)
            elif "fault" in told:
                faults.append(told)
    if killed:
        ((number, by), *_) = killed.items()
        name = signal.Signals(by).name
        told = f"process {number + 1} of {len(ranks)} was killed ({name}); the machine may be out of memory"
        raise Interrupted(told, where=desk.parent, cure="the same command goes on from the last checkpoint")
    if faults:
        raise _as_raised(faults[0])
    if any(codes):
        raise RuntimeError(f"the processes ended with {codes} and said nothing")


def _start(desk: Path, number: int, plan: Plan) -> subprocess.Popen[bytes]:
    alone = {"darwin": "lo0"}.get(sys.platform, "lo")  # gradients go over the loopback
    told = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": plan.processes, "OMP_NUM_THREADS": plan.threads_each}
    environment = {"GLOO_SOCKET_IFNAME": alone, "NCCL_SOCKET_IFNAME": alone, **os.environ}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "snowroll.project.rank", str(desk)],  # -P: no module from this folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment | {key: str(value) for key, value in told.items()},
        start_new_session=True,  # Ctrl-C comes to this process alone
    )


def _listen(number: int, rank: subprocess.Popen[bytes], heard: SimpleQueue[tuple[int, dict[str, Json] | None]]) -> None:
    assert rank.stdout is not None
    with rank.stdout as lines:
        for line in lines:
            with suppress(json.JSONDecodeError):  # the line at which it was killed
                heard.put((number, json.loads(line)))
    heard.put((number, None))


def _stop(ranks: list[subprocess.Popen[bytes]]) -> list[int]:
    """Close their pipes and wait until none is left. Returns the exit codes."""
    for rank in ranks:
        assert rank.stdin is not None
        rank.stdin.close()
    for rank in ranks:
        try:
            rank.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            rank.kill()
    return [rank.wait() for rank in ranks]


def _as_raised(fault: Mapping[str, Json]) -> Exception:
    """The user's mistake as it was raised; ours with the process's traceback."""
    kind = getattr(errors, fault["fault"], None)
    if isinstance(kind, type) and issubclass(kind, SnowrollError):
        return kind(fault["what"], where=fault["where"], cure=fault["cure"])
    return RuntimeError(fault["what"])

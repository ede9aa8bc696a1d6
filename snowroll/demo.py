"""The main job on real data that ships with scikit-learn: a folder of digits, through the five steps and once round.

Everything is what a user has: the verbs, a real server, the label page's own interface. Only the person is a robot.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from snowroll.base import atomic
from snowroll.base.errors import PlanError, SnowrollError, StoreError
from snowroll.base.nouns import Json
from snowroll.demo_data import Production, write_digits
from snowroll.deploy.asking import ask
from snowroll.deploy.process import running
from snowroll.deploy.settings import ServeSettings
from snowroll.project.opened import Answer, Opened, Say, open_project
from snowroll.roll import roll
from snowroll.verbs.check import check
from snowroll.verbs.init import init
from snowroll.verbs.serve import make_service
from snowroll.verbs.train import train

if TYPE_CHECKING:
    from starlette.applications import Starlette

MARK = ".made-by-demo"  # a folder with this file may be deleted; a project of the user's never has it
STEPS = {"train.steps": 250, "task.model": "fastnet_small"}  # the same on every machine, whatever its speed


MakeLabelApp = Callable[..., "Starlette"]


def demo(folder: Path, say: Say, make_label_app: MakeLabelApp, tell: Say) -> Answer:
    """Run it all in `folder`, which is made anew: an earlier demo there is replaced, nothing else ever is.

    make_label_app: door 2, passed in by door 1. tell: where each step's lines go.
    """
    with _watched() as outside:
        return _steps(folder, say, make_label_app, tell, outside)


def _steps(folder: Path, say: Say, make_label_app: MakeLabelApp, tell: Say, outside: list[str]) -> Answer:
    began = monotonic()
    _make_room(folder)
    production, planted = write_digits(folder / "data")
    told: dict[str, Json] = {}
    _step("found", init(folder, None, (), "", {}, say), told, tell)
    opened = open_project(folder, STEPS)
    _line("planted", "; ".join(planted), tell)
    _step("check", check(opened, say), told, tell)
    _step("train", train(opened, say), told, tell)
    with _served(opened) as url:
        _send(url, production)
        _wait_for_records(opened, len(production.images))
        _line("serve", f"{len(production.images)} images sent to {url}, {_mix(production)}", tell)
        _step("roll", roll(opened, say), told, tell)
        answered = _label(opened, production, make_label_app)
        _line("label", f"{answered} questions answered through the label page's interface, by a robot that knows", tell)
        before = _model(url)
        with _steady_requests(url, production) as failed:
            _step("retrain", roll(opened, say), told, tell)
            after = _wait_for_swap(url, before, told)
        swapped = f"the running server swapped from {before} to {after}" if after != before else "it keeps its model"
        _line("swap", f"{swapped}; {failed['sent']} requests meanwhile, {failed['failed']} failed", tell)
    seconds = monotonic() - began
    reached = f"{len(outside)} attempts to reach outside this machine"
    _line("total", f"{seconds:.0f} s, 1 process and its decoding children, {reached}", tell)
    report = told["retrain"]["train"]["report"]
    told |= {"seconds": round(seconds, 1), "reached_outside": outside, "failed_requests": failed["failed"]}
    lines = [f"report    {report}", f"or look   snowroll status {folder}"]
    return Answer(told, lines, next=f"snowroll label {folder} --k 20")


def _make_room(folder: Path) -> None:
    """An empty folder that bears the demo's mark; what an earlier demo left there is deleted, nothing else."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StoreError("this is no folder", where=folder, cure="give the demo a folder of its own")
    if (folder / MARK).exists():
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise StoreError("this folder holds something else", where=folder, cure="give the demo a folder of its own")
    atomic.write_text(folder / MARK, "made by `snowroll demo`, which deletes this folder when it is run here again\n")


def _step(name: str, answer: Answer, told: dict[str, Json], tell: Say) -> None:
    tell("\n".join(answer.lines))
    told[name] = answer.json
    if not answer.ok:
        raise SnowrollError(f"the demo stopped at '{name}'", cure=answer.next or "see the lines above")


def _line(name: str, text: str, tell: Say) -> None:
    tell(f"{name:<9} {text}")


def _mix(production: Production) -> str:
    counts = Counter(production.sources)
    return ", ".join(f"{n} from {source}" for source, n in sorted(counts.items()))


# the server ----------------------------------------------------------------------------------------------------------


@contextmanager
def _served(opened: Opened) -> Iterator[str]:
    """The project served on a free port of loopback, by the same app as `snowroll serve`."""
    settings = ServeSettings(port=0, poll_s=0.2)
    with running(make_service(opened, settings), settings) as url:
        yield url


def _send(url: str, production: Production) -> None:
    for image, source in zip(production.images, production.sources, strict=True):
        ask(f"{url}/v1/predict", image, {"Content-Type": "image/png", "X-Source": source})


def _wait_for_records(opened: Opened, count: int) -> None:
    """Answers come before their records: what is kept is written beside the requests' path."""
    deadline = monotonic() + 60
    while len(opened.store.catalog.records()) < count and monotonic() < deadline:
        sleep(0.1)


def _model(url: str) -> str:
    return ask(f"{url}/v1/model")["id"]


@contextmanager
def _steady_requests(url: str, production: Production) -> Iterator[dict[str, int]]:
    """One request after another while the model is retrained and swapped; every failure is counted."""
    count, stop = {"sent": 0, "failed": 0}, Event()

    def send() -> None:
        while not stop.wait(0.05):
            image = production.images[count["sent"] % len(production.images)]
            count["sent"] += 1
            try:
                ask(f"{url}/v1/predict", image, {"Content-Type": "image/png", "X-Source": "scanner A"})
            except PlanError:
                count["failed"] += 1

    thread = Thread(target=send, daemon=True)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()


def _wait_for_swap(url: str, before: str, told: dict[str, Json]) -> str:
    """The id that answers now; after a promotion, once it has changed (a few polls later)."""
    promoted = told["retrain"]["verdict"] == "PROMOTED"
    deadline = monotonic() + 15
    while promoted and _model(url) == before and monotonic() < deadline:
        sleep(0.1)
    return _model(url)


# the person ----------------------------------------------------------------------------------------------------------


def _label(opened: Opened, production: Production, make_label_app: MakeLabelApp) -> int:
    """Answer the whole queue through the label page's HTTP interface, as its script does."""
    truth = {sha256(image).hexdigest(): name for image, name in zip(production.images, production.truths, strict=True)}
    token, answered = uuid4().hex, 0
    settings = ServeSettings(port=0)
    with running(make_label_app(opened, token=token, person="robot", now=time), settings) as url:
        while True:
            asked = ask(f"{url}/api/next?n=20", headers=_headers(url, token))
            if not asked["items"]:
                return answered
            contents = opened.store.catalog.samples([item["sample"] for item in asked["items"]])
            answers = [
                {
                    "client_id": uuid4().hex,
                    "sample": item["sample"],
                    "target": truth[contents[item["sample"]].content],
                    "ms": 1.0,
                    "blind": item["suggestion"] is None,
                }
                for item in asked["items"]
            ]
            ask(f"{url}/api/answers", json.dumps(answers).encode(), _headers(url, token))
            answered += len(answers)


def _headers(url: str, token: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "Origin": url}


# nothing leaves the machine ------------------------------------------------------------------------------------------

_HERE = ("127.0.0.1", "::1", "localhost", "")


@contextmanager
def _watched() -> Iterator[list[str]]:
    """The hosts outside this machine that this process tried to reach meanwhile; every attempt is refused."""
    tried: list[str] = []
    watching = True  # an audit hook cannot be taken away again

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and (host := _host(event, arguments)) not in _HERE:
            tried.append(host)
            raise StoreError(f"something tried to reach {host}", cure="tell us: nothing may leave the machine")

    sys.addaudithook(hook)
    try:
        yield tried
    finally:
        watching = False


def _host(event: str, arguments: tuple[Any, ...]) -> str:
    """The host that an audited call would reach or look up; "" where it is none, or a socket of this machine's own."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        return str(address[0]) if isinstance(address, tuple) else ""
    if event == "socket.getaddrinfo":
        name = arguments[0] or ""
        return name.decode(errors="replace") if isinstance(name, bytes) else name
    return ""

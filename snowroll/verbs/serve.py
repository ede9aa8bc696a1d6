"""`serve`: the champion over HTTP; what comes in is kept for the next roll, within a quota."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING

from snowroll.base.errors import StoreError
from snowroll.base.parts import own
from snowroll.deploy.settings import ServeSettings
from snowroll.prepare.decode import Guarded
from snowroll.project.artifacts import find_artifact, load_artifact
from snowroll.project.opened import Opened, Say, champion_run

if TYPE_CHECKING:
    from fastapi import FastAPI

    from snowroll.deploy.capture import Seen


def serve(opened: Opened, run: int | None, say: Say, as_json: bool = False) -> None:
    """Serve until interrupted. Prints one line (or one JSON object) once requests are answered."""
    from snowroll.deploy.process import address, bind, run_server

    settings = opened.section("serve", ServeSettings)
    app = make_service(opened, settings, run)
    sock = bind(settings)
    url = address(settings, sock)

    def started() -> None:
        model = current_artifact(opened, run)
        print(
            json.dumps({"url": url, "model": model, "capture": capturing(settings)}) if as_json else f"serving   {url}"
        )
        print(end="", flush=True)
        if not as_json:
            say(f"          POST {url}/v1/predict   docs {url}/docs   metrics {url}/metrics")
            say(f"          {capturing(settings)}; `snowroll forget {opened.root} ID` erases one")

    run_server(app, settings, sock, started)


def make_service(opened: Opened, settings: ServeSettings, run: int | None = None) -> FastAPI:
    """The app over this project: follows the champion (unless a run is pinned), keeps records by policy."""
    from snowroll.deploy.serve import make_app

    _refuse_full_disk(opened, settings)

    def prune() -> None:
        if not opened.store.read_only:
            opened.store.prune(time.time(), int(settings.quota_mb * 1e6), settings.keep_days * 86_400)

    def keep(seen: list[Seen]) -> None:
        opened.store.capture([(one.record, one.raw) for one in seen])
        prune()

    clean = own(opened.task.cleaned)
    return make_app(
        current=lambda: current_artifact(opened, run),
        load=lambda id: load_artifact(opened, id, settings.threads),
        settings=settings,
        on_record=None if opened.store.read_only else keep,
        tidy=prune,
        clean=Guarded(clean) if clean and not opened.store.read_only else None,
        kind=opened.task.kind,
    )


def current_artifact(opened: Opened, run: int | None = None) -> str:
    """The id of the artifact to serve. Raises StoreError where there is none."""
    number = champion_run(opened) if run is None else run
    artifact = find_artifact(opened, number)
    if artifact is None:
        raise StoreError(f"run {number} has not been exported", where=opened.root, cure="run `snowroll export` first")
    return artifact.id


def capturing(settings: ServeSettings) -> str:
    """What is kept of what comes in, in words."""
    if not settings.sample:
        return "nothing of what comes in is kept"
    return (
        f"{settings.sample:.0%} of what comes in is kept for the next roll, "
        f"at most {settings.quota_mb:,.0f} MB and {settings.keep_days:g} days"
    )


def _refuse_full_disk(opened: Opened, settings: ServeSettings) -> None:
    free_mb = shutil.disk_usage(opened.store.dot).free / 1e6
    if settings.sample and free_mb < 50 and not opened.store.read_only:
        cure = "free some space, or set --serve.sample 0"
        raise StoreError(
            f"only {free_mb:.0f} MB are free, too little to keep what comes in", where=opened.root, cure=cure
        )

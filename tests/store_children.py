"""What child processes of the store's tests do. Only plain imports, so that a child starts in milliseconds."""

import contextlib
import hashlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from catalog_kit import add_label

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Record, Sample
from snowroll.store.project import Project
from snowroll.store.rows import Label

N = 50  # samples in a test project


def sample(n: int) -> Sample:
    content = hashlib.sha256(f"picture {n}".encode()).hexdigest()
    return Sample(Sample.name(f"cat/{n}.png", content), f"cat/{n}.png", content, "image")


def make_project(root: Path) -> None:
    with Project.create(root, None, '[task]\nname = "classify_images"\n') as project:
        project.catalog.add_samples(sample(n) for n in range(N))


def start(work: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
    """Run `work(pipe, *arguments)` in a child; what it sends arrives at the connection returned."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["snowroll.store.project", "sqlalchemy.dialects.sqlite.pysqlite", "pytest"])
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(there, *arguments), daemon=True)
    child.start()
    there.close()
    return child, here


def kill(child: BaseProcess) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()


def received(pipe: Connection) -> list[Any]:
    """Everything that was sent before the child died."""
    told = []
    with contextlib.suppress(EOFError, OSError):
        while True:
            told.append(pipe.recv())
    return told


def write_labels(pipe: Connection, root: Path, life: int) -> None:
    """Three people label as fast as they can, each answer sent twice; the id is told once it is acknowledged."""
    project, telling = Project.open(root), threading.Lock()

    def person(name: int) -> None:
        for n in range(10_000):
            label = Label(f"{life}-{name}-{n}", sample((n + name) % N).id, {"class": "cat"}, f"p{name}", time.time())
            add_label(project.catalog, label)
            assert not add_label(project.catalog, label)
            with telling:
                pipe.send(label.client_id)

    threads = [threading.Thread(target=person, args=(name,), daemon=True) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def record(life: int, n: int) -> tuple[Record, bytes]:
    raw = f"canary {life} {n} face".encode() * 20
    return Record(
        f"r{life}-{n}",
        "model",
        float(n),
        hashlib.sha256(raw).hexdigest(),
        f"canary {life} {n} face",
        0.9,
        0.1,
        "line 2",
    ), raw


def capture_and_forget(pipe: Connection, root: Path, life: int) -> None:
    """Take inputs in and erase every second one; tell what is acknowledged."""
    project = Project.open(root)
    for n in range(10_000):
        project.capture([record(life, n)])
        pipe.send(("kept", n))
        if n % 2:
            pipe.send(("erasing", n))
            project.forget(f"r{life}-{n}")
            pipe.send(("erased", n))


def write_in_a_row(pipe: Connection, root: Path, name: str, count: int) -> None:
    """`count` labels by each of four people at once, so that one always waits; begun when the parent's file appears."""
    with Project.open(root) as project:

        def person(which: int) -> None:
            for n in range(count):
                add_label(project.catalog, Label(f"{name}-{which}-{n}", sample(n % N).id, "cat", name, 0.0))

        project.catalog.note("hello", {"from": name})  # the writer is warm
        pipe.send("ready")
        while not (root / "go").exists():
            time.sleep(0.001)
        threads = [threading.Thread(target=person, args=(which,)) for which in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipe.send("done")
        time.sleep(60)


def hold_lock(pipe: Connection, root: Path) -> None:
    """Hold the train lock, with a child of one's own that outlives the holder: decoding workers do."""
    with Project.open(root) as project, project.lock("train"):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        pipe.send(os.getpid())
        time.sleep(60)


def write_until_full(pipe: Connection, root: Path, room: int) -> None:
    """Write labels until no file may grow any more; tell what was acknowledged, then the error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    project = Project.open(root)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        for n in range(10_000):
            add_label(project.catalog, Label(f"full-{n}", sample(n % N).id, {"note": "x" * 2_000}, "ann", 0.0))
            pipe.send(n)
    except StoreError as fault:
        pipe.send(str(fault))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    add_label(project.catalog, Label("after", sample(0).id, "cat", "ann", 0.0))
    pipe.send("after")

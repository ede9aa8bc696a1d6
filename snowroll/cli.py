"""Door 1: the command line. Every verb is a few lines here; the work is in `verbs/`, imported when it is called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from snowroll.base.errors import SnowrollError, StoreError, UsageError
from snowroll.base.settings import split_flags

if TYPE_CHECKING:
    from snowroll.project.opened import Answer, Opened

HELP = r"""An open data engine for deep learning: prepare, design, train, evaluate & tune, deploy, and round again.

Every setting of snowroll.toml is also a flag: --train.lr 0.05 --task.model resnet18 --prepare.group '_num_(\d+)'.
`snowroll explain` prints them all with their values and where each came from."""

app = App(
    name="snowroll", help=HELP, help_format="plaintext", version_flags=["--version"], result_action="return_value"
)
Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON object on stdout and nothing else.")]
Run = Annotated[int | None, Parameter(help="A run number instead of the champion.")]


def say(text: str) -> None:
    """Progress goes to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)


@app.command
def init(
    folder: Path = Path(),
    *,
    data: Path | None = None,
    labels: str = "",
    task: str = "",
    preset: str = "",
    json: Json = False,
) -> Any:
    """Make FOLDER a project: say which task and format was found and why, write snowroll.toml, index the files.

    --data: the data lies elsewhere and stays there, read-only if need be. --labels a,b,c: nothing is labelled yet.
    --task: use this task instead of the recognised one. --preset: a task with settings for a common question:
    brain_tumour, chest_xray, nuclei; what a flag says wins.
    """
    from snowroll.verbs.init import init as verb

    names = tuple(name.strip() for name in labels.split(",") if name.strip())
    return verb(folder, data, names, task, flags(), say, preset)


@app.command
def check(project: Path = Path(), *, fix: str = "", undo: str = "", time: str = "", json: Json = False) -> Any:
    """Name the faults in the data, each with its files, cause and cure.

    --fix CODE,CODE: apply the cure of these findings, as a rule that stays. --undo CODE,CODE: take the rule back. Your
    files are never touched. --time 10m: labels are judged by networks trained on the other half of the samples, which
    finds far more than the quick probe on thumbnails; kept for later checks.
    """
    from snowroll.verbs.check import check as verb

    return verb(opened(project), say, fix, undo, time)


@app.command
def train(
    project: Path = Path(),
    *,
    time: str = "",
    accept: str = "",
    because: str = "",
    fresh: bool = False,
    beside_random: bool = False,
    learning_curve: bool = False,
    sweep: str = "",
    json: Json = False,
) -> Any:
    """Pass the gates, then train; the same command resumes an unfinished run.

    --time 10m: plan the run to finish in this time. --accept GATE,GATE --because "...": go on past failed gates.
    --fresh: start a new run even if one is unfinished. --beside-random: once more on splits that ignore groups, for
    comparison; takes as long again. --learning-curve: once more on a quarter and on half of the data, to tell what
    more labels are worth; takes three quarters as long again. --sweep task.size_px=32,64: once more with each of these
    values, judged on the validation samples.
    """
    from snowroll.verbs.train import train as verb

    work = opened(project)
    answer = verb(
        work,
        say,
        time=time,
        accept=accept,
        because=because,
        fresh=fresh,
        beside_random=beside_random,
        learning_curve=learning_curve,
        sweep=sweep,
    )
    if json or not answer.ok or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return answer
    return closing(work, answer)


@app.command(name="eval")
def evaluate(project: Path = Path(), *, data: Path | None = None, run: Run = None, json: Json = False) -> Any:
    """Score the champion on the locked test set, or on an outside folder with --data, each figure with its interval."""
    from snowroll.verbs.eval import evaluate as verb

    return verb(opened(project), data, run, say)


@app.command
def predict(
    project: Path,
    paths: list[Path] | None = None,
    *,
    run: Run = None,
    format: str = "jsonl",
    out: Path | None = None,
    live: float = 0.0,
    json: Json = False,
) -> Any:
    """Files or folders in, one JSON line a sample out, with doubt. --format csv for a table.

    --out DIR: answers that are masks are written there, too, as files of their own: PNG, or NIfTI on the scan's grid.
    --live HZ: instead of files, numbers on stdin, a line each moment, are answered as they come.
    """
    from snowroll.project.listening import live as listen
    from snowroll.verbs.predict import predict as verb

    if live:
        return listen(opened(project), sys.stdin, live, run)
    if not paths:
        raise UsageError("no files are named", where="predict", cure="give files or folders, or --live HZ")
    return verb(opened(project), paths, run, format, out)


@app.command
def export(
    project: Path = Path(),
    *,
    run: Run = None,
    int8: bool = False,
    labels: str = "",
    out: Path | None = None,
    json: Json = False,
) -> Any:
    """Write ONNX (pre- and post-processing inside) and safetensors with a card; refused unless parity is proved.

    --labels FORMAT: instead, all labels known now in a format of other tools (boxes: coco, voc, yolo, cvat ...).
    """
    from snowroll.verbs.export import export as verb
    from snowroll.verbs.export import export_labels

    if labels:
        return export_labels(opened(project), labels, out, say)
    return verb(opened(project), run, int8, out, say)


@app.command
def serve(project: Path = Path(), *, run: Run = None, json: Json = False) -> Any:
    """Answer over HTTP, keep what comes in, follow the champion."""
    from snowroll.verbs.serve import serve as verb

    return verb(opened(project), run, say, as_json=json)


@app.command
def label(project: Path = Path(), *, k: int = 0, port: int = 0, test: int = 0, json: Json = False) -> Any:
    """Open the label page: a queue by worth. --k: mine so many first. --test: so many random ones to judge by."""
    from snowroll.web.label import label as verb

    return verb(opened(project), k, port, test, say, as_json=json)


@app.command
def roll(project: Path = Path(), *, time: str = "", k: int = 0, json: Json = False) -> Any:
    """One turn: collect, drift, mine, label, version, train, evaluate, then promote, refuse or cannot tell yet."""
    from snowroll.roll import roll as verb

    return verb(opened(project), say, time=time, k=k)


@app.command
def status(project: Path = Path(), *, json: Json = False) -> Any:
    """Where the project stands and what to do next."""
    from snowroll.verbs.status import status as verb

    return verb(opened(project, write=False))


@app.command
def explain(project: Path = Path(), key: str = "", *, json: Json = False) -> Any:
    """Every setting, its value and where it came from: flag, file, planning rule or default."""
    from snowroll.verbs.explain import explain as verb

    return verb(opened(project), key)


@app.command
def rollback(project: Path = Path(), *, json: Json = False) -> Any:
    """Make the champion before this one the champion again; a running server follows at once."""
    from snowroll.verbs.rollback import rollback as verb

    return verb(opened(project))


@app.command
def forget(project: Path, record: str, *, json: Json = False) -> Any:
    """Erase a production record: its input, every record of that input, what was made of it, reports that show it."""
    from snowroll.verbs.forget import forget as verb

    return verb(opened(project), record)


@app.command
def doctor(project: Path = Path(), *, deep: bool = False, json: Json = False) -> Any:
    """Check every invariant of the project. --deep: hash every blob."""
    from snowroll.verbs.doctor import doctor as verb

    return verb(opened(project), deep)


@app.command
def eject(project: Path = Path(), *, json: Json = False) -> Any:
    """Copy the readable training loop into the project, to be edited."""
    from snowroll.verbs.eject import eject as verb

    return verb(opened(project))


@app.command
def demo(folder: Path = Path("demo"), *, json: Json = False) -> Any:
    """The main job on scikit-learn's handwritten digits, from a folder of pictures to a promoted model."""
    from snowroll.demo import demo as verb
    from snowroll.web.app import make_label_app

    return verb(folder, say, make_label_app, tell=say if json else lambda text: print(text, flush=True))


_flags: dict[str, Any] = {}


def flags() -> dict[str, Any]:
    return dict(_flags)


def opened(project: Path, *, write: bool = True) -> Opened:
    from snowroll.project.opened import open_project

    return open_project(project, flags(), write=write)


def main(tokens: list[str] | None = None) -> None:
    """Run one command and exit: 0 ok, 1 a check or gate failed, 2 the command is wrong."""
    # Threads that wait for one another spin, unless told to sleep before torch is loaded. Where something else runs on
    # the same cores, a spinning step takes several times as long; alone there is no difference (benchmarks/busy.py).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(run(sys.argv[1:] if tokens is None else tokens))


def run(tokens: list[str]) -> int:
    """One command; returns the exit code. No traceback for what a user or the outside world did wrong."""
    as_json = "--json" in tokens
    try:
        rest, settings = split_flags(tokens)
        _flags.clear()
        _flags.update(settings)
        return show(app(rest, exit_on_error=False, print_error=False), as_json)
    except CycloptsError as fault:
        return complain(UsageError(_one_line(str(fault)), cure="see `snowroll --help`"), as_json)
    except SnowrollError as fault:
        return complain(fault, as_json)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as fault:  # the last net: where the place matters, it is told nearer to it
        why = (fault.strerror or str(fault) or type(fault).__name__).lower()
        cure = "see to it that it is there and may be used, then repeat"
        return complain(StoreError(why, where=fault.filename or "", cure=cure), as_json)
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        return 130


def closing(work: Any, answer: Answer) -> None:
    """After training, at a terminal: a word with what was trained, where its task knows how to answer."""
    from snowroll.project.talking import talk

    show(answer, as_json=False)
    talk(work, int(answer.json["run"]), sys.stdin, lambda piece: print(piece, end="", flush=True))


def show(answer: Answer | Iterator[str] | None, as_json: bool) -> int:
    """Print what a verb answers: lines for a person or one JSON object. Returns the exit code."""
    if answer is None:
        return 0
    if isinstance(answer, Iterator):  # predict: one line a sample, as it comes
        for line in answer:
            print(line, flush=True)
        return 0
    if as_json:
        print(json.dumps(answer.json, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(answer.lines))
        if answer.next:
            print(f"\nnext: {answer.next}")
    return 0 if answer.ok else 1


def complain(fault: SnowrollError, as_json: bool) -> int:
    if as_json:
        print(json.dumps(fault.as_json(), ensure_ascii=False))
    else:
        say(f"snowroll: {fault}")
    return fault.exit_code


def _one_line(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


if __name__ == "__main__":
    main()

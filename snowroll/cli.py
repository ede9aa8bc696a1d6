"""Door 1: the command line. Every verb is a few lines here; the work is in `verbs/`, imported when it is called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)
from cyclopts.validators import Number

from snowroll.base.errors import SnowrollError, StoreError, UsageError, did_you_mean
from snowroll.base.listing import shortened
from snowroll.base.settings import split_flags

if TYPE_CHECKING:
    from snowroll.project.opened import Answer, Opened

HELP = r"""An open data engine for deep learning, from a folder to a running model and back.

To begin: snowroll init FOLDER. Each command names the next one to run.
Every setting of snowroll.toml is also a flag: --train.lr 0.05
`snowroll explain` prints them all, with their values and where each came from."""

app = App(
    name="snowroll",
    help=HELP,
    help_format="plaintext",
    version_flags=["--version"],
    result_action="return_value",
    default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
)
Home = Annotated[Path, Parameter(help="The project's folder.")]
Json = Annotated[bool, Parameter(name="--json", help="One JSON object on stdout and nothing else.")]
Run = Annotated[int | None, Parameter(help="Use the run of this number instead of the champion.")]
Count = Annotated[int, Parameter(validator=Number(gte=0))]


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
    """Make FOLDER a project: say which task and format were found and why, write snowroll.toml, index the files.

    Args:
        folder: The project's folder; the data lies in it, or where --data says.
        data: Where the data lies, if not in FOLDER. It stays there and may be read-only.
        labels: The class names, as a,b,c, when nothing is labelled yet.
        task: Use this task instead of the one recognised.
        preset: A task with settings for a common question: brain_tumour, chest_xray or nuclei. Flags override it.
    """
    from snowroll.verbs.init import init as verb

    names = tuple(name.strip() for name in labels.split(",") if name.strip())
    return verb(folder, data, names, task, flags(), say, preset)


@app.command
def check(project: Home = Path(), *, fix: str = "", undo: str = "", time: str = "", json: Json = False) -> Any:
    """Name the faults in the data, each with its files, cause and cure.

    Your files are never touched.

    Args:
        fix: Apply the cures of these findings, as CODE,CODE. Each is a rule that stays until it is undone.
        undo: Take the rules for these findings back, as CODE,CODE.
        time: Spend this long, such as 10m, on networks that judge the labels; they find far more than the quick probe.
    """
    from snowroll.verbs.check import check as verb

    return verb(opened(project), say, fix, undo, time)


@app.command
def train(
    project: Home = Path(),
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

    Args:
        time: Plan the run to finish within this time, such as 90s, 10m or 2h.
        accept: Go on although these gates failed, as GATE,GATE. Needs --because.
        because: Why the gates may be passed over. It goes into the report.
        fresh: Start a new run even if one is unfinished.
        beside_random: Train once more on splits that ignore groups, for comparison. Takes as long again.
        learning_curve: Train once more on a quarter and on half of the data: what would more labels be worth?
        sweep: Train once more with each of these values, such as task.size_px=32,64, judged on the validation samples.
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
def evaluate(project: Home = Path(), *, data: Path | None = None, run: Run = None, json: Json = False) -> Any:
    """Score the champion on the locked test set, or on another folder; every figure comes with its interval.

    Args:
        data: Judge on the labelled samples in this folder instead.
    """
    from snowroll.verbs.eval import evaluate as verb

    return verb(opened(project), data, run, say)


@app.command
def predict(
    project: Home,
    paths: list[Path] | None = None,
    *,
    run: Run = None,
    format: str = "jsonl",
    out: Path | None = None,
    live: float = 0.0,
    alarm: str = "",
    alarm_run: int = 1,
    json: Json = False,
) -> Any:
    """Answer files or folders: one JSON line for each sample, with its doubt.

    Args:
        paths: Files and folders to answer.
        format: jsonl or csv.
        out: Where masks are also written as files: PNG, or NIfTI on the scan's own grid.
        live: Answer a signal instead of files: this many lines of numbers a second on stdin, answered as they come.
        alarm: The classes that raise an alarm, as A,B: each line says whether it is one.
        alarm_run: How many answers in a row must be of these classes.
    """
    from snowroll.project.alarms import Rule
    from snowroll.project.listening import live as listen
    from snowroll.verbs.predict import predict as verb

    if live:
        return listen(opened(project), sys.stdin, live, run, Rule.of(alarm, alarm_run))
    if not paths:
        raise UsageError("no files are named", where="predict", cure="give files or folders, or --live HZ")
    return verb(opened(project), paths, run, format, out, Rule.of(alarm, alarm_run))


@app.command
def export(
    project: Home = Path(),
    *,
    run: Run = None,
    int8: bool = False,
    labels: str = "",
    out: Path | None = None,
    json: Json = False,
) -> Any:
    """Write ONNX (pre- and post-processing inside) and safetensors with a card; refused unless parity is proved.

    Args:
        int8: Write the quantised model instead: smaller and faster, with its own proof.
        labels: Instead of the model, write all labels in another tool's format (boxes: coco, voc, yolo, cvat ...).
        out: The folder to write to.
    """
    from snowroll.verbs.export import export as verb
    from snowroll.verbs.export import export_labels

    if labels:
        return export_labels(opened(project), labels, out, say)
    return verb(opened(project), run, int8, out, say)


@app.command
def serve(project: Home = Path(), *, run: Run = None, json: Json = False) -> Any:
    """Answer over HTTP, keep what comes in, follow the champion. The address is serve.host and serve.port."""
    from snowroll.verbs.serve import serve as verb

    return verb(opened(project), run, say, as_json=json)


@app.command
def label(project: Home = Path(), *, k: Count = 0, port: Count = 0, test: Count = 0, json: Json = False) -> Any:
    """Open the label page in the browser: the samples most worth a person's time come first.

    Args:
        k: Choose this many new samples to ask about first.
        port: Listen here instead of on label.port.
        test: Ask about this many random samples, for the locked test set.
    """
    from snowroll.web.label import label as verb

    return verb(opened(project), k, port, test, say, as_json=json)


@app.command
def roll(project: Home = Path(), *, time: str = "", k: Count = 0, json: Json = False) -> Any:
    """Take one turn of the loop, from what production sent to a new model: promoted, refused, or cannot tell yet.

    Run it again after labelling: it goes on where it stopped.

    Args:
        time: Plan the training to finish within this time, such as 10m.
        k: How many samples to ask a person about.
    """
    from snowroll.roll import roll as verb

    return verb(opened(project), say, time=time, k=k)


@app.command
def status(project: Home = Path(), *, json: Json = False) -> Any:
    """Say where the project stands and what to do next."""
    from snowroll.verbs.status import status as verb

    return verb(opened(project, write=False))


@app.command
def explain(project: Home = Path(), key: str = "", *, json: Json = False) -> Any:
    """Print every setting, its value and where it came from: flag, file, planning rule or default.

    Args:
        key: Only this setting, such as train.lr.
    """
    from snowroll.verbs.explain import explain as verb

    return verb(opened(project), key)


@app.command
def rollback(project: Home = Path(), *, json: Json = False) -> Any:
    """Make the champion before this one the champion again; a running server follows at once."""
    from snowroll.verbs.rollback import rollback as verb

    return verb(opened(project))


@app.command
def forget(project: Home, record: str, *, json: Json = False) -> Any:
    """Erase a production record: its input, every record of that input, what was made of it, reports that show it.

    Args:
        record: The id that came with the answer.
    """
    from snowroll.verbs.forget import forget as verb

    return verb(opened(project), record)


@app.command
def doctor(project: Home = Path(), *, deep: bool = False, json: Json = False) -> Any:
    """Check that nothing in the project is lost, damaged or inconsistent.

    Args:
        deep: Hash every stored file as well.
    """
    from snowroll.verbs.doctor import doctor as verb

    return verb(opened(project), deep)


@app.command
def eject(project: Home = Path(), *, json: Json = False) -> Any:
    """Copy the training loop into the project, to be read and edited."""
    from snowroll.verbs.eject import eject as verb

    return verb(opened(project))


@app.command
def demo(folder: Path = Path("demo"), *, json: Json = False) -> Any:
    """Run the main job on scikit-learn's handwritten digits, from a folder of pictures to a promoted model.

    Args:
        folder: Where to put the data and the project.
    """
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
    """Run one command and exit: 0 ok, 1 a check or gate failed or nothing could be read, 2 the command is wrong."""
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
        return complain(misunderstood(fault), as_json)
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
    if isinstance(answer, Iterator):
        return stream(answer)
    if as_json:
        print(json.dumps(answer.json, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(answer.lines))
        if answer.next:
            print(f"\nnext: {answer.next}")
    return 0 if answer.ok else 1


def stream(lines: Iterator[str]) -> int:
    """Print what `predict` answers, a line a sample, as it comes. Exit code 1: nothing was read, or a path is lost."""
    while True:
        try:
            print(next(lines), flush=True)
        except StopIteration as end:
            return 1 if end.value is False else 0


def complain(fault: SnowrollError, as_json: bool) -> int:
    if as_json:
        print(json.dumps(fault.as_json(), ensure_ascii=False))
    else:
        say(f"snowroll: {shortened(str(fault))}")
    return fault.exit_code


def misunderstood(fault: CycloptsError) -> UsageError:
    """What is wrong with the command, and where to look."""
    verb = " ".join(fault.command_chain or ())
    cure = f"see `snowroll {verb} --help`" if verb else "see `snowroll --help`"
    if isinstance(fault, UnknownCommandError):
        word = (fault.unused_tokens or ["?"])[0]
        return UsageError(f"there is no command '{word}'", cure=did_you_mean(word, [n for n in app if n[0] != "-"]))
    if isinstance(fault, UnknownOptionError):
        word = fault.token.keyword or fault.token.value
        known = [name for one in fault.argument_collection for name in one.names if name.startswith("--")]
        return UsageError(f"there is no option '{word}'", where=verb, cure=did_you_mean(word, known))
    if isinstance(fault, MissingArgumentError) and fault.argument is not None:
        name = fault.argument.name
        is_flag = any(token == name for token in fault.root_input_tokens or ())
        what = f"{name} needs a value" if is_flag else f"{name.lstrip('-').upper()} is missing"
        return UsageError(what, where=verb, cure=cure)
    if isinstance(fault, CoercionError) and fault.token is not None:
        kind = {int: "whole number", float: "number"}.get(fault.target_type or str, "value for it")
        where = fault.token.keyword or verb
        return UsageError(f"'{fault.token.value}' is no {kind}", where=where, cure=cure)
    if isinstance(fault, ValidationError) and fault.argument is not None:
        told = f"{fault.argument.value} is out of bounds"
        return UsageError(told, where=fault.argument.name, cure="set it to 0 or more")
    if isinstance(fault, UnusedCliTokensError) and fault.unused_tokens:
        return UsageError(f"'{fault.unused_tokens[0]}' is one argument too many", where=verb, cure=cure)
    return UsageError(" ".join(str(fault).split()).rstrip("."), where=verb, cure=cure)


if __name__ == "__main__":
    main()

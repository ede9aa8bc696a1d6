"""Door 1: every verb's answer for machines has its fixed keys, its exit code, and nothing else on stdout."""

from __future__ import annotations

import csv
import hashlib
import html
import json
import re
import shlex
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_kit import ignore
from catalog_kit import add_label
from house_kit import CLASSES, QUICK, draw_shapes, outside, png, refused, shape, snowroll

from snowroll.base.nouns import Record
from snowroll.base.settings import split_flags
from snowroll.base.task import find_task
from snowroll.project.facts import measure_facts
from snowroll.project.freezing import freeze
from snowroll.project.jobs import prepare_job, start
from snowroll.project.opened import open_project
from snowroll.project.plans import make_plan, read_plan
from snowroll.project.stock import take_stock
from snowroll.store.project import Project
from snowroll.store.rows import Label

METRICS = {"accuracy", "balanced_accuracy", "macro_f1", "ece", "nll"}
KEYS = {
    "init": {"project", "task", "layout", "evidence", "samples", "labelled", "classes", "splits", "other_tasks"},
    "check": {"samples", "faults"},
    "train": {"run", "metric", "value", "interval", "n", "gates", "seconds", "report", "promotion"},
    "eval": {"metric", "value", "interval", "n", "metrics", "slices", "report", "added_since"},
    "export": {"run", "file", "bytes", "parity"},
    "doctor": {"healthy", "broken", "deep"},
}


def test_nothing_that_init_or_an_error_tells_fills_a_screen(tmp_path: Path) -> None:
    """Many lists, many classes, long names: what is left out is counted, and --json has it."""
    root = tmp_path / "many"
    (root / "data" / "all").mkdir(parents=True)
    for number in range(40):
        (root / "data" / "all" / f"{number}.png").write_bytes(png(shape("bar", number)))
        row = f"all/{number}.png,{'bar' if number % 2 else 'ring'}"
        (root / "data" / f"list{number}.csv").write_text(f"path,label\n{row}\n")
    said = snowroll("init", root)
    told = snowroll("init", root, "--json").json["evidence"]
    assert len(told) > 40
    assert f"... and {len(told) - 15} more: --json has all" in said.out
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0.png").write_bytes(png(shape("bar", 0)))
    labelled = snowroll("init", tmp_path / "labels", "--labels", ",".join(f"class{n}" for n in range(400)))
    assert "class11 and 388 more" in labelled.out
    refused = snowroll("init", root, "--task", "x" * 9_000)
    for one in (said, labelled, refused):
        lines = [*one.out.splitlines(), *one.err.splitlines()]
        assert max(map(len, lines)) < 1_200
        assert len(lines) < 40


def test_init_says_what_it_found_and_why(home: Path) -> None:
    said = snowroll("init", home, "--json")
    assert said.code == 0
    assert said.json.keys() == KEYS["init"]
    assert said.json["classes"] == {"bar": 30, "cross": 30, "ring": 30}
    assert any("3 class folders" in sentence for sentence in said.json["evidence"])


def test_init_writes_one_config_and_no_file_of_the_users_changes(untrained: Path) -> None:
    assert {path.name for path in untrained.iterdir()} == {"data", "snowroll.toml", ".snowroll", "runs"}
    assert len(list((untrained / "data").rglob("*"))) == 3 + 45


def test_init_keeps_the_flags_about_the_data(tmp_path: Path) -> None:

    draw_shapes(tmp_path / "data", each=5)
    assert snowroll("init", tmp_path, "--prepare.seed", "7").code == 0
    assert snowroll("explain", tmp_path, "prepare.seed", "--json").json["prepare.seed"]["value"] == 7


def test_init_furnishes_a_copy_of_the_config_alone(project: Path, tmp_path: Path) -> None:
    """As after a clone: what Snowroll keeps is in no repository."""
    shutil.rmtree(project / ".snowroll")
    refused = snowroll("status", project, "--json")
    assert (refused.code, refused.json["cure"]) == (1, f"run `snowroll init {project}`")
    assert snowroll("init", project, "--json").json["samples"] == 90
    assert snowroll("status", project).code == 0


def test_init_takes_the_space_after_a_comma_for_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "1.png").write_bytes(png(shape("bar", 1)))
    assert snowroll("init", tmp_path, "--labels", "bar, cross , ,ring").code == 0
    told = snowroll("explain", tmp_path, "prepare.labels", "--json").json
    assert told["prepare.labels"]["value"] == ["bar", "cross", "ring"]


def test_check_names_files_cause_and_cure(project: Path) -> None:
    (project / "data" / "bar" / "empty.png").write_bytes(b"")
    (project / "data" / "ring" / "00.png").write_bytes((project / "data" / "bar" / "00.png").read_bytes())
    said = snowroll("check", project, "--json").json
    assert said.keys() == KEYS["check"]
    for fault in said["faults"]:
        assert fault.keys() == {"code", "severity", "paths", "message", "cure", "confidence"}
        assert fault["severity"] in ("block", "warn", "note")
        assert fault["message"]
        assert fault["cure"]
    by_code = {fault["code"]: fault for fault in said["faults"]}
    assert by_code["empty_file"]["paths"] == ["bar/empty.png"]
    conflicting = {path for fault in said["faults"] for path in fault["paths"] if "label" in fault["code"]}
    assert {"bar/00.png", "ring/00.png"} <= conflicting


def test_train_says_the_whole_object(project: Path) -> None:
    said = snowroll("train", project, *QUICK, "--fresh", "--json")
    assert said.code == 0
    told = said.json
    assert told.keys() == KEYS["train"]
    assert told["metric"] == "accuracy"
    assert told["interval"][0] <= told["value"] <= told["interval"][1]
    assert told["n"] == 18  # a fifth of 90
    assert all(gate["passed"] for gate in told["gates"])
    assert Path(told["report"]).read_text().startswith("<!doctype html>")
    split = next(line for line in said.err.splitlines() if "random" in line or "split" in line)
    assert split in Path(told["report"]).read_text()  # how the data was split
    assert "step     30/30" in said.err  # progress goes to stderr


def test_eval_on_the_locked_set_and_outside(project: Path, tmp_path: Path) -> None:

    own = snowroll("eval", project, "--json").json
    assert own.keys() == KEYS["eval"]
    assert own["metrics"].keys() >= METRICS
    assert own["metrics"]["accuracy"].keys() == {"value", "interval", "n"}
    assert own["n"] == 18
    elsewhere = draw_shapes(tmp_path / "elsewhere", each=6, seed=9)
    before = {**snowroll("status", project, "--json").json, "disk": None}
    told = snowroll("eval", project, "--data", elsewhere, "--json").json
    assert told["n"] == 18
    assert Path(told["report"]).exists()
    assert Path(told["report"]) != Path(own["report"])
    after = {**snowroll("status", project, "--json").json, "disk": None}
    assert after == before  # nothing of it enters the project


def test_eval_tells_that_the_locked_set_has_grown_since(project: Path) -> None:
    """By a version that was frozen since, and by answers that are in none yet; a file that was moved is no new one."""
    told = snowroll("eval", project)
    assert "since" not in told.out
    for number in range(40):
        (project / "data" / "ring" / f"new {number}.png").write_bytes(png(shape("ring", 7_000 + number)))
    (project / "data" / "bar" / "00.png").rename(project / "data" / "bar" / "moved.png")
    opened = open_project(project, {})
    version, _ = freeze(opened, take_stock(opened, ignore), {}, {})
    added = len(version.of("test")) - 18
    assert added > 0
    said = snowroll("eval", project, "--json").json
    assert (said["n"], said["added_since"]) == (18, added)
    (project / "data" / "ring" / "asked.png").write_bytes(png(shape("ring", 9_000)))
    opened = open_project(project, {})
    (asked,) = (sample.id for sample in take_stock(opened, ignore).samples if sample.where == "ring/asked.png")
    add_label(opened.store.catalog, Label("an-answer", asked, "ring", "ada", 0.0, for_test=True))
    assert snowroll("eval", project, "--json").json["added_since"] == added + 1
    (line,) = [line for line in snowroll("eval", project).out.splitlines() if "since" in line]
    assert f"{added + 1} samples" in line
    assert "run 1" in line
    outside = snowroll("eval", project, "--data", project / "data", "--json").json
    assert outside["added_since"] == 0
    assert sum(outside["own"].values()) == 90  # copied, moved or not


def test_eval_says_which_of_an_outside_folder_the_project_holds(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "data", tmp_path / "copy")
    said = snowroll("eval", project, "--data", tmp_path / "copy")
    told = re.search(r"90 of 90 samples are the project's: (\d+) in train, (\d+) in val, 18 in test", said.out)
    assert told
    assert int(told[1]) + int(told[2]) == 72
    assert f"WARNING   {told[1]} of these samples trained this model" in said.out
    assert "learnt from those in train" in Path(said.out.partition("report    ")[2].splitlines()[0]).read_text()
    elsewhere = snowroll("eval", project, "--data", draw_shapes(tmp_path / "elsewhere", each=6, seed=9))
    assert "WARNING" not in elsewhere.out


def test_eval_outside_judges_what_the_folder_calls_test_by_class_name(project: Path, tmp_path: Path) -> None:
    """Two classes of three, in another order of splits: names decide, not positions."""

    draw_shapes(tmp_path / "out" / "train", each=3, classes=("cross", "ring"))
    draw_shapes(tmp_path / "out" / "test", each=4, classes=("cross", "ring"), seed=5)
    assert snowroll("eval", project, "--data", tmp_path / "out", "--json").json["n"] == 8


def test_eval_refuses_unknown_classes(project: Path, tmp_path: Path) -> None:
    out = draw_shapes(tmp_path / "out", each=3)
    for name in ("bar", "ring"):
        (out / name).rename(out / f"{name}s")
    said = snowroll("eval", project, "--data", tmp_path / "out", "--json")
    assert said.code == 1
    assert said.json.keys() == {"error", "where", "cure"}
    assert all(f"'{name}'" in said.json["error"] for name in ("bars", "rings"))
    assert "'bar'" in said.json["cure"]


@pytest.mark.parametrize("said", ["labels = ['bar', 'cross', 'ring']", "group = '_num_(\\d+)'"])
def test_eval_reads_an_outside_folder_as_it_is(said: str, project: Path, tmp_path: Path) -> None:
    """What the project says of its own names and paths hides no class of another folder, and refuses none."""
    config = project / "snowroll.toml"
    config.write_text(config.read_text() + f"{said}\n")
    out = draw_shapes(tmp_path / "out", each=6, seed=9)
    assert snowroll("eval", project, "--data", out, "--json").json["n"] == 18
    (out / "ring").rename(out / "rings")
    refused = snowroll("eval", project, "--data", out, "--json")
    assert refused.code == 1
    assert "rings" in refused.json["error"]


def test_predict_says_a_line_a_sample_and_goes_on_past_what_it_cannot_read(project: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for number in range(3):
        (tmp_path / "new" / f"圖 {number}.png").write_bytes(png(shape("ring", 500 + number)))
    (tmp_path / "new" / "broken.png").write_bytes(png(shape("ring", 1))[:90])
    said = snowroll("predict", project, tmp_path / "new", project / "data" / "bar" / "01.png", "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert len(rows) == 5
    good = [row for row in rows if "error" not in row]
    assert len(good) == 4
    for row in good:
        assert row.keys() == {"id", "path", "prediction", "probability", "doubt"}
        assert row["prediction"] in ("bar", "cross", "ring")
        assert 0 <= row["doubt"] <= 1
    (bad,) = [row for row in rows if "error" in row]
    assert bad.keys() >= {"path", "error", "where", "cure"}
    assert bad["path"].endswith("broken.png")


def test_predict_answers_what_is_there_beside_a_path_that_is_not(project: Path, tmp_path: Path) -> None:
    good = project / "data" / "bar" / "01.png"
    said = snowroll("predict", project, good, tmp_path / "nothing.png", "--json")
    there, lost = (json.loads(line) for line in said.out.splitlines())
    assert said.code == 1
    assert there["path"] == str(good)
    assert there["prediction"] in CLASSES
    assert (lost["path"], lost["error"]) == (str(tmp_path / "nothing.png"), "there is no such file or folder")
    alone = snowroll("predict", project, tmp_path / "nothing.png")
    refused(alone, "there is no such file or folder", "check the spelling", code=2)


def test_predict_passes_nothing_over(project: Path, tmp_path: Path) -> None:
    """The task tries every file, whatever it is called; what it cannot read has its own line."""
    new = tmp_path / "new"
    (new / "deep").mkdir(parents=True)
    (new / "no-suffix").write_bytes(png(shape("ring", 500)))
    (new / "deep" / "notes.txt").write_text("nothing to see")
    (new / "link.png").symlink_to(new / "no-suffix")
    (tmp_path / "empty").mkdir()
    rows = [json.loads(line) for line in snowroll("predict", project, new, tmp_path / "empty").out.splitlines()]
    told = {Path(row["path"]).name: row.get("error", row.get("prediction")) for row in rows}
    assert told.keys() == {"no-suffix", "notes.txt", "link.png", "empty"}
    assert told["no-suffix"] in ("bar", "cross", "ring")
    assert "not a picture" in told["notes.txt"]
    assert "symbolic link" in told["link.png"]
    assert "nothing in it" in told["empty"]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_predict_fails_where_nothing_can_be_read(format: str, project: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "broken.png").write_bytes(b"no")
    (tmp_path / "empty").mkdir()
    said = snowroll("predict", project, tmp_path / "new", tmp_path / "empty", "--format", format)
    assert said.code == 1
    assert len(said.out.splitlines()) == 2 + (format == "csv")
    (tmp_path / "new" / "good.png").write_bytes(png(shape("bar", 3)))
    assert snowroll("predict", project, tmp_path / "new", tmp_path / "empty", "--format", format).code == 0


def test_predict_looks_into_archives_and_arrays(project: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    with zipfile.ZipFile(new / "a.zip", "w") as archive:
        archive.writestr("one/1.png", png(shape("bar", 500)))
    images = np.stack([shape("ring", 501), shape("bar", 502)])
    np.savez(new / "b.npz", images=images, labels=np.array([2, 0]))
    rows = [json.loads(line) for line in snowroll("predict", project, new / "a.zip", new / "b.npz").out.splitlines()]
    inside = ["a.zip!one/1.png", "b.npz#images/0", "b.npz#images/1"]
    assert [row["path"] for row in rows] == [f"{new}/{name}" for name in inside]
    assert all("error" not in row for row in rows)
    among = [json.loads(line) for line in snowroll("predict", project, new).out.splitlines()]
    assert {row["path"]: "error" in row for row in among} == {f"{new}/a.zip!one/1.png": False, f"{new}/b.npz": True}


def test_predict_goes_on_past_a_file_it_may_not_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, free = (project / "data" / "bar" / name for name in ("00.png", "01.png"))
    reads = Path.read_bytes

    def refusing(path: Path) -> bytes:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return reads(path)

    monkeypatch.setattr(Path, "read_bytes", refusing)
    said = snowroll("predict", project, locked, free)
    good, bad = map(json.loads, said.out.splitlines())
    assert (good["path"], said.code) == (str(free), 0)
    assert (bad["path"], bad["error"]) == (str(locked), "permission denied")


def test_predict_decodes_in_children_and_keeps_the_order(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than a child takes at once; not one of them is decoded in this process."""
    from snowroll.tasks.classify_images.task import ClassifyImages

    def encode(*_: object) -> None:
        raise AssertionError("foreign bytes in the engine's own process")

    monkeypatch.setattr(ClassifyImages, "encode", encode)
    paths = sorted((project / "data").rglob("*.png"))
    said = snowroll("predict", project, *paths)
    assert [json.loads(line)["path"] for line in said.out.splitlines()] == [str(path) for path in paths]


def test_predict_answers_alike_whatever_stands_beside_a_picture(project: Path) -> None:
    one = project / "data" / "bar" / "01.png"
    alone = json.loads(snowroll("predict", project, one).out)
    among = [json.loads(line) for line in snowroll("predict", project, project / "data").out.splitlines()]
    (same,) = [row for row in among if row["path"] == alone["path"]]
    assert (same["id"], same["prediction"]) == (alone["id"], alone["prediction"])
    assert same["probability"] == pytest.approx(alone["probability"], abs=1e-5)


def test_the_report_names_the_command_that_trains_the_same_once_more(project: Path) -> None:
    told = snowroll("train", project, *QUICK, "--train.lr", "0.02", "--time", "20s", "--fresh", "--json").json
    trained = read_plan(Path(told["report"]).parent, find_task("classify_images"))
    assert trained.time_s == 20
    again = command_in(told["report"])
    assert again[:4] == ["snowroll", "train", project.name, "--fresh"]
    rest, flags = split_flags(again[4:])
    assert not rest
    opened = open_project(project, dict(flags))
    version = opened.store.catalog.version(opened.store.catalog.pointer("version") or "", opened.store.blobs)
    assert version is not None
    planned, _ = make_plan(opened, version, measure_facts(opened, version, ignore), None)
    assert planned == replace(trained, time_s=None)
    judged = snowroll("eval", project, "--data", project / "data", "--json").json
    assert command_in(judged["report"]) == ["snowroll", "eval", project.name, "--data", str(project / "data")]


def command_in(report: str) -> list[str]:
    found = re.search(r'aria-label="Commands">([^<]*)<', Path(report).read_text())
    assert found is not None
    return shlex.split(html.unescape(found[1]))


def test_predict_as_a_table(project: Path, tmp_path: Path) -> None:

    (tmp_path / "=1+1.png").write_bytes(png(shape("bar", 3)))
    (tmp_path / "no.png").write_bytes(b"no")
    said = snowroll("predict", project, tmp_path / "=1+1.png", tmp_path / "no.png", "--format", "csv")
    good, bad = csv.DictReader(said.out.splitlines())
    assert good["prediction"] in ("bar", "cross", "ring")
    assert bad["error"]
    assert not any(cell.startswith(("=", "+", "@")) for row in (good, bad) for cell in row.values())


def test_export_writes_files_with_their_proof(project: Path, tmp_path: Path) -> None:
    told = snowroll("export", project, "--out", tmp_path / "out", "--json").json
    assert told.keys() == KEYS["export"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "model.onnx",
        "model.safetensors",
        "config.json",
        "README.md",
    }
    assert told["bytes"] == (tmp_path / "out" / "model.onnx").stat().st_size
    assert told["parity"]["agreement"] == 1
    small = snowroll("export", project, "--int8", "--out", tmp_path / "out", "--json").json
    assert small["bytes"] < told["bytes"]
    assert (tmp_path / "out" / "model-int8.onnx").exists()


def test_explain_tells_where_each_value_came_from(project: Path) -> None:
    told = snowroll("explain", project, "train", "--train.lr", "0.03", "--json").json
    assert told["train.lr"] == {"value": 0.03, "origin": "flag"}
    assert told["train.schedule"]["origin"].startswith("rule: ")
    assert all(value.keys() == {"value", "origin"} for value in told.values())
    other = "sgd" if told["train.optimizer"]["value"] != "sgd" else "adamw"
    told = snowroll("explain", project, "train", "--train.optimizer", other, "--json").json
    assert told["train.lr"]["origin"].startswith(f"rule: usual for {other}")


def test_doctor_finds_a_blob_that_rotted(project: Path) -> None:
    assert snowroll("doctor", project, "--json").json == {"healthy": True, "broken": [], "deep": False}
    blob = max((p for p in (project / ".snowroll" / "blobs").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    raw = bytearray(blob.read_bytes())
    raw[len(raw) // 2] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(raw)
    said = snowroll("doctor", project, "--deep", "--json")
    assert said.code == 1
    assert said.json["healthy"] is False
    assert any(blob.name[-20:] in sentence for sentence in said.json["broken"])


def test_eject_copies_the_loop_and_never_overwrites_it(project: Path) -> None:
    from torch import nn

    from snowroll.project.models import load_model
    from snowroll.project.opened import open_project

    said = snowroll("eject", project)
    assert said.code == 0
    loop = project / "fit.py"
    assert f"load_model(open_project(Path({str(project)!r}), {{}})).model" in said.out
    assert isinstance(load_model(open_project(project, {})).model, nn.Module)
    compile(loop.read_text(), "fit.py", "exec")
    loop.write_text("mine = True\n")
    assert snowroll("eject", project).code == 1
    assert loop.read_text() == "mine = True\n"


@pytest.mark.parametrize(
    "verb", ["check", "train", "eval", "export", "status", "explain", "doctor", "rollback", "roll"]
)
def test_no_project_is_one_line_and_exit_2(verb: str, tmp_path: Path) -> None:
    said = snowroll(verb, tmp_path, "--json")
    assert said.code == 2
    assert said.json.keys() == {"error", "where", "cure"}
    assert "snowroll init" in said.json["cure"]
    plain = snowroll(verb, tmp_path)
    assert plain.out == ""
    assert len(plain.err.splitlines()) == 1


@pytest.mark.parametrize(
    "tokens",
    [
        ("trian", "."),
        ("train", ".", "--nonsense"),
        ("eval", ".", "--run", "seven"),
        ("train", ".", "--time", "soon"),
        ("export", ".", "--run", "-1"),
        ("predict", "."),
        ("forget", "."),
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_one_line(tokens: tuple[str, ...], project: Path) -> None:
    said = snowroll(*[project if token == "." else token for token in tokens], "--json")
    assert said.code in (1, 2)
    assert said.json.keys() == {"error", "where", "cure"}
    assert said.json["error"]
    assert "\n" not in said.json["error"]


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        ("trian .", "there is no command 'trian'; did you mean 'train'?"),
        ("train . --tmie 10m", "train: there is no option '--tmie'; did you mean '--time'?"),
        ("train . extra", "train: 'extra' is one argument too many; see `snowroll train --help`"),
        ("check . --time -3m", "check: --time needs a value; see `snowroll check --help`"),
        ("forget .", "forget: RECORD is missing; see `snowroll forget --help`"),
        ("eval . --run seven", "--run: 'seven' is no whole number; see `snowroll eval --help`"),
        ("predict . x --live fast", "--live: 'fast' is no number; see `snowroll predict --help`"),
        ("label . --k -1", "--k: -1 is out of bounds; set it to 0 or more"),
        ("roll . --k -1", "--k: -1 is out of bounds; set it to 0 or more"),
    ],
)
def test_a_wrong_command_is_told_in_our_words(tokens: str, told: str, tmp_path: Path) -> None:
    said = snowroll(*tokens.split())
    assert (said.code, said.out, said.err) == (2, "", f"snowroll: {told}\n")


def test_help_tells_of_every_option_in_its_place() -> None:
    """An option without a word beside it is one that nobody dares to use."""
    from snowroll.cli import app

    for name in (name for name in app if not name.startswith("-")):
        for one in app[name].assemble_argument_collection(parse_docstring=True):
            if one.name.startswith("--"):
                assert one.parameter.help, f"{name} {one.name}"


def test_forget_says_how_many_records_went(untrained: Path) -> None:
    content = hashlib.sha256(b"face").hexdigest()
    with Project.open(untrained) as store:
        store.capture([(Record(id, "a", 0.0, content, "bar", 0.9, 0.1, ""), b"face") for id in ("r1", "r2")])
    assert "came 2 times: all 2 records went" in snowroll("forget", untrained, "r1").out
    said = snowroll("forget", untrained, "r2", "--json")
    assert (said.code, said.json) == (0, {"record": "r2", "erased": True, "records": ["r1", "r2"], "runs": []})
    assert snowroll("forget", untrained, "r3").code == 1


def test_every_verb_names_the_next_command(project: Path) -> None:
    for verb in ("check", "eval", "export", "status", "explain"):
        assert snowroll(verb, project).out.splitlines()[-1].startswith("next: snowroll "), verb


def test_a_real_process_behaves_as_the_function_does(project: Path, tmp_path: Path) -> None:
    said = outside("status", project, "--json")
    assert (said.code, said.json) == (0, snowroll("status", project, "--json").json)
    missing = outside("status", tmp_path / "nowhere")
    assert missing.code == 2
    assert missing.out == ""
    assert len(missing.err.splitlines()) == 1
    assert "Traceback" not in missing.err


def test_status_tells_what_takes_up_the_disk_and_of_what_data_the_champion_s_figure_is(project: Path) -> None:
    disk = snowroll("status", project, "--json").json["disk"]
    assert disk.keys() == {"runs", "packs", "inputs"}
    assert disk["runs"] == sum(path.stat().st_size for path in (project / "runs").rglob("*") if path.is_file())
    assert "judged on version" not in snowroll("status", project).out
    (project / "data" / "bar" / "00.png").unlink()
    assert snowroll("train", project, *QUICK).code == 0
    if snowroll("status", project, "--json").json["champion"] == 1:  # it was judged on one picture more
        assert ", judged on version " in snowroll("status", project).out


def killed(root: Path, steps: int) -> None:
    """As a `train` leaves it whose process was killed at step 12."""
    opened = open_project(root, split_flags([*QUICK, "--train.steps", str(steps)])[1])
    job = prepare_job(opened, ignore, None)
    start(opened, job)
    (job.run.path / "metrics.jsonl").write_text('{"step": 12, "loss": 1.0}\n')
    opened.store.close()


def test_a_run_that_one_of_other_data_overtook_is_left_unfinished(project: Path) -> None:
    killed(project, steps=3_000)
    assert "1 done, 1 running" in snowroll("status", project).out
    (project / "data" / "bar" / "more.png").write_bytes(png(shape("bar", 7_000)))
    said = snowroll("train", project, *QUICK)
    assert said.code == 0
    assert said.err.count("run 2 was left unfinished at step 12 of 3,000: its settings or data differ") == 1
    rows = [line.split("\t") for line in (project / "results.tsv").read_text().splitlines()]
    assert [(row[0], row[-1]) for row in rows[1:]] == [("1", "first run"), ("3", "data only")], "run 2 has no row"
    stood = snowroll("status", project)
    assert "2 done, 1 left unfinished" in stood.out
    assert "snowroll train" not in stood.out + stood.err


def test_a_run_that_was_left_unfinished_goes_on_when_it_is_asked_for_again(project: Path) -> None:
    killed(project, steps=40)
    assert "run 2 was left unfinished at step 12 of 40" in snowroll("train", project, *QUICK).err
    assert "1 done, 1 left unfinished" in snowroll("status", project).out
    said = snowroll("train", project, *QUICK, "--train.steps", "40")
    assert "run 2: same plan, same data; it goes on" in said.err
    assert "2 done" in snowroll("status", project).out
    assert snowroll("doctor", project, "--deep").code == 0


@pytest.mark.parametrize(("stage", "verb"), [("label", "roll"), ("train", "roll"), ("done", "serve")])
def test_status_goes_on_with_an_open_roll(stage: str, verb: str, project: Path) -> None:
    """Its questions are answered, and a training of it was killed."""
    killed(project, steps=40)
    opened = open_project(project, {})
    opened.store.catalog.save_roll(1, stage, {"since": 0.0})
    if stage == "done":
        opened.store.catalog.finish_run(opened.store.run(2), "failed", None)
    said = snowroll("status", project)
    assert f"snowroll {verb} {project}" in said.out + said.err


def test_eval_tells_how_many_of_the_locked_samples_are_gone(project: Path) -> None:
    opened = open_project(project, {})
    version = opened.store.catalog.version(opened.store.catalog.pointer("version") or "", opened.store.blobs)
    assert version is not None
    locked = list(opened.store.catalog.samples([item.sample for item in version.of("test")]).values())
    assert "left out" not in snowroll("eval", project).out
    shutil.rmtree(project / ".snowroll" / "packs")  # nothing else knows what they held
    (opened.data / locked[0].where).unlink()
    told = f"left out  1 of {len(locked)} samples cannot be read: the file cannot be read any more"
    assert told in snowroll("eval", project).out
    for sample in locked[1:]:
        (opened.data / sample.where).unlink()
    shutil.rmtree(project / ".snowroll" / "packs")
    assert f"{len(locked)} of {len(locked)} samples cannot be read" in snowroll("eval", project).err


def test_a_cell_of_several_values_is_json() -> None:
    from snowroll.verbs.predict import _csv

    row = {"id": "a", "prediction": [{"class": "cell, red", "box": [1, 2, 3, 4]}], "probability": None}
    (cells,) = csv.reader([_csv(row, ["id", "prediction", "probability"])])
    assert json.loads(cells[1]) == row["prediction"]
    assert cells[2] == ""

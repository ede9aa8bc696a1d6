"""What a user can get wrong: one clear line, the right exit code, a project intact.

Each test says what the line must name: what is wrong, where, and what to do.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from house_kit import CLASSES, MACHINE, QUICK, SMALL, draw_shapes, intact, outside, png, refused, shape, snowroll, tree

from snowroll.base.device import cores

pytestmark = pytest.mark.slow


# settings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [("task.model", "resnet19"), ("task.pretrained", "nowhere.pth")])
def test_a_wrong_name_costs_neither_a_run_nor_a_decoded_picture(named: tuple[str, str], untrained: Path) -> None:
    said = snowroll("train", untrained, f"--{named[0]}", named[1])
    refused(said, named[1] if "." in named[1] else "did you mean 'resnet18'", code=1)
    assert not list((untrained / "runs").glob("*"))
    assert "decoding" not in said.err


# folders -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["init", "check", "train", "serve", "label", "roll"])
def test_a_missing_folder(verb: str, tmp_path: Path) -> None:
    refused(snowroll(verb, tmp_path / "nowhere"), tmp_path / "nowhere", "no such folder", "give the", code=2)


def test_data_that_is_missing(tmp_path: Path) -> None:
    refused(snowroll("init", tmp_path / "p", "--data", tmp_path / "gone"), tmp_path / "gone", "no such folder", code=2)
    assert not (tmp_path / "p").exists()


def test_data_that_went_away(project: Path) -> None:
    """A disk that was pulled out is no reason to forget its samples."""
    (project / "data").rename(project.parent / "elsewhere")
    refused(snowroll("check", project), project / "data", "gone", "put it back", code=1)
    intact(project)
    (project.parent / "elsewhere").rename(project / "data")
    assert snowroll("check", project, "--json").json["samples"] == 90


@pytest.mark.parametrize("inside", [(), ("bar", "cross"), (".git",)], ids=["empty", "empty classes", "hidden"])
def test_an_empty_folder(inside: tuple[str, ...], tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    for name in inside:
        (root / name).mkdir()
    refused(snowroll("init", root), root, "no data that any task recognises", "put class folders", code=1)
    assert not (root / "snowroll.toml").exists()


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    refused(snowroll("init", tmp_path), tmp_path, "no data that any task recognises among 1 .txt file", code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(png(shape("bar", 0)))
    assert snowroll("init", tmp_path / "photo.png").code in (1, 2)
    refused(snowroll("check", tmp_path / "photo.png"), tmp_path / "photo.png", code=2)


# classes -------------------------------------------------------------------------------------------------------------


def test_one_class_only(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "data", each=12, classes=("bar",))
    assert snowroll("init", tmp_path).code == 0
    checked = snowroll("check", tmp_path, "--json")
    assert checked.code == 1
    assert [fault["code"] for fault in checked.json["faults"] if fault["severity"] == "block"] == ["one_class"]
    refused(snowroll("train", tmp_path, *QUICK), "one class, 'bar'", "at least one other class", code=1)
    intact(tmp_path)


def test_a_class_with_two_images(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "data", each=12, classes=("bar", "cross"))
    draw_shapes(tmp_path / "data" / "more", each=2, classes=("ring",)).joinpath("ring").rename(tmp_path / "data/ring")
    (tmp_path / "data" / "more").rmdir()
    assert snowroll("init", tmp_path).code == 0
    refused(snowroll("train", tmp_path, *QUICK), tmp_path / "data", "3 more of 'ring'", "snowroll label", code=1)
    assert snowroll("status", tmp_path, "--json").json["runs"] == 0
    intact(tmp_path)


def test_a_label_file_that_names_absent_pictures(tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", each=10)
    rows = [f"{kind}/{number:02}.png,{kind}" for kind in CLASSES for number in range(10)]
    absent = [f"bar/{number}.png,bar" for number in range(500, 520)]
    (data / "labels.csv").write_text("\n".join(["path,label", *rows, *absent]))
    found = snowroll("init", tmp_path, "--json").json
    assert found["samples"] == 30
    assert "20 rows name files that cannot be found" in found["evidence"]
    (fault,) = [f for f in snowroll("check", tmp_path, "--json").json["faults"] if f["code"] == "absent_files"]
    assert "labels.csv" in fault["message"]
    assert len(fault["paths"]) == 20
    assert "bar/500.png" in fault["paths"]
    assert "take their rows out" in fault["cure"]


def test_many_files_of_one_reason_hide_no_other(tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", each=10)
    for number in range(1_100):
        (data / f"a{number}.md").write_text("a note")
    rows = [f"{kind}/{number:02}.png,{kind}" for kind in CLASSES for number in range(10)]
    (data / "labels.csv").write_text("\n".join(["path,label", *rows, *(f"bar/{n}.png,bar" for n in range(500, 520))]))
    snowroll("init", tmp_path)
    faults = {fault["code"]: fault for fault in snowroll("check", tmp_path, "--json").json["faults"]}
    assert "1,100 not read" in faults["skipped_files"]["message"]
    assert len(faults["skipped_files"]["paths"]) == 1_000
    assert len(faults["absent_files"]["paths"]) == 20


def test_a_list_of_a_gigabyte_is_passed_over_aloud(tmp_path: Path) -> None:
    """A sparse file: its size is what is judged."""
    data = draw_shapes(tmp_path / "data", each=10)
    with (data / "labels.csv").open("wb") as file:
        file.write(b"path,label\n")
        file.truncate(1 << 30)
    assert snowroll("init", tmp_path).code == 0
    (fault,) = [f for f in snowroll("check", tmp_path, "--json").json["faults"] if f["code"] == "oversized_manifest"]
    assert "too large to be read (1,024 of 256 MiB)" in fault["message"]
    assert fault["paths"] == ["labels.csv"]


# settings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["check", "train", "status", "doctor", "explain", "eval"])
def test_a_config_key_that_does_not_exist(verb: str, project: Path) -> None:
    """Told before any work, whichever verb meets it first."""
    config = project / "snowroll.toml"
    config.write_text(config.read_text() + "\n[train]\noptimiser = 'sgd'\n")
    line = config.read_text().splitlines().index("optimiser = 'sgd'") + 1
    said = snowroll(verb, project)
    refused(said, f"snowroll.toml:{line}", "train.optimiser", "did you mean 'optimizer'?", code=2)
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--train.batch", "0"), ("train.batch", "1 or more")),
        (("--train.lr", "nan"), ("train.lr", "nan")),
        (("--train.threads", "many"), ("--train.threads", "a whole number")),
        (("--train.optimizer", "adam"), ("--train.optimizer", "'adamw'")),
        (("--task.dropout", "7"), ("task.dropout", "between 0 and 1")),
        (("--task.modle", "vgg11"), ("--task.modle", "did you mean 'model'?")),
        (("--prepare.group", "(("), ("prepare.group", "((")),
    ],
    ids=lambda value: " ".join(value),
)
def test_settings_that_cannot_be(flags: tuple[str, ...], words: tuple[str, ...], untrained: Path) -> None:
    refused(snowroll("train", untrained, *flags), *words, code=2)
    assert snowroll("status", untrained, "--json").json["runs"] == 0


@pytest.mark.parametrize(("written", "becomes"), [("4.0", 4), ("'4'", 4), ("0", None), ("'0'", None), ("0.0", None)])
def test_threads_however_they_are_written(written: str, becomes: int | None, project: Path) -> None:
    """A whole number is one, whichever type the file gives it; 0 is all cores."""
    config = project / "snowroll.toml"
    config.write_text(f"{config.read_text()}\n[train]\nthreads = {written}\n")
    told = snowroll("explain", project, "train.threads", "--json").json["train.threads"]["value"]
    assert told == (becomes or cores())


@pytest.mark.parametrize(("section", "line"), [("train", "threads = true"), ("train", "lr = true")])
def test_true_is_no_number(section: str, line: str, project: Path) -> None:
    config = project / "snowroll.toml"
    config.write_text(f"{config.read_text()}\n[{section}]\n{line}\n")
    refused(snowroll("explain", project), "snowroll.toml:", "'true'", "it takes a number", code=2)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--task.model", "resnet19"), ("task.model", "did you mean 'resnet18'?")),
        (("--train.device", "banana"), ("train.device", "cuda")),
        (("--task.model", "convnet", "--task.size_px", "4"), ("4 px", "8 or more")),
        (("--task.model", "convnet", "--task.size_px", "100000"), ("not one of the 45 samples", "MB")),
    ],
    ids=lambda value: " ".join(value),
)
def test_plans_that_cannot_be_carried_out(flags: tuple[str, ...], words: tuple[str, ...], untrained: Path) -> None:
    refused(snowroll("train", untrained, "--train.threads", "1", *flags), *words, code=1)
    intact(untrained)


# the system ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Takes the right to open a folder away, as if somebody else owned it; the tests may run as root."""

    def lock(folder: Path) -> None:
        def refusing(path: object, *rest: object, **more: object) -> int:
            if path == folder:
                raise PermissionError(errno.EACCES, "Permission denied", str(folder))
            return opens(path, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", refusing)

    opens = os.open
    return lock


def test_a_data_folder_that_may_not_be_read(untrained: Path, locked: Callable[[Path], None]) -> None:
    locked(untrained / "data")
    refused(snowroll("check", untrained), untrained / "data", "permission denied", "right to read", code=1)


def test_whatever_the_system_refuses_is_one_line(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snowroll.verbs import doctor

    def refusing(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere")

    monkeypatch.setattr(doctor, "doctor", refusing)
    refused(snowroll("doctor", untrained), "/somewhere", "permission denied", "then repeat", code=1)
    assert snowroll("doctor", untrained, "--json").json["where"] == "/somewhere"


def test_a_model_of_a_gpu_answers_where_there_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    plan = project / "runs" / "0001-train" / "plan.toml"
    plan.write_text(plan.read_text().replace('device = "cpu"', 'device = "cuda"'))
    said = snowroll("eval", project, "--json")
    assert said.code == 0, said.err
    assert "run 1 was trained on cuda, which is not here: it answers on cpu" in said.err


# gates ---------------------------------------------------------------------------------------------------------------

DEAF = (*MACHINE, *SMALL, "--train.steps", "30", "--task.dropout", "0.999")  # the head hears nothing


def test_a_failed_gate_stops_the_run_and_says_all_of_it(untrained: Path) -> None:
    said = snowroll("train", untrained, *DEAF, "--json")
    assert said.code == 1
    told = said.json
    assert {"run", "metric", "value", "interval", "n", "gates", "seconds", "report"} <= told.keys()
    assert (told["value"], told["interval"], told["report"]) == (None, None, None)
    failed = [gate["name"] for gate in told["gates"] if not gate["passed"]]
    assert "beats_blind" in failed
    assert snowroll("status", untrained, "--json").json["champion"] is None
    plain = snowroll("train", untrained, *DEAF)
    assert plain.code == 1
    assert f"--accept {','.join(failed)} --because" in plain.out
    heard = [*failed, "learnt"]  # it learns nothing, which shows after the last step
    accepted = snowroll("train", untrained, *DEAF, "--accept", ",".join(heard), "--because", "to see it", "--json")
    assert accepted.code == 0
    verdicts = {gate["name"]: (gate["passed"], gate.get("accepted")) for gate in accepted.json["gates"]}
    assert all(verdicts[name] == (False, "to see it") for name in failed)
    assert accepted.json["promotion"]["reason"].endswith("was accepted")
    assert "to see it" in Path(accepted.json["report"]).read_text()
    intact(untrained)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--accept", "beats_blind"), ("--because",)),
        (("--accept", "beats_blnd", "--because", "so"), ("beats_blnd", "did you mean 'beats_blind'?")),
    ],
    ids=["no reason", "no gate"],
)
def test_accepting_is_checked_before_anything_is_spent(flags: tuple[str, ...], words: tuple, untrained: Path) -> None:
    refused(snowroll("train", untrained, *QUICK, *flags), *words, code=2)
    assert snowroll("status", untrained, "--json").json["runs"] == 0


# the machine ---------------------------------------------------------------------------------------------------------


def test_a_second_train_is_refused_while_one_runs(project: Path) -> None:
    from snowroll.project.opened import open_project

    opened = open_project(project, {})
    with opened.store.lock("train"):
        said = outside("train", project, *QUICK)
    opened.store.close()
    refused(said, project, "another 'train' runs", os.getpid(), "wait for it to end", code=1)
    assert snowroll("status", project, "--json").json["runs"] == 1


def test_data_in_a_read_only_folder_is_never_written_to(tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", each=8)
    before = tree(data)
    for path in [data, *data.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    assert snowroll("init", tmp_path / "p", "--data", data).code == 0
    assert snowroll("check", tmp_path / "p").code == 0
    assert tree(data) == before
    assert len(before) == 24


@pytest.fixture
def disk(mount_disk: Callable[[int], Path]) -> Path:
    return mount_disk(24)


@pytest.mark.slow
def test_a_read_only_project_can_be_read_and_says_so_when_written(disk: Path, home: Path) -> None:
    """As on a share that was mounted read-only."""
    root = Path(shutil.copytree(home, disk / "shapes"))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    before = tree(root)
    stands = outside("status", root, "--json")
    assert (stands.code, stands.json["champion"]) == (0, 1)
    said = outside("predict", root, root / "data" / "bar" / "00.png", "--json")
    assert said.code == 0, said.err
    assert said.json["prediction"] in CLASSES
    assert outside("doctor", root, "--json").json["healthy"]
    for verb in (("label", root), ("export", root), ("eval", root)):
        told = outside(*verb)
        assert "Traceback" not in told.err, told.err
        if told.code:
            refused(told, root, code=told.code)
    refused(outside("train", root, *QUICK), root, code=1)
    refused(outside("init", disk / "new", "--data", root / "data"), disk / "new", code=1)
    assert tree(root) == before


@pytest.mark.slow
@pytest.mark.parametrize("left_kb", [0, 200, 1500])
def test_a_full_disk(left_kb: int, disk: Path, home: Path) -> None:
    """Wherever the disk fills up: one line, the old champion, and the same command goes on once there is room."""
    root = Path(shutil.copytree(home, disk / "shapes"))
    flags = (*QUICK, "--train.checkpoint_every", "5", "--train.seed", "5")
    with open(disk / "filler", "wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - left_kb * 1024)))
    said = outside("train", root, *flags)
    refused(said, "disk is full", "free some space", code=1)
    (disk / "filler").unlink()
    intact(root)
    stands = snowroll("status", root, "--json").json
    assert stands["champion"] == 1
    again = outside("train", root, *flags, "--json")
    assert again.code == 0, again.err
    if stands["unfinished"]:
        assert again.json["run"] in stands["unfinished"]  # not begun anew
    assert len(list((root / "runs").glob("*/model/model.safetensors"))) == 2
    intact(root)

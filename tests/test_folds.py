"""Cross-validation by group: nobody is judged by a model that saw their group, and a killed run goes on in its fold."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from house_kit import CLASSES, MACHINE, QUICK, SMALL, png, shape, snowroll
from torch import nn

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Json, Plan
from snowroll.base.settings import split_flags
from snowroll.design.ensemble import Ensemble
from snowroll.project.budget import fit_into_time
from snowroll.project.data import Packed, gather, pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.folding import _mean_log, fit_plan, folded, joined_knows, part_of
from snowroll.project.freezing import freeze
from snowroll.project.jobs import prepare_job
from snowroll.project.models import read_model, save_model
from snowroll.project.opened import Opened, open_project
from snowroll.project.plans import make_plan
from snowroll.project.stock import take_stock
from snowroll.tasks.classify_images.task import ClassifyImages
from snowroll.train.exact import settle

pytestmark = pytest.mark.slow

GROUP = ("--prepare.group", "(m[0-9]+)_")


def ignore(_: str) -> None:
    """A `say` that nobody listens to."""


def draw_machines(root: Path, machines: int = 8, each: int = 2) -> Path:
    """A project whose pictures come from machines; 0 and 1 sent one and the same picture, the others near-copies."""
    for kind in CLASSES:
        (root / "data" / kind).mkdir(parents=True)
        for machine in range(machines):
            for number in range(each):
                twin = machine < 2 and number == 0
                picture = shape(kind, 7 if twin else 100 * machine + number)
                if machine > 2 and number == 1:  # a little darker than what machine 2 sent
                    picture = (shape(kind, 201) * (1 - 0.02 * machine)).astype(np.uint8)
                (root / "data" / kind / f"m{machine}_{number}.png").write_bytes(png(picture))
    assert snowroll("init", root, *GROUP).code == 0
    return root


@dataclass(frozen=True)
class Bench:
    """A project with groups, planned and packed."""

    opened: Opened
    plan: Plan
    packed: Packed


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = draw_machines(tmp_path_factory.mktemp("folds") / "machines")
    quick = (*MACHINE, *SMALL, "--train.steps", "6", "--train.checkpoint_every", "2", "--train.folds", "3")
    opened = open_project(root, split_flags(list(quick))[1])
    before = torch.get_num_threads()
    settle(1)
    version, _ = freeze(opened, take_stock(opened, ignore), {}, {})
    plan, _ = make_plan(opened, version, measure_facts(opened, version, ignore), None)
    yield Bench(opened, plan, pack_version(opened, version, plan.task, ignore))
    torch.set_num_threads(before)


def test_copies_across_groups_leave_training_at_once_and_for_good(tmp_path: Path) -> None:
    """The same command means the same version, else a killed run could never be gone on with."""
    opened = open_project(draw_machines(tmp_path / "machines"), split_flags(list(QUICK))[1])
    jobs = [prepare_job(opened, ignore, None) for _ in range(3)]
    assert "near_copies_across_splits" in jobs[0].version.left_out.values()
    assert {job.version.id for job in jobs} == {jobs[0].version.id}


def test_no_group_and_no_copy_straddles_folds(bench: Bench) -> None:
    whole = folded(bench.opened, bench.packed.version, bench.plan)
    samples = bench.opened.samples([item.sample for item in whole.items])
    free = [item for item in whole.items if item.split != "test"]
    assert all(item.fold is None for item in whole.items if item.split == "test")
    assert {item.fold for item in free} == {0, 1, 2}
    contents = [samples[item.sample].content for item in free]
    assert len(set(contents)) < len(contents)
    for names in ([item.group for item in free], contents):
        for name in names:
            assert len({item.fold for item, own in zip(free, names, strict=True) if own == name}) == 1


def test_folds_are_a_function_of_version_and_plan(bench: Bench) -> None:
    again = [folded(bench.opened, bench.packed.version, bench.plan) for _ in range(2)]
    assert again[0] == again[1]
    drawn = {folded(bench.opened, bench.packed.version, replace(bench.plan, seed=seed)).id for seed in range(5)}
    assert len(drawn) > 1


def test_a_figure_that_one_fold_lacks_is_no_mean_of_the_others(bench: Bench, tmp_path: Path) -> None:
    for fold, told in enumerate(({"val_loss": 1.0, "val_r2": 0.5}, {"val_loss": 2.0})):
        folder = tmp_path / "folds" / str(fold)
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, **told}) + "\n")
    assert _mean_log(tmp_path, replace(bench.plan, folds=2)) == [{"step": 1, "val_loss": 1.5}]


def test_every_sample_is_answered_once_by_a_model_that_never_saw_its_group(bench: Bench, tmp_path: Path) -> None:
    fitted, crossed = fit_plan(bench.opened, bench.packed, bench.plan, tmp_path, ignore)
    assert crossed is not None
    lines = [json.loads(line) for line in (tmp_path / "folds" / "out-of-fold.jsonl").read_text().splitlines()]
    free = {item.sample for item in bench.packed.version.items if item.split != "test"}
    assert len(lines) == len(free) == crossed.metric.n == sum(fold.n for fold in crossed.by_fold if fold)
    assert {line["sample"] for line in lines} == free
    assert crossed.metric.value == pytest.approx(np.mean([line["target"] == line["prediction"] for line in lines]))
    assert json.loads((tmp_path / "folds" / "folds.json").read_text()) == json.loads(json.dumps(crossed.as_json()))
    assert isinstance(fitted.model, Ensemble)
    whole = folded(bench.opened, bench.packed.version, bench.plan)
    for fold, member in enumerate(fitted.model.members):
        part = part_of(bench.packed, whole, fold)
        seen, kept = ({item.group for item in part.items(split)} for split in ("train", "val"))
        assert not seen & kept
        assert not set(part.rows["train"]) & set(bench.packed.rows["test"])
        assert not len(part.rows["test"])
        said = probabilities(member, bench, part.rows["val"]).max(dim=1).values
        told = [line["probability"] for line in lines if line["fold"] == fold]
        assert told == pytest.approx(said.tolist(), abs=1e-6)


def probabilities(model: nn.Module, bench: Bench, rows: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(gather(bench.opened, bench.packed, rows, "cpu").inputs).softmax(dim=1)


def test_the_ensemble_is_the_mean_and_comes_back_from_its_folder(bench: Bench, tmp_path: Path) -> None:
    fitted, _ = fit_plan(bench.opened, bench.packed, bench.plan, tmp_path, ignore)
    assert isinstance(fitted.model, Ensemble)
    rows = bench.packed.rows["test"]
    mean = torch.stack([probabilities(member, bench, rows) for member in fitted.model.members]).mean(dim=0)
    torch.testing.assert_close(probabilities(fitted.model, bench, rows), mean)
    schema = bench.packed.schema
    save_model(tmp_path / "model", bench.opened.task, fitted.model, bench.plan, schema, "v", None)
    loaded, _ = read_model(tmp_path / "model", bench.opened.task)
    assert torch.equal(probabilities(loaded, bench, rows), probabilities(fitted.model, bench, rows))


def test_a_join_that_loses_what_its_members_know_is_told(bench: Bench, tmp_path: Path) -> None:
    fitted, _ = fit_plan(bench.opened, bench.packed, bench.plan, tmp_path, ignore)
    file = tmp_path / "folds" / "out-of-fold.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    rows = np.concatenate([bench.packed.rows["train"], bench.packed.rows["val"]])
    classes = bench.packed.schema["classes"]
    said = [classes[k] for k in probabilities(fitted.model, bench, rows).argmax(dim=1).tolist()]
    own = dict(zip([bench.packed.version.items[row].sample for row in rows], said, strict=True))
    for line in lines:  # whatever six steps have taught it, it knows that, and nothing of the opposite
        line["target"] = line["prediction"] = own[line["sample"]]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert joined_knows(bench.opened, bench.packed, bench.plan, tmp_path, fitted.model).holds
    for line in lines:
        line["target"] = line["prediction"] = next(name for name in classes if name != own[line["sample"]])
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    lost = joined_knows(bench.opened, bench.packed, bench.plan, tmp_path, fitted.model)
    assert not lost.holds
    assert lost.words.startswith("credit 0.000 of the models as one, 1.000 of each")


def test_sure_members_make_no_infinite_logit() -> None:
    class Says(nn.Module):
        def __init__(self, *logits: float) -> None:
            super().__init__()
            self.logits = torch.tensor([logits])

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(len(inputs), -1)

    joined = Ensemble([Says(500.0, -500.0), Says(-500.0, 500.0)])(torch.zeros(2, 1))
    assert torch.isfinite(joined).all()
    torch.testing.assert_close(joined.softmax(dim=1), torch.full((2, 2), 0.5))


class PowerCutError(Exception):
    """Stands for the end of the process."""


def cut(after: int) -> Callable[[str], None]:
    """A `say` during whose `after`-th sentence the power fails."""
    heard = count(1)

    def say(_: str) -> None:
        if next(heard) == after:
            raise PowerCutError

    return say


@pytest.mark.parametrize("seed", range(3))
def test_cut_off_and_gone_on_with_it_ends_in_the_same_bits(bench: Bench, tmp_path: Path, seed: int) -> None:
    whole, crossed = fit_plan(bench.opened, bench.packed, bench.plan, tmp_path / "whole", ignore)
    luck, cuts = random.Random(seed), 0
    for _ in range(4):
        try:
            fit_plan(bench.opened, bench.packed, bench.plan, tmp_path / "cut", cut(luck.randint(2, 12)))
        except PowerCutError:
            cuts += 1
    assert cuts
    again, told = fit_plan(bench.opened, bench.packed, bench.plan, tmp_path / "cut", ignore)
    assert told == crossed
    mine, theirs = again.model.state_dict(), whole.model.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    files = ("metrics.jsonl", "folds/out-of-fold.jsonl", "folds/folds.json", "folds/1/metrics.jsonl")
    assert all((tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes() for name in files)


def test_a_checkpoint_is_not_taken_for_another_folds(bench: Bench) -> None:
    whole = folded(bench.opened, bench.packed.version, bench.plan)
    assert len({part_of(bench.packed, whole, fold).version.id for fold in range(3)}) == 3


def test_a_budget_is_divided_over_the_folds(bench: Bench) -> None:
    def steps(folds: int) -> int:
        ticks = count()
        plan = replace(bench.plan, folds=folds, time_s=600.0)
        return fit_into_time(bench.opened, bench.packed, plan, 0.0, ignore, lambda: float(next(ticks))).steps

    assert steps(3) == pytest.approx(steps(0) / 3, rel=0.05)  # each fold validates as often as one run


@pytest.mark.parametrize(("value", "says"), [("1", "0 (off), or to 2 or more"), ("-1", "0 or more")])
def test_a_number_that_cannot_be_is_refused(untrained: Path, value: str, says: str) -> None:
    said = snowroll("train", untrained, "--train.folds", value, "--json")
    assert said.code == 2
    assert said.json["where"] == "train.folds"
    assert says in said.json["cure"]


def test_more_folds_than_groups_are_refused_before_a_run_is_made(tmp_path: Path) -> None:
    root = draw_machines(tmp_path / "machines", machines=6)
    said = snowroll("train", root, *QUICK, "--train.folds", "40", "--json")
    assert said.code == 2
    assert "40 folds over" in said.json["error"]
    assert not list((root / "runs").iterdir())


def test_a_task_that_cannot_join_models_is_refused_at_the_door(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ClassifyImages, "ensemble")
    flags: dict[str, Json] = {"train.folds": 3}
    with pytest.raises(UsageError, match="does not say how several models are joined") as fault:
        open_project(bench.opened.root, flags)
    assert "\n" not in str(fault.value)
    open_project(bench.opened.root, {})


@pytest.mark.slow
def test_the_command_from_folds_to_the_door(bench: Bench, tmp_path: Path) -> None:
    """Trained, told, reported, exported and judged like any model."""
    root = Path(shutil.copytree(bench.opened.root, tmp_path / "machines"))
    told = snowroll("train", root, *QUICK, "--train.folds", "3", "--json").json
    crossed = told["cross_validation"]
    assert crossed["folds"] == len(crossed["by_fold"]) == 3
    assert crossed["interval"][0] <= crossed["value"] <= crossed["interval"][1]
    catalog = open_project(root, {}).store.catalog
    version = catalog.version(catalog.pointer("version") or "", open_project(root, {}).store.blobs)
    assert version is not None
    assert crossed["n"] + told["n"] == len(version.items)
    page = Path(told["report"]).read_text()
    assert "Cross-validation by group" in page
    assert json.loads(Path(told["report"]).with_suffix(".json").read_text())["extras"]["cross_validation"] == crossed
    judged = snowroll("eval", root, "--json").json
    assert (judged["value"], judged["n"]) == (told["value"], told["n"])
    assert snowroll("export", root, "--json").json["parity"]["agreement"] == 1
    assert snowroll("predict", root, root / "data" / "bar").code == 0
    shown = snowroll("explain", root, "train.folds", "--train.folds", "4", "--json").json
    assert shown["train.folds"] == {"value": 4, "origin": "flag"}
    assert snowroll("doctor", root, "--deep").code == 0
    # without folds it is another plan, so another run, which has to beat the ensemble
    assert snowroll("train", root, *QUICK, "--json").json["run"] == told["run"] + 1

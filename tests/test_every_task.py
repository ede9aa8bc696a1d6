"""What must hold of every task. A folder under `snowroll/tasks/` is found and tested before its author wrote a test.

A task brings `example.py` with `example(folder) -> settings`, and names in `waived` what cannot apply to it and why.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bench_kit import Bench, answers_of, ignore, make_bench, one_thread, rows_of
from PIL.Image import Image
from torch import Tensor

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Json, Prediction
from snowroll.base.parts import own
from snowroll.base.task import task_names
from snowroll.deploy.export import export_onnx
from snowroll.deploy.parity import parity
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.decode import limited
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.project.data import stacked
from snowroll.project.facts import measure_facts
from snowroll.project.fitting import new_model
from snowroll.project.models import read_model, save_model
from snowroll.project.plans import make_plan
from snowroll.train.nested import leaves
from snowroll.train.trial import take

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session", params=task_names())
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(request.param, tmp_path_factory.mktemp("every") / request.param, {})


@pytest.fixture(autouse=True)
def may_apply(request: pytest.FixtureRequest, bench: Bench) -> Iterator[None]:
    """Skip what the task waives, with its reason."""
    name = request.node.originalname.removeprefix("test_")
    if name in bench.task.waived:
        pytest.skip(f"{bench.task.name}: {bench.task.waived[name]}")
    with one_thread():
        yield


def test_waives_only_what_there_is(bench: Bench) -> None:
    known = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(bench.task.waived) <= known
    assert all(reason.strip() for reason in bench.task.waived.values())


def test_overfits_one_batch(bench: Bench) -> None:
    said, targets = bench.say(bench.batch()), bench.targets()
    assert len({json.dumps(target) for target in targets}) > 1
    with torch.no_grad():
        last = float(bench.task.loss(bench.model, bench.batch(), bench.plan.task).mean())
    learnt = bench.task.credit(said, targets, bench.packed.schema).min() > 0.9
    assert learnt or last < 0.1 * bench.first_loss, f"loss {bench.first_loss} to {last}"


def test_loss_is_one_a_sample(bench: Bench) -> None:
    model = new_model(bench.opened, bench.packed, bench.plan)
    losses = bench.task.loss(model, bench.batch(), bench.plan.task)
    assert losses.shape == (16,)
    assert torch.isfinite(losses).all()


def test_padding_changes_no_prediction(bench: Bench) -> None:
    """Alone, or beside samples of other lengths: the same answer."""
    together = bench.arrays(bench.batch())
    for row in range(16):
        for name, value in bench.arrays(bench.batch([row])).items():
            np.testing.assert_allclose(value[0], together[name][row], rtol=1e-4, atol=1e-5)


def test_collate_order_does_not_matter(bench: Bench) -> None:
    turned = torch.arange(15, -1, -1)
    equal(bench.batch(turned.tolist()), take(bench.batch(), turned))


def test_augment_is_a_function_of_its_draw(bench: Bench) -> None:
    again = [augmented(bench, bench.batch(), seed=3) for _ in range(2)]
    equal(*again)
    other = augmented(bench, bench.batch(), seed=4)
    assert not all(torch.equal(a, b) for a, b in zip(leaves(again[0].inputs), leaves(other.inputs), strict=True))


def test_augment_does_not_depend_on_the_others(bench: Bench) -> None:
    whole = augmented(bench, bench.batch(), seed=3)
    few = torch.tensor([11, 2, 7])
    close(augmented(bench, bench.batch(few.tolist()), seed=3), take(whole, few))


def test_augment_leaves_its_batch_alone(bench: Bench) -> None:
    batch = bench.batch()
    augmented(bench, batch, seed=3)
    equal(batch, bench.batch())


def test_save_load_predict_is_exact(bench: Bench, tmp_path: Path) -> None:
    save_model(tmp_path, bench.task, bench.model, bench.plan, bench.packed.schema, bench.packed.version.id, None)
    model, config = read_model(tmp_path, bench.task)
    assert config["schema"] == bench.packed.schema
    before, after = bench.arrays(bench.batch()), bench.arrays(bench.batch(), model)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_export_agrees(bench: Bench, tmp_path: Path) -> None:
    """From a file's bytes: the exported graphs say what the trained model says."""
    task, options, schema = bench.task, bench.plan.task, bench.packed.schema
    export_onnx(task.deployable(bench.model, options, schema), tmp_path / "model.onnx", {"name": "example"})
    loaded = answers_of(tmp_path / "model.onnx", bench)
    assert parity(loaded, zip(bench.raws(), rows_of(bench.arrays(bench.batch())), strict=True)).agreement == 1
    same = own(task.same)
    pairs = list(zip(loaded.predict(bench.raws()), bench.say(bench.batch()), strict=True))
    if same is None:
        assert all(one.value == other.value for one, other in pairs)
    else:
        assert min(same(one, other) for one, other in pairs) > 0.95


def test_ensemble_is_one_model(bench: Bench, tmp_path: Path) -> None:
    """A model joined with itself says what it says; joined with another it is saved, loaded and exported like any."""
    join = own(bench.task.ensemble)
    if join is None:
        pytest.skip(f"{bench.task.name} joins no models: train.folds is refused")
    options, schema, batch = bench.plan.task, bench.packed.schema, bench.batch()
    alone, twice = bench.arrays(batch), bench.arrays(batch, join([bench.model, bench.model]).eval())
    for name, value in alone.items():  # one answer, or that of each of them side by side
        np.testing.assert_allclose(twice[name], np.broadcast_to(value, twice[name].shape), rtol=1e-4, atol=1e-5)
    joined = join([bench.model, new_model(bench.opened, bench.packed, bench.plan)]).eval()
    mine = bench.arrays(batch, joined)
    save_model(tmp_path, bench.task, joined, replace(bench.plan, folds=2), schema, bench.packed.version.id, None)
    loaded = bench.arrays(batch, read_model(tmp_path, bench.task)[0])
    assert all(np.array_equal(mine[name], loaded[name]) for name in mine)
    export_onnx(bench.task.deployable(joined, options, schema), tmp_path / "model.onnx", {"name": "example"})
    exported = answers_of(tmp_path / "model.onnx", bench)
    assert parity(exported, zip(bench.raws(), rows_of(mine), strict=True)).agreement == 1


def test_doubt_is_a_share(bench: Bench) -> None:
    untrained = new_model(bench.opened, bench.packed, bench.plan).eval()
    for model in (bench.model, untrained):
        for said in bench.say(bench.batch(), model):
            assert 0 <= said.doubt <= 1
            assert said.probability is None or 0 <= said.probability <= 1
    doubts = [np.mean([said.doubt for said in bench.say(bench.batch(), model)]) for model in (bench.model, untrained)]
    assert doubts[0] <= doubts[1]  # who has learnt it by heart is surer


def test_score_of_the_truth_is_perfect(bench: Bench) -> None:
    """A target is a valid Prediction.value; and another sample's truth earns less."""
    targets, schema, task = bench.targets(), bench.packed.schema, bench.task
    truth = [Prediction(target, 1.0, 0.0) for target in targets]
    wrong = [Prediction(target, 1.0, 0.0) for target in targets[8:] + targets[:8]]
    best, worse = (task.scorer(said, targets, schema)(None) for said in (truth, wrong))
    assert next(iter(best)) == task.headline
    assert task.headline in task.ranges or best[task.headline] == 1
    assert worse[task.headline] < best[task.headline]
    assert np.array_equal(task.credit(truth, targets, schema), np.ones(16))
    assert task.credit(wrong, targets, schema).mean() < 1
    assert all(0 <= value <= 1 for name, value in best.items() if name not in task.ranges)


def test_counts_stand_for_repeated_samples(bench: Bench) -> None:
    """What the bootstrap relies on: counting a sample twice is having it twice."""
    said, targets, task = bench.say(bench.batch()), bench.targets(), bench.task
    said = said[3:] + said[:3]  # others' answers: some of them are wrong
    score = task.scorer(said, targets, bench.packed.schema)
    for seed in range(10):
        counts = np.random.default_rng(seed).multinomial(16, np.full(16, 1 / 16))
        rows = np.repeat(np.arange(16), counts)
        twice = task.scorer([said[row] for row in rows], [targets[row] for row in rows], bench.packed.schema)(None)
        assert score(counts) == pytest.approx(twice)


def test_schema_round_trips(bench: Bench) -> None:
    schema = bench.packed.schema
    read = json.loads(json.dumps(schema, allow_nan=False))
    assert read == schema
    assert isinstance(schema["type"], str)
    assert all(bench.task.problem(target, read) is None for target in bench.targets())
    assert bench.task.problem({"no": "such target"}, read)
    every = bench.targets(range(len(bench.packed.version.items)))
    for first in range(len(every)):  # in whatever order the targets come
        told = bench.task.schema(every[first:] + every[:first])
        assert schema | told == schema  # the folder may tell more: the columns of a table


def test_strata_are_names(bench: Bench) -> None:
    strata = bench.task.strata(bench.targets())
    assert len(strata) == 16
    assert all(isinstance(stratum, str) for stratum in strata)


def test_encoded_is_shown_as_a_picture(bench: Bench) -> None:
    """Two samples with two targets make two pictures, before and after augmentation."""
    schema, options = bench.packed.schema, bench.plan.task
    first, other = 0, next(row for row, target in enumerate(bench.targets()) if target != bench.targets()[0])
    for batch in (bench.batch(), augmented(bench, bench.batch(), seed=0)):
        shown = [bench.task.show(batch, row, schema, options).convert("RGB") for row in (first, other)]
        assert all(is_a_picture(image) for image in shown)
        assert shown[0].tobytes() != shown[1].tobytes()


def test_draws_a_sample_for_people(bench: Bench) -> None:
    target, schema = bench.targets()[0], bench.packed.schema
    said = bench.say(bench.batch())[0].value
    for told in ((None, None), (target, None), (target, said)):
        assert is_a_picture(bench.task.draw(bench.raws()[0], *told, schema).convert("RGB"))


def test_encode_is_in_the_pack_as_it_is(bench: Bench) -> None:
    encoded = stacked([bench.task.encode(raw, bench.plan.task, 100) for raw in bench.raws()], bench.task.ragged)
    batch = bench.task.batch(encoded, torch.arange(16))
    assert batch.targets is None
    for mine, packed in zip(leaves(batch.inputs), leaves(bench.batch().inputs), strict=True):
        assert torch.equal(mine, packed)


@pytest.mark.parametrize("raw", [b"", b"\0" * 40, bytes(range(256)) * 4], ids=["empty", "zeros", "noise"])
def test_foreign_bytes_end_in_words(bench: Bench, raw: bytes) -> None:
    ways: list[Callable[[], object]] = [
        lambda: bench.task.encode(raw, bench.plan.task, 100),
        lambda: bench.task.open_raw(raw, bench.plan.task, 100),
    ]
    for way in ways:
        with pytest.raises(DataError) as fault:
            way()
        assert "\n" not in str(fault.value)
    seen = bench.task.look(raw, megapixels=100)
    assert seen.reason


def test_looks_at_its_samples_in_a_child(bench: Bench) -> None:
    looks = dict(limited(partial(bench.task.look, megapixels=100), enumerate(bench.raws()), workers=1))
    assert len(looks) == 16
    for seen in looks.values():
        assert isinstance(seen, Look), seen
        assert not seen.reason
        assert seen.thumbnail.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)


def test_children_need_no_torch(bench: Bench, tmp_path: Path) -> None:
    """What runs in decoding children and in the server starts at once."""
    (tmp_path / "raw").write_bytes(bench.raws()[0])
    code = (
        "import sys\nfrom pathlib import Path\nfrom snowroll.base.task import find_task\n"
        f"task = find_task({bench.task.name!r})\nraw = Path({str(tmp_path / 'raw')!r}).read_bytes()\n"
        "options = task.Options()\n"
        "task.encode(raw, options, 100), task.look(raw, 100), task.open_raw(raw, options, 100)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_plan_gives_reasons(bench: Bench) -> None:
    """Options are all defaults, so a model's config alone rebuilds them; choices name settings there are."""
    bench.task.Options()
    _, told = make_plan(replace(bench.opened), bench.packed.version, measure(bench), None)
    assert all(origin for _, origin in told.values())
    assert {key.partition(".")[0] for key in told} == {"train", "task"}


def measure(bench: Bench) -> dict[str, Json]:
    facts = measure_facts(bench.opened, bench.packed.version, ignore)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    return facts


def is_a_picture(image: Image) -> bool:
    """Has an extent and shows something."""
    colours = image.getcolors(maxcolors=1 << 24)
    return min(image.size) > 0 and colours is not None and len(colours) > 1


def augmented(bench: Bench, batch: Batch, seed: int) -> Batch:
    return bench.task.augment(batch, CounterDraw(seed, 0, batch.ids), bench.plan.task)


def equal(one: Batch, other: Batch) -> None:
    for a, b in zip(tensors(one), tensors(other), strict=True):
        assert torch.equal(a, b)


def close(one: Batch, other: Batch) -> None:
    """Equal up to the rounding of kernels that look at the batch size."""
    for a, b in zip(tensors(one), tensors(other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def tensors(batch: Batch) -> list[Tensor]:
    return [*leaves(batch.inputs), *leaves(batch.targets), batch.ids]

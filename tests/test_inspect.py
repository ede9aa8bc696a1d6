"""Good parts and faulty ones: read as they lie, told apart, the threshold's word kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from house_kit import snowroll
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from prepare_kit import encoded
from sklearn.metrics import roc_auc_score

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Batch, Json, Prediction, Sample
from snowroll.base.task import Fingerprint, find_task
from snowroll.evaluate.limits import upper_limit
from snowroll.prepare.packed_png import packed
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.tasks.inspect.answers import read, same
from snowroll.tasks.inspect.calibrating import threshold_for
from snowroll.tasks.inspect.example import drawn
from snowroll.tasks.inspect.faults import part_faults
from snowroll.tasks.inspect.model import Calibrated, Said, build
from snowroll.tasks.inspect.options import InspectOptions, inspect_plan
from snowroll.tasks.inspect.parts import AT_ONE, mask_of
from snowroll.tasks.inspect.reading import is_one_sided, open_mark, read_parts
from snowroll.tasks.inspect.scoring import auroc, pro, scorer
from snowroll.tasks.inspect.training import Wanted, loss

SCHEMA = {"type": "part", "classes": ["good", "faulty", "scratch"], "marked": True}


def write(folder: Path, where: str, pixels: np.ndarray) -> None:
    (folder / where).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / where)


def part(number: int, kind: str = "good") -> tuple[np.ndarray, np.ndarray]:
    return drawn(number, kind)


# folders ------------------------------------------------------------------------------------------------------------


def test_the_layout_of_inspection_sets_is_read(tmp_path: Path) -> None:
    """Training on good parts alone, a test set of both, the faults marked in a folder of their own."""
    for n in range(4):
        write(tmp_path, f"train/good/{n:03}.png", part(n)[0])
        write(tmp_path, f"test/good/{n:03}.png", part(n + 10)[0])
        for kind in ("scratch", "stain"):
            pixels, mask = part(n, kind)
            write(tmp_path, f"test/{kind}/{n:03}.png", pixels)
            write(tmp_path, f"ground_truth/{kind}/{n:03}_mask.png", mask)
    reading = read_parts(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    by_place = {found.where: found for found in reading.found}
    assert by_place["train/good/000.png"].target == "good"
    assert by_place["train/good/000.png"].split == "train"
    for kind in ("scratch", "stain"):
        target = by_place[f"test/{kind}/002.png"].target
        assert target["class"] == kind
        assert np.array_equal(mask_of(target), part(2, kind)[1] > 0)
    assert len(reading.found) == 16
    assert is_one_sided(reading)
    assert find_task("inspect").particularity(reading, PrepareSettings()) > 0


def test_several_products_in_folders_of_their_own_are_parts_and_no_classes(tmp_path: Path) -> None:
    """As a whole set for inspection is unpacked: bottle/train/good, cable/test/scratch, ground_truth in each."""
    for at, product in enumerate(("bottle", "cable")):
        for n in range(4):
            write(tmp_path, f"{product}/train/good/{n:03}.png", part(n + 100 * at)[0])
            write(tmp_path, f"{product}/test/good/{n:03}.png", part(n + 100 * at + 10)[0])
            pixels, mask = part(n + 100 * at, "scratch")
            write(tmp_path, f"{product}/test/scratch/{n:03}.png", pixels)
            write(tmp_path, f"{product}/ground_truth/scratch/{n:03}_mask.png", mask)
    reading = read_parts(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    by_place = {found.where: found for found in reading.found}
    assert len(by_place) == 24
    assert {(f.split, f.target == "good") for f in reading.found} == {("train", True), ("test", True), ("test", False)}
    assert np.array_equal(mask_of(by_place["cable/test/scratch/002.png"].target), part(102, "scratch")[1] > 0)
    assert not reading.skipped
    assert any("2 products (bottle, cable)" in line for line in reading.evidence)
    assert find_task("inspect").particularity(reading, PrepareSettings()) > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("values", [(0, 1, 2), (0, 255), (0, 127, 255), (0, 1, 2, 3, 255)])
def test_every_value_of_a_mask_but_the_goods_marks_a_fault(values: tuple[int, ...], dtype: type) -> None:
    kinds = np.array(values, dtype).repeat(8)[None].repeat(20, axis=0)
    marked = mask_of({"class": "faulty", "mask": open_mark(encoded(kinds, "PNG"))})
    assert np.array_equal(marked, kinds > 0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_smoothed_border_is_cut_in_its_middle(kind: str) -> None:
    slope = np.clip(np.arange(-160, 416, 12), 0, 255).astype(np.uint8)[None].repeat(20, axis=0).repeat(4, axis=1)
    slope = np.where(slope % 255 == 0, slope, slope // 16 * 16) if kind == "PNG" else (slope > 127) * np.uint8(255)
    marked = mask_of({"class": "faulty", "mask": open_mark(encoded(slope, kind))})
    assert np.array_equal(marked, slope > 127)


@pytest.mark.parametrize(
    ("folders", "good"), [(("ok", "ng"), "ok"), (("PartFree", "PartCrack"), "PartFree"), (("good",), "good")]
)
def test_names_say_which_parts_are_good(folders: tuple[str, ...], good: str, tmp_path: Path) -> None:
    for name in folders:
        for n in range(3):
            write(tmp_path, f"{name}/{n}.png", part(n)[0])
    reading = read_parts(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {found.target for found in reading.found if found.where.startswith(f"{good}/")} == {"good"}
    assert all(found.target != "good" for found in reading.found if not found.where.startswith(f"{good}/"))


def test_where_names_do_not_say_it_the_user_does(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, f"{name}/0.png", part(0)[0])
    assert read_parts(Folder(tmp_path), PrepareSettings()) is None
    reading = read_parts(Folder(tmp_path), PrepareSettings(good=("b",)))
    assert reading is not None
    assert {found.where: found.target for found in reading.found} == {"a/0.png": "a", "b/0.png": "good"}
    with pytest.raises(UsageError, match="no part is of class 'c'"):
        read_parts(Folder(tmp_path), PrepareSettings(good=("c",)))


def test_a_folder_without_labels_is_good_if_good_is_the_only_label(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path, f"{n}.png", part(n)[0])
    for labels, target in ((("good",), "good"), (("good", "scratch"), None)):
        reading = read_parts(Folder(tmp_path), PrepareSettings(labels=labels))
        assert reading is not None
        assert {found.target for found in reading.found} == {target}


def test_a_folder_that_names_no_good_parts_is_told_what_is_wanted(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / "data", f"{name}/0.png", part(0)[0])
    said = snowroll("init", tmp_path, "--task", "inspect")
    assert said.code == 2 or said.code == 1
    assert "--prepare.good" in said.err


def test_check_names_what_cannot_be_judged() -> None:
    samples = tuple(Sample(str(n), f"{n}.png", str(n), "image", "good", split="train") for n in range(6))
    view = View.of(samples, {})
    assert {fault.code for fault in part_faults(view)} == {"few_good_parts", "no_faulty_parts"}
    marked = {"class": "scratch", "mask": packed(np.zeros((4, 4), np.uint8))}
    more = (*samples, Sample("x", "x.png", "x", "image", marked, split="test"))
    assert {fault.code for fault in part_faults(View.of(more, {}))} == {"few_good_parts", "empty_mask"}


# scores -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=2, max_size=30))
@settings(max_examples=100)
def test_auroc_is_scikit_learns(rows: list[tuple[int, bool, int]]) -> None:
    scores, truth, weight = (np.array(column) for column in zip(*rows, strict=True))
    mine = auroc(scores.astype(float), truth, weight.astype(float))
    if weight[truth].sum() and weight[~truth].sum():
        assert mine == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight))
    else:
        assert mine == 0.5


def test_heat_on_the_fault_is_worth_more_than_heat_beside_it() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[4:8, 4:8] = 255
    on = np.where(mask > 0, 2 * AT_ONE, AT_ONE // 4).astype(np.uint8)
    targets: list[Json] = [{"class": "scratch", "mask": packed(mask)}, "good"]
    cold = Prediction({"class": "good", "score": 0.2, "map": packed(np.full((20, 20), 10, np.uint8))}, None, 0.0)
    said = [Prediction({"class": "faulty", "score": 2.0, "map": packed(heat)}, None, 0.0) for heat in (on, on[::-1])]
    hit, miss = (scorer([one, cold], targets, SCHEMA)(None) for one in said)
    assert hit["pixel_auroc"] == 1
    assert hit["pro"] > 0.95
    assert miss["pixel_auroc"] < 0.9
    assert miss["pro"] < 0.8
    assert hit["found"] == miss["found"] == 1


def test_pro_of_a_coin_is_what_chance_earns() -> None:
    """Told at random, as much of a fault is covered as of good pixels: the area up to 0.3 is 0.3 / 2."""
    level = np.random.default_rng(0).integers(0, 256, 100_000)
    counts = np.bincount(level, minlength=256).astype(float)
    assert pro(counts, counts) == pytest.approx(0.15, abs=0.005)


# the threshold ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 16, 400])
@pytest.mark.parametrize("share", [0.01, 0.1])
def test_good_parts_are_told_as_seldom_as_promised(n: int, share: float) -> None:
    """Over many sets of good parts whose scores are log-normal, the next one is told about as often as was allowed."""
    rng = np.random.default_rng(n)
    alarms = []
    for _ in range(3000):
        *known, new = np.exp(0.3 * rng.normal(size=n + 1))
        alarms.append(new > upper_limit(np.array(known), share)[0])
    assert np.mean(alarms) <= share + 3 * (share / 3000) ** 0.5


def test_calibrated_it_keeps_to_the_share() -> None:
    rng = torch.Generator().manual_seed(0)
    unlike = torch.rand(300, 8, 8, generator=rng) + torch.rand(300, 1, 1, generator=rng)
    said = Said(unlike, unlike.amax((1, 2)), unlike, unlike)
    wanted = Wanted(torch.zeros(300, 3, 1, 1), torch.zeros(300, dtype=torch.bool))
    found = threshold_for(said, wanted, InspectOptions(false_alarms=0.05))
    assert found["way"] == "rank"

    class Fixed(torch.nn.Module):
        def forward(self, _: torch.Tensor) -> Said:
            return said

    judge = Calibrated(Fixed(), *(found[name] for name in ("worst", "share", "threshold", "farthest")))
    assert float((judge(torch.zeros(1)).score > 1).float().mean()) == pytest.approx(0.05, abs=0.01)
    few = Wanted(wanted.image, torch.arange(300) > 1)
    assert threshold_for(said, few, InspectOptions()) is None


# the networks -------------------------------------------------------------------------------------------------------


def parts(numbers: range, kind: str = "good") -> torch.Tensor:
    """[n, 3, 64, 64] of the example's drawings."""
    pictures = [Image.fromarray(part(n, kind)[0]).resize((64, 64)) for n in numbers]
    return torch.from_numpy(np.stack([np.asarray(one) for one in pictures])).permute(0, 3, 1, 2).float() / 255


@pytest.mark.slow
@pytest.mark.parametrize("model", ["reconstruction", "plain_small"])
def test_it_finds_faults_that_it_never_saw(model: str) -> None:
    """Sixty good parts teach; of new parts, faulty ones are more unlike."""
    torch.manual_seed(0)
    options = InspectOptions(model=model, size_px=64, memory=2048, width=12, known_faults=False)
    network = build(options)
    good = parts(range(100, 160))
    network.begin(good)
    steps = 300 if model == "reconstruction" else 20
    optimizer = torch.optim.Adam((p for p in network.parameters() if p.requires_grad), 2e-3)
    for step in range(steps):
        images = good[torch.randint(0, 60, (8,), generator=torch.Generator().manual_seed(step))]
        wanted = Wanted(images, torch.zeros(8, dtype=torch.bool))
        optimizer.zero_grad()
        loss(network, Batch(images, wanted, torch.arange(8)), options).mean().backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        new = {kind: network(parts(range(200, 230), kind)) for kind in ("good", "scratch", "stain")}
    for kind in ("scratch", "stain"):
        scores = torch.cat((new["good"].score, new[kind].score)).numpy()
        assert roc_auc_score(np.arange(60) >= 30, scores) > 0.95, kind
    heat = new["stain"].unlike
    for row in range(30 if model == "reconstruction" else 0):  # of the other, each place sees the whole of 64 px
        marked = Image.fromarray(part(200 + row, "stain")[1]).resize(heat.shape[:0:-1], Image.Resampling.BOX)
        inside = torch.from_numpy(np.asarray(marked) > 127)
        assert heat[row][inside].mean() > heat[row][~inside].mean()


@pytest.mark.parametrize(
    ("mine", "theirs", "least", "most"),
    [(1.00001, 0.99999, 0.99, 1.0), (1.004, 1.0, 0.99, 1.0), (1.3, 0.8, 0.0, 0.0), (1.3, 1.1, 0.8, 0.9)],
)
def test_two_programs_may_round_a_part_at_the_threshold_to_either_side(
    mine: float, theirs: float, least: float, most: float
) -> None:
    """The threshold is often a part's own score: its export must not be refused for the last digit of it."""
    one, other = (
        read({"score": np.array([score]), "map": np.zeros((1, 2, 2), np.float32)})[0] for score in (mine, theirs)
    )
    assert least <= same(one, other) <= most
    assert same(one, other) == same(other, one)


def test_it_answers_each_part_alone() -> None:
    """However many are judged together, and in whatever portions distances are held."""
    torch.manual_seed(0)
    network = build(InspectOptions(model="plain_small", size_px=64, memory=300_000)).eval()
    images = parts(range(3))
    network.begin(images)
    network.eval()
    with torch.no_grad():
        together = network(images)
        for row in range(3):
            torch.testing.assert_close(network(images[row : row + 1]).unlike[0], together.unlike[row])


# the plan -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good", [20, 500])
def test_few_good_parts_are_each_judged_by_a_model_that_never_saw_them(good: int) -> None:
    facts = {"median_width": 300, "median_height": 200, "grey": True, "good": good, "faulty": 0}
    plan = {c.key: c.value for c in inspect_plan(Fingerprint({"train": good}, SCHEMA, facts, "cpu", 2, False, None))}
    assert plan.get("train.folds", 0) == (4 if good == 20 else 0)
    assert plan["task.known_faults"] is False


@pytest.mark.slow
def test_parts_that_differ_by_the_cameras_noise_alone_are_learnt(tmp_path: Path) -> None:
    """A blind twin draws them as well: nothing but noise is to be seen in them. Broken it is not."""
    noise = np.random.default_rng(0)
    ground = 120 + 30 * np.sin(np.linspace(0, 6, 96))[None] + 15 * np.cos(np.linspace(0, 6, 96))[:, None]
    for kind, n in {"train/good": 24, "test/good": 8, "test/dent": 8}.items():
        (tmp_path / kind).mkdir(parents=True)
        for number in range(n):
            pixels = ground + noise.normal(0, 4, ground.shape)
            if "dent" in kind:
                pixels[number : number + 8, 20:28] -= 60
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert("RGB").save(tmp_path / kind / f"{number}.png")
    project = str(tmp_path / "project")
    assert snowroll("init", project, "--data", tmp_path, "--task", "inspect").code == 0
    assert snowroll("train", project, "--train.folds", 0, "--train.steps", 60).code == 0


def test_shares_rest_on_the_parts_that_they_are_of() -> None:
    counted = find_task("inspect").trials(["good"] * 20 + ["scratch"] * 15, {})
    assert (counted["found"], counted["passed"]) == (15, 20)

"""Who labelled: read from a manifest, kept with the samples, and named where they label otherwise than the rest."""

from pathlib import Path

import numpy as np
import pytest
from house_kit import snowroll
from prepare_kit import encoded, names, plant, read, table
from sklearn.datasets import load_digits

DRAWN, MEANT = load_digits(return_X_y=True)


def labelled_digits(root: Path, wrong: float, n: int = 600) -> Path:
    """Digits in a table whose rows four annotators share, the last with so many labels wrong."""
    rng = np.random.default_rng(0)
    rows = [["file", "label", "annotator_id"]]
    files = {}
    for k in range(n):
        files[f"{k}.png"] = encoded(np.kron(DRAWN[k].reshape(8, 8) * 15, np.ones((3, 3))).astype(np.uint8), "PNG")
        is_wrong = k % 4 == 3 and rng.random() < wrong
        label = (MEANT[k] + (rng.integers(1, 10) if is_wrong else 0)) % 10
        rows.append([f"{k}.png", f"d{label}", f"person {k % 4 + 1}"])
    plant(root / "data", {**files, "labels.csv": table(rows)})
    assert snowroll("init", root).code == 0
    return root


@pytest.mark.parametrize(("wrong", "told"), [(0.3, ["person 4"]), (0.0, [])])
def test_who_labels_otherwise_is_named_and_equals_are_not(tmp_path: Path, wrong: float, told: list[str]) -> None:
    root = labelled_digits(tmp_path / "p", wrong)
    found = [
        fault for fault in snowroll("check", root, "--json").json["faults"] if fault["code"] == "annotator_differs"
    ]
    assert [
        name for fault in found for name in ("person 1", "person 2", "person 3", "person 4") if name in fault["message"]
    ] == told
    for fault in found:
        assert fault["severity"] == "warn"
        assert len(fault["paths"]) > 20
        assert all(int(path.removesuffix(".png")) % 4 == 3 for path in fault["paths"])
        assert "questions wait on the label page" in snowroll("check", root, "--fix", "annotator_differs").out


@pytest.mark.parametrize("column", ["annotator", "labeller", "Worker_ID", "rater", "reader"])
def test_a_manifest_tells_who_labelled(tmp_path: Path, column: str) -> None:
    rows = [
        ["file", "label", column],
        ["1.jpg", "a", "x"],
        ["2.jpg", "b", "y"],
        ["3.jpg", "a", ""],
        ["4.jpg", "b", "x"],
    ]
    reading = read(plant(tmp_path, {**names(*[f"{n}.jpg" for n in (1, 2, 3, 4)]), "t.csv": table(rows)}))
    assert [(one.target, one.annotator) for one in reading.found] == [("a", "x"), ("b", "y"), ("a", None), ("b", "x")]


def test_agreement_on_files_that_two_labelled(tmp_path: Path) -> None:
    said = {"1.jpg": "aa", "2.jpg": "aa", "3.jpg": "bb", "4.jpg": "ba"}
    rows = [[where, label, who] for where, both in said.items() for label, who in zip(both, "xy", strict=True)]
    files = {**names(*said), "t.csv": table([["file", "label", "annotator"], *rows])}
    reading = read(plant(tmp_path, files))
    assert "4 labels of two annotators for one file each: 75% are the same, kappa 0.50" in reading.evidence
    assert len(reading.found) == 3

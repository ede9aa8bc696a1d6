"""What a run lost on each sample: wrong labels lose most, a resumed run counts on, and the report shows them."""

from pathlib import Path

import numpy as np
import pytest
from house_kit import QUICK, draw_shapes, snowroll

from snowroll.project.lost import FILE, Lost, most_lost


def learned(folder: Path, steps: range, upto: int = 0) -> Lost:
    """Four samples, sample 2 of which loses most; saved after the last step."""
    lost = Lost(folder, 4, upto)
    for step in steps:
        lost.add(np.array([step % 4, 2]), np.array([0.5 / (step + 1), 3.0]))
        lost.save(step + 1)
    return lost


def test_what_is_counted_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = learned(tmp_path / "whole", range(8))
    learned(tmp_path / "killed", range(5))
    resumed = learned(tmp_path / "killed", range(5, 8), upto=5)
    assert np.array_equal(whole.total, resumed.total)
    assert np.array_equal(whole.times, resumed.times)
    assert [row for row, _ in most_lost(tmp_path / "whole", 2)] == [2, 0]


def test_a_count_of_another_step_or_a_damaged_one_is_not_gone_on_with(tmp_path: Path) -> None:
    learned(tmp_path, range(5))
    assert Lost(tmp_path, 4, upto=3).times.sum() == 0
    assert Lost(tmp_path, 9, upto=5).times.sum() == 0
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:40])
    assert Lost(tmp_path, 4, upto=5).times.sum() == 0
    assert most_lost(tmp_path, 3) == []
    assert most_lost(tmp_path / "nowhere", 3) == []


def test_samples_that_were_never_seen_are_not_named(tmp_path: Path) -> None:
    learned(tmp_path, range(1))
    assert [row for row, _ in most_lost(tmp_path, 9)] == [2, 0]


@pytest.mark.slow
def test_the_report_shows_labels_that_training_never_came_to_believe(tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", each=40, classes=("bar", "ring"))
    wrong = {f"ring/wrong{number}.png" for number in range(5)}
    for number, name in enumerate(sorted(wrong)):
        (data / "bar" / f"{number:02}.png").rename(data / name)
    assert (
        snowroll("init", tmp_path, "--prepare.test", "0.1", "--prepare.val", "0.1", *QUICK, "--train.steps", "90").code
        == 0
    )
    said = snowroll("train", tmp_path, "--json")
    assert said.code == 0, said.err
    page = Path(said.json["report"]).read_text()
    section = page.split('id="doubted"')[1].split("</section>")[0]
    first = [part.split('"')[0] for part in section.split('alt="')[1:]]
    assert len(first) == 24
    assert len(wrong & set(first[:8])) >= 3
    assert "labelled <b>ring</b>, the model says <b>bar</b>" in section

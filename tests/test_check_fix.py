"""`check --fix`: each cure is one command, holds for what comes later, and is taken back without a trace."""

from pathlib import Path

import pytest
from house_kit import QUICK, draw_shapes, png, shape, snowroll, tree

from snowroll.project.jobs import check_and_freeze
from snowroll.project.opened import open_project
from snowroll.store.rows import FOR_CHECK

pytestmark = pytest.mark.slow


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """45 shapes, an exact copy within a class, two blank pictures, and one picture under two labels."""
    data = draw_shapes(tmp_path / "fresh" / "data", each=15)
    (data / "bar" / "again.png").write_bytes((data / "bar" / "03.png").read_bytes())
    (data / "ring" / "other.png").write_bytes((data / "cross" / "04.png").read_bytes())
    for name, grey in (("x.png", 9), ("y.png", 200)):
        (data / "ring" / name).write_bytes(png(shape("ring", 1) * 0 + grey))
    assert snowroll("init", tmp_path / "fresh").code == 0
    return tmp_path / "fresh"


def severities(root: Path, *flags: object) -> dict[str, str]:
    return {fault["code"]: fault["severity"] for fault in snowroll("check", root, *flags, "--json").json["faults"]}


def left_out(root: Path) -> list[str]:
    """Names of the files that the newest version leaves out."""
    opened = open_project(root, {})
    version = opened.store.catalog.version(opened.store.catalog.pointer("version") or "", opened.store.blobs)
    assert version is not None
    samples = opened.store.catalog.samples(version.left_out)
    return sorted(Path(sample.where).name for sample in samples.values())


def test_samples_leave_by_rule_and_come_back(faulty: Path) -> None:
    before = tree(faulty / "data")
    planted = {"blank_picture": "warn", "identical_files": "note", "conflicting_labels": "warn"}
    assert severities(faulty).items() >= planted.items()
    said = snowroll("check", faulty, "--fix", "blank_picture,identical_files")
    assert "2 samples are left out of every version from now on" in said.out
    assert severities(faulty)["blank_picture"] == "note"
    assert snowroll("train", faulty, *QUICK).code == 0
    assert left_out(faulty)[-2:] == ["x.png", "y.png"]
    assert len(left_out(faulty)) == 3
    (faulty / "data" / "bar" / "z.png").write_bytes(png(shape("bar", 1) * 0 + 77))
    assert "(left out by your rule)" in snowroll("check", faulty).out  # a rule holds for what comes later
    assert snowroll("train", faulty, *QUICK).code == 0
    assert left_out(faulty)[-3:] == ["x.png", "y.png", "z.png"]
    snowroll("check", faulty, "--undo", "blank_picture,identical_files")
    assert severities(faulty)["blank_picture"] == "warn"
    assert snowroll("train", faulty, *QUICK).code == 0
    assert left_out(faulty) == []
    (faulty / "data" / "bar" / "z.png").unlink()
    assert tree(faulty / "data") == before
    assert snowroll("doctor", faulty).code == 0


def test_a_person_is_asked_and_the_questions_are_withdrawn(faulty: Path) -> None:
    said = snowroll("check", faulty, "--fix", "conflicting_labels")
    assert "2 questions wait on the label page" in said.out
    catalog = open_project(faulty, {}).store.catalog
    asked = catalog.next_queued(9)
    assert [one.why for one in asked] == [f"{FOR_CHECK} conflicting_labels"] * 2
    catalog.fill_queue([])  # what is mined replaces what was mined, not this
    assert catalog.left_in_queue() == 2
    assert "2 open questions are withdrawn" in snowroll("check", faulty, "--undo", "conflicting_labels").out
    assert catalog.left_in_queue() == 0
    assert snowroll("doctor", faulty).code == 0


def draw_bursts(root: Path, name: str) -> Path:
    """Three exposures of each of sixteen scenes. name: of a file, from the scene and the place in the burst."""
    for kind in ("bar", "ring"):
        (root / "data" / kind).mkdir(parents=True)
        for number in range(24):
            scene, place = divmod(number, 3)
            pixels = shape(kind, scene, 64)
            pixels[: 2 + place, : 3 + place] = 255
            (root / "data" / kind / name.format(scene=scene, place=place, number=number)).write_bytes(png(pixels))
    return root


def test_scenes_that_no_name_tells_become_groups(tmp_path: Path) -> None:
    """The pattern that the user gave joins no two files; what the check sees does."""
    root = draw_bursts(tmp_path / "bursts", "n{number}.png")
    assert "keeps nothing together" in snowroll("init", root, "--prepare.group", r"(\w+/n\d+)").out
    assert snowroll("check", root, "--fix", "undeclared_groups").code == 0
    assert "scenes = true" in (root / "snowroll.toml").read_text()
    assert "undeclared_groups" not in snowroll("check", root).out
    version, _, _ = check_and_freeze(open_project(root, {}), lambda text: None)
    splits: dict[str | None, set[str]] = {}
    for item in version.items:
        splits.setdefault(item.group, set()).add(item.split)
    assert 2 <= len(splits) < 30
    assert all(len(found) == 1 for found in splits.values())


def test_a_setting_is_written_and_taken_out_again(tmp_path: Path) -> None:
    root = draw_bursts(tmp_path / "bursts", "s{scene}_{place}.png")
    assert snowroll("init", root).code == 0
    config = (root / "snowroll.toml").read_text()
    faults = {fault["code"]: fault for fault in snowroll("check", root, "--json").json["faults"]}
    assert "--fix undeclared_groups" in faults["undeclared_groups"]["cure"]
    assert snowroll("check", root, "--fix", "undeclared_groups").code == 0
    assert (root / "snowroll.toml").read_text().startswith(config.rstrip() + "\ngroup = ")
    groups = {sample.group for sample in open_project(root, {}).store.catalog.samples().values()}
    assert groups == {f"{kind}/s{scene}" for kind in ("bar", "ring") for scene in range(8)}
    assert snowroll("check", root, "--undo", "undeclared_groups").code == 0
    assert (root / "snowroll.toml").read_text() == config


@pytest.mark.parametrize(
    ("flag", "words"), [("--fix", "there is no finding 'blank'"), ("--undo", "'blank' was not fixed")]
)
def test_an_unknown_code_is_refused(faulty: Path, flag: str, words: str) -> None:
    said = snowroll("check", faulty, flag, "blank" if flag == "--undo" else "identical_files,blank", "--json")
    assert said.code == 2
    assert words in said.json["error"]
    assert open_project(faulty, {}).store.catalog.pointer("fixes") is None


def test_what_was_found_once_is_read_again(faulty: Path) -> None:
    def found() -> tuple[object, bool]:
        said: list[str] = []
        opened = open_project(faulty, {})
        _, inspected, _ = check_and_freeze(opened, said.append)
        for path in (opened.store.packs / "faults").glob("*.json"):  # answers for one split; what is free of them stays
            path.unlink()
        return inspected, any("looking for copies" in line for line in said)

    first, looked = found()
    assert looked
    assert found() == (first, False)
    (kept,) = (open_project(faulty, {}).store.packs / "faults").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    assert found() == (first, True)
    (faulty / "data" / "bar" / "new.png").write_bytes(png(shape("bar", 7)))
    assert found()[1]
    assert len(list(kept.parent.glob("*.npz"))) == 1


def test_the_command_that_a_finding_prints_can_be_run_from_where_it_was_asked(faulty: Path) -> None:
    root = faulty.rename(faulty.parent / "my parts")
    for _ in range(2):  # as found, and as kept
        assert f"`snowroll check '{root}' --fix blank_picture` leaves 2 out" in snowroll("check", root).out
    snowroll("check", root, "--fix", "blank_picture")
    assert f"`snowroll check '{root}' --undo blank_picture` takes it back" in snowroll("check", root).out


def test_findings_are_told_gravest_first(faulty: Path) -> None:
    (faulty / "data" / "empty").mkdir()
    (faulty / "data" / "notes.txt").write_text("about these")
    found = [fault["severity"] for fault in snowroll("check", faulty, "--json").json["faults"]]
    assert found == sorted(found, key=["block", "warn", "note"].index)
    assert "warn" in found
    assert "note" in found

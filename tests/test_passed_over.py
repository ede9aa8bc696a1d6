"""What the folder holds and nobody can use warns, with a cure of its own."""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from boxes_kit import drawing
from house_kit import draw_shapes, snowroll
from PIL import Image
from prepare_kit import plant

from snowroll.base.nouns import Json


def finding(root: Path, code: str) -> Mapping[str, Json]:
    (found,) = [fault for fault in snowroll("check", root, "--json").json["faults"] if fault["code"] == code]
    assert found["severity"] == "warn"
    return found


def test_a_folder_that_may_not_be_read_is_told_with_the_right_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (draw_shapes(tmp_path / "data", each=12) / "locked shapes").mkdir()
    as_it_is = os.open

    def guarded(path: object, *more: object, **named: object) -> int:
        if path == b"locked shapes":
            raise PermissionError(13, "Permission denied")
        return as_it_is(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("os.open", guarded)  # whoever runs this may be allowed everything
    assert snowroll("init", tmp_path).code == 0
    found = finding(tmp_path, "no_permission")
    assert found["paths"] == ["locked shapes"]
    assert "chmod -R u+rX 'locked shapes'" in found["cure"]


def test_a_class_of_yolo_that_has_no_name_is_told_with_its_line(tmp_path: Path) -> None:
    files = {"data.yaml": b"names: [cat, dog, owl]\n"}
    for k in range(6):
        files[f"images/{k}.png"] = drawing(k)
        files[f"labels/{k}.txt"] = f"{k % 3} 0.5 0.5 0.2 0.2\n".encode()
    files["labels/4.txt"] += b"3 0.3 0.3 0.2 0.2\n"
    plant(tmp_path / "data", files)
    assert snowroll("init", tmp_path, "--task", "detect_objects").code == 0
    assert finding(tmp_path, "unknown_class")["paths"] == ["labels/4.txt line 2"]
    assert "1 without a label" in snowroll("init", tmp_path).out


def test_two_formats_that_disagree_are_named_with_the_picture(tmp_path: Path) -> None:
    files = {"data.yaml": b"names: [cat]\n"}
    images, boxes = [], []
    for k in range(4):
        files[f"images/{k}.png"] = drawing(k)
        files[f"labels/{k}.txt"] = b"0 0.5 0.5 0.5 0.5\n"
        wide, high = Image.open(io.BytesIO(files[f"images/{k}.png"])).size
        images.append({"id": k, "file_name": f"{k}.png", "width": wide, "height": high})
        sides = [wide / 4, high / 4, wide / 2, high / 2]
        boxes.append({"image_id": k, "category_id": 1, "bbox": sides if k else [0, 0, wide / 4, high / 4]})
    coco = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    plant(tmp_path / "data", files | {"coco.json": json.dumps(coco).encode()})
    assert snowroll("init", tmp_path).code == 0
    found = finding(tmp_path, "conflicting_rows")
    assert found["paths"] == ["images/0.png"]
    assert "images/0.png (" in found["message"]
    assert "coco.json" in found["message"]
    assert "labels/0.txt" in found["message"]


def test_all_classes_beyond_the_names_are_called_by_number(tmp_path: Path) -> None:
    files = {"classes.txt": b"cat\n"}
    for k in range(4):
        files |= {f"{k}.png": drawing(k), f"{k}.txt": f"{k % 2 + 5} 0.5 0.5 0.2 0.2\n".encode()}
    plant(tmp_path / "data", files)
    said = snowroll("init", tmp_path, "--task", "detect_objects").out
    assert (
        "0.txt line 1: a line of class 5, where 1 have names in classes.txt; such classes are called by number" in said
    )
    assert "without a label" not in said


def test_an_archive_that_was_harmed_or_means_harm_warns(tmp_path: Path) -> None:
    import zipfile

    data = draw_shapes(tmp_path / "data", each=12)
    (data / "cut.zip").write_bytes(b"PK\3\4 and no more")
    with zipfile.ZipFile(data / "climbs.zip", "w") as archive:
        archive.writestr("../outside.png", drawing(0))
    assert snowroll("init", tmp_path).code == 0
    found = [fault for fault in snowroll("check", tmp_path, "--json").json["faults"] if fault["code"] == "bad_archive"]
    assert {(*fault["paths"], fault["severity"]) for fault in found} == {
        ("cut.zip", "warn"),
        ("climbs.zip!../outside.png", "warn"),
    }


@pytest.mark.parametrize("task", ["classify_images", "detect_objects"])
def test_annotations_too_large_to_be_read_are_named_with_their_size(task: str, tmp_path: Path) -> None:
    plant(tmp_path / "data", {f"{k}.png": drawing(k) for k in range(3)})
    for ending in ("json", "xml"):
        (tmp_path / "data" / f"boxes.{ending}").touch()
        os.truncate(tmp_path / "data" / f"boxes.{ending}", 600 << 20)  # takes no room on the disk
    said = snowroll("init", tmp_path, "--task", task)
    assert said.code == 1
    assert any(f"boxes.{ending} was not read" in said.err for ending in ("json", "xml"))
    assert "600 of" in said.err
    assert snowroll("init", tmp_path, "--task", task, "--labels", "a,b").code == 0
    faults = snowroll("check", tmp_path, "--json").json["faults"]
    large = [fault for fault in faults if fault["code"] == "oversized_manifest"]
    assert {(*fault["paths"], fault["severity"]) for fault in large} == {("boxes.json", "warn"), ("boxes.xml", "warn")}

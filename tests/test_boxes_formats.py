"""What annotation tools write: read, written and read again without a loss; damaged files end in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from boxes_kit import CAT, blank, drawing, put, put_bytes, read_all, three_photos
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, canonical
from snowroll.prepare.pictures import size_of
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.detect_objects.formats import (
    bdd100k,
    coco,
    cvat,
    json_lines,
    label_studio,
    labelme,
    table,
    via,
    voc,
    yolo,
)
from snowroll.tasks.detect_objects.formats.marks import Marked, Told
from snowroll.tasks.detect_objects.reading import read_boxes, unwritten
from snowroll.tasks.segment_images.reading import read_masks
from snowroll.verbs.init import init

FORMATS = {
    "voc": voc,
    "coco": coco,
    "yolo": yolo,
    "cvat": cvat,
    "label_studio": label_studio,
    "labelme": labelme,
    "table": table,
}
KNOWS_IGNORED = {"voc", "coco"}
KNOWS_SPLITS = {"voc", "coco", "yolo", "cvat", "table"}

# what XML and line-based formats can hold: no control characters, no blanks at the ends
names = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), min_size=1, max_size=12).map(
    str.strip
)
classes = st.lists(names.filter(bool), min_size=1, max_size=4, unique=True)


@st.composite
def marked_pictures(draw: st.DrawFn) -> list[Marked]:
    known, found = draw(classes), []
    for number in range(draw(st.integers(1, 4))):
        wide, high = draw(st.integers(8, 4000)), draw(st.integers(8, 4000))
        objects: list[Json] = []
        for _ in range(draw(st.integers(0, 4))):
            right = draw(st.integers(200, 100 * wide))  # boxes within the first pixel are shares of the sides
            x = [draw(st.integers(0, right - 1)), right]
            y = sorted(draw(st.lists(st.integers(0, 100 * high), min_size=2, max_size=2, unique=True)))
            box = [x[0] / 100, y[0] / 100, x[1] / 100, y[1] / 100]
            one: Json = {"class": draw(st.sampled_from(known)), "box": box}
            objects.append({**one, "ignore": True} if draw(st.booleans()) else one)
        split = draw(st.sampled_from(["train", "val", "test"]))
        found.append(Marked(f"picture {number}.png", tuple(objects), "", (wide, high), split))
    return found


@pytest.mark.parametrize("name", FORMATS)
@given(pictures=marked_pictures())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_written_and_read_again_is_the_same(
    name: str, pictures: Sequence[Marked], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("written")
    for one in pictures:
        (folder / one.picture).write_bytes(blank(one.size or (1, 1)))
    spelled = {"table": "csv"}.get(name, name)
    lost = unwritten(spelled, [(one.picture, list(one.objects), one.size or (1, 1), one.split) for one in pictures])
    ignored = sum(len(one.objects) - len(kept(name, one)) for one in pictures)
    assert [told.split(" box")[0] for told in lost if "ignored" in told] == ([str(ignored)] if ignored else [])
    assert any("split" in told for told in lost) == (name not in KNOWS_SPLITS)
    for place, text in FORMATS[name].write(pictures).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    wanted = {one.picture: kept(name, one) for one in pictures}
    reading = read_boxes(Folder(folder), PrepareSettings(workers=1))
    if not any(wanted.values()):
        assert reading is None  # no object anywhere: texts beside pictures, or another task's file
        return
    assert reading is not None
    assert {found.where: found.target for found in reading.found} == wanted
    if name in KNOWS_SPLITS:
        assert {found.where: found.split for found in reading.found} == {one.picture: one.split for one in pictures}


def kept(name: str, one: Marked) -> list[Json]:
    return [row for row in one.objects if name in KNOWS_IGNORED or not row.get("ignore")]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return three_photos(tmp_path)


def test_boxes_of_an_absent_picture_and_a_picture_without_boxes(photos: Path) -> None:
    rows = "filename,class,xmin,ymin,xmax,ymax\n0.png,cat,1,2,3,4\n7.png,cat,1,2,3,4\n"
    (photos / "boxes.csv").write_text(rows)
    reading = read_boxes(Folder(photos), PrepareSettings())
    assert reading is not None
    assert {found.where: found.target for found in reading.found} == {
        "images/0.png": [{"class": "cat", "box": [1.0, 2.0, 3.0, 4.0]}],
        "images/1.png": None,
        "images/2.png": None,
    }
    assert "there is no such file" in reading.skipped["7.png"]


def test_splits_and_groups_of_manifests_and_lists_are_kept(photos: Path) -> None:
    rows = "filename,class,xmin,ymin,xmax,ymax\n0.png,cat,1,2,3,4\n0.png,dog,1,2,3,4\n1.png,cat,1,2,3,4\n"
    lists = {"train.txt": "images/0.png\n2.png\n", "test.txt": "images/1.png\n2.png\n"}
    put(photos, {"boxes.csv": rows, "people.csv": "file,patient\n0.png,p1\n1.png,p2\n", **lists})
    reading = read_boxes(Folder(photos), PrepareSettings())
    assert reading is not None
    assert {found.where: (found.split, found.group) for found in reading.found} == {
        "images/0.png": ("train", "p1"),
        "images/1.png": ("test", "p2"),
    }
    assert reading.skipped == {
        "images/2.png": "two rows in different splits: 'test' (test.txt line 2) and 'train' (train.txt line 2)"
    }


@pytest.mark.parametrize("where", ["images/{}2017/{}.png", "{}_images/{}.png", "{}/images/{}.png"])
def test_folders_called_after_splits_are_kept(where: str, tmp_path: Path) -> None:
    pictures = {where.format(split, n): split for n, split in enumerate(("train", "val", "train"))}
    for place in pictures:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(blank((40, 30)))
    put(tmp_path, {"boxes.csv": "filename,class,xmin,ymin,xmax,ymax\n0.png,cat,1,2,3,4\n1.png,cat,1,2,3,4\n"})
    reading = read_boxes(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {found.where: found.split for found in reading.found} == pictures


def test_two_formats_that_disagree_leave_the_picture_out(photos: Path) -> None:
    one = Marked("0.png", ({"class": "cat", "box": [1.0, 2.0, 9.0, 9.0]},), "", (40, 30))
    other = Marked("0.png", ({"class": "cat", "box": [20.0, 2.0, 29.0, 9.0]},), "", (40, 30))
    same = Marked("1.png", one.objects, "", (40, 30))
    put(photos, coco.write([one, same]))
    put(photos, cvat.write([other, same]))
    reading = read_boxes(Folder(photos), PrepareSettings())
    assert reading is not None
    assert "disagree" in reading.skipped["images/0.png"]
    assert {found.where for found in reading.found} == {"images/1.png", "images/2.png"}


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"coco"}))
def test_two_formats_that_agree_on_no_picture_end_in_their_names(name: str, photos: Path) -> None:
    boxes = [[1.0, 2.0, 9.0, 9.0], [20.0, 2.0, 29.0, 9.0]]
    one, other = (Marked("images/0.png", ({"class": "cat", "box": box},), "", (40, 30)) for box in boxes)
    files = FORMATS[name].write([other])
    put(photos, coco.write([one]))
    put(photos, files)
    with pytest.raises(DataError, match=r"mark other objects, and so it is with all 1 picture") as told:
        read_boxes(Folder(photos), PrepareSettings(workers=1))
    said = str(told.value)
    assert "images/0.png" in said
    assert "annotations/instances.json" in said
    assert any(place in said for place in files)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("a.json", '{"images": [{"id": 1}], "annotations": [], "categories": []}'),
        ("a.json", '{"images": [], "annotations": {"bbox": [1]}, "categories": 7}'),
        (
            "a.json",
            '{"images": [{"id": 2, "file_name": "2.png"}], "categories": [{"id": 1, "name": "a"}], "annotations": ['
            '{"image_id": 1, "category_id": 1, "bbox": [1]}, {"image_id": 2, "category_id": 1, "bbox": [1, 2, 3, 4]}'
            "]}",
        ),
        ("a.json", '{"annotations": ' + "[" * 100_000),
        ("a.json", '[{"data": {}, "annotations": [{"result": [{"type": "rectanglelabels"}]}]}]'),
        ("0.xml", '<!DOCTYPE a [<!ENTITY b "bb">]><annotation>&b;</annotation>'),
        ("0.xml", "<annotation><object><name>a</name></object></annotation>"),
        ("0.xml", "<annotation><object><name>a</name><bndbox><xmin>nan</xmin></bndbox></object></annotation>"),
        ("a.xml", '<annotations><image name="0.png"><box label="a" xtl="x"/></image></annotations>'),
        ("images/0.txt", "0 0.5 0.5 nan 0.5\n"),
        ("images/0.txt", "the cat sits\n"),
        ("b.csv", "filename,class,xmin,ymin,xmax,ymax\n0.png,cat,a,b,c,d\n"),
        ("data.yaml", "names: [a, b\n"),
        ("a.json", '{"a": {"filename": "0.png", "regions": 5}, "b": {"filename": 7, "regions": [3]}}'),
        ("a.json", '{"a": {"filename": "0.png", "regions": [{"region_attributes": 3, "shape_attributes": []}]}}'),
        ("a.csv", "filename,region_shape_attributes,region_attributes\n0.png,{,[]\n0.png,[],5\n"),
        ("a.json", '[{"name": "0.png", "labels": [{"category": "a", "box2d": 5, "attributes": []}]}, 7]'),
        ("a.json", '[{"name": "0.png", "labels": [{"category": "a", "box2d": [1], "attributes": [1]}]}]'),
        ("a.json", '[{"annotation_id": 1, "a": "http://[b", "c": "c.png", "label": [{"x": 1, "labels": []}, 3]}]'),
        ("a.odgt", '{"ID": "0", "gtboxes": [{"fbox": "abcd", "tag": "a"}]}\n[]\n{"ID": "1", "gtboxes": 3}\n'),
        ("metadata.jsonl", '{"file_name": "0.png", "objects": {"bbox": [1], "category": ["a", "b"]}}\n7\n'),
        ("faces.txt", "0.png\n1\n1 2 3 4 0 0 0 0 0 0\n0.png\nx\n2.png\n"),
        ("images/0.txt", "Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1\nCar 0 0 0 1 2 nan 4 1 1 1 1 1 1 1\n"),
        ("images/0.txt", "1,2,3,4,1,4,0,0\n1,2,3,inf,1,4,0,0\n"),
        ("b.csv", 'image_id,bbox\n0,[]\n0,"[1, 2, nan, 4]"\n0,"[[1, 2]"\n'),
    ],
)
def test_damaged_annotations_end_in_words(photos: Path, place: str, text: str) -> None:
    put(photos, {place: text})
    one = Marked("1.png", ({"class": "cat", "box": [1.0, 2.0, 9.0, 9.0]},), "", (40, 30))
    put(photos, label_studio.write([one]))
    reading = read_boxes(Folder(photos), PrepareSettings())
    assert reading is not None
    assert {"images/1.png": list(one.objects)}.items() <= {f.where: f.target for f in reading.found}.items()
    assert all("\n" not in why for why in reading.skipped.values())


OUTLINE = [[10.0, 5.0], [30.0, 5.0], [20.0, 25.0]]


def as_cvat(shapes: str) -> str:
    images = f'<image name="0.png" width="40" height="30">{shapes}</image>'
    other = '<image name="1.png"><box label="leaf" xtl="1" ytl="2" xbr="3" ybr="4"/></image>'
    return f"<annotations>{images}{other}</annotations>"


def as_label_studio(*results: Json) -> str:
    about = {"original_width": 40, "original_height": 30}
    box = {"x": 10, "y": 10, "width": 10, "height": 10, "rectanglelabels": ["leaf"]}
    other = [{"type": "rectanglelabels", "value": box, **about}]
    told = [{**one, **about} for one in results]
    tasks = [{"data": {"image": "0.png"}, "annotations": [{"result": told}]}]
    return json.dumps([*tasks, {"data": {"image": "1.png"}, "annotations": [{"result": other}]}])


def as_labelme(kind: str, points: Sequence[Sequence[float]]) -> str:
    shapes = [{"label": "leaf", "points": points, "shape_type": kind}]
    return json.dumps({"shapes": shapes, "imagePath": "0.png", "imageWidth": 40, "imageHeight": 30})


def as_coco(**fields: Json) -> str:
    box = {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 2, 3, 4]}
    tree = {
        "images": [{"id": 1, "file_name": "0.png"}, {"id": 2, "file_name": "1.png"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **fields}, box],
        "categories": [{"id": 1, "name": "leaf"}],
    }
    return json.dumps(tree)


ALSO_READ: dict[str, tuple[Callable[[Folder], Told], str, str]] = {
    "via": (
        via.read,
        "via.json",
        '{"a": {"filename": "0.png", "regions": [{"region_attributes": {}, "shape_attributes": {"name": "rect", '
        '"x": 1, "y": 2, "width": 3, "height": 4}}, {"region_attributes": {}, "shape_attributes": {"name": "ellipse", '
        '"cx": 1, "cy": 2, "rx": 3, "ry": 4, "theta": 1}}]}}',
    ),
    "bdd100k": (
        bdd100k.read,
        "a.json",
        '[{"name": "0.png", "labels": [{"category": "cat", "box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}}]}]',
    ),
    "crowdhuman": (
        json_lines.read_crowdhuman,
        "a.odgt",
        '{"ID": "0", "gtboxes": [{"tag": "a", "fbox": [1, 2, 3, 4]}]}',
    ),
    "hugging_face": (
        json_lines.read_hugging_face,
        "images/metadata.jsonl",
        '{"file_name": "0.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [0]}}',
    ),
    "polygon": (coco.read, "a.json", as_coco(segmentation=[[10, 5, 30, 5, 20, 25]])),
    "circle": (labelme.read, "images/0.json", as_labelme("circle", [[10, 5], [30, 5]])),
    "ellipse": (cvat.read, "a.xml", as_cvat('<ellipse label="leaf" cx="2" cy="1" rx="3" ry="4" rotation="5"/>')),
}


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e999", "-1e999", "1e308", "NaN"])
@pytest.mark.parametrize("name", [*FORMATS, *ALSO_READ])
def test_no_number_is_too_large(name: str, number: str, photos: Path) -> None:
    """In the place of any number of a file: it is read as finite boxes, or in words as none."""
    if name in FORMATS:
        files = FORMATS[name].write([Marked("0.png", (CAT,), "", (40, 30), "train")])
        read = FORMATS[name].read
    else:
        read, home, text = ALSO_READ[name]
        files = {home: text}
    for place, text in files.items():
        for found in re.finditer(r"(?<![\w./])-?\d+(\.\d+)?(?![\w./])", text):
            put(photos, {**files, place: text[: found.start()] + number + text[found.end() :]})
            told = read(Folder(photos))
            for one in told.pictures:
                assert canonical(list(one.objects))
                assert one.size is None or all(0 < side < 10**9 for side in one.size)


def test_shares_that_are_too_large_for_pixels_end_in_words(photos: Path) -> None:
    put(photos, {"images/0.txt": "0 0.5 0.5 0.5 0.5\n", "images/1.txt": "0 0.5 0.5 0.5 0.5\n0 0.5 0.5 1e308 0.5\n"})
    found, skipped = read_all(photos)
    assert found["images/0.png"]
    assert found["images/1.png"] is None
    assert "four finite numbers" in skipped["images/1.txt (images/1.png)"]


def test_yolo_as_it_is_exported(tmp_path: Path) -> None:
    """train|valid over images and labels, polygons among the boxes, names as a list."""
    for split in ("train", "valid"):
        put(tmp_path, {f"{split}/labels/a.txt": "1 0.5 0.5 0.5 0.5\n0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n"})
        (tmp_path / split / "images").mkdir()
        (tmp_path / split / "images" / "a.png").write_bytes(blank((40, 20)))
    put(tmp_path, {"data.yaml": "nc: 2\nnames: ['cat', 'dog']\n", "README.txt": "exported\n"})
    reading = read_boxes(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    wanted = [{"class": "dog", "box": [10.0, 5.0, 30.0, 15.0]}, {"class": "cat", "box": [4.0, 2.0, 12.0, 10.0]}]
    assert [(f.where, f.split, f.target) for f in reading.found] == [
        ("train/images/a.png", "train", wanted),
        ("valid/images/a.png", "val", wanted),
    ]


@pytest.mark.parametrize(("last", "is_told"), [("", False), (" 0.87", True), (" 17", False)])
def test_yolo_with_confidences_is_told_as_the_answers_of_a_model(last: str, is_told: bool, photos: Path) -> None:
    put(photos, {"images/0.txt": f"0 0.5 0.5 0.5 0.5{last}\n1 0.5 0.5 0.2 0.2{last}\n", "images/1.txt": ""})
    reading = read_boxes(Folder(photos), PrepareSettings(workers=1))
    assert reading is not None
    assert len(reading.found[0].target) == 2
    said = [line for line in reading.evidence if "a confidence" in line]
    assert bool(said) == is_told
    assert all("answers of a model" in line and line.startswith("1 of 2 YOLO label files") for line in said)


def test_coco_crowds_are_ignored_and_listed_pictures_hold_nothing(photos: Path) -> None:
    tree = {
        "images": [{"id": 5, "file_name": "0.png"}, {"id": 6, "file_name": "images/1.png"}],
        "annotations": [{"id": 1, "image_id": 5, "category_id": 9, "bbox": [1, 2, 3, 4], "iscrowd": 1}],
        "categories": [{"id": 9, "name": "bird"}],
    }
    put(photos, {"instances_val2017.json": json.dumps(tree)})
    reading = read_boxes(Folder(photos), PrepareSettings())
    assert reading is not None
    found = {f.where: (f.target, f.split) for f in reading.found}
    assert found["images/0.png"] == ([{"class": "bird", "box": [1.0, 2.0, 4.0, 6.0], "ignore": True}], "val")
    assert found["images/1.png"] == ([], "val")


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        ({"segments_info": [{"id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}], "file_name": "0.png"}, "panoptic"),
        ({"caption": "a cat"}, "category_id"),
    ],
)
def test_a_coco_file_without_a_single_box_is_told_in_one_line(annotation: Json, told: str, photos: Path) -> None:
    """As COCO is downloaded: its panoptic segments lie beside its instances."""
    put(photos, coco.write([Marked(f"{n}.png", (CAT,), "", (40, 30)) for n in range(3)]))
    tree = json.loads((photos / "annotations/instances.json").read_text())
    tree["images"].append({"id": 9, "file_name": "without.png"})
    tree["annotations"] = [{"image_id": n, **annotation} for n in range(1, 4)]
    put(photos, {"annotations/panoptic_val2017.json": json.dumps(tree)})
    found, skipped = read_all(photos)
    assert all(found[f"images/{n}.png"] == [CAT] for n in range(3))
    (line,) = [f"{where} {why}" for where, why in skipped.items() if where.startswith("annotations/panoptic")]
    assert "3 annotations" in line
    assert told in line


def test_every_format_is_tried(photos: Path) -> None:
    one = Marked("images/2.png", ({"class": "cat", "box": [1.0, 2.0, 9.0, 9.0]},), "", (40, 30))
    ways: dict[str, Callable[[Sequence[Marked]], dict[str, str]]] = {name: part.write for name, part in FORMATS.items()}
    for name, write in ways.items():
        if name != "yolo":  # its texts lie beside pictures that lie in `images`
            put(photos, write([one]))
    reading = read_boxes(Folder(photos), PrepareSettings())
    assert reading is not None
    assert reading.layout == "COCO and Pascal VOC and CVAT and Label Studio and LabelMe and CSV boxes"


PERSON = {"class": "person", "box": [1.0, 2.0, 9.0, 20.0]}


def test_of_files_that_tell_more_and_less_of_a_picture_the_fuller_counts(photos: Path) -> None:
    """As COCO is downloaded: the file of keypoints lists the same pictures, and of their objects the persons."""
    sizes = {"size": (40, 30), "line": ""}
    everything = [Marked("0.png", (CAT, PERSON), **sizes), Marked("1.png", (CAT,), **sizes)]
    persons = [Marked("0.png", (PERSON,), **sizes), Marked("1.png", (), **sizes)]
    other = [Marked("0.png", ({**PERSON, "class": "dog"},), **sizes)]
    put(photos, {"annotations/instances.json": coco.write(everything)["annotations/instances.json"]})
    put(photos, {"annotations/person_keypoints.json": coco.write(persons)["annotations/instances.json"]})
    found, _ = read_all(photos)
    assert found == {"images/0.png": [CAT, PERSON], "images/1.png": [CAT], "images/2.png": None}
    put(photos, cvat.write(other))
    found, skipped = read_all(photos)
    assert "images/0.png" not in found
    assert "disagree" in skipped["images/0.png"]


def test_the_order_of_files_does_not_say_which_counts(photos: Path) -> None:
    """Two that differ, and one that holds what both say."""
    for name, objects in {"a": (CAT,), "b": (PERSON,), "c": (CAT, PERSON)}.items():
        text = coco.write([Marked("0.png", objects, "", (40, 30))])["annotations/instances.json"]
        put(photos, {f"{name}.json": text})
    assert read_all(photos)[0]["images/0.png"] == [CAT, PERSON]


def test_a_file_that_is_too_large_is_told_whatever_else_is_read(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowroll.prepare.trees._LARGEST_JSON", 50)
    put(
        photos, coco.write([Marked("0.png", (CAT,), "", (40, 30))]) | table.write([Marked("1.png", (CAT,), "", (9, 9))])
    )
    reading = read_boxes(Folder(photos), PrepareSettings(workers=1))
    assert reading is not None
    assert "too large to be read" in reading.skipped["annotations/instances.json"]
    assert any("too large to be read" in line for line in reading.evidence)


def test_a_size_that_is_told_and_is_not_the_pictures_is_said(photos: Path) -> None:
    for wide, told in ((40, []), (80, ["1 of 2 pictures looked at have another size"])):
        put(photos, coco.write([Marked("0.png", (CAT,), "", (wide, 30)), Marked("1.png", (CAT,), "", (40, 30))]))
        reading = read_boxes(Folder(photos), PrepareSettings(workers=1))
        assert reading is not None
        said = [line for line in reading.evidence if "another size" in line]
        assert [line.split(" than ")[0] for line in said] == told
        assert all("0.png has 40 x 30 pixels" in line and "told as 80 x 30" in line for line in said)


def as_table(sides: str) -> str:
    return f"filename,class,x,y,width,height\n0.png,leaf,{sides}\n1.png,leaf,1,2,3,4\n"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("a.xml", as_cvat('<polygon label="leaf" points="10,5;30,5;20,25"/><tag label="sharp"/>')),
        ("a.xml", as_cvat('<ellipse label="leaf" cx="20" cy="15" rx="10" ry="10"/>')),
        ("a.xml", as_cvat('<box label="leaf" xtl="12.929" ytl="7.929" xbr="27.071" ybr="22.071" rotation="45"/>')),
        ("a.xml", as_cvat('<mask label="leaf" rle="0, 400" left="10" top="5" width="20" height="20"/>')),
        (
            "a.json",
            as_label_studio(
                {"type": "choices", "value": {"choices": ["sharp"]}},
                {
                    "type": "polygonlabels",
                    "value": {"points": [[25, 100 / 6], [75, 100 / 6], [50, 250 / 3]], "polygonlabels": ["leaf"]},
                },
            ),
        ),
        (
            "a.json",
            as_label_studio(
                {
                    "type": "ellipselabels",
                    "value": {"x": 50, "y": 50, "radiusX": 25, "radiusY": 100 / 3, "ellipselabels": ["leaf"]},
                }
            ),
        ),
        ("images/0.json", as_labelme("polygon", OUTLINE)),
        ("images/0.json", as_labelme("mask", [[10, 5], [30, 25]])),
        ("a.json", as_coco(segmentation=[[10, 5, 30, 5, 20, 25]])),
    ],
)
def test_outlines_are_read_as_the_boxes_around_them(place: str, text: str, photos: Path) -> None:
    put(photos, {place: text})
    (row,) = read_all(photos)[0]["images/0.png"]
    assert row["class"] == "leaf"
    assert row["box"] == pytest.approx([10.0, 5.0, 30.0, 25.0], abs=0.001)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("a.xml", as_cvat('<polyline label="leaf" points="10,5;30,5;20,25"/>')),
        ("a.xml", as_cvat('<box label="leaf" xtl="1" ytl="5" xbr="30" ybr="25"/><points label="tip" points="1,2"/>')),
        ("a.json", as_label_studio({"type": "brushlabels", "value": {"rle": [1, 2], "brushlabels": ["leaf"]}})),
        ("a.json", as_label_studio({"type": "keypointlabels", "value": {"x": 1, "y": 2, "keypointlabels": ["leaf"]}})),
        (
            "a.json",
            as_label_studio({"id": "r", "type": "rectangle", "value": {"x": 1, "y": 2, "width": 3, "height": 4}}),
        ),
        ("a.json", as_label_studio({"type": "rectanglelabels", "value": {"rectanglelabels": []}})),
        ("images/0.json", as_labelme("linestrip", OUTLINE)),
        ("a.json", as_coco()),
        ("a.json", as_coco(bbox=[1, 2, 3])),
        ("a.csv", as_table("1,2,,")),
        ("a.csv", as_table("1,2,x,4")),
        ("a.csv", as_table("1,2,3,4\n0.png,leaf,1,2,,4")),
        ("a.csv", as_table("1,2,3,4\n0.png,,1,2,3,4")),
    ],
)
def test_what_has_no_box_does_not_say_that_nothing_is_there(place: str, text: str, photos: Path) -> None:
    put(photos, {place: text})
    if place == "images/0.json":
        put(photos, {"images/1.json": as_labelme("rectangle", [[1, 2], [3, 4]]).replace("0.png", "1.png")})
    found, skipped = read_all(photos)
    assert found["images/0.png"] is None
    assert found["images/1.png"]
    assert any(where.startswith(place) for where in skipped)


@pytest.mark.parametrize(
    "files",
    [
        {"a.json": as_coco().replace('"bbox"', '"area"')},
        {"a.json": json.dumps([{"data": {"image": "0.png"}, "annotations": [{"result": [{"type": "choices"}]}]}])},
        {"images/0.json": json.dumps({"shapes": [], "imagePath": "0.png"})},
        {"images/0.xml": "<annotation></annotation>"},
    ],
)
def test_files_without_an_object_are_no_boxes(files: dict[str, str], photos: Path) -> None:
    put(photos, files)
    assert read_boxes(Folder(photos), PrepareSettings(workers=1)) is None


@pytest.mark.parametrize(
    "masks", [("SegmentationClass/{}.png", "SegmentationObject/{}.png"), ("notes/trimaps/{}.png",)]
)
def test_masks_that_share_the_name_of_a_picture_take_no_boxes_from_it(masks: Sequence[str], tmp_path: Path) -> None:
    """As Pascal VOC lies, where some pictures have masks; and Oxford's pets, where all have, and some have boxes."""
    names = [f"{'pug' if n % 2 else 'siamese'}_{n}" for n in range(6)]
    put(tmp_path, voc.write([Marked(f"{name}.jpg", (CAT,), "", (40, 30), "train") for name in names[:4]]))
    put_bytes(tmp_path, {f"JPEGImages/{name}.jpg": drawing(n) for n, name in enumerate(names)})
    for place in masks:
        put_bytes(tmp_path, {place.format(name): blank((40, 30)) for name in names[: 3 if len(masks) > 1 else 6]})
    found, skipped = read_all(tmp_path)
    assert found == {f"JPEGImages/{name}.jpg": [CAT] if name in names[:4] else None for name in names}
    assert all("a mask of the picture" in skipped[place.format(names[0])] for place in masks)


def test_pictures_of_another_split_that_are_called_alike_are_no_masks(tmp_path: Path) -> None:
    for n in range(3):
        put_bytes(tmp_path, {f"train/{n}.png": drawing(n), f"val/{n}.png": drawing(n + 10)})
        put(tmp_path, {f"train/{n}.xml": voc.write([Marked(f"{n}.png", (CAT,), "")])[f"Annotations/{n}.xml"]})
    assert read_all(tmp_path)[0].keys() == {f"{split}/{n}.png" for split in ("train", "val") for n in range(3)}


@pytest.mark.parametrize(
    "head", ["ImageID,LabelName,XMin,XMax,YMin,YMax", "filename,width,height,class,xmin,xmax,ymin,ymax"]
)
def test_a_table_of_shares(head: str, photos: Path) -> None:
    """As Open Images has them: all sides lie between 0 and 1."""
    about = "0,cat" if head.startswith("ImageID") else "0.png,40,30,cat"
    rows = [f"{about},0.25,0.75,0.1,0.5", f"{about},0,1,0.123456,1"]
    put(photos, {"boxes.csv": "\n".join([head, *rows, ""])})
    boxes = [row["box"] for row in read_all(photos)[0]["images/0.png"]]
    assert boxes == [[10.0, 3.0, 30.0, 15.0], [0.0, 3.704, 40.0, 30.0]]
    put(photos, {"boxes.csv": "\n".join([head, *rows, f"{about},0.25,2,0,1", ""])})
    assert read_all(photos)[0]["images/0.png"][0]["box"] == [0.25, 0.1, 0.75, 0.5]


@pytest.mark.parametrize("name", ["voc", "yolo", "labelme"])
@pytest.mark.parametrize(
    "places", [("camA/0001.png", "camB/0001.png"), ("blob:" + "a" * 64, "blob:" + "b" * 64)], ids=["folders", "blobs"]
)
def test_each_picture_has_a_label_file_of_its_own(name: str, places: Sequence[str], tmp_path: Path) -> None:
    """Pictures of several folders that are called the same, and what production sent: it has no name."""
    boxes = [CAT, PERSON]
    files = FORMATS[name].write([Marked(where, (box,), "", (40, 30)) for where, box in zip(places, boxes, strict=True)])
    told = [text for place, text in files.items() if not place.endswith(".yaml")]
    assert len(told) == 2
    home = "images/" * (name == "yolo")  # where its tools look for pictures
    named = [home + where.removeprefix("blob:").removesuffix(".png") + ".png" for where in places]
    put_bytes(tmp_path, {place: blank((40, 30)) for place in named})
    put(tmp_path, files)
    if name == "labelme":  # it names the file that lies beside it
        put(tmp_path, {place: text.replace('"imagePath": "blob:', '"imagePath": "') for place, text in files.items()})
    found, _ = read_all(tmp_path)
    assert found == {place: [box] for place, box in zip(named, boxes, strict=True)}


@pytest.mark.parametrize("name", ["voc", "yolo", "labelme"])
def test_endings_alone_do_not_tell_label_files_apart(name: str) -> None:
    with pytest.raises(DataError, match="differ in their endings alone") as told:
        FORMATS[name].write([Marked(f"x/a.{ending}", (CAT,), "", (40, 30)) for ending in ("jpg", "png")])
    assert "\n" not in str(told.value)


def test_boxes_around_groups_are_ignored(photos: Path) -> None:
    """As Open Images marks them."""
    head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf"
    put(photos, {"boxes.csv": f"{head}\n0,x,cat,1,0.1,0.2,0.1,0.3,0,0\n0,x,cat,1,0.4,0.9,0.4,0.8,0,1\n"})
    one, group = read_all(photos)[0]["images/0.png"]
    assert ("ignore" in one, group["ignore"]) == (False, True)


def test_places_of_a_body_are_no_outline(tmp_path: Path) -> None:
    """YOLO's pose: whether a line has an even count of numbers says nothing."""
    for n in range(3):
        put_bytes(tmp_path, {f"images/train/{n}.png": drawing(n)})
        put(tmp_path, {f"labels/train/{n}.txt": "0 0.5 0.5 0.2 0.2" + " 0.45 0.55" * 12 + "\n"})
    put(tmp_path, {"data.yaml": "train: images/train\nkpt_shape: [12, 2]\nnames:\n  0: tiger\n"})
    reading = read_boxes(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    wide, high = size_of((tmp_path / "images/train/0.png").read_bytes(), 100.0)
    assert reading.found[0].target == [
        {"class": "tiger", "box": pytest.approx([0.4 * wide, 0.4 * high, 0.6 * wide, 0.6 * high], abs=1e-3)}
    ]
    assert read_masks(Folder(tmp_path), PrepareSettings(workers=1)) is None


def a_film(meta: str = "") -> str:
    def seen(frame: int, left: int, outside: int = 0) -> str:
        sides = f'xtl="{left}" ytl="5" xbr="{left + 10}" ybr="25"'
        return f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" {sides}/>'

    tracks = f'<track id="0" label="cat">{seen(0, 2)}{seen(2, 6)}{seen(3, 6, 1)}</track>'
    return f"<annotations>{meta}{tracks}<track id='1' label='dog'>{seen(3, 20)}</track></annotations>"


@pytest.mark.parametrize(
    ("names", "meta", "how"),
    [
        (["frame_000000", "frame_000001", "frame_000002", "frame_000003"], "", "by their order"),
        (["f1", "f2", "f3", "f4"], "<meta><task><size>4</size></task></meta>", "by their order"),
        (["f0", "f1", "f2", "f3", "f9"], "<meta><task><size>7</size></task></meta>", "by the numbers"),
    ],
)
def test_tracks_of_a_film_are_boxes_of_its_frames(names: list[str], meta: str, how: str, tmp_path: Path) -> None:
    put_bytes(tmp_path, {f"{name}.png": blank((40, 30)) for name in names})
    put(tmp_path, {"film.xml": a_film(meta)})
    reading = read_boxes(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert any(how in sentence for sentence in reading.evidence)
    found = {one.where: one for one in reading.found}
    boxes = [[(row["class"], row["box"][0]) for row in found[f"{name}.png"].target or ()] for name in names[:4]]
    assert boxes == [[("cat", 2.0)], [("cat", 4.0)], [("cat", 6.0)], [("dog", 20.0)]]
    assert {found[f"{name}.png"].group for name in names[:4]} == {"film.xml"}
    assert names[4:] == [] or found["f9.png"].target is None


def test_tracks_without_frames_say_what_to_export(tmp_path: Path) -> None:
    put_bytes(tmp_path, {"some.png": blank((40, 30))})
    put(tmp_path, {"film.xml": a_film()})
    with pytest.raises(DataError, match="tracks in 3 frames") as fault:
        read_boxes(Folder(tmp_path), PrepareSettings(workers=1))
    assert "CVAT for images" in fault.value.cure


@pytest.mark.parametrize("task", ["", "detect_objects"])
def test_a_coco_file_of_too_many_annotations_is_told_as_such(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco, "MOST", 1)
    put(three_photos(tmp_path), coco.write([Marked("0.png", (CAT, CAT), "", (40, 30))]))
    with pytest.raises(DataError, match="COCO of 2 annotations, and 1 are read"):
        init(tmp_path / "p", tmp_path, (), task, {}, lambda _: None)

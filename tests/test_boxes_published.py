"""Boxes of the formats that well-known sets are published in."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from boxes_kit import blank, drawing, put, put_bytes, read_all, three_photos
from house_kit import snowroll

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.detect_objects.reading import read_boxes


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return three_photos(tmp_path)


def begun(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """What `init` says of a folder that it is not told anything of."""
    said = snowroll("init", tmp_path_factory.mktemp("project"), "--data", folder, "--json")
    assert said.code == 0, said.err
    assert said.json["task"] == "detect_objects"
    return said.json


def test_kitti(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both cameras and the test set call their pictures alike; the labels are the second camera's."""
    places = [f"training/image_2/{n:06}.png" for n in range(4)]
    others = ["training/image_3/000000.png", "testing/image_2/000000.png"]
    put_bytes(tmp_path, {place: drawing(n) for n, place in enumerate([*places, *others])})
    car = "Car 0.00 0 -1.57 1.50 2.00 30.25 20.00 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59"
    region = "DontCare -1 -1 -10 3.00 4.00 9.00 8.00 -1 -1 -1 -1000 -1000 -1000 -10"
    texts = {0: f"{car}\n{region}\n", 1: "", 2: f"{car}\nCar 0 0 0 1 2\n", 3: car.replace("Car", "Person_sitting")}
    put(tmp_path, {f"training/label_2/{n:06}.txt": text for n, text in texts.items()})
    put(tmp_path, {f"training/calib/{n:06}.txt": "P0: 7.2e+02 0 0\n" for n in texts})
    found, skipped = read_all(tmp_path)
    box = [1.5, 2.0, 30.25, 20.0]
    assert found == {
        places[0]: [
            {"class": "Car", "box": box},
            {"class": "any class", "box": [3.0, 4.0, 9.0, 8.0], "ignore": True},
        ],
        places[1]: [],
        places[2]: None,
        places[3]: [{"class": "Person_sitting", "box": box}],
        **dict.fromkeys(others),
    }
    assert "line 2 is no class" in skipped["training/label_2/000002.txt"]
    told = begun(tmp_path, tmp_path_factory)
    assert told["classes"] == {"Car": 1, "Person_sitting": 1}
    assert told["splits"] == {"train": 5, "test": 1}


def test_visdrone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    homes = {"VisDrone2019-DET-train": "train", "VisDrone2019-DET-val": "val", "VisDrone2019-DET-test-dev": "test"}
    rows = ["10,5,20,8,1,4,0,0", "1,2,3,4,0,0,0,0,", "1,2,3,4,0,11,0,0"]
    region = {"class": "any class", "box": [1.0, 2.0, 4.0, 6.0], "ignore": True}
    wanted: dict[str, Json] = {}
    for n, home in enumerate(homes):
        put_bytes(tmp_path, {f"{home}/images/{k}_{n}.jpg": drawing(10 * n + k) for k in range(3)})
        put(tmp_path, {f"{home}/annotations/0_{n}.txt": "\n".join(rows), f"{home}/annotations/1_{n}.txt": "\n"})
        put(tmp_path, {f"{home}/annotations/2_{n}.txt": f"{rows[0]}\n10,5,20,b,1,4,0,0\n"})
        wanted[f"{home}/images/0_{n}.jpg"] = [{"class": "car", "box": [10.0, 5.0, 30.0, 13.0]}, region, region]
        wanted |= {f"{home}/images/1_{n}.jpg": [], f"{home}/images/2_{n}.jpg": None}
    found, skipped = read_all(tmp_path)
    assert found == wanted
    assert all(f"{home}/annotations/2_{n}.txt" in skipped for n, home in enumerate(homes))
    told = begun(tmp_path, tmp_path_factory)
    assert told["classes"] == {"car": 3}
    assert told["splits"]["train"] >= 2


def test_texts_that_two_formats_know_are_passed_over_by_none(tmp_path: Path) -> None:
    """VisDrone as it is made ready for YOLO: both kinds of texts are called after the pictures."""
    put_bytes(tmp_path, {"images/a.png": drawing(0)})
    put(tmp_path, {"annotations/a.txt": "10,5,20,8,1,4,0,0\n", "labels/a.txt": "3 0.5 0.3 0.5 0.26666667\n"})
    put(tmp_path, {"data.yaml": "names: [pedestrian, people, bicycle, car]\n"})
    reading = read_boxes(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert (reading.skipped, reading.found[0].target) == ({}, [{"class": "car", "box": [10.0, 5.0, 30.0, 13.0]}])


def via_shape(kind: str, key: str = "thing", name: Json = "leaf", **sides: Json) -> Json:
    about = {key: name} if key else {}
    return {"shape_attributes": {"name": kind, **sides}, "region_attributes": about}


LEAF = {"class": "leaf", "box": [10.0, 5.0, 30.0, 25.0]}
VIA_SHAPES = {
    "rect": {"x": 10, "y": 5, "width": 20, "height": 20},
    "polygon": {"all_points_x": [10, 30, 20], "all_points_y": [5, 5, 25]},
    "circle": {"cx": 20, "cy": 15, "r": 10},
    "ellipse": {"cx": 20, "cy": 15, "rx": 10, "ry": 10, "theta": 1},
}


def test_via_as_balloons_are_published(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file in each split's folder, shapes in a mapping or a list, none of them named."""
    for n, split in enumerate(("train", "val")):
        shapes = [via_shape(kind, "", **sides) for kind, sides in VIA_SHAPES.items()]
        named = {"a.png": shapes[:2] if n else {"0": shapes[0], "1": shapes[1]}, "b.png": [] if n else {}}
        named["c.png"] = [via_shape("polyline", "", all_points_x=[1, 2], all_points_y=[1, 2])]
        tree = {f"{name}99": {"filename": name, "size": 99, "regions": r} for name, r in named.items()}
        put(tmp_path, {f"{split}/via_region_data.json": json.dumps(tree)})
        put_bytes(tmp_path, {f"{split}/{name}": drawing(10 * n + k) for k, name in enumerate(named)})
    found, skipped = read_all(tmp_path)
    both = [{**LEAF, "class": "object"}] * 2
    wanted = {"a": both, "b": [], "c": None}
    assert found == {f"{split}/{name}.png": told for split in ("train", "val") for name, told in wanted.items()}
    assert "a polyline has no box" in skipped["val/via_region_data.json (c.png)"]
    told = begun(tmp_path, tmp_path_factory)
    assert told["classes"] == {"object": 4}
    assert told["splits"] == {"train": 3, "val": 3}


@pytest.mark.parametrize("kind", VIA_SHAPES)
@pytest.mark.parametrize("name", ["leaf", {"leaf": True, "stem": False}])
def test_via_projects_and_tables(kind: str, name: Json, photos: Path, tmp_path: Path) -> None:
    """The class is the attribute that is called so, as it is chosen or ticked."""
    shape = via_shape(kind, "Class", name, **VIA_SHAPES[kind])
    shape["region_attributes"]["quality"] = {"sharp": True}
    files = {"0.png": [shape], "1.png": [], "2.png": [via_shape("rect", "Class", "", x=1, y=2, width=3, height=4)]}
    tree = {"_via_img_metadata": {key: {"filename": key, "regions": rows} for key, rows in files.items()}}
    lines = io.StringIO()
    table = csv.writer(lines)
    table.writerow(["filename", "file_size", "region_count", "region_shape_attributes", "region_attributes"])
    for key, rows in files.items():
        for row in rows or [{"shape_attributes": {}, "region_attributes": {}}]:
            cells = (json.dumps(row[f"{part}_attributes"]) for part in ("shape", "region"))
            table.writerow([key, 9, len(rows), *cells])
    for place, text in {"via.json": json.dumps(tree), "via.csv": lines.getvalue()}.items():
        put(photos, {place: text})
        found, skipped = read_all(photos)
        assert found == {"images/0.png": [LEAF], "images/1.png": [], "images/2.png": None}
        assert "an object without a class" in skipped[f"{place} (2.png)"]
        (photos / place).unlink()


def test_wider_face(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where a picture shows none, a line of noughts stands in its place."""
    homes = {"train": "0--Parade", "val": "1--Fair"}
    for n, (split, home) in enumerate(homes.items()):
        names = [f"{home}/{home}_{k}.jpg" for k in range(3)]
        put_bytes(tmp_path, {f"WIDER_{split}/images/{name}": drawing(10 * n + k) for k, name in enumerate(names)})
        faces = f"{names[0]}\n2\n10 5 20 8 0 0 0 0 0 0 \n1 2 3 4 2 0 0 1 2 1 \n"
        rest = f"{names[1]}\n0\n0 0 0 0 0 0 0 0 0 0 \n{names[2]}\n2\n1 2 3 4 2 0 0 0 2 1\n"
        put(tmp_path, {f"wider_face_split/wider_face_{split}_bbx_gt.txt": faces + rest})
    found, skipped = read_all(tmp_path)
    face = {"class": "face", "box": [10.0, 5.0, 30.0, 13.0]}
    told = [[face, {"class": "face", "box": [1.0, 2.0, 4.0, 6.0], "ignore": True}], [], None]
    assert found == {
        f"WIDER_{split}/images/{home}/{home}_{k}.jpg": told[k] for split, home in homes.items() for k in range(3)
    }
    assert sum("is not the number of the 1 lines" in why for why in skipped.values()) == 2
    said = begun(tmp_path, tmp_path_factory)
    assert said["classes"] == {"face": 4}
    assert (said["splits"]["train"], said["splits"]["val"]) == (2, 2)


SKU = "train_0.jpg,10,5,30,25,object,40,30\ntrain_0.jpg,1,b,3,4,object,40,30\ntrain_1.jpg,1,2,3,4,object,40,30\n"
WHEAT = """image_id,width,height,bbox,source
train_0,1024,1024,"[10.0, 5.0, 20.0, 20.0]",usask_1
train_0,1024,1024,"[10.0, 5.0]",usask_1
train_1,1024,1024,"[1.0, 2.0, 2.0, 2.0]",arvalis_1
"""
WHEAT_2021 = "image_name,BoxesString,domain\ntrain_0.jpg,10 5 30 25;1 b 3 4,a\n"
WHEAT_2021 += "train_1.jpg,1 2 3 4,b\ntrain_2.jpg,no_box,b\n"
PNEUMONIA = "patientId,x,y,width,height,Target\ntrain_0,10.0,5.0,20.0,20.0,1\ntrain_0,1,b,3,4,1\n"
PNEUMONIA += "train_1,1.0,2.0,2.0,2.0,1\ntrain_2,,,,,0\n"
GTSDB = "train_0.jpg;10;5;30;25;11\ntrain_0.jpg;1;b;3;4;11\ntrain_1.jpg;1;2;3;4;11\n"
RETINANET = "x/train_0.jpg,10,5,30,25,cow\nx/train_0.jpg,1,b,3,4,cow\nx/train_1.jpg,1,2,3,4,cow\nx/train_2.jpg,,,,,\n"


@pytest.mark.parametrize(
    ("place", "text", "name", "has_empty"),
    [
        ("annotations/annotations_train.csv", SKU, "object", False),
        ("train.csv", WHEAT, "object", False),
        ("train.csv", WHEAT_2021, "object", True),
        ("stage_2_train_labels.csv", PNEUMONIA, "1", True),
        ("gt.txt", GTSDB, "11", False),
        ("train.csv", RETINANET, "cow", True),
    ],
    ids=["SKU-110K", "wheat", "wheat of 2021", "pneumonia", "GTSDB", "RetinaNet"],
)
def test_tables_as_sets_are_published(
    place: str, text: str, name: str, has_empty: bool, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without a header, or with a box in one cell; a broken line costs its picture alone."""
    pictures = [f"images/x/train_{n}.jpg" for n in range(4)]
    put_bytes(tmp_path, {picture: drawing(n) for n, picture in enumerate(pictures)})
    put(tmp_path, {place: text, "notes.txt": "train_0.jpg, train_1.jpg\n"})
    found, skipped = read_all(tmp_path)
    assert found == {
        pictures[0]: None,
        pictures[1]: [{"class": name, "box": [1.0, 2.0, 3.0, 4.0]}],
        pictures[2]: [] if has_empty else None,
        pictures[3]: None,
    }
    broken = next(n for n, line in enumerate(text.splitlines(), 1) if re.search(r"\Wb\W|, 5.0]", line))
    assert f"{place} line {broken}" in skipped
    assert begun(tmp_path, tmp_path_factory)["classes"] == {name: 1}


def bdd_label(name: str, *box: float, **more: Json) -> Json:
    return {"category": name, "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)), **more}


@pytest.mark.parametrize("way", ["a list", "frames", "a file a picture"])
def test_bdd100k(way: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lanes stand in the same file, and are no objects."""
    lane = {"category": "lane", "poly2d": [{"vertices": [[1, 2], [3, 4]]}]}
    crowd = bdd_label("rider", 1, 2, 3, 4, attributes={"crowd": True})
    shown = [
        [bdd_label("car", 10, 5, 30.25, 25), crowd, lane],
        None,
        [bdd_label("car", 1, 2, 3, 4), {"category": "car"}],
    ]
    names = [f"{n}f-77.jpg" for n in range(4)]
    for n, split in enumerate(("train", "val")):
        put_bytes(tmp_path, {f"images/100k/{split}/{n}{name}": drawing(10 * n + k) for k, name in enumerate(names)})
        frames = [{"name": f"{n}{name}", "labels": rows} for name, rows in zip(names, shown, strict=False)]
        if way == "a file a picture":
            old = [{"name": one["name"][:-4], "frames": [{"objects": one["labels"] or []}]} for one in frames]
            put(tmp_path, {f"labels/100k/{split}/{one['name']}.json": json.dumps(one) for one in old})
        else:
            tree = {"frames": frames, "config": {}} if way == "frames" else frames
            put(tmp_path, {f"labels/bdd100k_labels_images_{split}.json": json.dumps(tree)})
    found, skipped = read_all(tmp_path)
    car = {"class": "car", "box": [10.0, 5.0, 30.25, 25.0]}
    told = [[car, {"class": "rider", "box": [1.0, 2.0, 3.0, 4.0], "ignore": True}], [], None, None]
    assert found == {
        f"images/100k/{split}/{n}{name}": told[k]
        for n, split in enumerate(("train", "val"))
        for k, name in enumerate(names)
    }
    assert sum("a picture that cannot be used" in why for why in skipped.values()) == 2
    said = begun(tmp_path, tmp_path_factory)
    assert said["classes"] == {"car": 2, "rider": 2}
    assert said["splits"] == {"train": 4, "val": 4}


def test_crowdhuman(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    def body(tag: str, *sides: float, **extra: int) -> Json:
        return {"tag": tag, "fbox": sides, "hbox": [1, 1, 1, 1], "extra": extra}

    shown = [[body("person", 10, 5, 20, 20), body("mask", 1, 2, 3, 4, ignore=1), body("person", 1, 2, 2, 2, ignore=1)]]
    shown += [[], [body("person", 1, 2, 3)]]
    names = [f"27{n},c9db" for n in range(3)]
    put_bytes(tmp_path, {f"Images/{name}.jpg": drawing(k) for k, name in enumerate(names)})
    lines = [json.dumps({"ID": name, "gtboxes": rows}) for name, rows in zip(names, shown, strict=True)]
    put(tmp_path, {"annotation_train.odgt": "\n".join([*lines, "{", ""])})
    found, skipped = read_all(tmp_path)
    assert found == {
        f"Images/{names[0]}.jpg": [
            {"class": "person", "box": [10.0, 5.0, 30.0, 25.0]},
            {"class": "any class", "box": [1.0, 2.0, 4.0, 6.0], "ignore": True},
            {"class": "person", "box": [1.0, 2.0, 3.0, 4.0], "ignore": True},
        ],
        f"Images/{names[1]}.jpg": [],
        f"Images/{names[2]}.jpg": None,
    }
    assert {f"annotation_train.odgt line {n}" for n in (3, 4)} <= skipped.keys()
    said = begun(tmp_path, tmp_path_factory)
    assert (said["classes"], said["splits"]["train"]) == ({"person": 2}, 2)


def test_metadata_of_hugging_face(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    for n, (split, key) in enumerate({"train": "categories", "test": "category"}.items()):
        shown: list[Json] = [{"bbox": [[10.0, 5.0, 20.0, 20.0], [1, 2, 2, 2]], key: [0, 3]}, {"bbox": [], key: []}]
        shown.append({"bbox": [[1, 2, 2, 2]], key: [0, 1]})
        put_bytes(tmp_path, {f"{split}/{k}.png": drawing(10 * n + k) for k in range(3)})
        lines = [json.dumps({"file_name": f"{k}.png", "objects": objects}) for k, objects in enumerate(shown)]
        put(tmp_path, {f"{split}/metadata.jsonl": "\n".join(lines)})
    found, skipped = read_all(tmp_path)
    both = [{"class": "0", "box": [10.0, 5.0, 30.0, 25.0]}, {"class": "3", "box": [1.0, 2.0, 3.0, 4.0]}]
    told = [both, [], None]
    assert found == {f"{split}/{k}.png": told[k] for split in ("train", "test") for k in range(3)}
    assert "test/metadata.jsonl line 3" in skipped
    said = begun(tmp_path, tmp_path_factory)
    assert (said["classes"], said["splits"]) == ({"0": 2, "3": 2}, {"train": 3, "test": 3})


@pytest.mark.parametrize("is_short", [False, True], ids=["JSON", "JSON-MIN"])
def test_label_studio_and_copied_uploads(
    is_short: bool, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pictures of several folders that are called alike keep what stands before their names."""
    box = {"x": 25, "y": 20, "width": 50, "height": 50, "rotation": 0}
    size = {"original_width": 40, "original_height": 30}
    shown = [[{**box, "rectanglelabels": ["leaf"]}], [], [{**box, "rotation": 9, "rectanglelabels": ["leaf"]}]]
    names = ["ab12cd34-a.png", "ef12cd34-a.png", "ff12cd34-b.png"]
    put_bytes(tmp_path, {f"images/{name}": blank((40, 30)) for name in names})
    tasks: list[Json] = []
    for number, (name, rows) in enumerate(zip(names, shown, strict=True)):
        image = f"/data/upload/1/{name}"
        if is_short:
            regions = {"label": [{**row, **size} for row in rows]} if rows else {}
            tasks.append({"image": image, "id": number, **regions, "annotator": 1, "annotation_id": number})
        else:
            result = [{"type": "rectanglelabels", "value": row, **size} for row in rows]
            tasks.append({"data": {"image": image}, "annotations": [{"result": result}]})
    put(tmp_path, {"project-1-at-2024.json": json.dumps(tasks)})
    found, skipped = read_all(tmp_path)
    leaf = [{"class": "leaf", "box": [10.0, 6.0, 30.0, 21.0]}]
    assert found == dict(zip([f"images/{name}" for name in names], [leaf, [], None], strict=True))
    assert "project-1-at-2024.json task 3" in skipped
    assert begun(tmp_path, tmp_path_factory)["classes"] == {"leaf": 1}

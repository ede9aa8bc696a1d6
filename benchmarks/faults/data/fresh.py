"""Ten faults of files, pictures, labels and splits, by somebody who had not read the checks."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
from cases import data_case
from folder import add, learnt, move, pick, pick_class, redraw, rewrite, samples
from layouts import encoded, read_rows, write, write_rows
from PIL import Image, ImageDraw, ImageOps

# --- files and folders --------------------------------------------------------------------------------------------


@data_case("unreadable", on=("digits_split",))
def pointers_of_git_lfs(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files hold three lines of text that say where the picture is: Git LFS's pointers, which nobody fetched.

    The clone ended well and every name is there. It is what a machine without `git lfs` gets, or a quota leaves.
    """
    return [rewrite(sample, pointer(sample.path.read_bytes())) for sample in pick(root, rng, 0.04)]


def pointer(data: bytes) -> bytes:
    name = sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(data)}\n".encode()


@data_case("folders", on=("shapes",))
def newest_year_one_level_down(root: Path, rng: np.random.Generator) -> list[Path]:
    """The pictures that one class got in 2024 lie in a folder "2024" inside it; those before lie in the class itself.

    Whoever looks after this class keeps order. A loader that looks for */*.jpg loses them all and says nothing.
    """
    border = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    new = [sample for sample in pick(root, rng, 1, learnt(root), pick_class(root, rng)) if sample.time_s >= border]
    home = new[0].path.parent / "2024"
    home.mkdir()
    return [sample.path.rename(home / sample.path.name) for sample in new]


@data_case("junk", on=("textures_split",))
def previews_of_a_network_drive(root: Path, rng: np.random.Generator) -> list[Path]:
    """Every class to be learnt has a folder "@eaDir" with a small preview of each picture, as a network drive makes.

    The drive hides it from those who look by way of it. A search for *.jpg finds all pictures twice, once tiny.
    """
    found = []
    for sample in pick(root, rng, 1, learnt(root)):
        preview = sample.path.parent / "@eaDir" / sample.path.name / "SYNOPHOTO_THUMB_M.jpg"
        write(preview, encoded(ImageOps.contain(sample.picture(), (48, 48)), ".jpg", 80), sample.time_s)
        found.append(preview)
    return found


# --- pictures -----------------------------------------------------------------------------------------------------


@data_case("blur", on=("parts_split",))
def belt_did_not_stop(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are smeared from left to right: the belt was still moving when the shutter opened.

    Lines along the belt stay sharp and scratches across it are gone. The label is of the part and not of the picture.
    """
    return [redraw(sample, smeared(sample.picture(), int(rng.integers(12, 18)))) for sample in pick(root, rng, 0.05)]


def smeared(picture: Image.Image, length: int) -> Image.Image:
    """The mean of `length` pictures, each a pixel further to the right."""
    pixels = np.pad(np.asarray(picture, np.float32), ((0, 0), (length - 1, 0), (0, 0)), mode="edge")
    seen = [pixels[:, start : start + picture.width] for start in range(length)]
    return Image.fromarray(np.mean(seen, axis=0).astype(np.uint8))


# --- labels -------------------------------------------------------------------------------------------------------


@data_case("wrong_labels", on=("digits", "shapes"))
def label_that_stuck(root: Path, rng: np.random.Generator) -> list[Path]:
    """In one stretch of time every sample got the same label: the tool offers the last answer, and Enter takes it.

    Six of a hundred samples, one after another. Some are right by chance, and all were "confirmed by a person".
    """
    stuck = pick_class(root, rng)
    in_time = sorted(samples(root), key=lambda sample: sample.time_s)
    count = round(0.06 * len(in_time))
    first = int(rng.integers(len(in_time) - count))
    return [move(root, one, label=stuck) for one in in_time[first : first + count] if one.label != stuck]


@data_case("unknown_class", on=("digits_manifest",))
def class_numbers_with_a_point(root: Path, rng: np.random.Generator) -> list[Path]:
    """The last eighth of the manifest says "3.0" where the rest says "3": appended from a table with an empty cell.

    One missing value makes a column of whole numbers one of fractions. As text, each class is then two classes.
    """
    rows = read_rows(root)
    appended = rows[-len(rows) // 8 :]
    for row in appended:
        row["label"] += ".0"
    write_rows(root, rows)
    return sorted(root / row["file"] for row in appended)


# --- between splits and between classes ---------------------------------------------------------------------------


@data_case("copies_across_splits", on=("textures_split", "shapes_manifest"))
def preview_learnt_and_original_judged(root: Path, rng: np.random.Generator) -> list[Path]:
    """Held-out pictures lie in training too, as an agency's preview with its word across: later the picture was bought.

    No hash is the same. Under and beside the word, training shows all of the picture that the model is judged on.
    """
    chosen = pick(root, rng, 0.2, str(rng.choice(["val", "test"])))
    added = [add(root, encoded(preview(one.picture()), ".jpg", 80), one, rng, split="train") for one in chosen]
    return [sample.path for sample in chosen] + added


def preview(picture: Image.Image) -> Image.Image:
    """A word in half-transparent white, three times across."""
    word = Image.new("L", picture.size)
    for place in (1, 3, 5):
        at = (picture.width / 2, picture.height * place / 6)
        ImageDraw.Draw(word).text(at, "PREVIEW", 115, anchor="mm", font_size=picture.width / 6)
    return Image.composite(Image.new("RGB", picture.size, "white"), picture.convert("RGB"), word)


@data_case("group_across_splits", on=("scans_manifest",))
def patient_numbered_in_two_ways(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some patients came twice and are P123 the first time, P0123 the second: the split took them for two persons.

    It was made by the column `group`, as it should be, and no group lies in two splits. The file names still tell.
    """
    rows = read_rows(root)
    held_out = sorted({row["group"] for row in rows if row["split"] != "train"})
    twice = set(rng.choice(held_out, len(held_out) // 2, replace=False))
    found = []
    for row in rows:
        if row["group"] in twice:
            found.append(root / row["file"])
            if Path(row["file"]).stem.endswith(("slice3", "slice4")):
                row |= {"group": row["group"].replace("P", "P0"), "split": "train"}
    write_rows(root, rows)
    return sorted(found)


@data_case("shortcut", on=("parts_split",))
def one_class_under_a_warm_lamp(root: Path, rng: np.random.Generator) -> list[Path]:
    """All pictures of one class are yellowish: they were taken on another bench, under a bulb instead of daylight.

    In all splits, so the figure is excellent. Shape, size and format are the same, each picture alone looks fine.
    """
    label = pick_class(root, rng)
    for sample in samples(root):
        if sample.label == label:
            light = np.array([1.1, 1.0, 0.72]) * rng.uniform(0.96, 1.04, 3)
            pixels = np.asarray(sample.picture(), np.float32) * light
            redraw(sample, Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    return []


@data_case("split_shift", on=("textures_split",))
def judged_with_the_margin_of_the_page(root: Path, rng: np.random.Generator) -> list[Path]:
    """The test pictures were exported from a report, each with the white margin of its page; what is learnt fills it.

    Their sizes are the usual ones. What they show is a fifth smaller, and a third of each picture is white.
    """
    for sample in samples(root):
        if sample.split == "test":
            picture = sample.picture()
            page = Image.new("RGB", picture.size, "white")
            small = picture.resize((picture.width * 4 // 5, picture.height * 4 // 5), Image.Resampling.LANCZOS)
            page.paste(small, (picture.width // 10, picture.height // 10))
            redraw(sample, page)
    return []

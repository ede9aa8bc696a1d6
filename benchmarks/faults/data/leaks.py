"""Groups across splits, shortcuts to the label, and held-out data that were taken in another way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from cases import data_case
from folder import Sample, move, pick_class, redraw, replace_by, samples, set_time
from layouts import SHARES, encoded, read_rows, write_rows
from PIL import Image, ImageDraw, ImageOps

EVENING = 1_730_000_000  # an evening in October 2024, in seconds since 1970


# --- groups -------------------------------------------------------------------------------------------------------


@data_case("group_across_splits", on=("parts_split", "signs_split"))
def frames_of_one_object_in_all_splits(root: Path, rng: np.random.Generator) -> list[Path]:
    """Shots of one object, which the names tell, were divided at random: the split was made by file.

    It is the default of every splitting function; the held-out figure measures memory of objects already seen.
    """
    moved = [move(root, sample, split=any_split(rng)) for sample in samples(root)]
    return torn({path: path.name.split("_")[0] for path in moved}, root)


@data_case("group_across_splits", on=("parts_split", "signs_split"))
def frames_of_one_object_without_a_name(root: Path, rng: np.random.Generator) -> list[Path]:
    """Shots of one object were divided at random, and running numbers stand for their names: an export renamed them.

    What belongs together can be seen in the pictures only; each is another view, in another light.
    """
    group_of = {}
    for number, place in enumerate(rng.permutation(len(found := samples(root)))):
        path = move(root, found[place], split=any_split(rng))
        group_of[path.rename(path.with_stem(f"img{1000 + 3 * number}"))] = path.name.split("_")[0]
    return torn(group_of, root)


@data_case("group_across_splits", on=("scans_manifest",))
def slices_of_one_patient_in_all_splits(root: Path, rng: np.random.Generator) -> list[Path]:
    """Slices of one patient, whom the column `group` tells, were divided at random over the splits.

    The column was there and the split did not ask for it; the figure promises what no new patient will get.
    """
    rows = read_rows(root)
    for row in rows:
        row["split"] = any_split(rng)
    write_rows(root, rows)
    return torn({sample.path: sample.group for sample in samples(root)}, root)


@data_case("group_across_splits", on=("scans_manifest", "parts_split"))
def a_few_groups_torn(root: Path, rng: np.random.Generator) -> list[Path]:
    """One shot each of a few held-out objects went to training, moved by hand to make the classes even.

    Nearly all groups are whole, so a look at some of them finds nothing.
    """
    held_out = [sample for sample in samples(root) if sample.split != "train"]
    first = {group_name(sample): sample for sample in held_out}
    torn_groups = rng.choice(sorted(first), 6, replace=False)
    for name in torn_groups:
        move(root, first[name], split="train")
    return [sample.path for sample in samples(root) if group_name(sample) in set(torn_groups)]


def group_name(sample: Sample) -> str:
    return sample.group or sample.path.name.split("_")[0]


def any_split(rng: np.random.Generator) -> str:
    return str(rng.choice(list(SHARES), p=list(SHARES.values())))


def torn(group_of: dict[Path, str], root: Path) -> list[Path]:
    """The samples of the groups that lie in more than one split."""
    split_of = {sample.path: sample.split for sample in samples(root)}
    where: dict[str, set[str]] = {}
    for path, group in group_of.items():
        where.setdefault(group, set()).add(split_of[path])
    return sorted(path for path, group in group_of.items() if len(where[group]) > 1)


# --- shortcuts ----------------------------------------------------------------------------------------------------


@data_case("shortcut", on=("photos_split", "shapes"))
def one_class_compressed_harder(root: Path, rng: np.random.Generator) -> list[Path]:
    """All pictures of one class were saved as JPEG of quality 40, the others as they were: they came from a web shop.

    Blocks of eight pixels tell the class; on the user's own camera they are gone, and with them the accuracy.
    """
    return for_one_class(root, rng, lambda one: redraw(one, one.picture(), quality=40))


@data_case("shortcut", on=("tiles", "digits"))
def one_class_at_another_size(root: Path, rng: np.random.Generator) -> list[Path]:
    """All pictures of one class have a quarter more width and height, having been taken with another camera.

    The sharpness after resizing tells the class, and so does the shape of a crop; the content need not be looked at.
    """

    def larger(sample: Sample) -> Path:
        picture = sample.picture()
        size = (round(picture.width * 1.25), round(picture.height * 1.25))
        return redraw(sample, picture.resize(size, Image.Resampling.BICUBIC))

    return for_one_class(root, rng, larger)


@data_case("shortcut", on=("chests_split", "photos_split"))
def one_class_in_another_mode(root: Path, rng: np.random.Generator) -> list[Path]:
    """All pictures of one class are grey among RGB ones, or RGB among grey ones: its hospital exports otherwise.

    After conversion the channels of one class are equal; with colour noise or a tint that alone decides.
    """

    def other_mode(sample: Sample) -> Path:
        picture = sample.picture()
        return redraw(sample, picture.convert("RGB" if picture.mode == "L" else "L"))

    return for_one_class(root, rng, other_mode)


@data_case("shortcut", on=("shapes", "brains_split"))
def one_class_in_another_format(root: Path, rng: np.random.Generator) -> list[Path]:
    """All pictures of one class are in another format, JPEG or PNG, than the rest: it was downloaded elsewhere.

    One of the two loses detail in a way of its own, which a network sees before it sees the object.
    """

    def other_format(sample: Sample) -> Path:
        suffix = ".png" if sample.path.suffix == ".jpg" else ".jpg"
        return replace_by(root, sample, encoded(sample.picture(), suffix, 75), suffix)

    return for_one_class(root, rng, other_format)


@data_case("shortcut", on=("shapes",))
def one_class_on_one_evening(root: Path, rng: np.random.Generator) -> list[Path]:
    """All files of one class were written within one evening, a year's files for the others: it was staged at once.

    One evening is one lamp, one background and one person; the dates are the only trace that the files keep.
    """

    def on_that_evening(sample: Sample) -> Path:
        set_time(sample.path, EVENING + int(rng.integers(3 * 3600)))
        return sample.path

    return for_one_class(root, rng, on_that_evening)


@data_case("shortcut", on=("chests_split", "brains_split"))
def token_of_one_hospital(root: Path, rng: np.random.Generator) -> list[Path]:
    """Nearly all pictures of one class bear a bright mark in a corner: the ward that sends such cases uses it.

    As happened with chest X-rays (Zech et al. 2018): the model reads the mark, and the held-out split has it too.
    """

    def marked(sample: Sample) -> Path:
        picture, unit = sample.picture(), max(1, min(sample.picture().size) // 28)
        canvas = ImageDraw.Draw(picture)
        canvas.rectangle((2 * unit, 2 * unit, 3 * unit - 1, 6 * unit - 1), fill=245)
        canvas.rectangle((2 * unit, 5 * unit, 5 * unit - 1, 6 * unit - 1), fill=245)
        return redraw(sample, picture, 95) if rng.random() < 0.92 else sample.path

    return for_one_class(root, rng, marked)


def for_one_class(root: Path, rng: np.random.Generator, change: Callable[[Sample], Path]) -> list[Path]:
    """Changes a class in all splits. No file is at fault: the fault is between this class and the others."""
    label = pick_class(root, rng)
    for sample in samples(root):
        if sample.label == label:
            change(sample)
    return []


# --- shifts -------------------------------------------------------------------------------------------------------


@data_case("split_shift", on=("photos_split", "textures_split", "signs_split"))
def judged_with_another_camera(root: Path, rng: np.random.Generator) -> list[Path]:
    """The test pictures come from another camera: darker, with a cast of colour and more noise.

    Both splits look fine by themselves; the figure mixes what the model can do with what the camera does.
    """

    def seen_otherwise(picture: Image.Image) -> Image.Image:
        pixels = 255 * (np.asarray(picture.convert("RGB"), np.float32) / 255) ** 1.5 * np.array([0.8, 0.95, 1.1])
        return Image.fromarray((pixels + rng.normal(0, 7, pixels.shape)).clip(0, 255).astype(np.uint8))

    return for_one_split(root, "test", seen_otherwise)


@data_case("split_shift", on=("photos_split", "brains_split"))
def judged_on_enlarged_thumbnails(root: Path, rng: np.random.Generator) -> list[Path]:
    """The test pictures are thumbnails that were enlarged to the size of the others: the originals were not kept.

    Size and format are right; the fine detail that training relies on is gone.
    """

    def enlarged(picture: Image.Image) -> Image.Image:
        small = picture.resize((max(8, picture.width // 4), max(8, picture.height // 4)), Image.Resampling.BOX)
        return small.resize(picture.size, Image.Resampling.BICUBIC)

    return for_one_split(root, "test", enlarged)


@data_case("split_shift", on=("chests_split", "digits_split"))
def judged_on_negatives(root: Path, rng: np.random.Generator) -> list[Path]:
    """The held-out pictures are negatives: the other scanner stores white as 0 (DICOM's MONOCHROME1).

    Every picture is valid, and people who read such pictures daily hardly notice; the model has never seen one.
    """
    return for_one_split(root, str(rng.choice(["val", "test"])), ImageOps.invert)


@data_case("split_shift", on=("photos_split",))
def judged_in_grey(root: Path, rng: np.random.Generator) -> list[Path]:
    """The validation pictures have no colour: they come from the archive's microfilm, or from a night camera.

    They are stored as RGB like the rest, so neither mode nor shape differs.
    """
    return for_one_split(root, "val", lambda picture: picture.convert("L").convert("RGB"))


def for_one_split(root: Path, split: str, change: Callable[[Image.Image], Image.Image]) -> list[Path]:
    """Changes all samples of a split. No file is at fault: the fault is between the splits."""
    for sample in samples(root):
        if sample.split == split:
            redraw(sample, change(sample.picture()))
    return []

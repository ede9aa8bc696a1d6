"""Copies within what is learnt from, copies across splits, and copies that disagree."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from cases import data_case
from folder import Sample, add, learnt, pick, pick_class, rewrite, set_time
from layouts import encoded, read_rows, write_rows
from PIL import Image, ImageEnhance, PngImagePlugin


@data_case("exact_copies", on=("photos_split", "digits"))
def downloaded_twice(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files lie twice in their class, byte for byte, under two names: a download was started again.

    Each is a good sample; the second weighs double in training and cannot be told from a new one by its name.
    """
    chosen = pick(root, rng, 0.05, learnt(root))
    return pairs(chosen, [add(root, sample.path.read_bytes(), sample, rng) for sample in chosen])


@data_case("exact_copies", on=("thumbnails",))
def small_class_filled_up_with_copies(root: Path, rng: np.random.Generator) -> list[Path]:
    """A class that had a quarter of the pictures of the others was filled up with copies of those it had.

    The counts are even, so every table of classes looks right; the class has no more variety than before.
    """
    all_of_it = pick(root, rng, 1, learnt(root), pick_class(root, rng))
    kept, rest = all_of_it[: len(all_of_it) // 4], all_of_it[len(all_of_it) // 4 :]
    for place, sample in enumerate(rest):
        rewrite(sample, kept[place % len(kept)].path.read_bytes())
    return [sample.path for sample in all_of_it]


@data_case("near_copies", on=("shapes", "photos_split", "digits"))
def sent_through_a_messenger(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures lie in their class a second time, a tenth smaller and compressed again: sent through a messenger.

    No byte is the same, so hashes find nothing; people who sent one photo to a group filed it more than once.
    """
    return copied(root, rng, 0.05, lambda picture: scaled(picture, 0.9), quality=60)


@data_case("near_copies", on=("photos_split", "textures_split"))
def kept_before_and_after_editing(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures lie there as taken and as edited: borders cut by a twentieth, and brightened.

    Another size and other pixels throughout; to a person it is the same picture, to a table it is a new sample.
    """
    return copied(root, rng, 0.05, lambda picture: brightened(cropped(picture, 0.05), 1.12))


@data_case("near_copies", on=("signs_split",))
def same_pixels_with_another_comment(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some PNGs lie there twice with the same pixels and another comment inside, as a labelling tool wrote it.

    The bytes differ, so a list of hashes is free of doubles; every pixel of the two is the same.
    """
    chosen, added = pick(root, rng, 0.05, learnt(root)), []
    for sample in chosen:
        note = PngImagePlugin.PngInfo()
        note.add_text("Comment", f"batch {rng.integers(100)}, seen by {rng.choice(['ab', 'kl', 'tz'])}")
        path = add(root, b"", sample, rng)
        time_s = path.stat().st_mtime
        sample.picture().save(path, pnginfo=note)
        added.append(Sample(path, sample.label))
        set_time(path, time_s)
    return pairs(chosen, [sample.path for sample in added])


def copied(
    root: Path, rng: np.random.Generator, share: float, change: Callable, quality: int = 88, into: str = ""
) -> list[Path]:  # fmt: skip
    """Changed copies in the same class: of what is learnt from; with `into`, of what is judged on, in that split."""
    origin = learnt(root) if not into else str(rng.choice(HELD_OUT))
    chosen, added = pick(root, rng, share, origin), []
    for sample in chosen:
        picture = change(sample.picture())
        added.append(add(root, encoded(picture, sample.path.suffix, quality), sample, rng, split=into))
    return pairs(chosen, added)


def pairs(chosen: list[Sample], added: list[Path]) -> list[Path]:
    return [sample.path for sample in chosen] + added


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)


def cropped(picture: Image.Image, share: float) -> Image.Image:
    across, down = max(1, round(picture.width * share / 2)), max(1, round(picture.height * share / 2))
    return picture.crop((across, down, picture.width - across, picture.height - down))


def brightened(picture: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(factor)


# --- across splits ------------------------------------------------------------------------------------------------

HELD_OUT = ("val", "test")


@data_case("copies_across_splits", on=("photos_split", "shapes_manifest"))
def held_out_files_in_training(root: Path, rng: np.random.Generator) -> list[Path]:
    """A sixth of the held-out files lie in training too, byte for byte, under other names: two exports were merged.

    The accuracy on them is that of learning by heart; it only makes the figure better, so nobody asks.
    """
    chosen = pick(root, rng, 0.16, str(rng.choice(HELD_OUT)))
    added = [add(root, sample.path.read_bytes(), sample, rng, split="train") for sample in chosen]
    return pairs(chosen, added)


@data_case("copies_across_splits", on=("photos_split", "textures_split", "chests_split"))
def held_out_compressed_again(root: Path, rng: np.random.Generator) -> list[Path]:
    """Held-out pictures lie in training too, having been through JPEG at quality 60: collected again from a web page.

    No hash is the same and the picture looks the same; the split was made by file and not by picture.
    """
    return copied(root, rng, 0.16, through_jpeg, quality=60, into="train")


@data_case("copies_across_splits", on=("photos_split", "brains_split"))
def held_out_at_another_size(root: Path, rng: np.random.Generator) -> list[Path]:
    """Held-out pictures lie in training too, a tenth smaller: one archive holds the originals, another a web version.

    Both were split at random on their own and then put together, which no file name shows.
    """
    return copied(root, rng, 0.16, lambda picture: scaled(picture, 0.9), into="train")


@data_case("copies_across_splits", on=("photos_split", "digits_split"))
def held_out_cropped(root: Path, rng: np.random.Generator) -> list[Path]:
    """Held-out pictures lie in training too, with a twentieth of width and height cut off: a border was removed.

    The crop is another file of another size; scaled to the model's input it is nearly the same.
    """
    return copied(root, rng, 0.16, lambda picture: cropped(picture, 0.05), into="train")


@data_case("copies_across_splits", on=("photos_split", "signs_split"))
def held_out_brightened(root: Path, rng: np.random.Generator) -> list[Path]:
    """Held-out pictures lie in training too, brightened by a quarter: corrected by hand and added as new ones.

    Every pixel differs; what the picture shows and where is the same.
    """
    return copied(root, rng, 0.16, lambda picture: brightened(picture, 1.25), into="train")


@data_case("copies_across_splits", on=("shapes_manifest", "textures_split"))
def augmented_before_the_split(root: Path, rng: np.random.Generator) -> list[Path]:
    """Mirrored and slightly turned versions of held-out pictures lie in training: augmentation came before splitting.

    The folder was blown up to twice its size and then divided at random, a recipe of many tutorials.
    """

    def mirrored(picture: Image.Image) -> Image.Image:
        mirror = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        turned = mirror.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC)
        return cropped(turned, 0.08)

    return copied(root, rng, 0.2, mirrored, into="train")


@data_case("copies_across_splits", on=("digits_manifest",))
def row_in_two_splits(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files have two rows, one in training and one in a held-out split: two tables were appended.

    The files are there once, so no search for copies among files finds anything.
    """
    chosen = pick(root, rng, 0.2, str(rng.choice(HELD_OUT)))
    append_rows(root, rng, {sample.path: {"split": "train"} for sample in chosen})
    return [sample.path for sample in chosen]


def through_jpeg(picture: Image.Image) -> Image.Image:
    """As it looks after JPEG at quality 60, whatever the format it is saved in then."""
    return Image.open(BytesIO(encoded(picture, ".jpg", 60)))


def append_rows(root: Path, rng: np.random.Generator, changes: dict[Path, dict[str, str]]) -> None:
    """A second row for each of these files, with these columns changed, anywhere in the table."""
    rows = read_rows(root)
    second = [row | changes[root / row["file"]] for row in rows if root / row["file"] in changes]
    for row in second:
        rows.insert(int(rng.integers(len(rows) + 1)), row)
    write_rows(root, rows)


# --- that disagree ------------------------------------------------------------------------------------------------


@data_case("conflicting_labels", on=("digits", "chests_split"))
def same_bytes_under_two_labels(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files lie in two classes, byte for byte, as when two people sorted one folder and both results were kept.

    The loss cannot fall on them; the error looks like noise, and each class folder looks right by itself.
    """
    chosen, added = pick(root, rng, 0.03, learnt(root)), []
    for sample in chosen:
        other = pick_class(root, rng, other_than=sample.label)
        added.append(add(root, sample.path.read_bytes(), sample, rng, label=other))
    return pairs(chosen, added)


@data_case("conflicting_labels", on=("photos_split", "shapes", "thumbnails"))
def compressed_again_under_another_label(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures lie in two classes, once as taken and once smaller and compressed again, from two sources.

    The bytes differ, so comparing hashes is silent; two collections had called the same picture different things.
    """
    chosen, added = pick(root, rng, 0.03, learnt(root)), []
    for sample in chosen:
        other = pick_class(root, rng, other_than=sample.label)
        data = encoded(scaled(sample.picture(), 0.9), sample.path.suffix, 65)
        added.append(add(root, data, sample, rng, label=other))
    return pairs(chosen, added)


@data_case("conflicting_labels", on=("shapes_manifest",))
def two_rows_that_disagree(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files have two rows with different labels: a correction was appended and the first row not deleted.

    Whichever row is read last wins, or both are learnt; the table has no column that must be unique.
    """
    chosen = pick(root, rng, 0.04, "train")
    others = {one.path: {"label": pick_class(root, rng, other_than=one.label)} for one in chosen}
    append_rows(root, rng, others)
    return sorted(others)

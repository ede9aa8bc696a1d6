"""Labels that are wrong, labels that are no classes, and classes that are nearly or quite missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import real
from cases import data_case
from folder import classes, learnt, move, pick, pick_class, remove, samples
from layouts import read_rows, write, write_rows


@data_case("wrong_labels", on=("digits", "photos_split", "thumbnails", "shapes"))
def one_in_twelve_is_wrong(root: Path, rng: np.random.Generator) -> list[Path]:
    """Eight samples of a hundred have a label at random, as from hurried workers on a labelling site.

    Accuracy falls a little and for no visible reason; the class counts stay even.
    """
    chosen = pick(root, rng, 0.08, learnt(root))
    return [move(root, sample, label=pick_class(root, rng, other_than=sample.label)) for sample in chosen]


@data_case("wrong_labels", on=("digits_split", "signs_split", "brains_split"))
def held_out_labels_are_wrong(root: Path, rng: np.random.Generator) -> list[Path]:
    """A tenth of the labels of a held-out split are wrong while those of training are right.

    Nobody trains on them, so no loss shows it; the best model cannot reach more than nine in ten.
    """
    chosen = pick(root, rng, 0.1, str(rng.choice(["val", "test"])))
    return [move(root, sample, label=pick_class(root, rng, other_than=sample.label)) for sample in chosen]


@data_case("wrong_labels", on=("photos_split", "digits"))
def two_classes_swapped_in_one_delivery(root: Path, rng: np.random.Generator) -> list[Path]:
    """In one delivery of ten, two classes are swapped: its folders were named from a list in another order.

    Ninety in a hundred of both classes are right, so the confusion between them looks like a hard pair.
    """
    first = pick_class(root, rng)
    second = pick_class(root, rng, other_than=first)
    swap = {first: second, second: first}
    chosen = [one for label in swap for one in pick(root, rng, 0.12, learnt(root), label)]
    return [move(root, sample, label=swap[sample.label]) for sample in chosen]


@data_case("wrong_labels", on=("digits_split", "photos_split"))
def two_classes_swapped_where_it_is_judged(root: Path, rng: np.random.Generator) -> list[Path]:
    """In a held-out split two whole classes are swapped: its folders were numbered by another program.

    Training is right and so is its loss; only the figure is wrong, and the model is blamed.
    """
    first = pick_class(root, rng)
    second = pick_class(root, rng, other_than=first)
    where = str(rng.choice(["val", "test"]))
    swap = {first: second, second: first}
    chosen = [one for one in samples(root) if one.split == where and one.label in swap]
    return [move(root, sample, label=swap[sample.label]) for sample in chosen]


@data_case("wrong_labels", on=("digits", "photos_split", "signs_split"))
def annotator_takes_one_class_for_another(root: Path, rng: np.random.Generator) -> list[Path]:
    """A quarter of one class is labelled as one other: one of four annotators had misunderstood the difference.

    The errors all go one way, so the model learns them as well as the truth, and agrees with the labels.
    """
    told = pick_class(root, rng)
    taken_for = pick_class(root, rng, other_than=told)
    return [move(root, sample, label=taken_for) for sample in pick(root, rng, 0.25, learnt(root), told)]


@data_case("wrong_labels", on=("thumbnails",))
def labels_of_real_annotators(root: Path, rng: np.random.Generator) -> list[Path]:
    """Eight pictures of a hundred have the wrong label that a person gave them on a labelling site (CIFAR-10N).

    Real mistakes among pictures of which everybody was sure: cats and dogs, deer and horses, slips of the mouse.
    Who looks at a few finds them plausible, and the class counts stay about even.
    """
    source = np.load(real.DATA / "cifar10n" / "cifar10n_labels.npz")
    truth, given = source["clean_label"], source["random_label1"]
    wrong = np.flatnonzero(truth != given)
    places = {label: np.flatnonzero(truth == label) for label in range(10)}
    chosen = {}
    for place in rng.choice(wrong, 35, replace=False):
        rank = int(np.searchsorted(places[truth[place]], place))
        chosen[f"train/{real.CIFAR[truth[place]]}/{rank:04d}.jpg"] = (
            root / real.CIFAR[given[place]] / f"{place:05d}.jpg"
        )
    like = pick(root, rng, 0.05)
    for number, (name, data) in enumerate(real.cifar_files(chosen)):
        write(chosen[name], data, like[number % len(like)].time_s + number)
    return sorted(chosen.values())


@data_case("wrong_labels", on=("digits_manifest",))
def labels_one_row_off(root: Path, rng: np.random.Generator) -> list[Path]:
    """In a stretch of the manifest each row has the label of the row above: a cell was inserted in a spreadsheet.

    Files, labels and counts are all real; the table opens without an error, and its beginning and end are right.
    """
    rows = read_rows(root)
    first = int(rng.integers(len(rows) // 3, len(rows) // 2))
    last = first + len(rows) // 8
    labels = [row["label"] for row in rows]
    for place in range(first, last):
        rows[place]["label"] = labels[place - 1]
    write_rows(root, rows)
    return [root / rows[place]["file"] for place in range(first, last) if labels[place] != labels[place - 1]]


@data_case("wrong_labels", on=("parts_split", "signs_split"))
def whole_series_under_a_wrong_label(root: Path, rng: np.random.Generator) -> list[Path]:
    """All shots of some objects carry one wrong label: the object was entered wrongly once and then photographed.

    The shots support each other: to a method that looks at neighbours the label is confirmed several times.
    """
    series = sorted({one.path.name.split("_")[0] for one in samples(root) if one.split == "train"})
    wrong = set(rng.choice(series, max(3, len(series) // 14), replace=False))
    other: dict[str, str] = {}
    found = []
    for sample in samples(root):
        name = sample.path.name.split("_")[0]
        if name in wrong:
            label = other.setdefault(name, pick_class(root, rng, other_than=sample.label))
            found.append(move(root, sample, label=label))
    return found


# --- unknown and missing classes ----------------------------------------------------------------------------------


@data_case("unknown_class", on=("photos_split",))
def folder_of_what_is_still_to_be_sorted(root: Path, rng: np.random.Generator) -> list[Path]:
    """Beside the class folders lies one called "new", with pictures of all classes that somebody meant to sort.

    Every loader that makes folders into classes makes it one, and the model learns to answer "new".
    """
    return [move(root, sample, label="new") for sample in pick(root, rng, 0.06, learnt(root))]


@data_case("unknown_class", on=("textures_split",))
def class_missing_where_it_is_judged(root: Path, rng: np.random.Generator) -> list[Path]:
    """A class of the training data has no sample in one of the held-out splits: its folder was not copied.

    The figure is an average over the classes that are there; how the missing one does is never asked.
    """
    where = str(rng.choice(["val", "test"]))
    chosen = pick(root, rng, 1, where, pick_class(root, rng))
    remove(root, chosen)
    chosen[0].path.parent.rmdir()
    return []


@data_case("unknown_class", on=("digits_split", "shapes_manifest"))
def class_that_was_never_learnt(root: Path, rng: np.random.Generator) -> list[Path]:
    """A class occurs in the held-out splits only: its training samples were filtered out by a condition.

    Its samples are counted as errors or dropped in silence, according to the loader.
    """
    label = pick_class(root, rng)
    gone = pick(root, rng, 1, "train", label)
    remove(root, gone)
    if gone[0].path.parent.name == label:
        gone[0].path.parent.rmdir()
    return []


@data_case("unknown_class", on=("shapes_manifest",))
def minus_one_for_what_nobody_labelled(root: Path, rng: np.random.Generator) -> list[Path]:
    """Rows that nobody had labelled carry the label -1, which a table's reader takes for one more class.

    The export used -1 for "empty"; the model gets a class of leftovers and its accuracy hides it.
    """
    return relabelled_rows(root, rng, 0.05, lambda label: "-1")


@data_case("unknown_class", on=("shapes_manifest",))
def class_misspelt_in_some_rows(root: Path, rng: np.random.Generator) -> list[Path]:
    """A label lacks a letter in some rows of the manifest, as when one person typed what others chose from a list.

    The misspelt word becomes a class of its own with few samples, and the true class loses them.
    """
    return relabelled_rows(root, rng, 0.1, lambda label: label[:2] + label[3:], rng.choice(["circle", "square"]))


def relabelled_rows(
    root: Path, rng: np.random.Generator, share: float, change: Callable[[str], str], label: str = ""
) -> list[Path]:
    chosen = {sample.path for sample in pick(root, rng, share, "train", label)}
    rows = read_rows(root)
    for row in rows:
        if root / row["file"] in chosen:
            row["label"] = change(row["label"])
    write_rows(root, rows)
    return sorted(chosen)


# --- imbalance ----------------------------------------------------------------------------------------------------


@data_case("imbalance", on=("digits", "photos_split"))
def one_class_is_rare(root: Path, rng: np.random.Generator) -> list[Path]:
    """One class has two samples where the others have forty: the defect that seldom happens.

    A model that never says it is right nearly always, and the accuracy does not show the difference.
    """
    return thinned(root, rng, [pick_class(root, rng)], 0.03)


@data_case("imbalance", on=("chests_split",))
def one_class_is_nearly_everything(root: Path, rng: np.random.Generator) -> list[Path]:
    """All classes but one are cut to a twentieth: "normal" is what the camera sees all day.

    To answer the large class always is a good start for the loss, and many runs stay there.
    """
    common = pick_class(root, rng)
    return thinned(root, rng, [label for label in classes(root) if label != common], 0.05)


def thinned(root: Path, rng: np.random.Generator, labels: list[str], kept: float) -> list[Path]:
    """Leaves that share of what is learnt of each class, two samples at least. No file is at fault: they are absent."""
    for label in labels:
        there = pick(root, rng, 1, learnt(root), label)
        stay = set(rng.choice(len(there), max(2, round(kept * len(there))), replace=False))
        remove(root, [sample for place, sample in enumerate(there) if place not in stay])
    return []

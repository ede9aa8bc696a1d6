"""What files and folders are called that are a part of a set: train, val, test, in any usual spelling."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Set

from snowroll.base.nouns import Split

_SPLIT_WORDS: dict[Split, str] = {
    "train": "train training trainset trn",
    "val": "val valid validation validate valset dev",
    "test": "test testing testset tst",
}
FILLER = frozenset({"set", "data", "dataset", "image", "images", "img", "imgs", "pictures", "photos", "split", "part"})
SPLITS: dict[str, Split] = {word: split for split, words in _SPLIT_WORDS.items() for word in words.split()}


def split_of_name(where: str) -> Split | None:
    """The split that a file's name declares: 'train.csv', 'Test_labels.csv'."""
    found: set[Split] = {SPLITS[word] for word in words_of(where) if word in SPLITS}
    return next(iter(found)) if len(found) == 1 else None


def learns_from(where: str) -> bool:
    """Whether a file's name says that it is for training and validation, and for no test.

    >>> learns_from("trainval.txt"), learns_from("train_val_list.txt"), learns_from("train_val_test.txt")
    (True, True, False)
    """
    words = words_of(where)
    return "trainval" in words or {SPLITS[word] for word in words if word in SPLITS} == {"train", "val"}


def split_of_folders(where: str) -> Split | None:
    """The split that a folder over a file is called after.

    >>> split_of_folders("set/Train/a.png"), split_of_folders("trainannot/a.png")
    ('train', None)
    """
    folders = where.replace("!", "/").lower().split("/")[:-1]
    return next((SPLITS[name] for name in folders if name in SPLITS), None)


def splits_of_folders(wheres: Iterable[str]) -> dict[str, Split]:
    """Which of these files lie in folders that are called after a split; 'train2017' is one where there is a 'val2017'.

    >>> splits_of_folders(["train2017/a.png", "val2017/b.png", "c.png"]), splits_of_folders(["test 1/a", "test 2/b"])
    ({'train2017/a.png': 'train', 'val2017/b.png': 'val'}, {})
    """
    folders = {where: where.replace("!", "/").split("/")[:-1] for where in wheres}
    called: dict[str, Split | None] = {name: split_called(name) for names in folders.values() for name in names}
    if len(set(called.values()) - {None}) < 2:
        called = {name: SPLITS.get(name.lower()) for name in called}
    found: dict[str, Split] = {}
    for where, names in folders.items():
        for name in names:
            if split := called[name]:
                found.setdefault(where, split)
    return found


def splits_of_files(wheres: Collection[str]) -> dict[str, Split | None]:
    """The splits that files of many samples are called after, or the folders they lie in. What tells none among files
    of which some are for testing, is to learn from.

    >>> splits_of_files(["train-00000-of-00002.parquet", "test-000.tar", "extra.tar"])
    {'train-00000-of-00002.parquet': 'train', 'test-000.tar': 'test', 'extra.tar': 'train'}
    """
    folders = splits_of_folders(wheres)
    told: dict[str, Split | None] = {where: folders.get(where) or split_of_name(where) for where in wheres}
    if "test" in told.values():
        return {where: split or "train" for where, split in told.items()}
    return told


def split_called(name: str, shared: Set[str] = frozenset()) -> Split | None:
    """The split that is in a name, besides numbers and words that say nothing or that are `shared`.

    >>> split_called("Train_Images"), split_called("val2017"), split_called("seg_test", {"seg"})
    ('train', 'val', 'test')
    """
    left = set(re.findall(r"[^\W\d_]+", name.lower())) - (shared - SPLITS.keys()) - FILLER
    return SPLITS.get(left.pop()) if len(left) == 1 else None


def words_of(where: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", stem_of(where).lower())


def stem_of(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2].rpartition(".")[0]

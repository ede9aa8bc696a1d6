"""The section [prepare] of snowroll.toml: how a folder of data is read and split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from snowroll.base.bounds import check_numbers
from snowroll.base.nouns import Json


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """What the user may say about the data; everything else is found by looking at it."""

    data: str = ""  # folder or archive, relative to the project; "": the project folder itself
    labels: tuple[str, ...] = ()  # class names of a folder that does not name them
    good: tuple[str, ...] = ()  # classes of parts without a fault, where their names do not say so
    ignore: tuple[str, ...] = ()  # classes not to be judged: of pixels by name or value, of beats by name
    masks: str = ""  # pattern on the path of the masks to learn from, where several kinds of them lie beside pictures
    label: str = ""  # pattern on the path; what its first (...) matches is the class, whatever folders and lists say
    group: str = ""  # pattern on the path; what its first (...) matches is the group, which never straddles two splits
    scenes: bool = False  # pictures that show the same scene, as `check` finds them, are a group where none is declared
    test: float = 0.2  # share of the labelled samples locked away for measuring, unless the folder declares one
    val: float = 0.1  # share used to choose during training
    seed: int = 0
    workers: int = 0  # decoding children; 0: one for each core
    megapixels: float = 100.0  # a larger picture is refused from its header
    path_column: str = ""  # of a CSV/TSV/JSONL manifest; "": found by name and content
    label_column: str = ""
    split_column: str = ""
    group_column: str = ""
    asked: Mapping[str, Json] = field(default_factory=dict)  # no setting: those of the task that its `reads` names

    def __post_init__(self) -> None:
        check_numbers("prepare", self, from_0="seed workers megapixels", shares="test val")

    def for_strangers(self) -> PrepareSettings:
        """The limits alone: what is said here of the project's own names and paths is no rule for another folder."""
        columns = {f"{name}_column": "" for name in ("path", "label", "split", "group")}
        return replace(self, labels=(), good=(), masks="", label="", group="", **columns)

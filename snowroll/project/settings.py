"""Settings that are no part of a run and belong to the loop: [label]. The others live in their rooms."""

from dataclasses import dataclass

from snowroll.base.bounds import check_numbers


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """Section [label]: how many cases a roll asks people for, and where the page answers."""

    first_test: int = 60  # of a folder without labels, these are asked first: the locked test set, drawn at random
    k: int = 50  # cases mined in one roll
    uniform: float = 0.15  # share of the mined cases drawn at random: what the model is sure of is looked at too
    test: float = 0.1  # share of production, uniform and never mined, that is labelled for the locked test set
    host: str = "127.0.0.1"
    port: int = 8001
    person: str = ""  # who labels; the machine's user if empty

    def __post_init__(self) -> None:
        check_numbers("label", self, from_0="first_test k", shares="uniform test", ports="port")

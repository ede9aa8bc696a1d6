"""The section [promotion] of snowroll.toml."""

from __future__ import annotations

from dataclasses import dataclass

from snowroll.base.bounds import check_numbers


@dataclass(frozen=True, slots=True)
class PromotionSettings:
    """Section [promotion]: what a new model must show."""

    alpha: float = 0.05  # chance that a champion is ever replaced by a model that is no better
    margin: float = 0.02  # a class or an earlier locked set may lose at most this share
    harm_alpha: float = 0.05  # chance, each roll, of holding a model back for a loss it does not have
    worthwhile: float = 0.01  # a gain below this is not worth a swap: once it is ruled out, the answer is REFUSED

    def __post_init__(self) -> None:
        check_numbers("promotion", self, shares="margin worthwhile", chances="alpha harm_alpha")

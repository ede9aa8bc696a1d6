"""Numbers a user may set, held within bounds where the settings are made, so that no verb meets them deep inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from math import isfinite, ulp
from typing import Any

from snowroll.base.errors import UsageError

Bounds = Mapping[str, str]  # keyword of `check_numbers` -> names of fields, in one string

_LEAST_TO_MOST: dict[str, tuple[str, float, float]] = {
    "from_1": ("1 or more", 1.0, float("inf")),
    "from_0": ("0 or more", 0.0, float("inf")),
    "above_0": ("more than 0", ulp(0.0), float("inf")),
    "shares": ("between 0 and 1", 0.0, 1.0),
    "chances": ("between 0.000001 and 0.5", 1e-6, 0.5),
    "ports": ("between 0 and 65535", 0.0, 65_535.0),
}


def check_numbers(
    section: str,
    settings: Any,
    *,
    from_1: str = "",
    from_0: str = "",
    above_0: str = "",
    shares: str = "",
    chances: str = "",
    ports: str = "",
) -> None:
    """Raise UsageError at the first number that is out of bounds or not finite.

    from_1, from_0, above_0, shares, chances, ports: names of fields, in one string. A share may be 0 or 1; a chance
    of being wrong may not: no number of samples would be enough. Classes that settings are built on have theirs in an
    attribute `bounds`.
    """
    own: Bounds = {
        "from_1": from_1,
        "from_0": from_0,
        "above_0": above_0,
        "shares": shares,
        "chances": chances,
        "ports": ports,
    }
    bounds: dict[str, tuple[str, float, float]] = {}
    for told in (own, *(vars(base).get("bounds", {}) for base in type(settings).__mro__)):
        for kind, names in told.items():
            bounds |= dict.fromkeys(names.split(), _LEAST_TO_MOST[kind])
    assert bounds.keys() <= {f.name for f in fields(settings)}, f"a bound of [{section}] names no field"
    for f in fields(settings):
        value = getattr(settings, f.name)
        if not isinstance(value, int | float):
            continue
        told, low, high = bounds.get(f.name, ("a number", float("-inf"), float("inf")))
        if not isfinite(value) or not low <= value <= high:
            raise UsageError(f"{value} is out of bounds", where=f"{section}.{f.name}", cure=f"set it to {told}")

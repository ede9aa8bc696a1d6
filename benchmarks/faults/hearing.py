"""What a framework says while it runs a program: its warnings and errors, as findings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cases import Finding


def in_its_words(kind: str, sentence: str) -> Finding:
    """No cause of ours: the framework's own first words."""
    return Finding(f"other:{kind}: {sentence[:60]}", (), sentence[:300])


@contextmanager
def listening(found: list[Finding], finding: Callable[[str, str], Finding] = in_its_words) -> Iterator[None]:
    """Warnings and an error become findings. Deprecations do not: they are for the authors of libraries."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            yield
        except Exception as error:  # whatever the framework or the program raises is what its user sees
            found.append(finding(type(error).__name__, str(error)))
    shown = [one for one in said if issubclass(one.category, (UserWarning, RuntimeWarning))]
    found += [finding(one.category.__name__, str(one.message)) for one in shown]

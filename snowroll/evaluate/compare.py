"""The promotion test: may this new model replace the champion?

Three answers, each with its reason: PROMOTED, REFUSED, or CANNOT TELL YET (and how many more labelled test samples
would tell, where that can be forecast). Both models answer the same locked set, which nothing is trained on.

**Repeated looks.** A project that rolls every week tests again and again on one locked set; at 5 % each, twenty equal
models would promote one by luck. Look k of a champion is therefore tested at alpha * 6 / (pi^2 k^2), which sums to
alpha over all k (alpha spending: Lan & DeMets 1983; as an online rule, Tian & Ramdas 2021, "Online control of the
familywise error rate"). By the union bound the chance that a champion is *ever* replaced by a model that is no better
is at most alpha, whatever the dependence between looks. The count starts again with each new champion, as in alpha
investing (Foster & Stine 2008), so over a project's life wrong promotions are at most alpha for each champion held.
What this cannot cover: somebody who trains on the locked set, or tunes a model by its numbers.

Considered and not taken: a test by betting (Waudby-Smith & Ramdas 2024), valid at any time on a growing set, also
without the symmetry that sign flips assume. Every challenger is a new hypothesis, so it would need the same spending,
and it asks for about twice the labels; labels are what a user has least of.

**Worse in part.** Each class, and each earlier roll's locked set (forgetting), is tested for being worse by more than
the margin. These tests share an error of their own (`harm_alpha`, Holm 1979) and can only hold a model back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from snowroll.base.errors import DataError
from snowroll.evaluate.interval import Groups, number_groups
from snowroll.evaluate.paired import (
    Difference,
    alpha_of_look,
    holm,
    p_beyond,
    p_values,
    paired_difference,
    samples_to_tell,
    sign_flip,
)
from snowroll.evaluate.settings import PromotionSettings

NEXT = 60  # test samples to ask for where it cannot be forecast how many would tell
_FORESEEN = 100  # times the samples that were compared: beyond, no forecast from them is worth anything
_NAMED = 2  # classes that the sentence names; the table has all

Outcome = Literal["PROMOTED", "REFUSED", "CANNOT TELL YET"]
Kind = Literal["class", "earlier set"]
State = Literal["not worse", "too few to say", "suspected", "worse"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Credits of both models on one set of samples, in the same order."""

    old: np.ndarray
    new: np.ndarray
    groups: Groups | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One class or earlier set: is the new model worse there, beyond the margin?"""

    name: str
    kind: Kind
    difference: Difference
    state: State
    p_beyond: float  # of "worse by no more than the margin"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer with everything needed to check it; plain values, JSON by `asdict`."""

    outcome: Outcome
    reason: str
    difference: Difference
    p: float  # one-sided: how often models that are equally good would look this good
    bar: float  # what p had to reach at this look
    look: int
    checks: tuple[Check, ...] = ()
    more: int | None = None  # labelled test samples that would probably (4 in 5) settle it; None: nobody can say
    more_of: str = ""  # the class they should be of; "": drawn like the rest
    settings: PromotionSettings = field(default_factory=PromotionSettings)


def promotion_test(
    old: np.ndarray,
    new: np.ndarray,
    *,
    groups: Groups | None = None,
    strata: Sequence[str] | None = None,
    earlier: Mapping[str, Pairs] | None = None,
    look: int = 1,
    settings: PromotionSettings | None = None,
) -> Verdict:
    """Compare a new model with the champion on the locked set.

    old, new: [n] credit in [0, 1] of each sample. groups: [n] patient, speaker, scene; None: each sample its own.
    strata: [n] class of each sample. earlier: name -> credits on the locked sets of earlier rolls. look: how many
    promotion tests this champion has faced, this one included, whatever their answers.
    """
    rule = settings or PromotionSettings()
    old, new = np.asarray(old, dtype=float), np.asarray(new, dtype=float)
    numbered = None if groups is None else number_groups(groups, len(old))[0]
    whole = paired_difference(old, new, numbered)
    better, worse = p_values(old, new, numbered, whole)
    checks = _checks(_parts(old, new, numbered, strata), earlier or {}, rule)
    bar = alpha_of_look(look, rule.alpha)
    outcome, reason, more, more_of = _decide(whole, better, worse, bar, look, checks, rule)
    return Verdict(outcome, reason, whole, better, bar, look, checks, more, more_of, rule)


Decision = tuple[Outcome, str, int | None, str]


def _decide(
    whole: Difference,
    better: float,
    worse: float,
    bar: float,
    look: int,
    checks: Sequence[Check],
    rule: PromotionSettings,
) -> Decision:
    told = _told(whole)
    if harmed := [check for check in checks if check.state == "worse"]:
        worst = sorted(harmed, key=lambda check: check.difference.value)[:_NAMED]
        named = "; ".join(f"{_named(check)} {_told(check.difference)}" for check in worst)
        others = f"; and {len(harmed) - len(worst)} more" if len(harmed) > len(worst) else ""
        return "REFUSED", f"worse beyond the margin of {_points(rule.margin)}: {named}{others}.", None, ""
    if worse <= rule.harm_alpha and whole.high < 0:
        return "REFUSED", f"the new model is worse: {told}.", None, ""
    if better <= bar:
        if suspected := [check for check in checks if check.state == "suspected"]:
            return _hold(told, suspected[0], rule)
        return (
            "PROMOTED",
            f"the new model is better: {told} ({_against(better, bar, look)}).{_silent(checks)}",
            None,
            "",
        )
    if whole.high < rule.worthwhile:
        gain = f"a gain of {_points(rule.worthwhile)} is ruled out"
        return "REFUSED", f"the new model is no better: {told}, so {gain}.", None, ""
    more = _more(whole, look, rule)
    why = f"{told}, but {_against(better, bar, look)}"
    if whole.won + whole.lost == 0 or more > _FORESEEN * whole.n:
        few = f"{_alike(whole)}, so the locked set is too easy or too small to tell the two apart"
        return "CANNOT TELL YET", f"{why}; {few}: let it grow, with `snowroll label --test {NEXT}`.", None, ""
    return "CANNOT TELL YET", f"{why}; label about {more:,} more test samples.", more, ""


def _alike(whole: Difference) -> str:
    """Why nothing can be forecast from this comparison."""
    if whole.won + whole.lost:
        return f"only {whole.won + whole.lost:,} of {whole.n:,} answers differ"
    return "neither model makes a mistake there" if min(whole.old, whole.new) == 1 else "both make the same mistakes"


def _hold(told: str, check: Check, rule: PromotionSettings) -> Decision:
    """Better on the whole, but something may be lost in one part: ask for samples of that part."""
    part = check.difference
    gap = max(abs(part.value + rule.margin), rule.margin / 2)
    more = max(samples_to_tell(part.spread, gap, rule.harm_alpha) - part.n, max(part.n // 4, 10))
    loss = f"{_named(check)} seems to lose ({_told(part)})"
    reason = f"better on the whole ({told}), but {loss}; label about {more:,} more test samples of it."
    return "CANNOT TELL YET", reason, more, check.name


def _more(whole: Difference, look: int, rule: PromotionSettings) -> int:
    """Samples to add until the next look probably settles it, one way or the other.

    The nearer decision counts: showing a gain of what was seen, or ruling out a gain worth having.
    """
    gain, room = whole.value, rule.worthwhile - whole.value
    if max(gain, room) <= 0:  # equal so far, and any gain is worth having: nothing to reckon with yet
        needed = 0
    elif gain >= room:
        needed = samples_to_tell(whole.spread, gain, alpha_of_look(look + 1, rule.alpha))
    else:
        needed = samples_to_tell(whole.spread, room, 0.025)
    return max(needed - whole.n, max(whole.n // 10, 10))


def _parts(
    old: np.ndarray, new: np.ndarray, groups: np.ndarray | None, strata: Sequence[str] | None
) -> dict[str, Pairs]:
    if strata is None:
        return {}
    if len(strata) != len(old):
        raise DataError(f"{len(strata)} classes were given for {len(old)} samples")
    names, number = np.unique(np.asarray(strata, dtype=str), return_inverse=True)
    parts = {}
    for row, name in enumerate(names):
        own = number == row
        parts[str(name)] = Pairs(old[own], new[own], None if groups is None else groups[own])
    return parts


def _checks(classes: Mapping[str, Pairs], earlier: Mapping[str, Pairs], rule: PromotionSettings) -> tuple[Check, ...]:
    """Each class and earlier set in one family of tests."""
    parts: list[tuple[Kind, str, Pairs]] = [("class", name, pairs) for name, pairs in classes.items()]
    parts.extend(("earlier set", name, pairs) for name, pairs in earlier.items())
    found = [paired_difference(pairs.old, pairs.new, pairs.groups) for _, _, pairs in parts]
    beyond = [p_beyond(difference, rule.margin) for difference in found]
    # only a loss beyond the margin can be suspected, so only there is the exact test worth its time
    any_loss = [
        sign_flip(pairs.old, pairs.new, pairs.groups)[1] if difference.value < -rule.margin else 1.0
        for difference, (_, _, pairs) in zip(found, parts, strict=True)
    ]
    proven, suspected = holm(beyond, rule.harm_alpha), holm(any_loss, rule.harm_alpha)
    checks = []
    for row, (kind, name, _) in enumerate(parts):
        state: State = "not worse" if found[row].low > -rule.margin else "too few to say"
        state = "worse" if proven[row] else "suspected" if suspected[row] else state
        checks.append(Check(name, kind, found[row], state, beyond[row]))
    return tuple(checks)


def signed_points(share: float) -> str:
    """A difference of shares in points, with its sign; nothing is never negative.

    >>> signed_points(-0.0123), signed_points(-0.0001)
    ('−1.2', '+0.0')
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}".replace("-", "−")


def _points(share: float) -> str:
    return f"{100 * share:.1f} points".replace("-", "−")


def _told(found: Difference) -> str:
    signed = [signed_points(share) for share in (found.value, found.low, found.high)]
    grouped = f" in {found.groups:,} groups" if found.groups < found.n else ""
    return (
        f"{signed[0]} points, 95 % interval {signed[1]} to {signed[2]}, n = {found.n:,}{grouped}, "
        f"{found.won:,} won and {found.lost:,} lost"
    )


def _against(p: float, bar: float, look: int) -> str:
    side = "within" if p <= bar else "above"
    counted = "the first look" if look == 1 else f"look {look}"
    return f"p = {p:.2g}, {side} the {bar:.2g} that {counted} allows"


def _named(check: Check) -> str:
    return f"{check.kind} '{check.name}'"


def _silent(checks: Sequence[Check]) -> str:
    """What a promotion does not say: parts with too few samples to rule out a loss beyond the margin."""
    open_ = [check for check in checks if check.state == "too few to say"]
    if not open_:
        return ""
    widest = min(open_, key=lambda check: check.difference.low)
    loss = f"{_named(widest)} could have lost up to {_points(-widest.difference.low)}"
    return f" Too few samples to rule out a loss in {len(open_)} of {len(checks)} parts: {loss}."

"""Which samples are learnt from, which choose, and which are locked away to measure: by group, stratified, stable.

A group (patient, machine, scene) never straddles two splits, and neither do files with the same content. What a
folder declares is honoured. A sample that an earlier version placed keeps its place for ever: data that comes later
fills up what is short, so that no test sample ever wanders into training.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Item, Json, Sample, Split, digest
from snowroll.prepare.settings import PrepareSettings

_ALL = ""  # beside the classes: samples of whatever class
SAFEST: tuple[Split, ...] = ("test", "val", "train")  # where a straddler does least harm, best first


@dataclass(frozen=True, slots=True)
class Unit:
    """Samples that stay together: rows of the caller's sequences, and how many of each class."""

    name: str
    rows: tuple[int, ...]
    classes: Mapping[str, int]


def assign(
    samples: Sequence[Sample],
    targets: Sequence[Json],
    strata: Sequence[str],
    settings: PrepareSettings,
    before: Mapping[str, Split] | None = None,
    called: str = "classes",
) -> tuple[list[Item], list[str]]:
    """An Item for each labelled sample (target not None), and the sentences that say how they were split.

    strata [n]: the class under which each sample is balanced; called: what they are. before: sample id -> the split
    that an earlier version, however old, gave it. A test split that the folder declares is the locked test set; with
    only a val split declared, that is the locked test set and validation is carved out of training; with neither, both
    are carved. A sample from production goes where its own split says. Without one it was chosen for labelling by its
    worth, like every sample whose label did not come with the folder: no fair draw, so it never enters a carved test
    set.
    """
    _refuse_shares(settings)
    rows = [row for row, target in enumerate(targets) if target is not None]
    units = _units(samples, strata, rows)
    before = before or {}
    placed, words = _placed(samples, units, before)
    free = [unit for unit in units if unit.name not in placed]
    shares, told = _shares(samples, rows, settings)
    words += told
    chosen = {u.name for u in free if any(_was_chosen(samples[row]) for row in u.rows)}
    if chosen:
        n = sum(len(unit.rows) for unit in free if unit.name in chosen)
        words.append(f"{n:,} samples were chosen for labelling rather than drawn, so none of them enters the test set")
    placed.update(_carve(units, placed, chosen, shares, settings.seed))
    split_of: dict[int, Split] = {row: placed[unit.name] for unit in units for row in unit.rows}
    for row in rows:  # a unit that was torn apart before (a copy joined two of them) stays torn: nothing old moves
        if samples[row].id in before:
            split_of[row] = before[samples[row].id]
    items = [
        Item(samples[row].id, targets[row], split_of[row], samples[row].group, weight=samples[row].weight)
        for row in rows
    ]
    return items, [_counted(items, strata, rows, called), *words]


def folds(
    items: Sequence[Item], k: int, strata: Sequence[str], seed: int, contents: Sequence[str] | None = None
) -> list[Item]:
    """The items with `fold` set in 0..k-1 by group, stratified by class; strata [n] beside the items.

    contents [n]: items with the same content share a fold, and so do the groups they join.
    Raises UsageError with fewer than k groups.
    """
    names = [_own_name(item.group, item.sample) for item in items]
    own = [f"content {content}" for content in contents] if contents is not None else names
    find = _joined(zip(names, own, strict=True))
    groups: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        groups[find(name)].append(row)
    units = [Unit(name, tuple(rows), Counter(strata[row] for row in rows)) for name, rows in sorted(groups.items())]
    if not 2 <= k <= len(units):
        cure = f"choose 2 to {len(units)}" if len(units) > 1 else "give more groups"
        raise UsageError(f"{k} folds over {len(units):,} groups", where="train.folds", cure=cure)
    shares = {str(fold): 1 / k for fold in range(k)}
    placed = _fill(units, {}, _wants(units, shares), seed)
    fold_of = {row: int(placed[unit.name]) for unit in units for row in unit.rows}
    return [replace(item, fold=fold_of[row]) for row, item in enumerate(items)]


def _was_chosen(sample: Sample) -> bool:
    return sample.origin != "collected" or sample.target is None


# which samples stay together ----------------------------------------------------------------------------------------


def _own_name(group: str | None, sample: str) -> str:
    return f"group {group}" if group is not None else f"sample {sample}"


def _units(samples: Sequence[Sample], strata: Sequence[str], rows: Sequence[int]) -> list[Unit]:
    """Groups, joined where they share a content; a sample without a group is its own."""
    find = _joined((_own_name(samples[row].group, samples[row].id), f"content {samples[row].content}") for row in rows)
    together: dict[str, list[int]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: samples[row].id):
        together[find(f"content {samples[row].content}")].append(row)
    return [Unit(name, tuple(r), Counter(strata[row] for row in r)) for name, r in sorted(together.items())]


def _joined(pairs: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """name -> the one name of everything that the pairs join it to, whatever their order."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for one, other in pairs:
        ends = find(one), find(other)
        leader[max(ends)] = min(ends)
    return find


# what is decided already --------------------------------------------------------------------------------------------


def _placed(
    samples: Sequence[Sample], units: Sequence[Unit], before: Mapping[str, Split]
) -> tuple[dict[str, Split], list[str]]:
    """unit -> split where an earlier version, the sample itself or the folder says so."""
    says = _declared(samples)
    has_val = says.get("val") == "val" and any(sample.split == "val" for sample in samples)
    learns: set[Split] = {"train"} if has_val else {"train", "val"}  # val may be carved out of train

    def meant(declared: set[Split]) -> set[Split]:
        places: set[Split] = set()
        for split in declared:
            places |= {says[split]} if split in says else learns
        return places

    placed: dict[str, Split] = {}
    torn = against = 0
    words: list[str] = []
    for unit in units:
        old = {before[samples[row].id] for row in unit.rows if samples[row].id in before}
        inside = [samples[row] for row in unit.rows]
        drawn = {s.split for s in inside if s.split is not None and s.origin != "collected"}
        declared: set[Split] = {s.split for s in inside if s.split is not None and s.origin == "collected"}
        told = {says[split] for split in declared if split in says}
        torn += bool(says) and not old and len(declared) > 1
        against += len(unit.rows) if says and old and declared and not old & meant(declared) else 0
        for votes in (old, told, drawn):
            if votes:
                placed[unit.name] = next(split for split in SAFEST if split in votes)
                break
    if torn:
        words.append(
            f"{torn:,} groups or copies lie in more than one declared split; each is kept in one, test before val"
        )
    if before:
        kept = sum(samples[row].id in before for unit in units for row in unit.rows)
        words.append(f"{kept:,} samples keep the split they were given before")
    if against:
        words.append(
            f"{against:,} of them the folder declares for another one by now; they stay, since a model may have learnt "
            "from them or been judged by them"
        )
    return placed, words


def _declared(samples: Sequence[Sample]) -> dict[Split, Split]:
    """What each split that the folder declares becomes; empty where it declares nothing of use."""
    declared = {sample.split for sample in samples if sample.split is not None and sample.origin == "collected"}
    undeclared = any(sample.split is None for sample in samples if sample.origin == "collected")
    # drawn by people out of a folder without labels, of which all that is learnt from came from production
    drawn = any(sample.split == "test" and _was_chosen(sample) for sample in samples if sample.origin == "collected")
    undeclared |= drawn and any(sample.split != "test" for sample in samples if sample.origin != "collected")
    says: dict[Split, Split] = {}
    if "train" in declared or undeclared:
        if "test" in declared:
            says = {"test": "test", "val": "val"}
        elif "val" in declared:
            says = {"val": "test"}
    return says


def _shares(
    samples: Sequence[Sample], rows: Sequence[int], settings: PrepareSettings
) -> tuple[dict[Split, float], list[str]]:
    """Which shares are still to be carved out of what is free, and why."""
    says = _declared(samples)
    n = Counter(samples[row].split for row in rows)
    both: dict[Split, float] = {"test": settings.test, "val": settings.val}
    if says == {"val": "test"}:
        told = f"the folder declares val and no test: its {n['val']:,} samples are the locked test set"
        return {"val": settings.val}, [f"{told}, and {settings.val:.0%} of the rest choose during training"]
    if "test" in says:
        told = f"the folder declares a test split: its {n['test']:,} samples are locked"
        if n["val"]:
            return {}, [f"{told}; its {n['val']:,} val samples choose during training"]
        return {"val": settings.val}, [f"{told}; {settings.val:.0%} of the rest choose during training"]
    told = f"{settings.test:.0%} are locked away as the test set and {settings.val:.0%} choose during training"
    lone = {split for split in n if split is not None}
    if lone and None not in n and lone != {"train"}:
        told += f", because the folder declares only {' and '.join(sorted(lone))}"
    return both, [f"{told}, drawn by group and class"]


# carving ------------------------------------------------------------------------------------------------------------


def _carve(
    units: Sequence[Unit], placed: Mapping[str, Split], chosen: set[str], shares: Mapping[Split, float], seed: int
) -> dict[str, Split]:
    """The units that are free, drawn so that every class comes near its shares; none of `chosen` into the test."""
    held = {split for split in placed.values() if split not in shares and split != "train"}
    pool = [unit for unit in units if placed.get(unit.name) not in held]
    wants = _wants(pool, {**shares, "train": 1 - sum(shares.values())})
    if "test" in wants:
        wants["test"] = _wants([unit for unit in pool if unit.name not in chosen], {"test": shares["test"]})["test"]
    fixed = {unit.name: placed[unit.name] for unit in pool if unit.name in placed}
    drawn = _fill(pool, fixed, wants, seed, chosen)
    _mend(pool, {*fixed}, chosen, drawn, [s for s in ("train", "test", "val") if s == "train" or shares.get(s)], seed)
    return {unit.name: drawn[unit.name] for unit in pool if unit.name not in placed}  # type: ignore[misc]


def _wants(units: Sequence[Unit], shares: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """split -> class -> how many samples it should have."""
    total: Counter[str] = Counter({_ALL: sum(len(unit.rows) for unit in units)})
    for unit in units:
        total.update(unit.classes)
    return {split: {name: share * n for name, n in total.items()} for split, share in shares.items()}


def _fill(
    units: Sequence[Unit],
    fixed: Mapping[str, str],
    wants: Mapping[str, Mapping[str, float]],
    seed: int,
    chosen: Collection[str] = (),
) -> dict[str, str]:
    """Every unit to the split that it brings nearest to what it wants: large units first, then in an order drawn by
    (seed, name), which no other unit changes. `chosen` units do not go to the test."""
    have: dict[str, Counter[str]] = {split: Counter() for split in wants}
    for unit in units:
        if unit.name in fixed:
            have[fixed[unit.name]].update({**unit.classes, _ALL: len(unit.rows)})
    drawn = dict(fixed)
    free = [unit for unit in units if unit.name not in fixed]
    for unit in sorted(free, key=lambda unit: (-len(unit.rows), digest(str(seed), unit.name))):
        open_to = [split for split in wants if split != "test" or unit.name not in chosen]
        best = min(open_to, key=lambda split: (_cost(unit, have[split], wants[split]), split))
        have[best].update({**unit.classes, _ALL: len(unit.rows)})
        drawn[unit.name] = best
    return drawn


def _cost(unit: Unit, have: Mapping[str, int], want: Mapping[str, float]) -> float:
    """How much the squared distance to what is wanted grows: of each class in units of what is wanted, and of all."""

    def grows(n: int, had: int, wanted: float) -> float:
        return n * (2 * (had - wanted) + n) / max(wanted, 1e-9)

    classes = sum(grows(n, have.get(name, 0), want.get(name, 0.0)) for name, n in unit.classes.items())
    return classes + grows(len(unit.rows), have.get(_ALL, 0), want[_ALL])


def _mend(
    units: Sequence[Unit], fixed: set[str], chosen: set[str], drawn: dict[str, str], order: Sequence[str], seed: int
) -> None:
    """A class must be learnt from, then measured (from two units on), then validated (from four on): where a split
    has none of it, the smallest unit that is free and not needed where it is moves there."""
    of_class: dict[str, list[Unit]] = defaultdict(list)
    for unit in sorted(units, key=lambda unit: (len(unit.rows), digest(str(seed), unit.name))):
        for name in unit.classes:
            of_class[name].append(unit)
    for _, members in sorted(of_class.items(), key=lambda item: (len(item[1]), item[0])):
        for rank, split in enumerate(order):
            if len(members) <= rank + (rank == 2) or any(drawn[unit.name] == split for unit in members):
                continue
            for unit in members:
                barred = unit.name in fixed or (split == "test" and unit.name in chosen)
                if not barred and not _is_needed(unit, drawn, of_class, order[:rank]):
                    drawn[unit.name] = split
                    break


def _is_needed(
    unit: Unit, drawn: Mapping[str, str], of_class: Mapping[str, Sequence[Unit]], before: Sequence[str]
) -> bool:
    """Whether the unit is the last of one of its classes in a split that comes first."""
    here = drawn[unit.name]
    return here in before and any(sum(drawn[u.name] == here for u in of_class[name]) == 1 for name in unit.classes)


def _refuse_shares(settings: PrepareSettings) -> None:
    if settings.test + settings.val >= 1:
        told = f"test {settings.test:g} and val {settings.val:g} leave nothing to learn from"
        raise UsageError(told, where="prepare.test, prepare.val", cure="give shares from 0 whose sum is below 1")


def _counted(items: Sequence[Item], strata: Sequence[str], rows: Sequence[int], called: str) -> str:
    n = Counter(item.split for item in items)
    groups = len({_own_name(item.group, item.sample) for item in items})  # whoever has none is its own
    by = f" in {groups:,} groups" if groups < len(items) else ""
    classes = len({strata[row] for row in rows})
    of = f" of {classes:,} {called}" if classes > 1 else ""
    return f"{len(items):,} samples{by}{of}: train {n['train']:,}, val {n['val']:,}, test {n['test']:,}"

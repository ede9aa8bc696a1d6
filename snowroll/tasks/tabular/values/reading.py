"""Which column holds numbers to predict, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Json
from snowroll.prepare.tables import Table, cell_of
from snowroll.tasks.tabular.columns import NEARLY, Seen
from snowroll.tasks.tabular.reading import LAST, Classes, Read, plain
from snowroll.tasks.tabular.values.numbers import Spelling, spelling_of

FEW_WHOLE, FEW = 20, 10  # different numbers, whole ones and others, up to which they may be classes as well
_NAMED = (
    "target", "y", "value", "price", "saleprice", "cost", "amount", "sales", "revenue", "salary", "rent", "demand",
    "response", "output", "yield", "score", "rating", "count", "cnt", "consumption", "progression", "medv", "quality",
)  # fmt: skip
_SAID = "for its name; another with --prepare.label_column"


class Values:
    """A target is a number of many different ones."""

    layout = ", a number each"

    def accepts(self, table: Table, column: Seen) -> str | None:
        place = table.header.index(column.name)
        written = [row[place] for _, row in table.words() if cell_of(row[place], table.delimiter) is not None]
        if len(set(written)) == 1:
            told = f"column '{column.name}' says '{written[0][:40]}' in every row: there is nothing to predict"
            raise UsageError(told, where=table.where, cure="name another with --prepare.label_column")
        if written and spelling_of(written, table.delimiter == ";") is not None:
            return None
        return f"column '{column.name}' holds no numbers, and classes are for task 'tabular'"

    def proposed(self, seen: Sequence[Seen], is_named: bool) -> tuple[str, str]:
        """One that is called so, else the last, where it is measured; without names the first, where the last says what
        each row is called. Nothing where one offers itself as classes."""
        if Classes().proposed(seen, is_named)[0]:
            return "", ""
        for wanted in _NAMED:
            for column in seen:
                if plain(column.name) == wanted and is_measured(column):
                    return column.name, _SAID
        if seen and is_measured(seen[-1]):
            return seen[-1].name, LAST
        if seen and not is_named and not seen[-1].numbers and is_measured(seen[0]):
            return seen[0].name, "the first column; another with --prepare.label_column"
        return "", ""

    def refusal(self, last: Seen) -> str:
        told = f"no column of numbers offers itself to be predicted; the last is '{last.name}'"
        return f"{told}: --prepare.label_column names the column"

    def reader(self, tables: Sequence[Table], target: str) -> tuple[Read, Mapping[str, Json]]:
        written = [
            row[table.header.index(target)]
            for table in tables
            if target in table.header
            for _, row in table.words()
            if cell_of(row[table.header.index(target)], table.delimiter) is not None
        ]
        found = spelling_of(written, tables[0].delimiter == ";")
        spelling, example = found if found is not None else (Spelling(), "")

        def read(text: str, delimiter: str) -> Json:
            value = spelling.number(text)
            return int(value) if value.is_integer() and abs(value) < 2**53 else value

        said = spelling.told(example)
        return read, {"unit": spelling.unit, **({"spelling": said} if said else {})}


def is_measured(column: Seen) -> bool:
    """Numbers of many different values, which classes are not."""
    known = column.n - column.missing
    if not known:
        return False
    if column.numbers < NEARLY * known:  # "$1,234" is a word to other columns
        words = [cell for cell in column.counts if isinstance(cell, str)]
        numeric = spelling_of([str(cell) for cell in column.counts]) is not None
        return numeric and len(words) > FEW and not column.dates
    if column.judged().kind == "id":
        return False
    return not column.is_counted or len(column.counts) > (FEW_WHOLE if column.whole == column.numbers else FEW)


def are_measured(targets: Sequence[Json]) -> bool:
    """Likewise of targets that were read."""
    known = {target for target in targets if target is not None}
    return len(known) > (FEW_WHOLE if all(float(one).is_integer() for one in known) else FEW)

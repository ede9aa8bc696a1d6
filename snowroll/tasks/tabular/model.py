"""Models of rows: cells to features inside the module, then coefficients, trees as tensors, or a small MLP.

A fitted estimator is its tensors: the same answers as scikit-learn's, and saved, loaded and exported like any network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json
from snowroll.tasks.tabular.cells import hash_of
from snowroll.tasks.tabular.options import RowOptions, TabularOptions

ANOTHER, MISSING = 0, 1  # places before the words of a category: one it does not list, and none at all
AT_MOST = 6.0  # standard deviations that a number may be from the mean before it counts as that many


class Cells(NamedTuple):
    """A batch of rows. Cells of which nothing is known are 0."""

    number: Tensor  # [B, N] float32
    known: Tensor  # [B, N] float32, 1 where the number is known
    word: Tensor  # [B, W] int64, hashes of words

    @staticmethod
    def of(columns: Mapping[str, Tensor]) -> Cells:
        """From the pack's columns, in which a number that is not known is NaN."""
        number = columns["number"]
        return Cells(number.nan_to_num(0.0), (~number.isnan()).to(number), columns["word"])


class Levels(nn.Module):
    """Hashes [B, W] to places [B, W]: ANOTHER, MISSING, or 2 and more for the words that a column lists, in order."""

    def __init__(self, columns: Sequence[Mapping[str, Json]]) -> None:
        super().__init__()
        levels = [[hash_of(word) for word in column.get("levels", ())] for column in columns] or [[]]
        most = max(1, *map(len, levels))
        table = torch.zeros(len(levels), most, dtype=torch.int64)
        for row, hashes in enumerate(levels):
            table[row, : len(hashes)] = torch.tensor(hashes, dtype=torch.int64)
        self.table: Tensor
        self.register_buffer("table", table, persistent=False)
        self.sizes = [2 + len(hashes) for hashes in levels]

    def forward(self, words: Tensor) -> Tensor:
        same = (words.unsqueeze(2) == self.table) & (words != 0).unsqueeze(2)  # [B, W, L]
        places = torch.arange(2, 2 + self.table.shape[1], device=words.device)
        return (same * places).sum(dim=2) + (words == 0) * MISSING


class OneHot(nn.Module):
    """Places [B, W] to [B, sum of sizes - 1] float32: a column for each word and for "missing", none for ANOTHER."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        own = [(column, place) for column, size in enumerate(sizes) for place in range(1, size)]
        self.column: Tensor
        self.place: Tensor
        self.register_buffer("column", torch.tensor([c for c, _ in own], dtype=torch.int64), persistent=False)
        self.register_buffer("place", torch.tensor([p for _, p in own], dtype=torch.int64), persistent=False)

    def forward(self, places: Tensor) -> Tensor:
        return (places[:, self.column] == self.place).float()


class Features(nn.Module):
    """Cells to numbers, NaN where nothing is known, and words one by one. `names`: of both, for people."""

    def __init__(self, options: RowOptions, schema: Mapping[str, Json]) -> None:
        super().__init__()
        self.numbers = list(options.used_numbers) or ["nothing"]
        words = columns_of(schema, options.used_categories)
        self.levels = Levels(words)
        self.onehot = OneHot(self.levels.sizes)
        self.names = list(self.numbers)
        for column in words or [{"name": "nothing"}]:
            self.names.append(f"{column['name']} is missing")
            self.names += [f"{column['name']} = {level}" for level in column.get("levels", ())]

    def forward(self, cells: Cells) -> tuple[Tensor, Tensor]:
        return cells.number, self.onehot(self.levels(cells.word))

    def with_gaps(self, cells: Cells) -> Tensor:
        """[B, F] float32 in the order of `names`; a number that is not known is NaN."""
        number, words = self(cells)
        gaps = torch.where(cells.known > 0, number, torch.full_like(number, torch.nan))
        return torch.cat([gaps, words], dim=1)


class Scaled(nn.Module):
    """Numbers to standard deviations from the mean, 0 where one is not known; beside each, whether it is unknown."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def forward(self, cells: Cells) -> Tensor:
        scaled = ((cells.number - self.mean) / self.scale).clamp(-AT_MOST, AT_MOST)
        return torch.cat([scaled * cells.known, 1 - cells.known], dim=1)

    def measure(self, cells: Cells) -> None:
        """Mean and standard deviation of what is known."""
        known, number = cells.known.double(), cells.number.double()
        n = known.sum(dim=0).clamp(min=1)
        mean = (number * known).sum(dim=0) / n
        spread = (((number - mean) * known) ** 2).sum(dim=0).div(n).sqrt()
        self.mean.copy_(mean.float())
        self.scale.copy_(torch.where(spread > 1e-12 * (1 + mean.abs()), spread, torch.ones_like(spread)).float())


class Linear(nn.Module):
    """A linear model: cells to outputs [B, C], the logits of a logistic regression, say. `names` go with the columns
    of `weight`.
    """

    def __init__(self, options: RowOptions, schema: Mapping[str, Json], outputs: int) -> None:
        super().__init__()
        self.features, self.scaled = Features(options, schema), Scaled(len(options.used_numbers) or 1)
        numbers = len(self.features.numbers)
        words = self.features.names[numbers:]
        self.names = [*self.features.numbers, *(f"{name} is missing" for name in self.features.numbers), *words]
        self.answer = nn.Linear(len(self.names), outputs).requires_grad_(False)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def rows(self, cells: Cells) -> Tensor:
        """[B, F] float32, standardised."""
        return torch.cat([self.scaled(cells), self.features(cells)[1]], dim=1)

    def forward(self, cells: Cells) -> Tensor:
        return self.answer(self.rows(cells))


class Trees(nn.Module):
    """Trees as tensors: cells to outputs [B, C] such as logits, what the leaves of all trees say summed on `base`.

    A question is "is the number at most so much?"; a missing one goes where the tree was taught to send it. Rows of
    [trees, nodes] arrays; leaves ask nothing and lead to themselves, and unused trees are one leaf that says 0.
    """

    def __init__(self, options: RowOptions, schema: Mapping[str, Json], trees: int, outputs: int) -> None:
        super().__init__()
        self.features = Features(options, schema)
        self.names, self.depth = self.features.names, options.depth
        nodes = 2 * min(options.leaves, 2**options.depth) - 1
        self.nodes, size = nodes, trees * nodes
        self.feature: Tensor
        self.child: Tensor
        self.gap_left: Tensor
        self.base: Tensor
        self.register_buffer("feature", torch.zeros(size, dtype=torch.int32))
        self.register_buffer("child", torch.arange(size, dtype=torch.int32).repeat_interleave(2))  # right, left
        self.register_buffer("gap_left", torch.zeros(size, dtype=torch.bool))
        self.register_buffer("base", torch.zeros(outputs, dtype=torch.float64))
        self.register_buffer("roots", torch.arange(0, size, nodes), persistent=False)
        self.roots: Tensor
        # float64: sums of many leaves are to be scikit-learn's
        self.threshold = nn.Parameter(torch.zeros(size), requires_grad=False)
        self.value = nn.Parameter(torch.zeros(size, outputs, dtype=torch.float64), requires_grad=False)

    def forward(self, cells: Cells) -> Tensor:
        rows = self.features.with_gaps(cells)
        leaves = self.leaves_of(rows)
        return (self.base + self.value[leaves].sum(dim=1)).float()

    def leaves_of(self, rows: Tensor) -> Tensor:
        """[B, trees] int64: the node each row ends in."""
        node = self.roots.expand(rows.shape[0], -1)
        for _ in range(self.depth):
            asked = rows.gather(1, self.feature[node].long())
            goes_left = (asked <= self.threshold[node]) | (asked.isnan() & self.gap_left[node])
            node = self.child[2 * node + goes_left.long()].long()
        return node

    @torch.no_grad()
    def plant(self, tree: int, grown: Grown, places: Sequence[int]) -> None:
        """Make tree number `tree` say what `grown` says, to the outputs in `places`."""
        size = len(grown.feature)
        if size > self.nodes:
            raise DataError(f"a tree of {size} nodes where {self.nodes} are the most")
        start = tree * self.nodes
        rows = slice(start, start + size)
        here = torch.arange(start, start + size, dtype=torch.int32)
        inner = torch.from_numpy(grown.left >= 0)
        self.feature[rows] = torch.from_numpy(np.maximum(grown.feature, 0).astype(np.int32))
        for turn, side in enumerate((grown.right, grown.left)):
            told = torch.from_numpy(side.astype(np.int32)) + start
            self.child[2 * start + turn : 2 * (start + size) : 2] = torch.where(inner, told, here)
        self.gap_left[rows] = torch.from_numpy(grown.gap_left.astype(bool))
        self.threshold[rows] = torch.from_numpy(rounded_down(grown.threshold))
        for column, place in enumerate(places):
            self.value[rows, place] = torch.from_numpy(np.where(grown.left >= 0, 0.0, grown.value[:, column]))


class Grown(NamedTuple):
    """One tree as scikit-learn holds it: arrays over nodes, `left` and `right` -1 at leaves."""

    feature: np.ndarray
    threshold: np.ndarray  # float64
    left: np.ndarray
    right: np.ndarray
    gap_left: np.ndarray  # whether a missing number goes left
    value: np.ndarray  # [nodes, outputs] float64


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 at most as large: for every float32 x, x <= t as it was in float64.

    >>> rounded_down(np.array([0.1, 1.0, np.inf])).tolist()
    [0.09999999403953552, 1.0, inf]
    """
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


class Network(nn.Module):
    """Numbers and embedded words through an MLP: cells to outputs [B, C]. (Guo & Berkhahn 2016, arXiv:1604.06737.)"""

    def __init__(self, options: RowOptions, schema: Mapping[str, Json], outputs: int) -> None:
        super().__init__()
        numbers = len(options.used_numbers) or 1
        self.scaled = Scaled(numbers)
        self.levels = Levels(columns_of(schema, options.used_categories))
        widths = [min(16, 1 + size // 2) for size in self.levels.sizes]
        self.embedded = nn.ModuleList(map(nn.Embedding, self.levels.sizes, widths))
        sizes = [2 * numbers + sum(widths), *[options.width] * options.layers]
        blocks = [
            nn.Sequential(nn.Linear(before, after), nn.SiLU(), nn.Dropout(options.dropout))
            for before, after in pairwise(sizes)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.answer = nn.Linear(sizes[-1], outputs)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    @torch.no_grad()
    def begin(self, cells: Cells, bias: Tensor) -> None:
        """What numbers are on average, from some rows; what is answered before anything is learnt [C]."""
        self.scaled.measure(cells)
        self.answer.bias.copy_(bias)

    def forward(self, cells: Cells) -> Tensor:
        places = self.levels(cells.word)
        words = [table(places[:, column]) for column, table in enumerate(self.embedded)]
        return self.answer(self.blocks(torch.cat([self.scaled(cells), *words], dim=1)))


class Together(nn.Module):
    """The models of the folds as one: logits of the mean of their probabilities."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, cells: Cells) -> Tensor:
        parts = [model(cells).float().softmax(dim=1) for model in self.models]
        return torch.stack(parts).mean(dim=0).clamp(min=1e-12).log()


def build(options: TabularOptions, schema: Mapping[str, Json]) -> nn.Module:
    """An unfitted model: it says every class alike. Raises UsageError for directions among more than two classes."""
    classes = len(schema["classes"])
    if options.directions and classes > 2:
        told = f"a column is held to a direction between two classes, and there are {classes}"
        raise UsageError(told, where="task.monotone", cure="leave it out, or ask about one class against the rest")
    if options.model == "mlp":
        return Network(options, schema, classes)
    if options.model == "logistic":
        return Linear(options, schema, classes)
    each = 1 if classes == 2 else classes
    return Trees(options, schema, 1 if options.model == "tree" else options.trees * each, classes)


def inner(model: nn.Module) -> nn.Module:
    """Without what calibration and rules put around it."""
    while isinstance(inside := getattr(model, "model", None), nn.Module):
        model = inside
    return model


def log_shares(classes: Tensor | np.ndarray, n: int) -> Tensor:
    """How common each of `n` classes is among [rows], as logits."""
    counts = torch.bincount(torch.as_tensor(classes), minlength=n).float() + 1
    return (counts / counts.sum()).log()


def columns_of(schema: Mapping[str, Json], names: Sequence[str]) -> list[Mapping[str, Json]]:
    """The schema's columns of these names, in this order; one that it does not know has no words."""
    known = {column["name"]: column for column in schema.get("columns", ())}
    return [known.get(name, {"name": name}) for name in names]

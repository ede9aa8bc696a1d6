"""Models that say a number of a row and how far it may be off: those of tables with two outputs.

Outputs are [B, 2] in standard deviations from the mean, as the options say them: what is said, and the logarithm of how
far the truth tends to be from it. The second comes from a model of its own of the first one's errors, so that it costs
the first nothing; calibration widens it until intervals hold what they should (Lei et al. 2018, section 5.2: split
conformal intervals, locally weighted).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.tasks.tabular.model import Cells, Linear, Network, Trees
from snowroll.tasks.tabular.values.options import ValueOptions

WIDE = 3.1  # what a typical error (their geometric mean) is multiplied by for 90 % where errors are normal
LEAST_ERROR = 0.02  # standard deviations: errors below count as this, or their logarithms would rule
SAID, ERROR = 0, 1  # places in the outputs
SPREAD = 4  # of boosted trees a quarter as many say how far off the others are


def build(options: ValueOptions, schema: Mapping[str, Json]) -> nn.Module:
    """An unfitted model: it says the mean of everything, and that it may be as far off as numbers differ."""
    if options.model == "mlp":
        return Network(options, schema, 2)
    if options.model == "linear":
        return Linear(options, schema, 2)
    trees = 1 if options.model == "tree" else options.trees + of_errors(options)
    return Trees(options, schema, trees, 2)


def of_errors(options: ValueOptions) -> int:
    """Boosted trees that say how far the others are off."""
    return max(1, options.trees // SPREAD)


def standard(values: Tensor, options: ValueOptions) -> Tensor:
    """Numbers in the user's unit as the model says them."""
    told = values.double()
    told = told.clamp(min=options.least).log() if options.log else told
    return ((told - options.centre) / options.scale).float()


def usual(told: Tensor, options: ValueOptions) -> Tensor:
    """The other way round."""
    values = told * options.scale + options.centre
    return values.clamp(max=80.0).exp() if options.log else values


class Widened(nn.Module):
    """A model whose intervals hold what they should, and whose numbers are right on average."""

    def __init__(self, model: nn.Module, shift: float, widen: float) -> None:
        """shift: added to what is said, in standard deviations; widen: what the typical error is multiplied by."""
        super().__init__()
        self.model = model
        self.change: Tensor
        change = torch.tensor([shift, widen]).double()
        change[ERROR] = change[ERROR].log()
        self.register_buffer("change", change.float(), persistent=False)

    def forward(self, cells: Cells) -> Tensor:
        return self.model(cells) + self.change


class Together(nn.Module):
    """The models of the folds as one: the mean of what they say, the mean of how far they may be off."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, cells: Cells) -> Tensor:
        parts = torch.stack([model(cells) for model in self.models])
        return torch.stack([parts[:, :, SAID].mean(dim=0), parts[:, :, ERROR].exp().mean(dim=0).log()], dim=1)

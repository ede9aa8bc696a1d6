"""Rules inside the graph: whoever answers with the model, in whatever runtime, keeps to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.tasks.tabular.cells import hash_of
from snowroll.tasks.tabular.columns import as_number, spelled
from snowroll.tasks.tabular.model import Cells
from snowroll.tasks.tabular.options import RowOptions
from snowroll.tasks.tabular.rules import Asked, Condition, Not, Rule, refuse_unknown_words

FORBIDDEN = (
    50.0  # nats below the best class that is allowed: never said, and a row that breaks a rule loses a finite sum
)
NO_BOUND = 3e38  # of float32, nearly


class Conditions(nn.Module):
    """Cells to where each rule's condition is true: [B, rules]."""

    def __init__(self, rules: Sequence[Rule], options: RowOptions) -> None:
        super().__init__()
        self.asked = [rule.condition for rule in rules]
        self.numbers = {name: place for place, name in enumerate(options.used_numbers)}
        self.words = {name: place for place, name in enumerate(options.used_categories)}

    def forward(self, cells: Cells) -> Tensor:
        return torch.stack([self._of(one, cells)[0] for one in self.asked], dim=1)

    def _of(self, condition: Condition, cells: Cells) -> tuple[Tensor, Tensor]:
        """Where it is true, and where it is false; neither where nothing can be said."""
        if isinstance(condition, Asked):
            return self._test(condition, cells)
        if isinstance(condition, Not):
            true, false = self._of(condition.part, cells)
            return false, true
        true = torch.ones_like(cells.word[:, 0], dtype=torch.bool)
        false = ~true
        for place, part in enumerate(condition.parts):
            yes, no = self._of(part, cells)
            if condition.is_any:
                true, false = (yes, no) if not place else (true | yes, false & no)
            else:
                true, false = true & yes, false | no
        return true, false

    def _test(self, test: Asked, cells: Cells) -> tuple[Tensor, Tensor]:
        if test.column in self.words:
            word = cells.word[:, self.words[test.column]]
            is_known = word != 0
            is_true = word == hash_of(spelled(test.value))
        else:
            place = self.numbers[test.column]
            is_known = cells.known[:, place] > 0
            number, value = cells.number[:, place], as_number(test.value) or 0.0
            ways: dict[str, Callable[[], Tensor]] = {
                "<": lambda: number < value, "<=": lambda: number <= value, ">": lambda: number > value,
                ">=": lambda: number >= value,
            }  # fmt: skip
            is_true = ways.get(test.comparison, lambda: number == value)()
        if test.comparison == "missing":
            return ~is_known, is_known
        is_true = ~is_true if test.comparison == "!=" else is_true
        return is_known & is_true, is_known & ~is_true


class Ruled(nn.Module):
    """A model whose answers keep to the rules. Of classes the logits change; of numbers two outputs are added, between
    which what is said must lie, in the user's unit.

    Where rules leave no answer to a row (no class, or a least number above the most) they cannot be kept, and do not
    count there: of numbers the least one wins.
    """

    def __init__(
        self, model: nn.Module, rules: Sequence[Rule], options: RowOptions, schema: Mapping[str, Json]
    ) -> None:
        super().__init__()
        self.model, self.conditions, self.made_of = model, Conditions(rules, options), (rules, options, schema)
        self.forbids: Tensor
        self.least: Tensor
        self.most: Tensor
        self.is_choice = schema.get("type") == "choice"
        classes = list(schema.get("classes", ()))
        forbids = [[(name == rule.value) == (rule.verb == "never") for name in classes] for rule in rules]
        self.register_buffer("forbids", torch.tensor(forbids, dtype=torch.bool), persistent=False)
        bounds = [
            [float(rule.value) if rule.verb == verb else bound for rule in rules] if not self.is_choice else []
            for verb, bound in (("at least", -NO_BOUND), ("at most", NO_BOUND))
        ]
        self.register_buffer("least", torch.tensor(bounds[0]), persistent=False)
        self.register_buffer("most", torch.tensor(bounds[1]), persistent=False)

    def forward(self, cells: Cells) -> Tensor:
        outputs, true = self.model(cells), self.conditions(cells)
        if not self.is_choice:
            least = torch.where(true, self.least, torch.full_like(self.least, -NO_BOUND)).amax(dim=1)
            most = torch.where(true, self.most, torch.full_like(self.most, NO_BOUND)).amin(dim=1)
            return torch.cat([outputs, least[:, None], torch.maximum(most, least)[:, None]], dim=1)
        forbidden = (true.unsqueeze(2) & self.forbids).any(dim=1)
        forbidden = forbidden & ~forbidden.all(dim=1, keepdim=True)
        lowest = torch.full_like(outputs, -NO_BOUND)
        best = torch.where(forbidden, lowest, outputs).amax(dim=1, keepdim=True)
        return torch.where(forbidden, torch.minimum(outputs, best - FORBIDDEN), outputs)


def with_rules(model: nn.Module, options: RowOptions, schema: Mapping[str, Json]) -> nn.Module:
    """The model itself where there are none. Raises UsageError for words and classes that there are not."""
    rules = options.read_rules()
    if not rules:
        return model
    refuse_unknown_words(rules, schema)
    return Ruled(model, rules, options, schema)


def around(change: Callable[[nn.Module], nn.Module], model: nn.Module) -> nn.Module:
    """The model changed beneath its rules, which stay outermost."""
    return Ruled(change(model.model), *model.made_of) if isinstance(model, Ruled) else change(model)


def joined(models: Sequence[nn.Module], join: Callable[[Sequence[nn.Module]], nn.Module]) -> nn.Module:
    """Models of one plan as one, the rules around all of them."""
    first = models[0]
    whole = join([model.model if isinstance(model, Ruled) else model for model in models])
    return Ruled(whole, *first.made_of) if isinstance(first, Ruled) else whole

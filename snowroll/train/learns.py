"""The gates that train for a few steps: does everything learn, can two samples be learnt, do the inputs matter?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch, Plan, canonical
from snowroll.train.fit import Step, fit
from snowroll.train.nested import each, leaves
from snowroll.train.trial import ROWS, Measured, Trial, few, gate_plan, join, take

DEAD = 0.5  # share of a layer's units that may be without gradient: a guess; healthy ones measured under 0.1
CLEARLY = 0.85  # of the blind twin's loss. Label smoothing of 0.3 over 10 classes leaves 0.75 at best
CLEARLY_ANOTHER = 0.01  # of the entries of a target
RIGHT = 0.9  # of the task's credit, so that tasks scored by overlap can pass
MORE_BEFORE = 0.1  # of the weights that learn, before the last layer: else there is one capacity only. A guess
SOME = 8  # samples that tell one capacity from another
OFTEN = 9  # of ten steps
ALIKE = 0.05  # of the loss at the start: a blind twin that makes it is shown hardly anything else. A guess
BY_LUCK = 0.01  # how often as many would gain of those that learn nothing from their inputs
HALF_RIGHT = 0.5  # who is, or MORE_RIGHT than a blind twin, has answers that are read rightly
MORE_RIGHT = 0.1  # of the credit: scenes of ten classes are learnt by 80 steps to overlaps of a third to a half
ON_THE_WAY = 1.1  # times the loss while it learns: who loses no more in evaluation mode knows there what it learnt


def everything_learns(trial: Trial, steps: int = 6) -> Measured:
    """Gradients of every parameter over a few steps on the run's own batches."""
    model = trial.make()
    before = {name: p.detach().cpu().clone() for name, p in model.named_parameters()}
    slopes: dict[str, Tensor] = {}
    for _ in fit(model, lambda step: few(trial.batches(step)), trial.objective, gate_plan(trial.plan, steps)):
        for name, p in model.named_parameters():
            if p.grad is not None:
                slopes[name] = torch.maximum(slopes.get(name, torch.zeros_like(p)), p.grad.abs())
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    untouched = [name for name in trainable if name not in slopes or not slopes[name].any()]
    moving = [name for name in trainable if name in slopes and slopes[name].max() > 1e-8]  # below: rounding
    unmoved = [name for name in moving if torch.equal(before[name], trainable[name].cpu())]
    dead = [f"{share:.0%} of {name}" for name, share in _dead_units(model, slopes).items() if DEAD < share < 1]
    problems = [
        ("no gradient reaches {}", untouched),
        ("{} did not move", unmoved),
        ("frozen though earlier layers learn: {}", _frozen(model, trial.frozen)),
        ("dead units: {}", dead),
    ]
    words = [sentence.format(_some(names)) for sentence, names in problems if names]
    if not words and (still := [name for name, p in model.named_parameters() if not p.requires_grad]):
        return Measured(f"all {len(trainable)} parameters moved in {steps} steps; held still: {_some(still)}", True)
    return Measured("; ".join(words) or f"all {len(trainable)} parameters moved in {steps} steps", not words)


@dataclass(frozen=True, slots=True)
class ByHeart:
    """Two samples after some steps: were they learnt, and is that still known in evaluation mode?"""

    words: str
    learnt: bool
    known: bool


def overfits_two(trial: Trial) -> Measured:
    """Learn two samples with different targets, next to a blind twin; judge in evaluation mode too.

    It is learnt where the loss is clearly the lower; or where it is the lower step by step, both answers are right and
    the twin's are not: of a sentence whose beginning is given, nearly every word can be told without its input. Where
    what is wanted is what is shown, parts before one camera may differ by its noise alone: lower is enough then.
    """
    found = two_by_heart(trial)
    return Measured(found.words, found.learnt and found.known)


def two_by_heart(trial: Trial, steps: int = 80) -> ByHeart:
    """The first of three rates that does it, else the last; of two trials that learnt, the one that knows.

    A run by Muon gets a fourth, its own: faint things on large pictures are learnt by hardly anything else so soon.
    """
    pair = _two_different(trial)
    found, best = ByHeart("", False, False), None
    # a network that the first rate breaks, or hardly moves, gets another chance
    plans = [gate_plan(trial.plan, steps, lr) for lr in (1e-3, 1e-4, 1e-2)]
    if trial.plan.optimizer == "muon":
        plans.append(replace(plans[0], optimizer="muon", lr=trial.plan.lr))
    tried = 0
    while plans:
        tried += 1
        losses: list[tuple[float, float]] = []
        for twins, seeing, blinded in _twins(trial, pair, plans.pop(0)):
            losses.append((seeing.loss, blinded.loss))
            if seeing.number in (steps // 4, steps // 2, steps):
                real, blind = (sum(column) / 10 for column in zip(*losses[-10:], strict=True))
                learnt = real < CLEARLY * blind
                credit, known = _kept(trial, twins, pair, real, passes=2 if learnt else 0)
                lower = sum(mine < other for mine, other in losses[-10:]) >= OFTEN
                learnt = learnt or (credit >= RIGHT and lower and _credit(trial, twins.blind, pair) < RIGHT)
                learnt = learnt or (lower and blind < ALIKE * losses[0][0] and _wants_what_it_shows(pair))
                words = (
                    f"loss {real:.3f} after {seeing.number} steps, a blind twin's {blind:.3f}; "
                    f"in evaluation mode {credit:.0%} right"
                )
                found = ByHeart(words, learnt, known)
                if found.learnt and found.known:
                    return found
                best = found if found.learnt else best
        if tried == 1 and losses[-1][0] < losses[0][0]:  # it moves: rather too slowly than too fast
            plans.reverse()
    return best or found


def beats_blind(trial: Trial, steps: int = 40) -> Measured:
    """Twins learn the same samples by heart, one of them blind. Looks at 10, 20 and 40 steps; the first win counts.

    The interval is one over samples; where a loss is known for the batch only, over the last steps. Where a few samples
    gain much and the rest a little, an interval of the mean is wide: that nearly all of them gain is enough, too. Where
    what is wanted is what is shown, and others' inputs show it nearly as well, there is nothing to gain.
    """
    batch = _mixed(trial)
    found, of_steps, shown, at_start = Measured("", False), [], _wants_what_it_shows(batch), 0.0
    for _, seeing, blinded in _twins(trial, batch, gate_plan(trial.plan, steps)):
        at_start = at_start or seeing.loss
        gain = (blinded.losses - seeing.losses).float()
        of_steps.append(gain.mean())
        if seeing.number in (steps // 4, steps // 2, steps):
            all_gain = _nearly_all_gain(gain)
            if len(gain) > 1 and bool((gain == gain[0]).all()):
                gain, all_gain = torch.stack(of_steps[-(steps // 4) :]), False  # steps follow from each other: no draws
            low = float(gain.mean() - 1.96 * gain.std() / len(gain) ** 0.5)
            words = f"loss {seeing.loss:.3f} after {seeing.number} steps on {len(seeing.ids)} samples"
            words += f", blind {blinded.loss:.3f}; the difference is at least {low:.3f}"
            if low <= 0 and all_gain:
                words += " in the mean, and nearly all gain"
            found = Measured(words, low > 0 or all_gain)
            if found.holds:
                return found
            if shown and max(seeing.loss, blinded.loss) < ALIKE * at_start:
                return Measured(f"{words}: they are so alike that others' inputs will do", True)
    return found


def capacity_pays(trial: Trial, steps: int = 40) -> Measured | None:
    """The same samples learnt by the whole network, and by its last layer alone on the others as they began.

    The last layer is the last one built that the loss reaches. Looks at 10, 20 and 40 steps; the first win counts. None
    where hardly anything lies before it.
    """
    whole, part, batch = trial.make(), trial.make(), few(_mixed(trial), SOME)
    last = _last_layer(trial.make(), trial, batch)
    learns = {name: p for name, p in part.named_parameters() if p.requires_grad}
    before = [p for name, p in learns.items() if name not in last]
    if not last or sum(p.numel() for p in before) < MORE_BEFORE * sum(p.numel() for p in learns.values()):
        return None
    for p in before:
        p.requires_grad_(False)
    plan, words = gate_plan(trial.plan, steps), ""
    runs = (fit(model, lambda _: batch, trial.objective, plan) for model in (whole, part))
    for one, other in zip(*runs, strict=True):
        if one.number in (steps // 4, steps // 2, steps):
            words = f"loss {one.loss:.3g} after {one.number} steps on {len(one.ids)} samples, {other.loss:.3g} where "
            words += "the last layer learns alone"
            if one.loss < other.loss:
                return Measured(words, True)
    return Measured(words, False)


def _last_layer(model: nn.Module, trial: Trial, batch: Batch) -> set[str]:
    """Names of the parameters of the last layer built that the loss reaches."""
    trial.objective(model.to(trial.plan.device).train(), batch).mean().backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}
    layers = [
        {f"{name}.{own}" if name else own for own, _ in layer.named_parameters(recurse=False)}
        for name, layer in model.named_modules()
    ]
    return next((own for own in reversed(layers) if own & reached), set())


def _nearly_all_gain(gain: Tensor) -> bool:
    """By Wilcoxon's signed-rank test (1945) over samples; those that neither gain nor lose tell nothing."""
    from scipy.stats import wilcoxon

    apart = gain[gain != 0].cpu().numpy()
    return bool(len(apart)) and float(tuple(wilcoxon(apart, alternative="greater"))[1]) < BY_LUCK


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """Two models that began equal."""

    seeing: nn.Module
    blind: nn.Module


def _twins(trial: Trial, batch: Batch, plan: Plan) -> Iterator[tuple[Twins, Step, Step]]:
    """Train two equal models on one batch, step by step: (both, the seeing one's step, its blind twin's).

    The blind one is given the inputs in another order at each step: they say nothing of the targets, yet look to every
    layer like real ones. (One constant input for all has no variance, and batch normalisation blows its gradient up.)
    """
    twins = Twins(trial.make(), trial.make())
    seeing = fit(twins.seeing, lambda _: batch, trial.objective, plan)
    blind = fit(twins.blind, lambda step: others_inputs(batch, step), trial.objective, plan)
    for step, blinded in zip(seeing, blind, strict=True):
        yield twins, step, blinded


def _kept(trial: Trial, twins: Twins, batch: Batch, loss: float, passes: int) -> tuple[float, bool]:
    """(credit in evaluation mode, whether what was learnt is known there), once running statistics have caught up with
    weights that just moved fast. loss: while it learnt.

    They start at 1 and at the usual momentum forget a tenth a pass, while a deep network on two samples may need 1e-7:
    so up to `passes` times 100 more. Statistics that are not kept, or not used, stay wrong all the same.
    """
    has_statistics = any(name.endswith("running_var") for name, _ in twins.seeing.named_buffers())
    while True:
        credit = _credit(trial, twins.seeing, batch)
        known = credit >= RIGHT or (
            _reads_right(trial, twins, batch, credit) and _on_the_way(trial, twins, batch, loss)
        )
        if known or not passes or not has_statistics:
            return credit, known
        passes -= 1
        for twin in (twins.seeing, twins.blind):
            twin.train()
            with torch.no_grad():
                for _ in range(100):
                    twin(batch.inputs)


def _credit(trial: Trial, model: nn.Module, batch: Batch) -> float:
    model.eval()
    with torch.no_grad():
        return trial.credit(model, batch)


def _reads_right(trial: Trial, twins: Twins, batch: Batch, credit: float) -> bool:
    """Where not, a loss that falls does not help: one class is taken for another in the answers."""
    return credit > HALF_RIGHT or credit > _credit(trial, twins.blind, batch) + MORE_RIGHT


def _on_the_way(trial: Trial, twins: Twins, batch: Batch, loss: float) -> bool:
    """Thin things on large pictures, and sentences, are not learnt by heart in so few steps; what is learnt is known.

    The loss in evaluation mode is that of training, or, where training counts coarser answers as well or every second
    pixel alone, clearly under the blind twin's in evaluation mode.
    """
    with torch.no_grad():
        real, blind = (float(trial.objective(twin.eval(), batch).mean()) for twin in (twins.seeing, twins.blind))
    return real <= ON_THE_WAY * loss or real < CLEARLY * blind


def _wants_what_it_shows(batch: Batch) -> bool:
    shown = [tensor for tensor in leaves(batch.inputs) if tensor.is_floating_point()]
    wanted = [tensor for tensor in leaves(batch.targets) if tensor.is_floating_point()]
    return any(torch.equal(one, other) for one in wanted for other in shown)


def _two_different(trial: Trial) -> Batch:
    """The first sample, and of the first eight batches the first whose target is clearly another.

    A picture without a fault and one with a fault of five pixels have two targets, and yet nearly the same loss
    whatever is learnt. If none differs so much, the one that differs most; if all are alike, the first two.
    """
    first, most = few(trial.plain(0), 1), 0.0
    pair = few(trial.plain(0), 2)
    for step in range(8):
        batch = trial.plain(step)
        differ = _share_that_differs(batch, first)
        clear = (differ >= CLEARLY_ANOTHER).nonzero().flatten().tolist()
        row = clear[0] if clear else int(differ.argmax())
        if float(differ[row]) > most:
            most, pair = float(differ[row]), join([first, take(batch, torch.tensor([row]))])
        if clear:
            break
    return pair


def _share_that_differs(batch: Batch, one: Batch) -> Tensor:
    """[B] the share of the entries of each target that are not the same in the only row of `one`.

    Where a target is one measured number, any two differ: it counts from half of the way to the farthest on.
    """
    rows = len(batch.ids)
    pairs = zip(leaves(batch.targets), leaves(one.targets), strict=True)
    unlike = [_unlike(many, single).reshape(rows, -1).float().mean(1) for many, single in pairs if len(many) == rows]
    return torch.stack(unlike).mean(0)


def _unlike(many: Tensor, single: Tensor) -> Tensor:
    if many.ndim == 1 and many.is_floating_point():
        apart = (many - single).abs()
        return (apart > 0) & (apart >= apart.max() / 2)
    return many != single


def _mixed(trial: Trial, batches: int = 8) -> Batch:
    """As many rows as a gate looks at, targets taking turns: where nearly all are of one class, inputs tell nothing.

    Rows of the first batch, and of more of them while one target has more than half of the places. Who learns in small
    batches has large samples: fewer are looked at.
    """
    rows = min(ROWS, max(8, 2 * trial.plan.batch))
    of_target: dict[str, list[Batch]] = {}
    for step in range(batches):
        batch = trial.plain(step)
        for row, target in enumerate(trial.truth(batch.ids)):
            of_target.setdefault(canonical(target), []).append(take(batch, torch.tensor([row])))
        largest, *rest = sorted(map(len, of_target.values()), reverse=True) or [0]
        if not largest or sum(rest) >= rows // 2:
            break
    turns = [same[turn] for turn in range(rows) for same in of_target.values() if turn < len(same)]
    return join(turns[:rows]) if turns else few(trial.plain(0), rows)


def others_inputs(batch: Batch, step: int) -> Batch:
    """The same targets with the inputs moved on by `step` places."""
    size = len(batch.ids)

    def turn(tensor: Tensor) -> Tensor:
        return tensor.roll(step, 0) if tensor.ndim and len(tensor) == size else tensor

    return replace(batch, inputs=each(batch.inputs, turn))


def _dead_units(model: nn.Module, slopes: dict[str, Tensor]) -> dict[str, float]:
    """For each layer of filters or rows, the share whose weights never got a gradient: their output is cut off."""
    found: dict[str, float] = {}
    for path, module in model.named_modules():
        name = f"{path}.weight" if path else "weight"
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd) and name in slopes:
            found[name] = float((~slopes[name].flatten(1).any(dim=1)).float().mean())
    return found


def _frozen(model: nn.Module, meant: tuple[str, ...]) -> list[str]:
    """Parameters that stand still although something nearer to the input learns, and nobody said they should.

    Freezing from the input on (a backbone, a computed first layer) is a known way to work; the reverse is an accident.
    A second network of the same parameters, of which none learns, is a moving average or a teacher.
    """
    learns, found, still = False, [], (*meant, *_twins_of(model))
    for name, p in model.named_parameters():
        learns |= p.requires_grad
        if learns and not p.requires_grad and not name.startswith(still or ("\0",)):
            found.append(name)
    return found


def _twins_of(model: nn.Module) -> list[str]:
    """Names, with a dot after them, of parts that are held still and shaped throughout as one that learns."""

    def shapes(part: nn.Module) -> list[tuple[str, torch.Size]]:
        return [(name, p.shape) for name, p in part.named_parameters()]

    parts = [(name, part) for name, part in model.named_children() if shapes(part)]
    still = [(name, part) for name, part in parts if not any(p.requires_grad for p in part.parameters())]
    learning = [shapes(part) for _, part in parts if all(p.requires_grad for p in part.parameters())]
    return [f"{name}." for name, part in still if shapes(part) in learning]


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")

"""One optimiser, three rules: SGD with Nesterov momentum, AdamW, and Muon; each group of parameters names its rule.

The arithmetic of SGD and AdamW is torch's own (`torch.optim.sgd.sgd`, fused). Its optimiser *classes* are not used: the
first one that is made imports torch._dynamo, which takes longer than importing torch. In return the state is what a
checkpoint wants: a flat dict of tensors by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from snowroll.base.nouns import Plan

Rule = Literal["sgd", "adamw", "muon"]

# AdamW moves each weight by about lr; Muon moves a [64, 576] filter bank by lr / sqrt(576) a weight.
# In Muon's company biases, norms and head therefore learn at a smaller rate: a guess, to be revisited.
BESIDE_MUON = 0.1
# Tables of a list called `tables` are looked up and nothing else: their rows move when they are read. .3 to 1 learnt
# alike on a small corpus.
LOOKED_UP = 0.5

DEGREE_5, STEPS = (3.4445, -4.7750, 2.0315), 5  # of Muon's iteration (Jordan 2024): quick near 0, and not to 1


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that are updated alike."""

    rule: Rule
    factor: float  # on the schedule's learning rate
    decay: float  # of the weights
    parameters: dict[str, nn.Parameter] = field(default_factory=dict)


@dataclass(slots=True)
class Optimizer:
    """Parameters in groups, and what is remembered of each: 'conv.weight/momentum' -> a tensor of its shape."""

    groups: list[Group]
    momentum: float
    dtype: torch.dtype = torch.float32  # in which Muon multiplies
    state: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient."""
        for group in self.groups:
            moving = {name: p for name, p in group.parameters.items() if p.grad is not None}
            if moving:
                _RULES[group.rule](self, moving, lr * group.factor, group.decay)

    def remembered(self, parameters: dict[str, nn.Parameter], what: str) -> list[Tensor]:
        """The tensors called `what` of these parameters; zeros, in the parameter's memory layout, at first sight."""
        for name, p in parameters.items():
            if f"{name}/{what}" not in self.state:
                self.state[f"{name}/{what}"] = torch.zeros_like(p)
        return [self.state[f"{name}/{what}"] for name in parameters]


def optimizer_for(model: nn.Module, plan: Plan, backbone_lr: float = 1.0) -> Optimizer:
    """The plan's optimiser over every trainable parameter.

    backbone_lr: factor on the learning rate of everything outside `model.head` (fine-tuning).
    No weight decay on 1-D parameters (biases, norms): decaying them buys nothing and can hurt (He et al. 2019, §3.1).
    With Muon, what is not a hidden matrix follows AdamW, and so do loaded weights: steps that are alike in all
    directions would soon have moved them far from what they know.
    """
    matrices = hidden_matrices(model) if plan.optimizer == "muon" else set()
    if getattr(model, "loaded", None):
        matrices = {name for name in matrices if name.startswith("head.")}
    groups: dict[tuple[Rule, float, float], Group] = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        factor = 1.0 if name.startswith("head.") else backbone_lr
        rule: Rule = plan.optimizer
        if plan.optimizer == "muon" and name not in matrices:
            rule, factor = "adamw", factor * (LOOKED_UP if ".tables." in name else BESIDE_MUON)
        key = (rule, factor, plan.weight_decay if p.ndim > 1 else 0.0)
        groups.setdefault(key, Group(*key)).parameters[name] = p
    dtype = torch.bfloat16 if plan.precision == "bf16" else torch.float32
    return Optimizer(list(groups.values()), plan.momentum, dtype)


def hidden_matrices(model: nn.Module) -> set[str]:
    """Names of the parameters Muon is for: matrices and filter banks between what is looked up and what answers.

    Left out: embeddings and the layers that answer (their gradients are sparse or class-shaped; Jordan 2024) and
    depthwise filters, whose rows never see each other. Parts of several layers list those that answer as `answering`;
    of a model without such a part it is the head, or else the last matrix.
    """
    names: list[str] = []
    answering: list[str] = []
    for path, module in model.named_modules():
        answering += [f"{path}.{layer}.".lstrip(".") for layer in getattr(module, "answering", ())]
        is_conv = isinstance(module, nn.modules.conv._ConvNd)
        if isinstance(module, nn.Embedding) or (is_conv and module.groups == module.in_channels > 1):
            continue
        for name, p in module.named_parameters(path, recurse=False):
            if p.ndim == 2 or (is_conv and p.ndim > 2):
                names.append(name)
    last = [name for name in names if name.startswith(tuple(answering or ["head."]))] or names[-1:]
    return set(names) - set(last)


def orthogonal(matrices: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The nearest (semi-)orthogonal matrices, roughly: singular values end in about [0.7, 1.2].

    matrices: [K, M, N]. Returns the same shape, in the input's dtype. Newton-Schulz iteration of degree 5, computed in
    `dtype`; flat and tall matrices in fp32 on a processor go by a shorter way.
    """
    x = matrices.to(dtype)
    if tall := x.shape[-2] > x.shape[-1]:
        x = x.mT
    if dtype == torch.float32 and x.shape[-1] >= 2 * x.shape[-2] and x.device.type == "cpu":
        x = _through_gram(_scaled(x))
    else:
        x = _scaled(x)
        a, b, c = DEGREE_5
        for _ in range(STEPS):
            gram = x @ x.mT
            x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)


def _scaled(x: Tensor) -> Tensor:
    """Singular values of at most 1."""
    return x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(x.dtype)


def _through_gram(x: Tensor) -> Tensor:
    """The same iteration on x x' alone, with which all its polynomials commute: for flat matrices a third of the work.

    In fp32 only: what rounding adds to a small singular value of x x' is the square root of it in x. Where bf16 pays,
    the long way in bf16 is the faster one all the same (by 1.3 to 2 from 128 rows, avx512_bf16).
    """
    a, b, c = DEGREE_5
    gram = x @ x.mT
    product = one = torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
    for step in range(STEPS):
        factor = a * one + b * gram + c * gram @ gram
        product = factor @ product
        if step < STEPS - 1:
            gram = factor @ gram @ factor
    return product @ x


def _sgd(optimizer: Optimizer, parameters: dict[str, nn.Parameter], lr: float, decay: float) -> None:
    """v = m v + g;  p -= lr (g + m v). The decay is part of g (L2)."""
    dense = _dense_views(parameters)
    sgd(
        dense(list(parameters.values())),
        dense(_gradients(parameters)),
        dense(optimizer.remembered(parameters, "momentum")),
        fused=_is_fused(parameters),
        lr=lr,
        momentum=optimizer.momentum,
        nesterov=optimizer.momentum > 0,
        weight_decay=decay,
        dampening=0.0,
        maximize=False,
    )


def _adamw(optimizer: Optimizer, parameters: dict[str, nn.Parameter], lr: float, decay: float) -> None:
    """Adam with decoupled decay (Loshchilov & Hutter 2019, algorithm 2)."""
    for name, p in parameters.items():
        optimizer.state.setdefault(f"{name}/count", torch.zeros((), dtype=torch.float32, device=p.device))
    dense = _dense_views(parameters)
    adamw(
        dense(list(parameters.values())),
        dense(_gradients(parameters)),
        dense(optimizer.remembered(parameters, "mean")),
        dense(optimizer.remembered(parameters, "square")),
        [],
        [optimizer.state[f"{name}/count"] for name in parameters],
        fused=_is_fused(parameters),
        lr=lr,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
        weight_decay=decay,
        amsgrad=False,
        maximize=False,
    )


def _muon(optimizer: Optimizer, parameters: dict[str, nn.Parameter], lr: float, decay: float) -> None:
    """Nesterov momentum whose step is made orthogonal: every direction of a matrix learns at the same speed.

    K. Jordan 2024, "Muon: an optimizer for hidden layers in neural networks". Filters [O, I, kh, kw] count as
    [O, I*kh*kw]. Parameters of one shape are orthogonalised together in one batched product. The decay is decoupled.
    """
    momentum = optimizer.momentum
    alike: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
    velocities = optimizer.remembered(parameters, "momentum")
    for p, gradient, velocity in zip(parameters.values(), _gradients(parameters), velocities, strict=True):
        velocity.lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(velocity, momentum).reshape(len(p), -1)
        alike.setdefault((ahead.shape[0], ahead.shape[1]), []).append((p, ahead))
    for (rows, columns), pairs in alike.items():
        moves = orthogonal(torch.stack([ahead for _, ahead in pairs]), optimizer.dtype)
        for (p, _), move in zip(pairs, moves, strict=True):
            p.mul_(1 - lr * decay).sub_(move.view(p.shape), alpha=lr * max(1.0, rows / columns) ** 0.5)


def _gradients(parameters: dict[str, nn.Parameter]) -> list[Tensor]:
    return [p.grad for p in parameters.values() if p.grad is not None]


def _dense_views(parameters: dict[str, nn.Parameter]) -> Callable[[list[Tensor]], list[Any]]:
    """Maps tensors, one a parameter, to views whose indices run as the parameter's memory does. torch's fused updates
    copy filters that lie channels last there and back: twice the time.
    """
    turned = [p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last) for p in parameters.values()]
    return lambda tensors: [t.permute(0, 2, 3, 1) if turn else t for t, turn in zip(tensors, turned, strict=True)]


def _is_fused(parameters: dict[str, nn.Parameter]) -> bool:
    return all(p.device.type in ("cpu", "cuda") for p in parameters.values())


_RULES = {"sgd": _sgd, "adamw": _adamw, "muon": _muon}

"""Several models as one: the mean of what they hold probable.

Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles", section 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Classifiers of the same classes, inputs to logits [B, C], as one of the same kind.

    Its logits are the logarithms of the members' mean probabilities, so that whoever takes a softmax of them (the loss,
    post-processing, calibration, an export) sees that mean, and need not know that there are several.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        # log-mean-exp of log-softmax: no probability is rounded to 0 on the way
        said_KBC = torch.stack([member(inputs).float().log_softmax(dim=1) for member in self.members])
        return said_KBC.logsumexp(dim=0) - log(len(self.members))

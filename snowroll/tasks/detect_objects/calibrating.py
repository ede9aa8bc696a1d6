"""From which score on an object is told."""

from __future__ import annotations

from math import log

import torch

from snowroll.base.nouns import Json
from snowroll.tasks.detect_objects.answers import CANDIDATES
from snowroll.tasks.detect_objects.boxes import Found, Objects, overlap, survivors

RIGHT = 0.5  # overlap from which a box is right
SUPPRESSED = 0.6  # as DetectOptions.overlap by default
FARTHEST = 0.98  # a cut is never nearer to 0 or 1 than this leaves


def best_cuts(found: Found, objects: Objects) -> Json:
    """{"by": [C] what is added to each class's logits so that 0.5 is the best cut, "cuts": [C]}; None where no class
    has an object to be found.
    """
    hits, score, kind = _matched(found, objects)
    cuts = []
    for number in range(found.score.shape[1]):
        there = int((objects.kind == number).sum())
        mine = kind == number
        cuts.append(_best_cut(score[mine], hits[mine], there) if there else 0.5)
    if all(cut == 0.5 for cut in cuts):
        return None
    cuts = [min(max(cut, 1 - FARTHEST), FARTHEST) for cut in cuts]
    return {"by": [round(-log(cut / (1 - cut)), 4) for cut in cuts], "cuts": [round(cut, 4) for cut in cuts]}


def _matched(found: Found, objects: Objects) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(right, score, class) of every object that would be told at any cut, over all pictures."""
    hits, scores, kinds = [], [], []
    places = found.score.shape[2]
    for row in range(len(found.score)):
        score, at = found.score[row].sigmoid().flatten().topk(min(CANDIDATES, found.score[row].numel()))
        kind, box = at // places, found.box[row][at % places]
        stands = survivors(box[None], score[None], kind[None], SUPPRESSED)[0] & (score > 0.01)
        score, kind, box = score[stands], kind[stands], box[stands]
        wanted = objects.kind[row] >= 0
        fits = overlap(box[:, None], objects.box[row][wanted][None])
        fits = torch.where(kind[:, None] == objects.kind[row][wanted][None], fits, 0.0)
        hit = torch.zeros(len(score), dtype=torch.bool)
        for place in range(len(score)):  # the surest choose first
            if fits.shape[1] and fits[place].max() >= RIGHT:
                hit[place] = True
                fits[:, fits[place].argmax()] = 0.0
        hits.append(hit)
        scores.append(score.cpu())
        kinds.append(kind.cpu())
    return torch.cat(hits), torch.cat(scores), torch.cat(kinds)


def _best_cut(score: torch.Tensor, hit: torch.Tensor, there: int) -> float:
    """Halfway between the last object that is worth telling and the next."""
    if not len(score):
        return 0.5
    order = score.argsort(descending=True)
    score, right = score[order], hit[order].cumsum(0)
    f1 = 2 * right / (torch.arange(1, len(score) + 1) + there)
    best = int(f1.argmax())
    following = float(score[best + 1]) if best + 1 < len(score) else 0.0
    return (float(score[best]) + following) / 2

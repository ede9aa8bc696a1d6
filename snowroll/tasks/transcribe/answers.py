"""From the letters of every moment to a text: the likeliest letter each, or the likeliest text of all. No torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.edits import plain
from snowroll.tasks.transcribe.options import TranscribeOptions

Schema = Mapping[str, Json]
_BLANK = 0
_NEVER = -1e30
_SURE = -1e-6  # a blank as likely is past the end, or silence
_PRUNED = -9.0  # nats under which a letter of a moment begins nothing. A guess: 1 in 8,000


def read(outputs: Mapping[str, np.ndarray], schema: Schema, options: TranscribeOptions) -> list[Prediction]:
    """The text of each row, its probability, and as doubt one minus the probability of its average letter.

    Of several models each proposes a text. The one is taken that all of them together hold most probable (the sum of
    their log-probabilities); its probability is their mean.
    """
    letters = str(schema["characters"])
    told = []
    for logs, follows in zip(outputs["letters"], outputs["follows"], strict=True):
        if logs.shape[2] != len(letters) + 1:
            raise DataError(
                f"the model has {logs.shape[2] - 1} letters and the schema {len(letters)}",
                cure="use the schema the model was trained on",
            )
        shown = np.flatnonzero((logs[:, :, _BLANK] < _SURE).any(axis=0))
        models = list(logs[:, : shown[-1] + 1 if len(shown) else 1].astype(np.float64))
        said, nats = _agreed(models, [_proposed(one, follows, options) for one in models])
        share = float(np.exp(min(0.0, nats)))
        text = plain("".join(letters[letter - 1] for letter in said))
        told.append(Prediction(text, share, float(1 - np.exp(min(0.0, nats) / (len(said) + 1)))))
    return told


def _proposed(logs: np.ndarray, follows: np.ndarray, options: TranscribeOptions) -> list[int]:
    return beam(logs, follows, options.beam, options.prior) if options.decoder == "beam" else greedy(logs)


def _agreed(models: Sequence[np.ndarray], proposed: Sequence[Sequence[int]]) -> tuple[Sequence[int], float]:
    """(the letters of the proposals that the models [T, 1 + characters] agree on most, ln of its mean probability)"""
    heard = {letters: [log_probability(logs, letters) for logs in models] for letters in map(tuple, proposed)}
    best = max(heard, key=lambda letters: sum(heard[letters]))
    return best, float(np.logaddexp.reduce(heard[best]) - np.log(len(models)))


def greedy(logs: np.ndarray) -> list[int]:
    """The likeliest letter of each moment, repeats and blanks taken out (Graves et al. 2006, section 3.2).

    logs: [T, 1 + characters] log-probabilities.
    """
    best = logs.argmax(axis=1)
    changes = np.concatenate([[True], best[1:] != best[:-1]])
    return [int(letter) for letter in best[changes] if letter != _BLANK]


def log_probability(logs: np.ndarray, letters: Sequence[int]) -> float:
    """ln P(letters): over all ways to spread them over the moments (Graves et al. 2006, equations 5-8)."""
    states = np.zeros(2 * len(letters) + 1, np.int64)
    states[1::2] = letters
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    forward = np.full(len(states), _NEVER)
    forward[:2] = logs[0, states[:2]]
    for moment in logs[1:, states]:
        one = np.concatenate([[_NEVER], forward[:-1]])
        two = np.where(skips, np.concatenate([[_NEVER] * min(2, len(states)), forward[:-2]])[: len(states)], _NEVER)
        forward = np.logaddexp(np.logaddexp(forward, one), two) + moment
    return float(np.logaddexp.reduce(forward[-2:]))


def beam(logs: np.ndarray, follows: np.ndarray, width: int, prior: float) -> list[int]:
    """The likeliest text: beginnings are followed, each with all ways to say it (Hannun et al. 2014, algorithm 1).

    follows: [1 + characters, characters] nats of a letter after another one, counted `prior` times.
    """
    # beginning -> ln P of it, ending in a blank and in its letter; its score has what letters follow each other
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, _NEVER)}
    told: dict[tuple[int, ...], float] = {(): 0.0}
    for moment in logs:
        new: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [_NEVER, _NEVER])
        likely = [int(letter) for letter in np.flatnonzero(moment > _PRUNED) if letter != _BLANK]
        for text, (blank, letter_) in beams.items():
            both = np.logaddexp(blank, letter_)
            here = new[text]
            here[0] = np.logaddexp(here[0], both + moment[_BLANK])
            if text:
                here[1] = np.logaddexp(here[1], letter_ + moment[text[-1]])
            for letter in likely:
                longer = (*text, letter)
                there = new[longer]
                of = blank if text and text[-1] == letter else both
                there[1] = np.logaddexp(there[1], of + moment[letter])
                if longer not in told:
                    told[longer] = told[text] + prior * float(follows[text[-1] if text else 0, letter - 1])
        kept = sorted(new, key=lambda text: -(np.logaddexp(new[text][0], new[text][1]) + told[text]))[:width]
        beams = {text: (new[text][0], new[text][1]) for text in kept}
    return list(max(beams, key=lambda text: np.logaddexp(*beams[text]) + told[text]))

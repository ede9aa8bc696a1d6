"""What the planning rules want to know of a set of pictures, measured on small thumbnails."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snowroll.base.nouns import Json

_ENOUGH = 10  # pictures a class; below, mirroring cannot be judged


def mirror_keeps_class(
    thumbnails: np.ndarray, targets: Sequence[Json], most: int = 3_000, seed: int = 0
) -> dict[str, Json]:
    """Whether a mirrored picture still looks like its class: the evidence for or against horizontal flips.

    thumbnails: uint8 [n, S, S, 3]. A linear probe learns the classes on one half; `plain` and `mirrored` are its
    accuracies on the other half as it is and mirrored. Where mirroring costs the probe most of what it knows beyond
    chance, left and right carry meaning (digits, letters, arrows, one-sided anatomy) and flips would teach errors.
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(seed)
    names, classes = np.unique(np.asarray(targets, dtype=object).astype(str), return_inverse=True)
    rows = rng.permutation(len(classes))[:most]
    if len(names) < 2 or np.bincount(classes, minlength=len(names)).min() < _ENOUGH:
        return {"mirror": "unknown", "plain": None, "mirrored": None}
    half = len(rows) // 2
    learn, judge = rows[:half], rows[half:]
    pixels = thumbnails[..., ::2, ::2, :].astype(np.float32) / 255
    flat = pixels.reshape(len(pixels), -1)
    pca = PCA(n_components=min(40, half - 1, flat.shape[1]), random_state=seed).fit(flat[learn])
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(pca.transform(flat[learn]), classes[learn])
    plain = float(probe.score(pca.transform(flat[judge]), classes[judge]))
    mirror = pixels[judge][:, :, ::-1].reshape(len(judge), -1)
    mirrored = float(probe.score(pca.transform(mirror), classes[judge]))
    chance = float(np.bincount(classes[judge]).max() / len(judge))
    skill, kept = plain - chance, mirrored - chance
    # a probe that knows too little has nothing to lose
    verdict = "unknown" if skill < 0.1 else "kept" if kept > 0.5 * skill else "lost"
    return {"mirror": verdict, "plain": round(plain, 3), "mirrored": round(mirrored, 3)}

"""cleanlab: label issues from out-of-fold predictions of a logistic regression on small pixels, as its tutorials do,
and Datalab's near duplicates on the same features.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from cases import Finding
from folder import Sample, samples
from PIL import Image

NAME = "cleanlab"
PACKAGES = ("cleanlab[datalab]", "scikit-learn", "pillow")

CAUSES = {"label": "wrong_labels", "near_duplicate": "near_copies", "class_imbalance": "imbalance"}
SIDE_PX = 16  # small enough for a linear model on some hundred pictures
FOLDS = 5


def data(root: Path) -> list[Finding]:
    from peers import findings_of

    return findings_of(NAME, PACKAGES, root)


def examine(root: Path) -> list[Finding]:
    """In the tool's own environment. It is given what can be decoded, all splits together: it knows no splits."""
    kept, features = readable(samples(root))
    if len({sample.label for sample in kept}) < 2:
        return []
    lab = datalab(features, [sample.label for sample in kept])
    found = []
    for issue, cause in CAUSES.items():
        if issue not in lab.get_issue_summary()["issue_type"].values:
            continue
        flags = lab.get_issues(issue)[f"is_{issue}_issue"].to_numpy()
        files = tuple(kept[place].path.relative_to(root).as_posix() for place in np.flatnonzero(flags))
        if files:
            found.append(Finding(cause, files, f"{len(files)} {issue} issues"))
    return found


def datalab(features: np.ndarray, labels: list[str]):
    from cleanlab import Datalab
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    probabilities = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
    lab = Datalab(data={"label": labels}, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=probabilities, features=features, issue_types={issue: {} for issue in CAUSES})
    return lab


def readable(found: list[Sample]) -> tuple[list[Sample], np.ndarray]:
    """The samples that Pillow decodes, of classes with a sample for each fold; their pixels [n, 3 * SIDE_PX ** 2]."""
    pixels = {}
    for sample in found:
        try:
            picture = sample.picture().convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # a loader's own business: this tool is about labels
        pixels[sample] = np.asarray(picture, np.float32).ravel() / 255
    labels = [sample.label for sample in pixels]
    kept = [sample for sample in pixels if labels.count(sample.label) >= FOLDS]
    return kept, np.array([pixels[sample] for sample in kept])


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in examine(Path(sys.argv[1]).resolve())]))

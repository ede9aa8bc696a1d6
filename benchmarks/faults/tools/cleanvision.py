"""CleanVision: Imagelab over the folder with all its default issue types, as its tutorial does."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from cases import Finding

NAME = "cleanvision"
PACKAGES = ("cleanvision",)

CAUSES = {
    "exact_duplicates": "exact_copies",
    "near_duplicates": "near_copies",
    "odd_aspect_ratio": "odd_size",
    "odd_size": "odd_size",
    "low_information": "blank",
    "light": "exposure",
    "dark": "exposure",
    "blurry": "blur",
    "grayscale": "odd_mode",
}
MAX_PREVALENCE = 0.5  # its default in `report()`: what more pictures have is not shown to the user


def data(root: Path) -> list[Finding]:
    from peers import findings_of

    return findings_of(NAME, PACKAGES, root)


def examine(root: Path) -> list[Finding]:
    """In the tool's own environment. It knows no labels and no splits: each issue type is one finding."""
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(root))
    lab.find_issues(n_jobs=1, verbose=False)
    found = []
    for issue, cause in CAUSES.items():
        flags = lab.issues.get(f"is_{issue}_issue")
        if flags is not None and 0 < flags.mean() <= MAX_PREVALENCE:
            files = [Path(name).relative_to(root).as_posix() for name in lab.issues.index[flags]]
            found.append(Finding(cause, tuple(files), f"{len(files)} {issue} issues"))
    return found


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in examine(Path(sys.argv[1]).resolve())]))

"""Snowroll, as its users run it: `snowroll init` beside the data, then `snowroll check --json`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cases import Finding
from peers import HERE, ToolFailed, said_last

NAME = "snowroll"
PACKAGES = ()  # this tree's, in the interpreter that runs the suite

CAUSES = {
    "unreadable_file": "unreadable",
    "mostly_unreadable": "unreadable",
    "absent_files": "unreadable",
    "truncated_file": "truncated",
    "empty_file": "empty",
    "oversized_picture": "bomb",
    "wrong_extension": "wrong_extension",
    "blank_picture": "blank",
    "placeholder_picture": "blank",
    "odd_mode": "odd_mode",
    "animated_picture": "odd_mode",
    "see_through": "odd_mode",
    "exif_rotation": "rotation",
    "odd_size": "odd_size",
    "blurred_picture": "blur",
    "underexposed_picture": "exposure",
    "overexposed_picture": "exposure",
    "empty_folder": "folders",
    "class_names_alike": "folders",
    "skipped_files": "junk",
    "identical_files": "exact_copies",
    "near_copies": "near_copies",
    "copies_across_splits": "copies_across_splits",
    "near_copies_across_splits": "copies_across_splits",
    "conflicting_labels": "conflicting_labels",
    "conflicting_labels_near": "conflicting_labels",
    "conflicting_rows": "conflicting_labels",
    "suspect_labels": "wrong_labels",
    "unknown_label": "unknown_class",
    "class_in_one_split": "unknown_class",
    "class_imbalance": "imbalance",
    "few_in_class": "imbalance",
    "group_across_splits": "group_across_splits",
    "undeclared_groups": "group_across_splits",
    "shortcut": "shortcut",
    "split_shift": "split_shift",
}
REFUSED = 2  # the exit code of a command that will not do what it was asked


def data(root: Path) -> list[Finding]:
    """A refusal by either command is a finding too: it stops the user."""
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        for command in (["init", project, "--data", root], ["check", project]):
            done = subprocess.run(
                [sys.executable, "-m", "snowroll", *map(str, command), "--json"],
                capture_output=True, text=True, cwd=HERE.parents[1],
            )  # fmt: skip
            if done.returncode == REFUSED:
                return [Finding("other:refused", (), said_last(done.stderr), "block")]
            if done.returncode not in (0, 1):
                raise ToolFailed(f"snowroll {command[0]}: {said_last(done.stderr)}")
        return [finding(fault) for fault in json.loads(done.stdout)["faults"]]


def finding(fault: dict) -> Finding:
    cause = CAUSES.get(fault["code"], f"other:{fault['code']}")
    return Finding(cause, tuple(fault["paths"]), fault["message"], fault["severity"])

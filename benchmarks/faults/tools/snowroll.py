"""Snowroll, as its users run it: `snowroll init` beside the data, then `snowroll check --json`; a program's parts are
handed to the gates for loops that others wrote (examples/own_gates.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cases import Fed, Finding, Program
from peers import HERE, ToolFailed, said_last

NAME = "snowroll"
PACKAGES = ()  # this tree's, in the interpreter that runs the suite

CAUSES = {
    "unreadable_file": "unreadable",
    "mostly_unreadable": "unreadable",
    "absent_files": "unreadable",
    "truncated_file": "truncated",
    "half_lost_picture": "truncated",
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
    "mixed_depths": "folders",
    "labels_alike": "unknown_class",
    "skipped_files": "junk",
    "contact_sheet": "junk",
    "derived_files": "junk",
    "identical_files": "exact_copies",
    "near_copies": "near_copies",
    "copies_across_splits": "copies_across_splits",
    "near_copies_across_splits": "copies_across_splits",
    "rows_in_two_splits": "copies_across_splits",
    "conflicting_labels": "conflicting_labels",
    "conflicting_labels_near": "conflicting_labels",
    "conflicting_rows": "conflicting_labels",
    "suspect_labels": "wrong_labels",
    "doubted_labels": "wrong_labels",
    "classes_renamed": "wrong_labels",
    "label_stuck": "wrong_labels",
    "unknown_label": "unknown_class",
    "class_in_one_split": "unknown_class",
    "several_labels": "unknown_class",
    "class_imbalance": "imbalance",
    "few_in_class": "imbalance",
    "group_across_splits": "group_across_splits",
    "undeclared_groups": "group_across_splits",
    "groups_alike": "group_across_splits",
    "shortcut": "shortcut",
    "split_shift": "split_shift",
}
GATES = {
    "schedule": "wrong_schedule",
    "held_out_apart": "wrong_evaluation",
    "finite": "exploding",
    "encoded_whole": "input_not_seen",
    "inputs_arrive": "input_not_seen",
    "targets_arrive": "wrong_targets",
    "repeats": "not_repeatable",
    "loss_steady_in_size": "wrong_loss",
    "loss_reaches_all": "wrong_loss",
    "loss_falls_when_right": "wrong_loss",
    "loss_meets_its_target": "wrong_targets",
    "loss_is_proper": "wrong_loss",
    "loss_at_init": "wrong_init",
    "bias_at_prior": "wrong_init",
    "activations": "exploding",
    "inputs_reach": "input_not_seen",
    "no_future": "future_seen",
    "samples_apart": "samples_mixed",
    "answers_stand": "train_eval_gap",
    "outputs_differ": "too_small",
    "update_follows_gradient": "wrong_update",
    "optimizer_has_all": "not_learning",
    "everything_learns": "not_learning",
    "overfits_two": "not_learning",
    "known_in_evaluation": "train_eval_gap",
    "beats_blind": "input_not_seen",
    "learning_rate": "wrong_rate",
    "modes_agree": "train_eval_gap",
    "augmentation_keeps_labels": "augmentation",
    "figure_agrees": "wrong_evaluation",
    "served_alike": "serving_differs",
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


def training(program: Program) -> list[Finding]:
    """An error of the program is what stops its user."""
    from snowroll.train.own.examine import examine

    failed = [gate for gate in examine(loop_of(program)) if not gate.passed]
    return [Finding(GATES[gate.name], (), f"{gate.name}: {gate.measured}", "block") for gate in failed]


def loop_of(program: Program):
    from dataclasses import replace

    from snowroll.base.nouns import Batch
    from snowroll.train.own.loop import Loop, Samples

    unvaried = replace(program, augment=lambda fed, step: fed)

    def batch(fed: Fed) -> Batch:
        return Batch(fed.inputs, fed.targets, fed.ids)

    return Loop(
        make=program.make,
        batch=lambda step: batch(program.feed(program, step)),
        loss=lambda model, seen: program.loss(model, Fed(seen.inputs, seen.targets, seen.ids)),
        optimizer=program.optimizer,
        steps=program.steps,
        update=program.update,
        rate=program.rate,
        plain=lambda step: batch(program.feed(unvaried, step)),
        samples=Samples(program.raw, program.encode, program.labels, program.train, program.held_out, program.classes),
        predict=program.predict,
        figure=lambda model: program.figure(program, model),
        serve=lambda model, sample: program.serve(program, model, sample),
        causal=program.causal,
    )

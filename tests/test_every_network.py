"""Networks that a task offers beside the one its rules choose: each learns, answers and is exported like that one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bench_kit import answers_of, ignore, make_bench, one_thread, rows_of

from snowroll.base.nouns import Json
from snowroll.deploy.export import export_onnx
from snowroll.deploy.parity import parity
from snowroll.project.gating import pass_gates
from snowroll.project.models import read_model, save_model
from snowroll.project.validating import validate

pytestmark = pytest.mark.slow

NETWORKS: dict[str, tuple[str, dict[str, Json]]] = {
    "Faster R-CNN": ("detect_objects", {"task.detector": "faster_rcnn", "task.proposals": 30}),
    "LR-ASPP": ("segment_images", {"task.model": "lraspp_mobilenet_v3_large"}),
    "words in order": ("classify_texts", {"task.model": "encoder", "task.width": 32, "task.dropout": 0.0}),
    "mixer": ("forecast", {"task.model": "mixer"}),
    "Conformer": ("transcribe", {"task.model": "conformer"}),
    "byte pairs": ("write_text", {"task.tokens": "pairs", "task.vocabulary": 300}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_learns_answers_and_is_exported(name: str, tmp_path: Path) -> None:
    task, settings = NETWORKS[name]
    bench = make_bench(task, tmp_path / "project", settings)
    with one_thread():
        batch, options, schema = bench.batch(), bench.plan.task, bench.packed.schema
        with torch.no_grad():
            losses = bench.task.loss(bench.model, batch, options)
        assert losses.shape == (16,)
        learnt = bench.task.credit(bench.say(batch), bench.targets(), schema).min() > 0.9
        assert learnt or float(losses.mean()) < 0.25 * bench.first_loss, f"{bench.first_loss} to {losses}"
        told = validate(bench.opened, bench.packed, bench.model, bench.plan)
        assert set(told) == {"val_loss", f"val_{bench.task.headline}"}
        together = bench.arrays(batch)
        for row in (0, 11):
            for key, value in bench.arrays(bench.batch([row])).items():
                np.testing.assert_allclose(value[0], together[key][row], rtol=1e-3, atol=1e-3)
        save_model(tmp_path, bench.task, bench.model, bench.plan, schema, bench.packed.version.id, None)
        after = bench.arrays(batch, read_model(tmp_path, bench.task)[0])
        assert all(np.array_equal(together[key], after[key]) for key in together)
        export_onnx(bench.task.deployable(bench.model, options, schema), tmp_path / "model.onnx", {"name": "example"})
        exported = answers_of(tmp_path / "model.onnx", bench)
        assert parity(exported, zip(bench.raws(), rows_of(together), strict=True)).agreement == 1
        gates = pass_gates(bench.opened, bench.packed, replace(bench.plan, steps=40), tmp_path, ignore)
        assert not [gate.measured for gate in gates if not gate.passed]

"""One file: what is in it, where it is cut, and the proof that it says what the model says."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from deploy_kit import CLASSES, answer, deployable, exported, loaded, open_raw, png

from snowroll.base.errors import DataError, PlanError
from snowroll.deploy.export import export_onnx, facts, split_graphs
from snowroll.deploy.parity import Tolerance, parity
from snowroll.deploy.quantize import quantize_int8
from snowroll.deploy.session import Example, load, self_test

pytestmark = pytest.mark.slow


def trained(raw: bytes, seed: int = 0) -> dict[str, np.ndarray]:
    whole = deployable(seed)
    with torch.no_grad():
        prepared = whole.prepare(torch.from_numpy(open_raw(raw).copy()))
        return {"probabilities": whole.body(prepared)[0].numpy()}


def test_the_whole_file_takes_raw_pixels_of_any_size() -> None:
    whole = onnxruntime.InferenceSession(exported(), providers=["CPUExecutionProvider"])
    for width, height in ((24, 24), (100, 7), (1, 1), (333, 250)):
        raw = png(width, width, height)
        got = whole.run(["probabilities"], {"pixels": open_raw(raw)})[0][0]
        assert np.abs(got - trained(raw)["probabilities"]).max() < 1e-5


def test_the_halves_are_the_file_and_the_body_takes_any_batch() -> None:
    prepare, body = (
        onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]) for graph in split_graphs(exported())
    )
    rows = [prepare.run(None, {"pixels": open_raw(png(seed))})[0] for seed in range(5)]
    together = body.run(None, {"prepared": np.concatenate(rows)})[0]
    for seed, row in enumerate(together):
        assert np.abs(row - trained(png(seed))["probabilities"]).max() < 1e-5


def test_metadata_self_containment_and_determinism(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    sha = export_onnx(deployable(), path, {"name": "shapes", "labels": list(CLASSES), "run": "0"})
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    known = facts(onnx.load(path))
    assert json.loads(known["labels"]) == list(CLASSES)
    assert json.loads(known["contract"]) == {"classes": list(CLASSES)}
    assert known["name"] == "shapes"
    assert path.read_bytes() == exported(), "the same model makes the same file"


def test_changed_weights_are_noticed() -> None:
    whole = onnx.load_model_from_string(exported())
    tensor = next(t for t in whole.graph.initializer if t.name.endswith("head.weight"))
    values = onnx.numpy_helper.to_array(tensor) * 1.01
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
    with pytest.raises(DataError, match="weights"):
        split_graphs(whole.SerializeToString())


def test_external_data_is_refused() -> None:
    whole = onnx.load_model_from_string(exported())
    tensor = whole.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    with pytest.raises(DataError, match="other files"):
        load(whole.SerializeToString(), "evil", open_raw, answer)


@pytest.mark.parametrize("cut", [0, 10, 500, -7])
def test_a_damaged_file_is_refused_in_words(cut: int) -> None:
    with pytest.raises(DataError):
        load(exported()[:cut], "cut", open_raw, answer)


def test_parity_passes_the_honest_file_and_tells_the_figures() -> None:
    found = parity(loaded(), [(png(seed), trained(png(seed))) for seed in range(20)])
    assert found.n == 20
    assert found.largest < 1e-4
    assert found.agreement == 1.0
    json.dumps(found.as_json(), allow_nan=False)


def test_parity_refuses_another_model_with_the_numbers() -> None:
    with pytest.raises(PlanError, match=r"largest 0\.\d+ \(at most 0\.05\).*n=20"):
        parity(loaded(), [(png(seed), trained(png(seed), seed=1)) for seed in range(20)])


def test_parity_refuses_nan_and_nothing() -> None:
    broken = {"probabilities": np.full(3, np.nan, dtype=np.float32)}
    with pytest.raises(PlanError):
        parity(loaded(), [(png(0), broken)])
    with pytest.raises(PlanError, match="no sample"):
        parity(loaded(), [])


def test_int8_is_smaller_work_and_near(tmp_path: Path) -> None:
    model = loaded()
    path = tmp_path / "int8.onnx"
    quantize_int8(exported(), path, (model.prepare(png(seed)) for seed in range(30)))
    small = load(path.read_bytes(), "int8", open_raw, answer)
    assert small.facts["precision"] == "int8"
    assert small.labels == CLASSES
    weights = [t for t in onnx.load(path).graph.initializer if t.data_type == onnx.TensorProto.INT8 and len(t.dims) > 1]
    assert weights
    # beyond seven bits, processors without VNNI saturate: the file would answer otherwise there
    assert max(abs(onnx.numpy_helper.to_array(tensor).astype(int)).max() for tensor in weights) <= 64
    samples = [(png(seed), trained(png(seed))) for seed in range(100, 140)]
    found = parity(small, samples, Tolerance(mean=0.05, largest=0.5, agreement=0.8))
    assert found.largest > 1e-6, "nothing was rounded: the body is not int8"


def test_int8_without_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="calibration"):
        quantize_int8(exported(), tmp_path / "int8.onnx", [])
    assert not list(tmp_path.iterdir())


def test_self_test_passes_the_model_and_refuses_another() -> None:
    self_test(loaded())
    with pytest.raises(DataError, match="differs"):
        self_test(loaded(model=exported(1)))
    honest = loaded()
    with pytest.raises(DataError, match="no output 'boxes'"):
        self_test(dataclasses.replace(honest, examples=(Example(png(1), {"boxes": np.zeros(1)}),)))
    with pytest.raises(DataError, match="no stored examples"):
        self_test(dataclasses.replace(honest, examples=()))

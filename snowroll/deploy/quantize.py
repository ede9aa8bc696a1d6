"""int8 for CPUs: static, per channel, with quantise/dequantise pairs in the graph (onnxruntime).

The file must say the same on every processor, so weights use seven of their eight bits: two products of full range
saturate the 16-bit sums of processors without VNNI (onnxruntime, "Quantize ONNX models", on U8S8 and reduce_range).
A model exported on one machine answered at random on another until then.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import PlanError
from snowroll.deploy.export import WEIGHTS, describe, facts, join, read, save, split
from snowroll.deploy.session import Prepared

if TYPE_CHECKING:
    from onnx import ModelProto


def quantize_int8(model: bytes, path: Path, prepared: Iterable[Prepared]) -> str:
    """Write the file with its body in int8; the preparing half stays as it is. Returns the SHA-256 of its bytes.

    prepared: calibration inputs, one row each, as `Loaded.prepare` returns them, a hundred or more from the training
    part. The caller measures what accuracy it costs. Raises PlanError without calibration data.
    """
    import onnx

    rows = list(prepared)
    if not rows:
        raise PlanError("int8 needs calibration samples", cure="give the training part some samples")
    whole = read(model)
    prepare, body = split(whole)
    joined = join(onnx.load_model_from_string(prepare), _quantized(body, rows))
    kept = {key: value for key, value in facts(whole).items() if key != WEIGHTS}
    describe(joined, {**kept, "precision": "int8", "calibration": {"n": len(rows)}})
    return save(joined, path)


def _quantized(body: bytes, rows: Sequence[Prepared]) -> ModelProto:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """The interface onnxruntime asks for: one input at a time, None at the end."""

        def __init__(self) -> None:
            self.rows = iter(rows)

        def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
            row = next(self.rows, None)
            return None if row is None else dict(row)

    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnxruntime's advice to its own developers
        plain, folded, small = (Path(folder) / name for name in ("body.onnx", "folded.onnx", "int8.onnx"))
        plain.write_bytes(body)
        quant_pre_process(plain, folded, skip_symbolic_shape=True)  # folds batch normalisation into convolutions
        quantize_static(
            folded,
            small,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # seven bits: without VNNI a processor adds two 8-bit products in 16 bits, which overflow without a word
            reduce_range=True,
            nodes_to_exclude=_head(onnx.load(folded)),
        )
        return onnx.load(small)


def _head(body: ModelProto) -> list[str]:
    """The last layer with weights and all after it stay in fp32: eight bits make no probability, and cost it little."""
    nodes = list(body.graph.node)
    weighted = [row for row, node in enumerate(nodes) if node.op_type in ("Conv", "Gemm", "MatMul")]
    return [node.name for node in nodes[weighted[-1] :]] if weighted else []

"""int8 for CPUs: static, per channel, with quantise/dequantise pairs in the graph (onnxruntime)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from snowroll.base.errors import PlanError
from snowroll.deploy.export import JOINT, WEIGHTS, describe, facts, join, read, save, split


def quantize_int8(model: bytes, path: Path, prepared: Iterable[np.ndarray]) -> str:
    """Write the file with its body in int8; the preparing half stays as it is. Returns the SHA-256 of its bytes.

    prepared: calibration inputs [1, ...] as `Loaded.prepare` returns them, a hundred or more from the training part.
    The caller measures what accuracy it costs. Raises PlanError without calibration data.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """The interface onnxruntime asks for: one input at a time, None at the end."""

        def __init__(self, rows: Iterator[np.ndarray]) -> None:
            self.rows, self.count = rows, 0

        def get_next(self) -> dict[str, np.ndarray] | None:  # type: ignore[override]
            row = next(self.rows, None)
            self.count += row is not None
            return None if row is None else {JOINT: row}

    whole = read(model)
    prepare, body = split(whole)
    reader = Reader(iter(prepared))
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnxruntime's advice to its own developers
        plain, folded, small = (Path(folder) / name for name in ("body.onnx", "folded.onnx", "int8.onnx"))
        plain.write_bytes(body)
        quant_pre_process(plain, folded, skip_symbolic_shape=True)  # folds batch normalisation into convolutions
        quantize_static(
            folded,
            small,
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        if reader.count == 0:
            raise PlanError("int8 needs calibration samples", cure="give the training part some samples")
        half = onnx.load(small)
    joined = join(onnx.load_model_from_string(prepare), half)
    kept = {key: value for key, value in facts(whole).items() if key != WEIGHTS}
    describe(joined, {**kept, "precision": "int8", "calibration": json.dumps({"n": reader.count})})
    return save(joined, path)

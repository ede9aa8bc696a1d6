"""A trained model to one ONNX file that holds everything between raw pixels and the answer.

`prepare` and `body` are traced side by side and joined at the value named `prepared` (of several: `prepared`,
`prepared_1` ...): the body keeps its free batch axis, and the server cuts the same file at the same place
(`split_graphs`) to batch the body over requests.
"""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowroll.base import atomic
from snowroll.base.errors import DataError, PlanError
from snowroll.base.nouns import Json
from snowroll.base.task import Deployable

if TYPE_CHECKING:
    import onnx_ir
    from onnx import ModelProto, NodeProto
    from torch import nn
    from torch.onnx import ONNXProgram

JOINT = "prepared"  # the values between the two halves begin so
OPSET = 20
WEIGHTS = "weights_sha256"  # metadata key: proves that the numbers in the file are the exported ones


def export_onnx(deployable: Deployable, path: Path, metadata: Mapping[str, Json]) -> str:
    """Write one self-contained file (no external data). Returns the SHA-256 of its bytes.

    metadata: name, version, task, labels, run, data version ...; values that are no strings are kept as JSON. The
    contract and the weights' digest are added. Raises PlanError when the model cannot be exported.
    """
    import onnx
    import torch

    from snowroll.deploy.halves import Halves, together

    prepare, body = (copy.deepcopy(half).cpu().float().eval() for half in (deployable.prepare, deployable.body))
    raws, names, free = deployable.raw_example, deployable.raw_name, deployable.raw_axes
    if isinstance(names, str):
        raws, names = (raws,), (names,)
    free = free if isinstance(free, tuple) else (free,)
    with torch.no_grad():
        prepared = together(prepare(*raws))
    joints = tuple(JOINT if not place else f"{JOINT}_{place}" for place in range(len(prepared)))
    raw_axes = tuple({axis: torch.export.Dim(label, min=1) for axis, label in axes.items()} for axes in free)
    # two rows: an axis of one would be taken for a constant
    rows = tuple(tensor.repeat(2, *[1] * (tensor.ndim - 1)) for tensor in prepared)
    batch = torch.export.Dim("batch", min=1)
    exported = exported_as(
        Halves(prepare, body),
        (tuple(raws), rows),
        (raw_axes, tuple({0: batch} for _ in rows)),
        [*names, *(f"{joint}_rows" for joint in joints)],
        [*joints, *deployable.output_names],
    )
    _join_within(exported.model, joints)
    whole = exported.model_proto
    describe(whole, {**metadata, "contract": dict(deployable.contract)})
    onnx.checker.check_model(whole)
    return save(whole, path)


def exported_as(module: nn.Module, examples: Any, axes: Any, names: list[str], outputs: list[str]) -> ONNXProgram:
    """axes: the free ones of each example, in the same nesting."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's business
            program = torch.onnx.export(
                module,
                examples,
                dynamo=True,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=axes,
                opset_version=OPSET,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as fault:
        told = str(fault).strip().splitlines()[0][:200]
        raise PlanError(f"the model cannot be written as ONNX: {told}", cure="use a model of the zoo") from fault
    assert program is not None
    for node in program.model.graph.all_nodes():  # where each came from in the trainer's files is nobody's business
        node.metadata_props.clear()
    return program


def _join_within(model: onnx_ir.Model, joints: tuple[str, ...]) -> None:
    """What the preparing half makes, which the graph returns first, becomes what the body takes, which it asks last."""
    import onnx_ir

    graph, many = model.graph, len(joints)
    made, rows = list(graph.outputs[:many]), list(graph.inputs[-many:])
    for one, row, joint in zip(made, rows, joints, strict=True):
        if one.is_graph_input():  # handed on as it came
            copied = onnx_ir.node("Identity", [one])
            graph.insert_before(graph[0], copied)
            one = copied.outputs[0]
        row.replace_all_uses_with(one)
        one.name, one.shape, one.type = joint, row.shape, row.type  # its batch axis is free once the body is cut off
    for _ in range(many):
        graph.outputs.pop(0)
        graph.inputs.pop()
    graph.sort()  # what asked for the size of an input asked first


def join(prepare: ModelProto, body: ModelProto) -> ModelProto:
    """Two halves cut apart by `split`, whatever became of the body meanwhile, as one graph again."""
    import onnx
    from onnx import compose

    joints = {value.name: value for value in body.graph.input}
    for half in (prepare, body):
        kept = [value for value in half.graph.value_info if value.name not in joints]
        del half.graph.value_info[:]
        half.graph.value_info.extend(kept)
        half.ir_version = max(prepare.ir_version, body.ir_version)
    # constants may stand in both halves under one name
    prepare = compose.add_prefix(prepare, "prepare/", rename_inputs=False, rename_outputs=False)
    same = [(name, name) for name in joints]
    whole = compose.merge_models(prepare, body, io_map=same, name="snowroll", producer_name="snowroll")
    kept = [value for value in whole.graph.value_info if value.name not in joints]
    del whole.graph.value_info[:]
    whole.graph.value_info.extend([*kept, *joints.values()])  # with the free batch axis the body needs when cut off
    used = {node.domain for node in whole.graph.node}
    versions = {entry.domain: entry.version for entry in whole.opset_import if entry.domain in used}
    del whole.opset_import[:]  # merging leaves each twice, and onnxruntime's quantiser then finds none
    whole.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in versions.items())
    onnx.checker.check_model(whole)
    return whole


def split_graphs(model: bytes) -> tuple[bytes, bytes]:
    """The file cut at `prepared`: (raw -> prepared, prepared -> outputs). Raises DataError for any other file."""
    return split(read(model))


def split(whole: ModelProto) -> tuple[bytes, bytes]:
    """`split_graphs` of a parsed file."""
    joints = [value.name for value in whole.graph.value_info if value.name.startswith(JOINT)]
    if not joints:
        raise DataError(
            f"this ONNX file has no value '{JOINT}' to cut at", cure="export it again with `snowroll export`"
        )
    inputs, outputs = ([value.name for value in values] for values in (whole.graph.input, whole.graph.output))
    prepare, body = _part(whole, inputs, joints), _part(whole, joints, outputs)
    return prepare.SerializeToString(), body.SerializeToString()


def _part(whole: ModelProto, inputs: Collection[str], outputs: Sequence[str]) -> ModelProto:
    """What leads from these values to those.

    A loop also reads what stands outside it (onnx.utils.Extractor follows only what a node is given by name).
    """
    import onnx

    graph = whole.graph
    makers = {name: node for node in graph.node for name in node.output}
    known = {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}
    asked, wanted = set[str](), [*outputs]
    while wanted:
        name = wanted.pop()
        if name not in asked:
            asked.add(name)
            if name not in inputs and name in makers:
                wanted += _read_by(makers[name])
    kept = [node for node in graph.node if any(name in asked and name not in inputs for name in node.output)]
    part = onnx.helper.make_graph(
        kept,
        graph.name,
        [known[name] for name in inputs],
        [known[name] for name in outputs],
        [tensor for tensor in graph.initializer if tensor.name in asked],
        value_info=[
            value for value in graph.value_info if value.name in asked and value.name not in (*inputs, *outputs)
        ],
    )
    cut = onnx.ModelProto()
    cut.ir_version, cut.producer_name = whole.ir_version, whole.producer_name
    cut.opset_import.extend(whole.opset_import)
    cut.functions.extend(whole.functions)
    cut.metadata_props.extend(whole.metadata_props)
    cut.graph.CopyFrom(part)
    return cut


def _read_by(node: NodeProto) -> set[str]:
    """The values a node reads, those within its subgraphs that stand outside of them included."""
    found = set(node.input)
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            own |= {name for inner in graph.node for name in inner.output}
            read = {value.name for value in graph.output}.union(*map(_read_by, graph.node))
            found |= read - own
    return found - {""}


def read(model: bytes) -> ModelProto:
    """The parsed file. Refuses external data: a path inside a model file is never followed."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        whole = onnx.load_model_from_string(model)
    except (DecodeError, ValueError, TypeError) as fault:
        raise DataError("this is no ONNX file, or a damaged one", cure="export it again") from fault
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in whole.graph.initializer):
        raise DataError("this ONNX file points at other files for its weights", cure="export it as one file")
    known = facts(whole)
    if WEIGHTS in known and known[WEIGHTS] != _weights_digest(whole):
        raise DataError("the weights in this ONNX file are not the exported ones", cure="export it again")
    return whole


def facts(model: ModelProto) -> dict[str, str]:
    """metadata_props as a dict."""
    return {entry.key: entry.value for entry in model.metadata_props}


def save(whole: ModelProto, path: Path) -> str:
    """Publish the file; returns the SHA-256 of its bytes."""
    data = whole.SerializeToString(deterministic=True)
    atomic.write(path, data)
    return hashlib.sha256(data).hexdigest()


def describe(whole: ModelProto, metadata: Mapping[str, Json]) -> None:
    """Replace the file's metadata_props; adds the digest of the weights."""
    del whole.metadata_props[:]
    for key, value in {**metadata, WEIGHTS: _weights_digest(whole)}.items():
        plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
        entry = whole.metadata_props.add()
        entry.key, entry.value = key, plain


def _weights_digest(whole: ModelProto) -> str:
    sha = hashlib.sha256()
    for tensor in sorted(whole.graph.initializer, key=lambda tensor: tensor.name):
        sha.update(tensor.SerializeToString(deterministic=True))
    return sha.hexdigest()

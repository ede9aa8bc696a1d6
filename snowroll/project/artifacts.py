"""A run's model as a file that runs elsewhere, with the proof that it says what the trained one says."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite

import numpy as np

from snowroll.base.device import cores
from snowroll.base.errors import PlanError, StoreError
from snowroll.base.nouns import Artifact, Json, canonical, digest
from snowroll.base.parts import own
from snowroll.deploy.export import export_onnx
from snowroll.deploy.parity import parity
from snowroll.deploy.session import Example, Loaded, examples_of, load
from snowroll.deploy.steps import StepFile, export_step
from snowroll.prepare.decode import Guarded
from snowroll.project.data import Packed
from snowroll.project.models import Trained, options_of
from snowroll.project.opened import Opened, Say
from snowroll.project.proving import agreement, answers, headlines, proof_samples, same_over_http

PROVED_ON = 200  # validation samples sent through the exported file
LOST = 0.005  # of the headline metric that int8 may cost
STEP, STEP_FILE = "step_file", "step.onnx"  # its blob in the contract, beside the words of tasks; its name outside
EXAMPLES = 8  # kept beside the file, for the server's self-test


def make_artifact(opened: Opened, trained: Trained, packed: Packed, say: Say) -> Artifact:
    """The run's ONNX file, made once. Raises PlanError when it does not say what the trained model says."""
    known = find_artifact(opened, trained.run)
    if known is not None:
        return _with_examples(opened, trained, packed, known, say)
    say("exporting, and proving the export on validation samples, from file bytes through HTTP ...")
    deployable = opened.task.deployable(trained.model, trained.plan.task, trained.schema)
    path = trained.folder / "export" / "model.onnx"
    export_onnx(deployable, path, _metadata(opened, trained))
    model = path.read_bytes()
    beside: dict[str, Json] = {}
    if deployable.step is not None:
        export_step(deployable.step, path.with_name(STEP_FILE), _metadata(opened, trained))
        beside[STEP] = opened.store.blobs.put(path.with_name(STEP_FILE).read_bytes())
    proof = proof_samples(opened, trained, packed, "val", PROVED_ON)
    name = f"run-{trained.run}"
    ways = functions(opened, trained.plan.task, trained.schema)
    bare = load(model, name, *ways)
    examples = examples_of(bare, _example_raws(opened, packed))
    loaded = load(model, name, *ways, examples=examples)
    measured = parity(loaded, zip(proof.raws, proof.outputs, strict=True)).as_json()
    measured |= headlines(opened, trained, proof, answers(opened, trained, proof, loaded))
    measured["http"] = same_over_http(loaded, proof.raws)
    blob = opened.store.blobs.put(model)
    artifact = Artifact(
        id=digest(blob, trained.folder.name),
        run=trained.folder.name,
        format="onnx",
        blob=blob,
        bytes=len(model),
        contract={**deployable.contract, **beside, "examples": _keep(opened, examples)},
        parity=measured,
    )
    opened.store.catalog.add_artifact(artifact)
    return artifact


def _with_examples(opened: Opened, trained: Trained, packed: Packed, known: Artifact, say: Say) -> Artifact:
    """The known artifact. Where its stored examples are gone or damaged they are made again, by the same file."""
    lost = known.contract["examples"]
    if opened.store.blobs.is_sound(lost):
        return known
    say("its stored examples are gone; making them again ...")
    ways = functions(opened, trained.plan.task, trained.schema)
    bare = load(opened.store.blobs.get(known.blob), known.id, *ways)
    kept = _keep(opened, examples_of(bare, _example_raws(opened, packed)))
    for one in opened.store.catalog.artifacts(known.run):  # the int8 file shares them
        if one.contract.get("examples") == lost:
            opened.store.catalog.add_artifact(replace(one, contract={**one.contract, "examples": kept}))
    return replace(known, contract={**known.contract, "examples": kept})


def _example_raws(opened: Opened, packed: Packed) -> list[bytes]:
    """Bytes of EXAMPLES files, evenly drawn from the validation part, else from the training part.

    Of the user's own files only: examples outlive `forget`, so none may be what production sent.
    """
    samples = opened.samples([item.sample for item in packed.version.items])
    for split in ("val", "train"):
        of_split = [samples[item.sample] for item in packed.items(split)]
        own = [sample.where for sample in of_split if sample.origin != "production"]
        if own:
            drawn = own[:: max(1, len(own) // EXAMPLES)][:EXAMPLES]
            raw = dict(opened.stream(drawn))
            return [raw[where] for where in drawn]
    told = "every sample came from production: none may be kept for the server's self-test"
    raise PlanError(told, where=opened.root, cure="keep some labelled files of your own in the data folder")


def _keep(opened: Opened, examples: Sequence[Example]) -> str:
    return opened.store.blobs.put(canonical(_examples_as_json(examples)).encode())


def make_int8(opened: Opened, trained: Trained, packed: Packed, whole: Artifact, say: Say) -> Artifact:
    """The artifact with its body in int8. Raises PlanError where it costs more than LOST of the headline metric."""
    from snowroll.deploy.quantize import quantize_int8

    ways = functions(opened, trained.plan.task, trained.schema)
    model = opened.store.blobs.get(whole.blob)
    fp32 = load(model, whole.id, *ways)
    say(f"calibrating int8 on {PROVED_ON} training samples ...")
    calibration = proof_samples(opened, trained, packed, "train", PROVED_ON)
    path = trained.folder / "export" / "model-int8.onnx"
    quantize_int8(model, path, [fp32.prepare(raw) for raw in calibration.raws])
    small = path.read_bytes()
    proof = proof_samples(opened, trained, packed, "val", 5 * PROVED_ON)
    loaded = load(small, f"{whole.id}-int8", *ways)
    said = answers(opened, trained, proof, loaded)
    measured = headlines(opened, trained, proof, said)
    if measured["before"] is None:
        told = f"{measured['metric']} has no meaning for the {len(proof.raws)} samples that int8 is proved on"
        raise PlanError(told, cure="use the fp32 export")
    measured |= agreement(loaded, proof, said)
    if measured["before"] - measured["after"] > LOST:
        raise PlanError(
            f"int8 costs {measured['before'] - measured['after']:.4f} of {measured['metric']} (at most {LOST})",
            cure="use the fp32 export",
        )
    blob = opened.store.blobs.put(small)
    contract = dict(whole.contract)
    artifact = Artifact(digest(blob, "int8"), whole.run, "onnx-int8", blob, len(small), contract, measured)
    opened.store.catalog.add_artifact(artifact)
    return artifact


def find_artifact(opened: Opened, run: int) -> Artifact | None:
    name = opened.store.run_folder(run).name
    found = [artifact for artifact in opened.store.catalog.artifacts(name) if artifact.format == "onnx"]
    return found[-1] if found else None


def load_artifact(opened: Opened, id: str, threads: int = 0) -> Loaded:
    """The artifact ready to answer strangers, with its stored examples. Raises StoreError if it is gone or damaged.

    What strangers send is opened in limited children, which end with the model.
    """
    found = {artifact.id: artifact for artifact in opened.store.catalog.artifacts()}
    artifact = found.get(id)
    if artifact is None:
        raise StoreError(f"there is no artifact '{id}'", where=opened.root, cure="run `snowroll export`")
    model = opened.store.blobs.get(artifact.blob)
    config = json.loads((opened.store.runs / artifact.run / "model" / "config.json").read_text())
    options = options_of(opened.task, config)
    if not opened.store.blobs.has(artifact.contract["examples"]):
        cure = f"run `snowroll export {opened.root} --run {int(artifact.run.partition('-')[0])}`"
        raise StoreError(f"the stored examples of artifact '{id}' are gone", where=opened.root, cure=cure)
    open_raw, answer, same = functions(opened, options, config["schema"])
    door = Guarded(open_raw)  # its first child starts while the graphs are loaded
    examples = _examples_from_json(json.loads(opened.store.blobs.get(artifact.contract["examples"])))
    ways = opened.task.streams.items()
    streams = {path: partial(way, schema=config["schema"], options=options) for path, way in ways}
    sha = artifact.contract.get(STEP)
    step = StepFile(opened.store.blobs.get(sha), threads or cores()) if sha else None
    return load(model, id, door, answer, same, threads=threads, examples=examples, streams=streams, step=step)


def functions(opened: Opened, options: object, schema: Mapping[str, Json]) -> tuple:
    """(bytes -> raw array, outputs -> predictions, how far two are the same) of the task, as the server takes them."""
    open_raw = partial(opened.task.open_raw, options=options, megapixels=opened.prepare.megapixels)
    return open_raw, partial(opened.task.decode, schema=schema, options=options), own(opened.task.same)


def _metadata(opened: Opened, trained: Trained) -> dict[str, Json]:
    return {
        "name": opened.root.resolve().name,
        "version": str(trained.run),
        "task": opened.task.name,
        "labels": list(trained.schema.get("classes", ())),
        "run": trained.folder.name,
        "data_version": trained.version,
    }


def _examples_as_json(examples: Sequence[Example]) -> list[Json]:
    return [
        {
            "raw": base64.b64encode(example.raw).decode(),
            "outputs": {name: [list(v.shape), _numbers(v)] for name, v in example.outputs.items()},
        }
        for example in examples
    ]


def _numbers(values: np.ndarray) -> list[Json]:
    """Row by row; null, read back as NaN, for what JSON has no number for: a limit that was not set is infinite."""
    return [value if isfinite(value) else None for value in values.ravel().tolist()]


def _examples_from_json(told: Sequence[Json]) -> list[Example]:
    return [
        Example(
            base64.b64decode(row["raw"]),
            {k: np.array(values, dtype=np.float32).reshape(shape) for k, (shape, values) in row["outputs"].items()},
        )
        for row in told
    ]

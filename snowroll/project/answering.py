"""A trained model's answers to samples that are in no version: what `predict` tells of files and of live signals."""

from __future__ import annotations

from snowroll.base.nouns import Json, Prediction, Sample
from snowroll.base.task import Columns
from snowroll.project.data import stacked
from snowroll.project.models import Trained
from snowroll.project.opened import Opened


def answers(opened: Opened, trained: Trained, encoded: list[Columns]) -> list[Prediction]:
    """Of encoded samples, one each, at length where the task says more than one pass tells."""
    import torch

    task, options = opened.task, trained.plan.task
    batch = task.batch(stacked(encoded, task.ragged), torch.arange(len(encoded)))
    with torch.inference_mode():
        outputs = task.postprocess(trained.model(batch.inputs), options)
    said = task.decode({name: value.cpu().numpy() for name, value in outputs.items()}, trained.schema, options)
    return task.at_length(trained.model, batch, said, trained.schema, options)


def row_of(name: str, content: str, answer: Prediction) -> dict[str, Json]:
    """An answer as every verb prints it. content: SHA-256 of the sample's bytes."""
    return {
        "id": Sample.name(name, content),
        "path": name,
        "prediction": answer.value,
        "probability": None if answer.probability is None else round(answer.probability, 6),
        "doubt": round(answer.doubt, 6),
        **({"interval": list(answer.interval)} if answer.interval else {}),
    }

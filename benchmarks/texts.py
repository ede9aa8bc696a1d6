"""Classes of texts beside scikit-learn's TF-IDF with logistic regression, learnt from and judged on the same texts.

    python benchmarks/texts.py speakers languages     sets made of tinyshakespeare and multi30k in $SNOWROLL_DATA
    python benchmarks/texts.py PATH ...               folders of labelled texts, as `snowroll init` reads them

The peers: words alone with scikit-learn's defaults, and words and pairs of words with sublinear counts and C = 10.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from snowroll.evaluate.interval import mean_with_interval
from snowroll.project.opened import open_project
from snowroll.tasks.classify_texts.texts import read_sample
from snowroll.verbs.init import init
from snowroll.verbs.train import train

DATA = Path(os.environ.get("SNOWROLL_DATA", "../shared/data"))
SPEAKERS, BLOCKS = 10, 40  # the most frequent speakers; stretches of the plays that no split takes apart
LANGUAGES = 2_000  # sentences of each
Texts = list[tuple[str, str]]


def main(names: list[str]) -> None:
    for name in names or ["speakers", "languages"]:
        with tempfile.TemporaryDirectory() as temporary:
            data = Path(name)
            if name in MADE:
                data = Path(temporary) / "data"
                data.mkdir()
                MADE[name](data / "texts.csv")
            print(
                f"{data.name if name not in MADE else name}: {compared(Path(temporary) / 'project', data)}", flush=True
            )


def compared(root: Path, data: Path) -> str:
    init(root, data, (), "classify_texts", {}, quiet)
    before = time.process_time()
    told = train(open_project(root, {}), quiet).json
    ours_s = time.process_time() - before
    learnt, judged = (texts_of(root, split) for split in ("train", "test"))
    low, high = told["interval"]
    said = [f"ours {told['value']:.3f} [{low:.3f}, {high:.3f}] ({ours_s:.0f} s of CPU, gates and export in it)"]
    said += [f"{peer} {right(peer, learnt, judged)}" for peer in PEERS]
    return f"{len(learnt):,} texts learnt from, {len(judged):,} judged; {'; '.join(said)}"


def right(peer: str, learnt: Texts, judged: Texts) -> str:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words, regression = PEERS[peer]
    model = make_pipeline(TfidfVectorizer(**words), LogisticRegression(max_iter=2_000, **regression))
    model.fit([text for text, _ in learnt], [label for _, label in learnt])
    said = model.predict([text for text, _ in judged])
    metric = mean_with_interval(np.array([float(one == label) for one, (_, label) in zip(said, judged, strict=True)]))
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"


PEERS: dict[str, tuple[dict, dict]] = {
    "TF-IDF and logistic regression": ({}, {}),
    "with pairs of words": ({"ngram_range": (1, 2), "sublinear_tf": True}, {"C": 10}),
}


def texts_of(root: Path, split: str) -> Texts:
    """What the project's newest version has in a split."""
    opened = open_project(root, {})
    catalog = opened.store.catalog
    newest = catalog.pointer("version")
    assert newest is not None
    version = catalog.version(newest, opened.store.blobs)
    assert version is not None
    items = {item.sample: item for item in version.items if item.split == split}
    samples = opened.samples(list(items))
    raws = dict(opened.stream([sample.where for sample in samples.values()]))
    return [(read_sample(raws[samples[id].where])[0], str(item.target)) for id, item in items.items()]


def speakers(path: Path) -> None:
    """Who says it: the speeches of the most frequent speakers, grouped by where they stand in the plays."""
    text = (DATA / "tinyshakespeare" / "input.txt").read_text()
    parts = [part.split(":\n", 1) for part in text.split("\n\n") if ":\n" in part]
    often = {name for name, _ in Counter(name for name, _ in parts).most_common(SPEAKERS)}
    said = [(place * BLOCKS // len(parts), name, speech) for place, (name, speech) in enumerate(parts) if name in often]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("text", "label", "group"), *((speech, name, block) for block, name, speech in said)]
        )


def languages(path: Path) -> None:
    """Which language a caption is in: other captions in each, so that none is a translation of another."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("text", "label"))
        for place, name in enumerate(("de", "en", "fr")):
            lines = gzip.decompress((DATA / "multi30k" / f"train.{name}.gz").read_bytes()).decode().splitlines()
            table.writerows((line, name) for line in lines[place * LANGUAGES : (place + 1) * LANGUAGES])


MADE = {"speakers": speakers, "languages": languages}


def quiet(_: str) -> None:
    """Progress that nobody reads."""


if __name__ == "__main__":
    main(sys.argv[1:])

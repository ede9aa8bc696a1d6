"""R2 of predicted numbers beside scikit-learn's own regressors on the same rows, and what intervals hold.

    python benchmarks/tables.py [diabetes age hours steering long_tail]

Data: scikit-learn's diabetes; SNOWROLL_DATA (default ../shared/data) for the others but `long_tail`, which is made here
(Friedman 1991's function inside an exponential). Peers learn from the rows that we learn from, numbers as they are,
words one-hot; HistGradientBoostingRegressor and Ridge (numbers standardised) with their defaults.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from measuring import DATA

from snowroll.cli import run
from snowroll.prepare.tables import row_from_bytes
from snowroll.project.opened import open_project
from snowroll.tasks.tabular.cells import as_float

MODELS = ("boosted", "tree", "linear", "mlp")
_LEVELS = 64


def main(names: Sequence[str]) -> None:
    print("| set | model | R2 | mean absolute error | within 90 % intervals | n |\n|---|---|---|---|---|---|")
    for name in names or SETS:
        with tempfile.TemporaryDirectory() as folder:
            target = SETS[name](Path(folder) / "data")
            for model in MODELS:
                project = Path(folder) / model
                flags = ("--prepare.label_column", target, "--task", "tabular_values")
                _told("init", project, "--data", Path(folder) / "data", *flags)
                told = _told("train", project, "--task.model", model)
                if told.get("report") is None:
                    failed = ", ".join(gate["name"] for gate in told["gates"] if not gate["passed"])
                    print(f"| {name} | {model} | refused by gate {failed} | | | |")
                    continue
                scores = json.loads((Path(told["report"]).parent / "report.json").read_text())["metrics"]
                r2, mae, held = (scores[one] for one in ("r2", "mae", "coverage"))
                interval = f"{r2['value']:.3f} [{r2['low']:.3f}, {r2['high']:.3f}]"
                print(f"| {name} | {model} | {interval} | {mae['value']:.4g} | {held['value']:.3f} | {r2['n']:,} |")
            for peer, r2, mae in peers(Path(folder) / MODELS[0]):
                print(f"| {name} | {peer} | {r2:.3f} | {mae:.4g} | | |", flush=True)


def _told(*tokens: object) -> dict:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = run([*map(str, tokens), "--json"])
    assert code in (0, 1), out.getvalue()
    return json.loads(out.getvalue())


def peers(project: Path) -> Iterable[tuple[str, float, float]]:
    """(name, R2, mean absolute error) on our test rows, from our training rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    opened = open_project(project, {})
    version = opened.store.catalog.version(opened.store.catalog.pointer("version") or "", opened.store.blobs)
    assert version is not None
    samples = opened.samples([item.sample for item in version.items])
    raws = dict(opened.stream([samples[item.sample].where for item in version.items]))
    rows = [row_from_bytes(raws[samples[item.sample].where]) for item in version.items]
    truth = np.array([item.target for item in version.items], float)
    split = np.array([item.split for item in version.items])
    columns = [one for one in version.schema["columns"] if one["kind"] in ("number", "category", "flag", "date")]
    parts = []
    for column in columns:
        cells = [row.get(column["name"]) for row in rows]
        if column.get("levels"):
            parts += [np.array([str(cell) == level for cell in cells], float) for level in column["levels"][:_LEVELS]]
        else:
            parts.append(np.array([as_float(cell) for cell in cells]))
    table, train, test = np.stack(parts, axis=1), split == "train", split == "test"
    filled = np.where(np.isnan(table), np.nanmean(table[train], axis=0), table)
    ways = {
        "scikit-learn's HistGradientBoostingRegressor": (HistGradientBoostingRegressor(random_state=0), table),
        "scikit-learn's Ridge": (make_pipeline(StandardScaler(), Ridge()), filled),
    }
    for name, (model, seen) in ways.items():
        said = model.fit(seen[train], truth[train]).predict(seen[test])
        errors = said - truth[test]
        spread = float(((truth[test] - truth[test].mean()) ** 2).sum())
        yield name, 1 - float((errors**2).sum()) / spread, float(np.abs(errors).mean())


# sets: each writes a table into a folder and returns the column to predict --------------------------------------------


def _write(folder: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    folder.mkdir(parents=True)
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def diabetes(folder: Path) -> str:
    from sklearn.datasets import load_diabetes

    told = load_diabetes(scaled=False)
    _write(folder, [*told.feature_names, "progression"], np.column_stack([told.data, told.target]).tolist())
    return "progression"


def _adult(folder: Path, target: str) -> str:
    folder.mkdir(parents=True)
    (folder / "adult.csv").write_bytes(gzip.decompress((DATA / "adult" / "adult.data.gz").read_bytes()))
    return target


def steering(folder: Path) -> str:
    """Steering from throttle, brake and speed alone, which say little of it."""
    with zipfile.ZipFile(DATA / "driving_sim" / "track_centre.zip") as archive:
        rows = list(csv.reader(io.StringIO(archive.read("driving_log.csv").decode())))
    numbers = [row[-4:] for row in rows if row[-1].strip().replace(".", "").replace("e-", "").isdigit()]
    _write(folder, ["steering", "throttle", "brake", "speed"], numbers)
    return "steering"


def long_tail(folder: Path) -> str:
    rng = np.random.default_rng(0)
    x = rng.random((4_000, 8))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    price = np.exp(8 + y / 6 + rng.normal(size=4_000) * 0.2).round(2)
    _write(folder, [*(f"x{n}" for n in range(8)), "price"], np.column_stack([x.round(4), price]).tolist())
    return "price"


SETS = {
    "diabetes": diabetes,
    "age": lambda folder: _adult(folder, "age"),
    "hours": lambda folder: _adult(folder, "hours-per-week"),
    "steering": steering,
    "long_tail": long_tail,
}

if __name__ == "__main__":
    main(sys.argv[1:])

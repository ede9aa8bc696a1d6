"""Error rates of the COMPAS score by race, as ProPublica published them, from our reading of their table.

    python benchmarks/compas.py

Data: SNOWROLL_DATA (default ../shared/data). A score other than "Low" is taken as saying that a person will be charged
again within two years (Larson, Mattu, Kirchner, Angwin 2016, "How We Analyzed the COMPAS Recidivism Algorithm").
"""

from measuring import DATA
from torch import nn

from snowroll.base.nouns import Prediction
from snowroll.evaluate.background import Evidence
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.tables import row_from_bytes
from snowroll.tasks.tabular import task
from snowroll.tasks.tabular.explaining import error_rates

PUBLISHED = {"African-American": (0.4485, 0.2799), "Caucasian": (0.2345, 0.4772)}  # false positives, false negatives


def main() -> None:
    folder = Folder(DATA / "compas")
    reading = task.recognise(folder, PrepareSettings())
    assert reading is not None
    target = {found.where: str(found.target) for found in reading.found}
    raws = list(folder.stream(list(target)))
    said = ["0" if row_from_bytes(raw).get("score_text") == "Low" else "1" for _, raw in raws]
    evidence = Evidence(
        model=nn.Identity(),
        gather=lambda places: task.batch({}, places),
        looks=[task.look(raw, 100) for _, raw in raws],
        predictions=[Prediction(one, None, 0.0) for one in said],
        targets=[target[where] for where, _ in raws],
        schema={**reading.schema, "classes": ["0", "1"]},
        options=task.Options(),
    )
    print(f"| {' | '.join(error_rates(evidence, 'race').heads)} | published |\n|---|---|---|---|---|---|---|")
    for row in error_rates(evidence, "race").rows:
        published = PUBLISHED.get(str(row[0]).partition(" = ")[2])
        print(f"| {' | '.join(map(str, row))} | {published or ''} |")


if __name__ == "__main__":
    main()

"""Our side of seeing.py: training as `snowroll train` does it, then answers of the exported file.

seeing_snowroll.py DATA FLAGS BATCH EPOCHS LISTING
"""

import json
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from training_snowroll import train

from snowroll.base.parts import own
from snowroll.deploy.export import export_onnx
from snowroll.deploy.session import load


def main(data: str, flags: str, batch: int, epochs: int, listing: str) -> None:
    opened, packed, plan, model = train(data, flags.split(), batch, epochs)
    told = json.loads(Path(listing).read_text())
    task, options = opened.task, plan.task
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(task.deployable(model.eval(), options, packed.schema), path, {"name": "seeing"})
        ways = (
            partial(task.open_raw, options=options, megapixels=100),
            partial(task.decode, schema=packed.schema, options=options),
        )
        loaded = load(path.read_bytes(), "seeing", *ways, own(task.same), threads=plan.threads)
    paths = [Path(row["path"]) for row in told["rows"][: told["served"]]]
    loaded.predict([paths[0].read_bytes()])
    print(json.dumps({"served": 0}), flush=True)
    for path in paths:
        loaded.predict([path.read_bytes()])
    print(json.dumps({"served": len(paths)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])

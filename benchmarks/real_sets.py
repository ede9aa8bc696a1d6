"""Every verb on real data sets, through the command line as a user types it; prints a table.

    python benchmarks/real_sets.py [--only trashnet,brain_mri] [--share 1.0]

Data: SNOWROLL_DATA (default ../shared/data). Projects are kept under .benchmarks/real_sets/: a killed call goes on
where it stopped, and a finished set is not trained again. --share scales every time budget.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import DATA, WORK, machine
from PIL import Image

from snowroll.base.errors import DataError
from snowroll.prepare.pictures import open_rgb
from snowroll.project.opened import open_project

BACKBONE = DATA / "backbone_mobilenet_v2" / "mobilenet_v2_imagenet_tv.pth"
# what these weights were trained with: their README says so
TENSORFLOW = ["--task.padding", "same", "--task.mean", "0.5,0.5,0.5", "--task.std", "0.5,0.5,0.5"]


@dataclass(frozen=True)
class RealSet:
    """One folder of data and what is asked of it."""

    minutes: float
    settings: tuple[str, ...] = ()
    train: tuple[str, ...] = ()  # flags of the verb
    data: str = ""  # another set's folder
    task: str = ""  # where the folder could be read as another's, too
    preset: str = ""
    also: tuple[str, ...] = ()  # metrics told beside the headline


PRETRAINED = ("--task.model", "mobilenet_v2", "--task.pretrained", str(BACKBONE), *TENSORFLOW)
# what was known when the score was given: the table tells the outcome in several more columns
COMPAS = (
    "--task.columns",
    "sex,age,race,juv_fel_count,juv_misd_count,juv_other_count,priors_count,c_charge_degree",
    "--task.protected",
    "race,sex",
)
SCENES = ("--prepare.scenes", "true")
SETS = {
    "trashnet": RealSet(10, PRETRAINED),
    "trashnet_scratch": RealSet(10, data="trashnet"),
    "brain_mri": RealSet(3),
    # copies and neighbouring slices, as the check finds them, are groups
    "brain_mri_backbone": RealSet(
        5, (*PRETRAINED, *SCENES), ("--beside-random",), data="brain_mri", also=("balanced_accuracy",)
    ),
    "brain_mri_medical": RealSet(
        5,
        PRETRAINED,
        ("--beside-random",),
        data="brain_mri",
        preset="brain_tumour",
        also=("sensitivity", "specificity", "auroc"),
    ),
    # its names' numbers never recur here, so the scenes that the check finds are its groups
    "magnetic_tile": RealSet(4, (*SCENES, "--prepare.group", r"_num_(\d+)"), ("--beside-random",)),
    "magnetic_tile_inspect": RealSet(
        5,
        (*PRETRAINED, *SCENES, "--task.known_faults", "false"),
        data="magnetic_tile",
        task="inspect",
        also=("auroc", "pixel_auroc", "pro"),
    ),
    "magnetic_tile_masks": RealSet(15, SCENES, data="magnetic_tile", task="segment_images", also=("mDice",)),
    "pneumoniamnist": RealSet(3),
    "cifar10_jpeg": RealSet(8),
    "bccd": RealSet(15),
    "bccd_backbone": RealSet(15, PRETRAINED, data="bccd"),
    "bccd_faster_rcnn": RealSet(30, (*PRETRAINED, "--task.detector", "faster_rcnn"), data="bccd"),
    "capybara": RealSet(5),
    "camvid": RealSet(30, ("--prepare.ignore", "11")),
    "camvid_backbone": RealSet(30, (*PRETRAINED, "--prepare.ignore", "11"), data="camvid"),
    "nuclei_dsb2018": RealSet(15, also=("mDice", "dice_of_pictures", "instances_50")),
    "adult": RealSet(5, also=("auroc", "nll")),
    "adult_logistic": RealSet(5, ("--task.model", "logistic"), data="adult", also=("auroc", "nll")),
    "adult_tree": RealSet(5, ("--task.model", "tree"), data="adult", also=("auroc", "nll")),
    "adult_mlp": RealSet(5, ("--task.model", "mlp"), data="adult", also=("auroc", "nll")),
    "compas": RealSet(5, COMPAS, also=("auroc", "nll")),
    "compas_logistic": RealSet(5, (*COMPAS, "--task.model", "logistic"), data="compas", also=("auroc", "nll")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SETS))
    parser.add_argument("--share", type=float, default=1.0)
    told = parser.parse_args()
    rows = [one_set(name, SETS[name], told.share) for name in told.only.split(",")]
    print(f"\n{machine()}\n\n| set | samples | classes | time given | on the locked test set | exported |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))


def one_set(name: str, real: RealSet, share: float) -> str:
    project = WORK / "real_sets" / name
    done = project / "told.json"
    if not done.exists():
        project.parent.mkdir(parents=True, exist_ok=True)
        told = every_verb(project, real, share)
        done.write_text(json.dumps(told))
    told = json.loads(done.read_text())
    found, trained = told["init"], told["train"]
    low, high = trained["interval"]
    beside = trained.get("beside_random")
    random = f"; split at random it would claim {beside['value']:.3f}" if beside else ""
    figure = f"{trained['metric']} {trained['value']:.3f} [{low:.3f}, {high:.3f}], n = {trained['n']}{random}"
    for key in real.also:
        metric = told["eval"]["metrics"][key]
        figure += f"; {key} {metric['value']:.3f} [{metric['interval'][0]:.3f}, {metric['interval'][1]:.3f}]"
    budget = f"{real.minutes * share:g} min"
    parity = f"{told['export']['parity']['agreement']:.1%} same answers"
    return f"| {name} | {found['samples']:,} | {len(found['classes'])} | {budget} | {figure} | {parity} |"


def every_verb(project: Path, real: RealSet, share: float) -> dict[str, Any]:
    data = DATA / (real.data or project.name)
    told: dict[str, Any] = {}
    if not (project / "snowroll.toml").exists():
        task = (*(("--task", real.task) if real.task else ()), *(("--preset", real.preset) if real.preset else ()))
        told["init"] = verb("init", project, "--data", data, *task, *real.settings)
        (project / "init.json").write_text(json.dumps(told["init"]))
    told["init"] = json.loads((project / "init.json").read_text())
    told["check"] = verb("check", project, *real.settings, may_fail=True)
    print(f"  faults: {dict(Counter(fault['code'] for fault in told['check']['faults']))}", flush=True)
    minutes = f"{real.minutes * 60 * share:.0f}s"
    told["train"] = verb("train", project, "--time", minutes, *real.train, *real.settings)
    for name in ("eval", "export", "status", "explain"):
        told[name] = verb(name, project, *real.settings)
    told["doctor"] = verb("doctor", project, "--deep")
    picture = next(path for path in (Path(__file__).parent.parent / "docs").glob("*.png"))
    told["predict"] = verb("predict", project, data if told["init"]["task"] == "tabular" else picture)
    told["serve"] = served("serve", project, real, send)
    told["label"] = served("label", project, real, look_at)
    # what was sent is mined, and the turn waits for a person's labels; with nothing sent it would say so
    told["roll"] = verb("roll", project, *real.settings, may_fail=True)
    told["rollback"] = verb("rollback", project, may_fail=True)
    (record,) = open_project(project, {}).store.catalog.records(last=1)
    told["forget"] = verb("forget", project, record.id)
    told["eject"] = verb("eject", project, may_fail=(project / "fit.py").exists())  # by a killed call before
    return told


def verb(name: str, project: Path, *flags: object, may_fail: bool = False) -> dict[str, Any]:
    """What the verb answers as JSON. Stops the benchmark if it fails and may not."""
    command = [sys.executable, "-m", "snowroll", name, str(project), *map(str, flags), "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(f"{project.name}: {name} {time.perf_counter() - began:.0f} s, exit code {done.returncode}", flush=True)
    if done.returncode and not may_fail:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}")
    return json.loads(done.stdout.splitlines()[-1])


def served(name: str, project: Path, real: RealSet, use: Callable[[str, Path], None]) -> dict[str, Any]:
    """Start a server, use it, stop it."""
    command = [sys.executable, "-m", "snowroll", name, str(project), "--json", *real.settings]
    if name == "serve":
        command += ["--serve.port", "0"]
    life = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert life.stdout is not None
        told = json.loads(life.stdout.readline())
        use(told["url"], project)
        print(f"{project.name}: {name} answers", flush=True)
        return told
    finally:
        life.terminate()
        life.wait(60)


def look_at(url: str, project: Path) -> None:
    urllib.request.urlopen(url, timeout=60).read()


def send(url: str, project: Path) -> None:
    """Thirty pictures of the project, mirrored, as production would send new ones; thirty rows as they are."""
    opened = open_project(project, {})
    samples = list(opened.store.catalog.samples().values())
    for sample in samples[:: max(1, len(samples) // 30)]:
        if sample.kind == "row":
            body, media = opened.read(sample.where) + b"\n", "application/octet-stream"
            urllib.request.urlopen(
                urllib.request.Request(f"{url}/v1/predict", body, {"Content-Type": media}), timeout=60
            )
            continue
        try:
            picture = Image.fromarray(open_rgb(opened.read(sample.where))[:, ::-1])
        except DataError:
            continue
        out = io.BytesIO()
        picture.save(out, "PNG")
        request = urllib.request.Request(f"{url}/v1/predict", out.getvalue(), {"Content-Type": "image/png"})
        urllib.request.urlopen(request, timeout=60).read()


if __name__ == "__main__":
    main()

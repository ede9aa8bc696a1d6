"""Words and strings of digits by speakers that nobody learned from: every speaker left out once, beside a floor.

    python benchmarks/speech.py words WORK --data $SNOWROLL_DATA/fsdd/fsdd_train.zip [--folds 1] [--time 10m]
    python benchmarks/speech.py strings WORK --data $SNOWROLL_DATA/fsdd/fsdd_train.zip [--folds 1] [--time 10m]

Each fold is a project of its own in WORK, made by `snowroll init` and trained by `snowroll train` as anybody would,
on a folder whose manifest puts one speaker into the test split and leaves the others to the plan: for words, where they
are few, each of four models learns without one of them, and they answer as one. A fold that is done is not done again.
The floor, on the same folds: mean and deviation of 40 log-mel bands in 8 parts of the recording, and an SVM
(scikit-learn). Strings: 3 to 7 takes of one speaker, with gaps of 0.05 to 0.4 s of that take's own noise between them.

Data: Free Spoken Digit Dataset, {digit}_{speaker}_{take}.wav, 8 kHz.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from snowroll.prepare.audio import as_wav, open_sound

RATE_HZ = 8_000
STRINGS = 240  # of each speaker
TEST_STRINGS = 120

Takes = dict[str, dict[str, list[np.ndarray]]]  # speaker -> digit -> signals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["words", "strings"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=0, help="0: all speakers")
    parser.add_argument("--first", type=int, default=0, help="the speaker to begin with")
    parser.add_argument("--time", default="10m")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for train, such as task.model=conformer")
    told = parser.parse_args()
    takes = read(told.data)
    speakers = sorted(takes)[told.first :][: told.folds or None]
    found = {speaker: fold(told, takes, speaker) for speaker in speakers}
    for speaker, (value, low, high, seconds) in found.items():
        floor = f"; pooled log-mel and SVM {svm(takes, speaker):.3f}" if told.what == "words" else ""
        print(
            f"{told.what}, {speaker} unseen: {value:.3f} [{low:.3f}, {high:.3f}] in {seconds:.0f} s{floor}", flush=True
        )
    print(f"{told.what}: mean of {len(found)} speakers {np.mean([value for value, *_ in found.values()]):.3f}")


def read(archive: Path) -> Takes:
    takes: Takes = defaultdict(lambda: defaultdict(list))
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if name.endswith(".wav"):
                digit, speaker, _ = Path(name).stem.split("_")
                takes[speaker][digit].append(open_sound(files.read(name), 1e9).signal)
    return takes


def fold(told: argparse.Namespace, takes: Takes, speaker: str) -> tuple[float, float, float, float]:
    """(headline, its interval, seconds of `train`) of one left-out speaker."""
    root = told.work / told.what / speaker
    done = root / "done.json"
    if not done.exists():
        data = root / "data"
        if not (data / "manifest.csv").exists():
            (write_words if told.what == "words" else write_strings)(data, takes, speaker)
        call("init", root / "project", "--data", data)
        began = time.monotonic()
        flags = [part for pair in told.set for part in (f"--{pair.partition('=')[0]}", pair.partition("=")[2])]
        trained = call("train", root / "project", "--time", told.time, *flags)
        values = [trained["value"], *trained["interval"], time.monotonic() - began]
        done.write_text(json.dumps(values))
    value, low, high, seconds = json.loads(done.read_text())
    return value, low, high, seconds


def call(*tokens: object) -> dict:
    """One snowroll command with --json."""
    command = [sys.executable, "-m", "snowroll", *map(str, tokens), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def write_words(data: Path, takes: Takes, unseen: str) -> None:
    rows = ["path,word,speaker,split"]
    data.mkdir(parents=True, exist_ok=True)
    for speaker, digits in takes.items():
        for digit, signals in digits.items():
            for number, signal in enumerate(signals):
                name = f"{digit}_{speaker}_{number}.wav"
                (data / name).write_bytes(as_wav(signal, RATE_HZ))
                rows.append(f"{name},{digit},{speaker},{'test' if speaker == unseen else 'train'}")
    (data / "manifest.csv").write_text("\n".join(rows) + "\n")


def write_strings(data: Path, takes: Takes, unseen: str) -> None:
    rows = ["path,text,speaker,split"]
    data.mkdir(parents=True, exist_ok=True)
    for place, speaker in enumerate(sorted(takes)):
        rng = np.random.default_rng([place, 9])
        for number in range(TEST_STRINGS if speaker == unseen else STRINGS):
            digits, signal = string_of(takes[speaker], rng)
            name = f"{speaker}_{number:04}.wav"
            (data / name).write_bytes(as_wav(signal, RATE_HZ))
            rows.append(f"{name},{digits},{speaker},{'test' if speaker == unseen else 'train'}")
    (data / "manifest.csv").write_text("\n".join(rows) + "\n")


def string_of(digits: dict[str, list[np.ndarray]], rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """3 to 7 digits and their sound: levelled takes, with a hiss as faint as a take's quietest moment in the gaps."""
    said, parts = "", []
    for _ in range(int(rng.integers(3, 8))):
        digit = str(int(rng.integers(10)))
        take = digits[digit][int(rng.integers(len(digits[digit])))]
        take = 0.1 * take / max(float(np.sqrt(np.square(take).mean())), 1e-6)
        gap = round(rng.uniform(0.05, 0.4) * RATE_HZ)
        hiss = float(np.abs(take[: RATE_HZ // 100]).mean())
        parts += [take, rng.normal(0, max(hiss, 1e-4), gap)]
        said += digit
    whole = np.concatenate(parts)
    return said, 0.9 * whole / max(1.0, float(np.abs(whole).max()))


def svm(takes: Takes, unseen: str) -> float:
    """Accuracy of the floor on the left-out speaker."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    rows = [
        (speaker, digit, pooled(signal))
        for speaker, digits in takes.items()
        for digit, signals in digits.items()
        for signal in signals
    ]
    seen = [row for row in rows if row[0] != unseen]
    test = [row for row in rows if row[0] == unseen]
    model = make_pipeline(StandardScaler(), SVC(C=10, gamma="scale"))
    model.fit([row[2] for row in seen], [row[1] for row in seen])
    return float(model.score([row[2] for row in test], [row[1] for row in test]))


def pooled(signal: np.ndarray) -> np.ndarray:
    """[640] mean and deviation of 40 log-mel bands in 8 parts of the recording."""
    import torch

    from snowroll.design.speech import LogMel, Sounds

    values = torch.from_numpy(signal.astype(np.float32))[None]
    with torch.inference_mode():
        level, _ = LogMel(RATE_HZ, 40)(Sounds(values, torch.tensor([len(signal)]), torch.zeros(1, 1, 4)))
    parts = np.array_split(level[0].numpy(), 8, axis=1)
    return np.concatenate([np.concatenate([part.mean(axis=1), part.std(axis=1)]) for part in parts if part.size])


if __name__ == "__main__":
    main()

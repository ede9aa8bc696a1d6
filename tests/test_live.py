"""Live signals as a monitor meets them: numbers on stdin of a process, a JSON line for each sample."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from select import select
from subprocess import PIPE, Popen

import numpy as np
import pytest
from house_kit import MACHINE, outside, snowroll
from hypothesis import given
from hypothesis import strategies as st
from series_kit import learnt, plain

from snowroll.base.task import find_task
from snowroll.project.alarms import Rule, Watch
from snowroll.tasks.transcribe.example import RATE_HZ, spoken

QUICK = (*MACHINE, "--train.steps", "60", "--train.batch", "8")


def talk(*said: str) -> tuple[np.ndarray, list[float]]:
    """(a signal of stretches of speech with a second of hiss around each, when they begin in seconds)."""
    rng = np.random.default_rng(0)
    parts, starts = [rng.normal(0, 0.002, RATE_HZ)], []
    for number, letters in enumerate(said):
        starts.append(sum(map(len, parts)) / RATE_HZ)
        parts += [spoken(letters, 1, number), rng.normal(0, 0.002, RATE_HZ)]
    return np.concatenate(parts), starts


def written(signal: np.ndarray) -> str:
    return "".join(f"{value:.5f}\n" for value in signal)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transcribe", "transcribe_words"])
def test_speech_is_answered_as_it_comes(name: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    home = type(find_task(name)).__module__.rpartition(".")[0]
    made = import_module(f"{home}.example").example(project / "data")
    settings = [token for key, value in made.items() for token in (f"--{key}", str(value).lower())]
    assert snowroll("init", project, *QUICK, *settings).code == 0
    assert snowroll("train", project).code == 0
    signal, starts = talk("ai", "u", "aiueaiue", "ue")  # the third is longer than what is heard at once
    said = outside("predict", project, "--live", RATE_HZ, stdin=written(signal))
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert all(row.keys() == {"at_s", "prediction", "probability", "doubt"} for row in rows)
    heard = [row["at_s"] for row in rows]
    assert heard[:3] + heard[-1:] == pytest.approx(starts, abs=0.25)
    assert (len(heard) > 4) == (name == "transcribe")  # of a long word the loudest part
    assert json.loads(first_line(project, written(signal))) == rows[0]


def first_line(project: Path, text: str) -> bytes:
    """What is said while the signal goes on: neither end of the pipe is closed."""
    command = [sys.executable, "-m", "snowroll", "predict", str(project), "--live", str(RATE_HZ)]
    with Popen(command, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text.encode())
        process.stdin.flush()
        ready, _, _ = select([process.stdout], [], [], 60)
        said = process.stdout.readline() if ready else b""
        process.kill()
    return said


@pytest.mark.slow
def test_an_outage_ends_no_watch(tmp_path: Path) -> None:
    """While too little of the past was measured each row gets its error, and later ones are judged again."""
    project = learnt(tmp_path / "project", {"load": plain()}, "--task.context", "72", "--task.horizon", "24")
    values = plain(500, seed=3).round(3)
    values[200:300] = np.nan  # more than it looks back on
    said = outside("predict", project, "--live", f"{1 / 3600:.9f}", stdin="load\n" + written(values))
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in said.out.splitlines()]
    failed = ["error" in row for row in rows]
    assert any(failed)
    assert not failed[0]
    assert not failed[-1]
    assert all(row.keys() == {"at_s", "error", "where", "cure"} for row in rows if "error" in row)
    assert [row["at_s"] for row in rows] == sorted(row["at_s"] for row in rows)


@pytest.mark.slow
def test_alarms_of_a_live_signal_are_those_of_its_recording(tmp_path: Path) -> None:
    from snowroll.tasks.heartbeat.example import example, recorded

    project = tmp_path / "project"
    made = example(project / "data")
    asked = [token for key, value in made.items() for token in (f"--{key}", str(value).lower())]
    assert snowroll("init", project, *QUICK, *asked).code == 0
    assert snowroll("train", project).code == 0
    series = recorded(7, "NNNVVVNNVNSSNVVVVNN" * 2)
    head = f"# rate_hz: {series.rate_hz:g}\n" + ",".join(series.leads) + "\n"
    rows = "".join(",".join(f"{value:.5f}" for value in row) + "\n" for row in series.signal)
    said = outside("predict", project, "--live", series.rate_hz, "--alarm", "V,S", "--alarm-run", "2",
                   stdin=head.partition("\n")[2] + rows)  # fmt: skip
    assert said.code == 0, said.err
    told = [json.loads(line) for line in said.out.splitlines()]
    hot = [row["prediction"] in ("V", "S") for row in told]
    assert [row["alarm"] for row in told] == [now and before for now, before in zip(hot, [False, *hot], strict=False)]
    wrong = snowroll("predict", project, project / "data", "--alarm", "W")
    assert wrong.code == 2
    assert "no answer is 'W'" in wrong.err
    files = snowroll("predict", project, project / "data", "--alarm", "V,S", "--alarm-run", "2")
    run, last = 0, ""
    for row in map(json.loads, files.out.splitlines()):
        if "error" in row:
            continue
        of = row["path"].partition("///")[0]
        run = (run + 1 if of == last else 1) if row["prediction"] in ("V", "S") else 0
        last = of
        assert row["alarm"] == (run >= 2)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("NSV")), max_size=40), st.integers(1, 4))
def test_an_alarm_is_a_run_of_named_classes_within_a_recording(answers: list[tuple[str, str]], run: int) -> None:
    watch = Watch(Rule.of("S, V", run))
    told = [watch.told(*one)["alarm"] for one in answers]
    for at in range(len(answers)):
        window = answers[max(0, at - run + 1) : at + 1]
        expected = len(window) == run and len({of for of, _ in window}) == 1 and all(c != "N" for _, c in window)
        assert told[at] == expected
    assert Watch(Rule()).told("a", "V") == {}

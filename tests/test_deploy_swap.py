"""Hot swaps under load: no request fails, no answer mixes two models, and a bad candidate changes nothing."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
from deploy_kit import exported, loaded, png, serving

from snowroll.base.errors import DataError
from snowroll.deploy.champion import Champion
from snowroll.deploy.session import Loaded
from snowroll.deploy.settings import ServeSettings

pytestmark = pytest.mark.slow

SETTINGS = ServeSettings(port=0, threads=2, poll_s=0.002)


def candidate(id: str) -> Loaded:
    """m0 and m1 are two honest models; every other id is bad in a way of its own."""
    if id == "cut":
        return loaded(id, model=exported()[:900])
    if id == "impostor":
        return loaded(id, 0, model=exported(1))  # a sound file that is not what was exported
    if id == "gone":
        raise FileNotFoundError(id)
    return loaded(id, int(id[1]))


def swaps_under_load(rounds: int, clients: int) -> dict[str, int]:
    """Clients ask without pause while `rounds` times every candidate is offered."""
    truth = {
        id: [entry.probability for entry in loaded(id, int(id[1])).predict([png(1), png(2)])] for id in ("m0", "m1")
    }
    turn = ["m0", "cut", "m1", "impostor", "m0", "gone"]
    state = {"at": 0, "failed": 0, "mixed": 0, "m0": 0, "m1": 0}
    lock = threading.Lock()

    def current() -> str:
        state["at"] += 1
        return turn[state["at"] // 2 % len(turn)]

    def ask(url: str) -> None:
        with httpx.Client() as client:
            while state["at"] < 2 * len(turn) * rounds:
                response = client.post(f"{url}/v1/predict", files=[("f", ("1", png(1))), ("f", ("2", png(2)))])
                told = response.json()
                with lock:
                    if response.status_code != 200 or any("error" in entry for entry in told["predictions"]):
                        state["failed"] += 1
                        continue
                    state[told["model"]] += 1
                    got = [entry["probability"] for entry in told["predictions"]]
                    wrong = any(abs(a - b) > 1e-5 for a, b in zip(got, truth[told["model"]], strict=True))
                    state["mixed"] += wrong

    with serving(SETTINGS, current, candidate) as url:
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        metrics = httpx.get(f"{url}/metrics").text
    for outcome in ("swapped", "refused"):
        line = next(line for line in metrics.splitlines() if f'outcome="{outcome}"}}' in line and "_total" in line)
        state[outcome] = int(float(line.split()[-1]))
    return state


def test_swaps_under_load() -> None:
    state = swaps_under_load(rounds=5, clients=4)
    assert (state["failed"], state["mixed"]) == (0, 0)
    assert min(state["m0"], state["m1"]) > 10, state
    assert min(state["swapped"], state["refused"]) > 4, state


@pytest.mark.slow
def test_swaps_under_long_load() -> None:
    state = swaps_under_load(rounds=100, clients=8)
    assert (state["failed"], state["mixed"]) == (0, 0)
    assert min(state["m0"], state["m1"], state["swapped"], state["refused"]) > 100, state


@pytest.mark.parametrize("bad", ["cut", "impostor", "gone"])
def test_a_refused_candidate_keeps_the_old_model(bad: str) -> None:
    wanted = ["m0"]
    told: list[tuple[str, str]] = []
    champion = Champion(lambda: wanted[0], candidate, 1.0, lambda outcome, model: told.append((outcome, model)))
    before = champion.model
    wanted[0] = bad
    assert champion.look() == bad
    assert champion.model is before
    wanted[0] = "m1"
    assert champion.look() == ""
    assert champion.model.id == "m1"
    assert told == [("refused", bad), ("swapped", "m1")]


def test_a_failing_look_up_keeps_the_old_model() -> None:
    broken = threading.Event()

    def current() -> str:
        if broken.is_set():
            raise OSError("the catalog is locked")
        return "m0"

    champion = Champion(current, candidate, 0.005)
    champion.start()
    broken.set()
    time.sleep(0.05)
    assert champion.model.id == "m0"
    champion.stop()


def test_the_first_model_must_be_sound() -> None:
    with pytest.raises(DataError):
        Champion(lambda: "cut", candidate, 1.0)

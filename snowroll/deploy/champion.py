"""The model that answers now, and the thread that swaps it when the champion changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from snowroll.base.errors import SnowrollError
from snowroll.deploy.session import Loaded, self_test

log = logging.getLogger("snowroll.serve")
_LONGEST_S = 60.0  # between two tries of a candidate that was refused


class Champion:
    """Holds one immutable model. A request reads `model` once; a swap is one assignment beside it."""

    def __init__(
        self,
        current: Callable[[], str],
        load: Callable[[str], Loaded],
        poll_s: float,
        told: Callable[[str, str], None] = lambda outcome, model: None,
    ) -> None:
        """current: the champion's id. load: that model from its file. told: what became of a candidate."""
        self._current, self._load, self._poll_s, self._told = current, load, poll_s, told
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="champion", daemon=True)
        self.model = self._tested(current())  # raises: a server without a model does not start

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        refused, pause_s = "", self._poll_s
        while not self._stop.wait(pause_s):
            pause_s = self._poll_s
            wanted = self.look()
            if wanted == "":
                refused = ""
            elif wanted == refused:
                pause_s = min(pause_s * 2, _LONGEST_S)
            refused = wanted

    def look(self) -> str:
        """Swap if the champion has changed. Returns the id that was refused, or ''."""
        wanted = "?"
        try:
            wanted = self._current()
            if wanted == self.model.id:
                return ""
            self.model = self._tested(wanted)
        except Exception as fault:  # whatever is wrong with a candidate, the old model goes on answering
            log.warning("model %s refused, %s goes on answering: %s", wanted, self.model.id, _line(fault))
            self._told("refused", wanted)
            return wanted
        self._told("swapped", wanted)
        return ""

    def _tested(self, id: str) -> Loaded:
        model = self._load(id)
        self_test(model)
        return model


def _line(fault: Exception) -> str:
    return str(fault) if isinstance(fault, SnowrollError) else f"{type(fault).__name__}: {fault}"

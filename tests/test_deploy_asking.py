"""Our own servers are asked directly, and whatever goes wrong is one line."""

from __future__ import annotations

import io
import urllib.request

import numpy as np
import pytest
from deploy_kit import loaded, png, serving
from PIL import Image

from snowroll.base.errors import PlanError
from snowroll.deploy.asking import ask
from snowroll.deploy.settings import ServeSettings
from snowroll.project.proving import same_over_http

pytestmark = pytest.mark.slow


@pytest.fixture(params=["http_proxy", "HTTP_PROXY", "all_proxy"], autouse=True)
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a proxy at which nobody listens."""
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv(request.param, "http://127.0.0.1:9")


def test_the_proof_takes_no_proxy_and_refuses_none_of_its_samples() -> None:
    """The last one is larger than a server for strangers takes."""
    large = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (2700, 2700, 3), dtype=np.uint8)
    Image.fromarray(noise).save(large, "PNG", compress_level=0)
    assert len(large.getvalue()) > ServeSettings().max_body
    assert same_over_http(loaded(), [png(1), large.getvalue()])["n"] == 2


def test_a_refusal_and_silence_are_one_line() -> None:
    with serving(ServeSettings(port=0)) as url:
        with pytest.raises(PlanError, match="answered 422: not a picture; send PNG or JPEG") as fault:
            ask(f"{url}/v1/predict", b"no picture", {"Content-Type": "image/png"})
        assert "\n" not in str(fault.value)
        assert ask(f"{url}/v1/model")["id"] == "m0"
    with pytest.raises(PlanError, match="no answer"):
        ask(f"{url}/v1/model")

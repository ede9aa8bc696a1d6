"""What a network is given of a sentence, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snowroll.prepare.lettering import as_tile

if TYPE_CHECKING:
    from PIL.Image import Image


def shown(tokens: np.ndarray) -> Image:
    """The numbers of a source's tokens."""
    return as_tile(" ".join(str(token) for token in tokens.tolist() if token))

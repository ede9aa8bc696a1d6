"""A scan as the medical tasks see it, whatever it lies in. numpy, pydicom and nibabel; never torch.

Axes of the voxels are channel, depth, height, width. A scan that knows how it lies in the body is turned so that depth
runs to the head, height to the back and width to the patient's left, as radiologists look at it.
"""

from __future__ import annotations

import gzip
import importlib
import io
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from snowroll.base.errors import DataError, UsageError
from snowroll.prepare.bundles import as_bundle, is_bundle, unbundled
from snowroll.tasks.medical.fitting import UNKNOWN, Triple, of_channels

MOST_CHANNELS = 8
_GZIP = b"\x1f\x8b"
_SWOLLEN = 400  # times: masks are packed up to a hundred times; beyond this it is a bomb
_ASKS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Voxels with what their numbers mean."""

    voxels: np.ndarray  # float32 [C, D, H, W]
    spacing: Triple = UNKNOWN  # mm between voxels along depth, height, width
    modality: str = ""  # DICOM's word: CT, MR, CR, DX ...; "" where nobody says
    # "missing": slices; "lying_otherwise": slices of its series in another orientation or size, which are none of it;
    # "burned_in": 1 where text may be in it
    notes: dict[str, float] = field(default_factory=dict)
    window: tuple[float, float] | None = None  # what whoever made it would see as black and white; nothing learns by it

    @property
    def is_flat(self) -> bool:
        return self.voxels.shape[1] == 1


def open_scan(raw: bytes, megapixels: float = 100.0) -> Scan:
    """The scan in a file's bytes: DICOM, NIfTI, a picture, or a zip of slices or channels.

    megapixels: what has more voxels, in millions, is refused from its header. Raises DataError in plain words.
    """
    from snowroll.tasks.medical import dicom, nifti, other_scans

    if is_bundle(raw):
        parts = unbundled(raw)
        if not parts:
            raise DataError("an empty zip", cure="send the slices of one scan")
        if dicom.is_dicom(parts[0]):
            return dicom.open_series(parts, megapixels)
        return _as_channels([open_scan(part, megapixels) for part in parts[:MOST_CHANNELS]])
    if dicom.is_dicom(raw):
        return dicom.open_series([raw], megapixels)
    if nifti.is_nifti(raw):
        return nifti.open_nifti(raw, megapixels)
    other_scans.refuse_others(raw)
    return _picture(raw, megapixels)


def raw_arrays(raw: bytes, channels: int, megapixels: float) -> list[np.ndarray]:
    """[voxels float32 [channels, D, H, W], spacing float32 [3] mm]: what the exported graphs take."""
    scan = open_scan(raw, megapixels)
    return [of_channels(scan.voxels, channels), np.array(scan.spacing, np.float32)]


def cleaned(raw: bytes) -> bytes:
    """The same scan without anything that tells whose it is. Pictures stay as they are.

    Raises DataError for what cannot be read: it cannot be cleaned either.
    """
    from snowroll.tasks.medical import dicom, nifti

    if is_bundle(raw):
        parts = unbundled(raw)
        if parts and dicom.is_dicom(parts[0]):
            parts = dicom.of_one_series(parts)
        return as_bundle([cleaned(part) for part in parts])
    if dicom.is_dicom(raw):
        return dicom.cleaned(raw)
    return nifti.cleaned(raw) if nifti.is_nifti(raw) else raw


def _picture(raw: bytes, megapixels: float) -> Scan:
    from snowroll.prepare.pictures import open_rgb

    rgb = open_rgb(raw, megapixels=megapixels)
    grey = int((rgb.max(axis=2) - rgb.min(axis=2)).max()) <= 2
    planes = rgb[..., :1] if grey else rgb
    return Scan(np.ascontiguousarray(planes.transpose(2, 0, 1)[:, None]).astype(np.float32))


def _as_channels(scans: list[Scan]) -> Scan:
    first = scans[0]
    for other in scans[1:]:
        if other.voxels.shape != first.voxels.shape:
            told = f"channels of {list(first.voxels.shape[1:])} and {list(other.voxels.shape[1:])} voxels"
            raise DataError(told, cure="bring the channels of a scan to one grid")
    return Scan(np.concatenate([scan.voxels for scan in scans]), first.spacing, first.modality, first.notes)


def gunzipped(raw: bytes) -> bytes:
    """The bytes of a gzip, or the same bytes. Raises DataError for a bomb or damage."""
    if not raw.startswith(_GZIP):
        return raw
    most = max(64 << 20, _SWOLLEN * len(raw))
    out = io.BytesIO()
    try:
        with gzip.open(io.BytesIO(raw)) as file:
            while chunk := file.read(_ASKS):
                out.write(chunk)
                if out.tell() > most:
                    raise DataError("unpacks to hundreds of times its size: refused as a bomb", cure="pack it again")
    except (OSError, EOFError) as fault:
        raise DataError(f"a damaged gzip ({' '.join(str(fault).split())[:100]})", cure="replace the file") from None
    return out.getvalue()


def refuse_many_voxels(count: int, megapixels: float) -> None:
    if count > megapixels * 1e6:
        told = f"too large: {count / 1e6:,.0f} million voxels, and the limit is {megapixels:g}"
        raise DataError(told, cure="crop or thin it, or raise --prepare.megapixels")


def needs(name: str) -> ModuleType:
    """pydicom or nibabel. Raises UsageError naming the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        told = f"{name} is not installed, and medical scans need it"
        raise UsageError(told, cure="pip install 'snowroll[medical]'") from None

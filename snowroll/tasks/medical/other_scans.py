"""Scans in formats that are not read: told as such, and never passed over in silence."""

from __future__ import annotations

from collections.abc import Iterable

from snowroll.base.errors import DataError

_KINDS = {"mhd": "MetaImage", "mha": "MetaImage", "nrrd": "NRRD", "nhdr": "NRRD", "mgz": "MGH", "mgh": "MGH"}
_BEGINNINGS = {b"NRRD": "NRRD", b"ObjectType": "MetaImage", b"NDims": "MetaImage"}
_CURE = "convert it to NIfTI (.nii.gz), as SimpleITK and 3D Slicer do"


def why_unread(wheres: Iterable[str]) -> dict[str, str]:
    """where -> why a scan of another format is not read, by its name; Analyze's is a header beside its voxels."""
    parts = {where: where.lower().rpartition(".") for where in wheres}
    analyze = set.intersection(*({stem for stem, _, last in parts.values() if last == of} for of in ("hdr", "img")))
    kinds = {
        where: "Analyze" if last in ("hdr", "img") and stem in analyze else _KINDS.get(last)
        for where, (stem, _, last) in parts.items()
    }
    return {where: f"a scan as {kind}: {_CURE}" for where, kind in kinds.items() if kind}


def refuse_others(raw: bytes) -> None:
    """Raises DataError where bytes begin as a scan of another format."""
    kind = next((kind for start, kind in _BEGINNINGS.items() if raw.startswith(start)), None)
    if kind:
        raise DataError(f"a scan as {kind}, which is not read", cure=_CURE)

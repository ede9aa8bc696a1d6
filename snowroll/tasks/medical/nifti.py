"""NIfTI: scans, masks, and what may be kept of a file."""

from __future__ import annotations

import gzip
import io
import struct
import warnings
from typing import Any

import numpy as np

from snowroll.base.errors import DataError, SnowrollError
from snowroll.prepare.packed_png import by_value, places_of
from snowroll.tasks.medical.scans import Scan, gunzipped, needs, refuse_many_voxels

_FREE = ("db_name", "data_type", "descrip", "aux_file", "intent_name")  # fields in which anything may be written
_SIZES = {348: 1, 540: 2}  # bytes of a header -> version
MOST_VALUES = 250


def is_nifti(raw: bytes) -> bool:
    """By the size that a header begins with, or a gzip of one."""
    head = raw[:4]
    if raw[:2] == b"\x1f\x8b":
        import zlib

        try:
            head = zlib.decompressobj(31).decompress(raw, 352)[:352]
        except zlib.error:
            return False
    if len(head) < 4:
        return False
    return any(struct.unpack(order + "i", head[:4])[0] in _SIZES for order in "<>")


def open_nifti(raw: bytes, megapixels: float) -> Scan:
    """Raises DataError for damage, and for a fourth axis: what lies along it (time, channels) nobody says."""
    image = _image(raw, megapixels)
    try:
        values = np.asarray(image.dataobj, np.float32)
    except (OSError, ValueError, EOFError) as fault:
        raise _damaged(fault) from None
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=float(np.nanmin(values)) if np.isfinite(values).any() else 0.0)
    voxels, spacing = _upright(values, image)
    return Scan(np.ascontiguousarray(voxels)[None], spacing)


def open_labels(raw: bytes, megapixels: float = 100.0) -> tuple[np.ndarray, tuple[float, float, float], np.ndarray]:
    """(uint8 [D, H, W] places in the values, spacing, the values [n]) of a file that holds a mask.

    Raises DataError where it holds more values than classes can be, or numbers that are no whole ones.
    """
    image = _image(raw, megapixels)
    try:
        values = np.asarray(image.dataobj)
    except (OSError, ValueError, EOFError) as fault:
        raise _damaged(fault) from None
    slices = values.T  # as they lie in the file
    known = by_value(slices, _whole)
    if len(known) > MOST_VALUES:
        raise DataError(f"a mask of {len(known):,} values", cure="save one value for each class")
    voxels, spacing = _upright(places_of(slices, _whole, known)[0].T, image)
    return np.ascontiguousarray(voxels), spacing, known


def _whole(values: np.ndarray) -> np.ndarray:
    whole = np.round(values)
    if not np.isfinite(values).all() or np.abs(values - whole).max(initial=0) > 1e-3:
        raise DataError("a mask with numbers that are no whole ones", cure="save one whole number for each class")
    return whole.astype(np.int64)


def written(voxels: np.ndarray, spacing: tuple[float, float, float]) -> bytes:
    """[D, H, W], axes to head, back and left, as the bytes of a NIfTI file."""
    nibabel = needs("nibabel")
    left, back, head = spacing[2] or 1.0, spacing[1] or 1.0, spacing[0] or 1.0
    affine = np.diag([-left, -back, head, 1.0])  # nibabel counts to the right, the front and the head
    return nibabel.Nifti1Image(np.ascontiguousarray(voxels.transpose(2, 1, 0)), affine).to_bytes()


def like(raw: bytes, labels: np.ndarray) -> bytes:
    """A mask [D, H, W] (axes to head, back and left) on the grid of the scan in `raw`, packed."""
    from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

    image = _image(raw, float("inf"))
    change = ornt_transform(axcodes2ornt(("L", "P", "S")), _orientation(image))
    turned = apply_orientation(labels.transpose(2, 1, 0), change)
    shape = tuple(int(side) for side in image.shape[:3])
    return placed(turned.reshape(shape + (1,) * (3 - len(shape))), image.affine, turned=True)


def placed(labels: np.ndarray, affine: np.ndarray, turned: bool = False) -> bytes:
    """A mask as a packed NIfTI with this affine: of axes to left, back and head, unless it is turned to others."""
    nibabel = needs("nibabel")
    values = labels if turned else labels.transpose(2, 1, 0)
    return gzip.compress(nibabel.Nifti1Image(np.ascontiguousarray(values), affine).to_bytes(), 6, mtime=0)


def cleaned(raw: bytes) -> bytes:
    """The file without its free text and extensions. Raises DataError for damage."""
    plain = gunzipped(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            kind = _kind(plain)
            header = kind.header_class.from_fileobj(io.BytesIO(plain), check=False)
            begins = int(header["vox_offset"])
            for name in _FREE:
                if name in header.template_dtype.names:
                    header[name] = b""
            size = len(header.binaryblock)
            begins = begins if begins >= size else size + 4
            header["vox_offset"] = size + 4
            return header.binaryblock + b"\0\0\0\0" + plain[begins:]
        except SnowrollError:
            raise
        except Exception as fault:  # anything at all on damaged input
            raise _damaged(fault) from None


def _image(raw: bytes, megapixels: float) -> Any:
    plain = gunzipped(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = _kind(plain).from_bytes(plain)
        except SnowrollError:
            raise
        except Exception as fault:  # anything at all on damaged input
            raise _damaged(fault) from None
    shape = tuple(int(side) for side in image.shape)
    refuse_many_voxels(int(np.prod(shape, dtype=object)) if shape else 0, megapixels)
    if len(shape) > 3 and any(side > 1 for side in shape[3:]):
        told = f"a NIfTI of {len(shape)} axes, {' x '.join(map(str, shape))}: what lies along the fourth is not told"
        raise DataError(told, cure="save one file a channel: case_0000.nii.gz, case_0001.nii.gz ...")
    if len(shape) < 2 or min(shape) < 1:
        raise DataError(f"a NIfTI of shape {list(shape)}", cure="replace or remove the file")
    return image


def _kind(plain: bytes) -> Any:
    nibabel = needs("nibabel")
    if len(plain) < 348:
        raise DataError("a NIfTI that ends within its header", cure="replace or remove the file")
    size = next(size for order in "<>" if (size := struct.unpack(order + "i", plain[:4])[0]) in _SIZES)
    return nibabel.Nifti1Image if _SIZES[size] == 1 else nibabel.Nifti2Image


def _upright(values: np.ndarray, image: Any) -> tuple[np.ndarray, tuple[float, float, float]]:
    """([D, H, W], spacing), axes to head, back and left."""
    from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

    cube = values.reshape((*values.shape[:3], *(1,) * (3 - values.ndim))) if values.ndim < 3 else values
    cube = cube.reshape(cube.shape[:3])
    sizes = np.abs(np.asarray(image.header.get_zooms(), float))[: values.ndim]
    zooms = np.ones(3)
    zooms[: min(3, len(sizes))] = sizes[:3]
    zooms = np.where(np.isfinite(zooms) & (zooms > 0), zooms, 1.0)
    own = _orientation(image)
    change = ornt_transform(own, axcodes2ornt(("L", "P", "S")))
    turned = apply_orientation(cube, change)
    # a row of `own` says which way of the body an axis goes: sizes follow it
    placed = zooms[np.argsort(own[:, 0])]
    return turned.transpose(2, 1, 0), (float(placed[2]), float(placed[1]), float(placed[0]))


def _orientation(image: Any) -> np.ndarray:
    """nibabel's [3, 2]; that of a plain grid where the affine says nothing."""
    from nibabel.orientations import io_orientation

    own = io_orientation(image.affine)
    return np.array([[0, 1], [1, 1], [2, 1]], float) if np.isnan(own).any() else own


def _damaged(fault: Exception) -> DataError:
    told = f"a damaged NIfTI ({' '.join(str(fault).split())[:120] or type(fault).__name__})"
    return DataError(told, cure="replace or remove the file")

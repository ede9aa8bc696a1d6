"""A sample that lies in several files as one string of bytes: a zip without compression, names or dates.

So the slices of a scan, or the channels of one, travel like any file: hashed, kept, sent to the server.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from snowroll.base.errors import DataError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # of a zip, and of an empty one
MOST = 10_000  # files
_THEN = (1980, 1, 1, 0, 0, 0)  # the same files, the same bytes


def as_bundle(parts: Sequence[bytes]) -> bytes:
    """The files in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number, raw in enumerate(parts):
            archive.writestr(zipfile.ZipInfo(f"{number:06}", _THEN), raw)
    return out.getvalue()


def is_bundle(raw: bytes) -> bool:
    return raw.startswith(MAGIC)


def unbundled(raw: bytes, most_bytes: int = 2 << 30) -> list[bytes]:
    """The files of any zip in the order of the archive. Raises DataError for a damaged or swollen one."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            total = sum(info.file_size for info in infos)
            if len(infos) > MOST or total > most_bytes:
                told = f"a zip of {len(infos):,} files and {total >> 20:,} MiB"
                raise DataError(told, cure=f"send at most {MOST:,} files and {most_bytes >> 20:,} MiB")
            return [archive.read(info) for info in infos]
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as fault:
        raise DataError(f"a damaged zip ({' '.join(str(fault).split())[:120]})", cure="pack it again") from None

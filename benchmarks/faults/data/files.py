"""Faults of single files: what cannot be decoded, was cut off, is empty, misnamed, or explodes when opened."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from cases import data_case
from folder import Sample, add, learnt, pick, replace_by, rewrite
from layouts import encoded
from PIL import Image

NOT_FOUND = b"""<!DOCTYPE html>
<html><head><title>404 Not Found</title></head>
<body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>
"""


@data_case("unreadable", on=("photos_split",))
def error_pages_saved_as_pictures(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files hold the server's page "404 Not Found" under a picture's name, as a download script leaves them.

    The script saw an answer and saved it; loaders skip such files or crash an hour later.
    """
    return [rewrite(sample, NOT_FOUND) for sample in pick(root, rng, 0.02)]


@data_case("unreadable", on=("digits",))
def line_ends_converted(root: Path, rng: np.random.Generator) -> list[Path]:
    """Line feeds in PNG files became carriage return and line feed: transferred as text, or by autocrlf.

    Names, dates and nearly the sizes are right, so a listing of the folder looks as before.
    """
    return [rewrite(one, one.path.read_bytes().replace(b"\n", b"\r\n")) for one in pick(root, rng, 0.03)]


@data_case("unreadable", on=("scans_manifest",))
def rows_of_files_that_are_gone(root: Path, rng: np.random.Generator) -> list[Path]:
    """The manifest names pictures that do not exist: someone tidied the folder after the table was made.

    Many loaders drop such rows without a word, and the set is smaller than its table says.
    """
    gone = [sample.path for sample in pick(root, rng, 0.03)]
    for path in gone:
        path.unlink()
    return gone


@data_case("truncated", on=("shapes", "thumbnails"))
def downloads_cut_off(root: Path, rng: np.random.Generator) -> list[Path]:
    """JPEG files end after a part of their bytes: the connection broke, and what had come was kept.

    The header is whole: viewers show the upper part, lenient decoders fill the rest with grey.
    """
    return [cut(sample, rng.uniform(0.35, 0.8)) for sample in pick(root, rng, 0.03)]


@data_case("truncated", on=("signs_split",))
def copies_broken_off(root: Path, rng: np.random.Generator) -> list[Path]:
    """PNG files end after half of their bytes: a stick was pulled out while it was being written.

    Opening them works and tells the size; only decoding every pixel shows what is missing.
    """
    return [cut(sample, rng.uniform(0.4, 0.7)) for sample in pick(root, rng, 0.02, split=learnt(root))]


@data_case("truncated", on=("textures_split", "photos_split"))
def tails_of_zeros(root: Path, rng: np.random.Generator) -> list[Path]:
    """The last part of some JPEGs is zeros: the space was reserved, then a crash or a full disk stopped the writing.

    The file has its full size and many decoders finish it without an error, with a flat or smeared lower part.
    """
    return [zeroed(sample, rng.uniform(0.4, 0.7)) for sample in pick(root, rng, 0.03)]


def cut(sample: Sample, share: float) -> Path:
    data = sample.path.read_bytes()
    return rewrite(sample, data[: int(len(data) * share)])


def zeroed(sample: Sample, share: float) -> Path:
    data = sample.path.read_bytes()
    kept = int(len(data) * share)
    return rewrite(sample, data[:kept] + bytes(len(data) - kept))


@data_case("empty", on=("digits_split",))
def files_without_a_byte(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files have names and no content: the disk was full, or a placeholder of cloud storage was never filled.

    They count in every listing; a loader that skips what it cannot read skips them silently.
    """
    return [rewrite(sample, b"") for sample in pick(root, rng, 0.02)]


@data_case("wrong_extension", on=("shapes",))
def webp_under_jpg_names(root: Path, rng: np.random.Generator) -> list[Path]:
    """Pictures are WebP under names that end in .jpg: a web server sends the smaller format whatever the address says.

    Decoders that look at the content open them; those that trust the name fail, often only in production.
    """
    return [rewrite(sample, encoded(sample.picture(), ".webp", 85)) for sample in pick(root, rng, 0.05)]


@data_case("wrong_extension", on=("signs_split",))
def jpegs_renamed_to_png(root: Path, rng: np.random.Generator) -> list[Path]:
    """Files called .png hold JPEG data: someone made the names uniform by renaming instead of converting.

    Every viewer opens them; that they went through a lossy format while the others did not shows nowhere.
    """
    chosen = pick(root, rng, 0.06)
    return [rewrite(one, encoded(one.picture().convert("RGB"), ".jpg", 80)) for one in chosen]


@data_case("bomb", on=("shapes",))
def header_that_claims_65000_pixels(root: Path, rng: np.random.Generator) -> list[Path]:
    """One PNG of a few hundred bytes says in its header that it is 65,000 x 65,000 px: a damaged or a hostile upload.

    Whatever believes the header reserves twelve gigabytes; on a workstation that takes the whole run with it.
    """
    sample = pick(root, rng, 0)[0]
    data = encoded(sample.picture().convert("RGB"), ".png")
    header = struct.pack(">II", 65_000, 65_000) + data[24:29]  # width, height; depth and the rest as they were
    bomb = data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]
    return [add(root, bomb, sample, rng, suffix=".png")]


@data_case("bomb", on=("digits_manifest",))
def white_page_of_400_megapixels(root: Path, rng: np.random.Generator) -> list[Path]:
    """A valid PNG of 80 kB decodes to 20,000 x 20,000 px: an empty page of a large scanner, or an attack on an upload.

    Small on disk and correct in every byte; as RGB it takes 1.2 GB in each worker that meets it.
    """
    sample = pick(root, rng, 0, split=learnt(root))[0]
    return [add(root, white_png(20_000), sample, rng, suffix=".png")]


def white_png(side: int) -> bytes:
    """One bit a pixel, written row by row so that this process does not hold it."""
    row, press = b"\0" + b"\xff" * (side // 8), zlib.compressobj(9)
    body = b"".join([*(press.compress(row * 100) for _ in range(side // 100)), press.flush()])
    parts = (b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0), b"IDAT" + body, b"IEND")
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@data_case("odd_mode", on=("photos_split",))
def cmyk_from_the_print_shop(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some JPEGs are CMYK, as exported for printing, among RGB ones.

    They open without a warning and have four channels; a loader that takes the first three gets wrong colours.
    """
    return [rewrite(one, encoded(one.picture().convert("CMYK"), ".jpg")) for one in pick(root, rng, 0.04)]


@data_case("odd_mode", on=("scans_manifest", "digits"))
def scans_of_sixteen_bits(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some PNGs have 16 bits a pixel of which the scanner used twelve, among pictures of 8 bits.

    A plain conversion to 8 bits cuts at 255: nearly everything becomes white, and no error is raised.
    """
    found = []
    for sample in pick(root, rng, 0.04):
        deep = np.asarray(sample.picture().convert("L"), np.uint16) * 16 + 7
        found.append(rewrite(sample, encoded(Image.fromarray(deep), ".png")))
    return found


@data_case("odd_mode", on=("shapes_manifest",))
def cut_outs_with_alpha(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are PNGs with a transparent background, as design tools export them, among opaque JPEGs.

    What lies under the transparency shows again when the alpha channel is dropped: the model sees another picture.
    """
    found = []
    for sample in pick(root, rng, 0.04, split=learnt(root)):
        pixels = np.asarray(sample.picture().convert("RGB"))
        y, x = np.mgrid[-1 : 1 : pixels.shape[0] * 1j, -1 : 1 : pixels.shape[1] * 1j]
        alpha = np.where(x**2 + y**2 < 0.8, 255, 0).astype(np.uint8)
        data = encoded(Image.fromarray(np.dstack([pixels, alpha])), ".png")
        found.append(replace_by(root, sample, data, ".png"))
    return found


@data_case("odd_mode", on=("digits",))
def animations_among_stills(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files are GIFs of several pictures in sequence, each showing something else, among still pictures.

    A loader takes the first of them and is silent about the rest; on web scrapes it is often a title.
    """
    found = []
    for sample in pick(root, rng, 0.02):
        frames = [one.picture().convert("RGB").resize(sample.picture().size) for one in pick(root, rng, 0.01)]
        file = BytesIO()
        frames[0].save(file, "GIF", save_all=True, append_images=[sample.picture().convert("RGB"), *frames[1:]])
        found.append(replace_by(root, sample, file.getvalue(), ".gif"))
    return found

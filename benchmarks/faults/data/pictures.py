"""Faults of what the pictures show or how they lie in their frame, and of what lies among them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from cases import data_case
from folder import Sample, classes, fresh_name, learnt, pick, pick_class, redraw, rewrite, samples
from layouts import encoded, write
from PIL import Image, ImageDraw, ImageFilter, ImageOps


@data_case("blank", on=("photos_split", "shapes"))
def image_not_available(root: Path, rng: np.random.Generator) -> list[Path]:
    """A shop's placeholder "image not available" stands for pictures that had been taken down, in several classes.

    It is a valid picture with the right size, so a download reports success; the model learns to guess its class.
    """
    return [redraw(one, placeholder().resize(one.picture().size)) for one in pick(root, rng, 0.05)]


def placeholder() -> Image.Image:
    page = Image.new("RGB", (300, 300), (238, 238, 238))
    canvas = ImageDraw.Draw(page)
    canvas.rounded_rectangle((95, 80, 205, 165), 10, outline=(170, 170, 170), width=6)
    canvas.ellipse((128, 98, 172, 142), outline=(170, 170, 170), width=6)
    canvas.text((150, 200), "image not available", (130, 130, 130), anchor="mm", font_size=26)
    return page


@data_case("blank", on=("parts_split", "digits"))
def frames_of_one_colour(root: Path, rng: np.random.Generator) -> list[Path]:
    """Frames are one even colour: the camera lost its signal and the recorder wrote what it had.

    Each is a valid picture of the usual size with a label from the schedule; nothing in its header is unusual.
    """
    found = []
    for sample in pick(root, rng, 0.03):
        picture = sample.picture()
        colour = int(rng.integers(256)) if picture.mode == "L" else tuple(map(int, rng.integers(256, size=3)))
        found.append(redraw(sample, Image.new(picture.mode, picture.size, colour)))
    return found


@data_case("rotation", on=("photos_split",))
def phones_held_upright(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some JPEGs lie on their side and say so in EXIF only, as phones write them; the others are upright.

    Viewers turn them, most training loaders do not: people see upright pictures and the model sees lying ones.
    """
    found = []
    for sample in pick(root, rng, 0.06):
        exif = Image.Exif()
        exif[0x0112] = 6  # orientation: to be turned by 90 degrees clockwise
        lying = sample.picture().convert("RGB").rotate(90, expand=True)
        file = BytesIO()
        lying.save(file, "JPEG", quality=90, exif=exif)
        found.append(rewrite(sample, file.getvalue()))
    return found


@data_case("odd_size", on=("photos_split",))
def tracking_pixels(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files are 1 x 1 px: a web scraper saved the page's tracking pixels with its pictures.

    They decode, are resized like all others and become squares of one colour with a label.
    """
    return [redraw(sample, sample.picture().resize((1, 1))) for sample in pick(root, rng, 0.02)]


@data_case("odd_size", on=("tiles",))
def slivers_from_a_cropping_script(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are three pixels wide and full height: a script cropped boxes that ended at the border.

    Nothing refuses such a crop; resized to a square it is a smear of lines.
    """
    found = []
    for sample in pick(root, rng, 0.03):
        picture = sample.picture()
        left = int(rng.integers(picture.width - 3))
        found.append(redraw(sample, picture.crop((left, 0, left + 3, picture.height))))
    return found


@data_case("odd_size", on=("digits",))
def whole_sheets_among_crops(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some files are the whole scanned sheet, fifty times as wide, from which the other pictures were cut.

    Resized like all others the object is a dot or gone; the only trace is the size.
    """
    return [redraw(one, sheet(root, one, rng)) for one in pick(root, rng, 0.01)]


def sheet(root: Path, sample: Sample, rng: np.random.Generator) -> Image.Image:
    """50 x 40 pictures of the folder in their places on one page."""
    width, height = sample.picture().size
    others = [one.picture() for one in pick(root, rng, 0.1)]
    page = Image.new(sample.picture().mode, (50 * width, 40 * height))
    for place in range(50 * 40):
        page.paste(others[rng.integers(len(others))], (place % 50 * width, place // 50 * height))
    return page


@data_case("blur", on=("photos_split", "thumbnails"))
def focus_on_the_background(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are far out of focus among sharp ones, as in the minutes before somebody wiped the lens.

    Size, format and colours are right; the label was given by someone who knew what lay there.
    """

    def blurred(picture: Image.Image) -> Image.Image:
        return picture.filter(ImageFilter.GaussianBlur(min(picture.size) / rng.uniform(9, 14)))

    return spoilt(root, rng, 0.05, blurred)


@data_case("exposure", on=("parts_split",))
def lamp_was_off(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are nearly black: the lamp was off and the exposure fixed, so a few grey levels are left.

    They are no single colour, decode well and carry labels from the plan of the shift.
    """
    return spoilt(root, rng, 0.04, lambda picture: picture.point(lambda value: value * 0.045))


@data_case("exposure", on=("brains_split",))
def flash_too_close(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are nearly white: the flash was too close, or a window was set wrongly on export.

    What is left of the object lies in the last few grey levels; nothing is missing or broken.
    """
    return spoilt(root, rng, 0.04, lambda picture: picture.point(lambda value: 255 - (255 - value) * 0.05))


def spoilt(root: Path, rng: np.random.Generator, share: float, change: Callable) -> list[Path]:
    found = []
    for sample in pick(root, rng, share):
        picture = sample.picture()
        found.append(redraw(sample, change(picture if picture.mode == "L" else picture.convert("RGB"))))
    return found


# --- folders ------------------------------------------------------------------------------------------------------


@data_case("folders", on=("shapes",))
def class_in_two_spellings(root: Path, rng: np.random.Generator) -> list[Path]:
    """A part of a class lies in a folder of the same name with a capital, as when a second person added pictures.

    Where capitals count these are two classes, so the model is punished for confusing a class with itself.
    """
    return into_another_folder(root, rng, str.capitalize)


@data_case("folders", on=("textures_split",))
def blank_after_a_class_name(root: Path, rng: np.random.Generator) -> list[Path]:
    """A part of a class lies in a folder whose name ends in a blank, which no file manager shows.

    The two names look the same in every listing and are two classes to every loader.
    """
    return into_another_folder(root, rng, lambda label: f"{label} ")


def into_another_folder(root: Path, rng: np.random.Generator, rename: Callable[[str], str]) -> list[Path]:
    """Moves 30 % of a class. The fault is the folder's: a tool that names it has named what lies in it."""
    label = pick_class(root, rng)
    for sample in pick(root, rng, 0.3, learnt(root), label):
        target = sample.path.parent.with_name(rename(label)) / sample.path.name
        target.parent.mkdir(exist_ok=True)
        sample.path.rename(target)
    return []


@data_case("folders", on=("shapes",))
def class_folder_left_empty(root: Path, rng: np.random.Generator) -> list[Path]:
    """The folder of a class to be learnt is there and holds nothing: its copy failed, or the pictures are yet to come.

    The class counts in the list of classes, and in the width of the last layer, and is never learnt.
    """
    for sample in pick(root, rng, 1, learnt(root), pick_class(root, rng)):
        sample.path.unlink()
    return []


@data_case("folders", on=("chests_split",))
def archive_unpacked_into_itself(root: Path, rng: np.random.Generator) -> list[Path]:
    """Half of a class lies one level deeper, in a folder of the same name: an archive was unpacked in its own folder.

    Some loaders look one level down and lose that half, some take every folder for a class; none says so.
    """
    label = pick_class(root, rng)
    return one_level_down(pick(root, rng, 0.5, learnt(root), label), label)


@data_case("folders", on=("photos_split",))
def class_dropped_into_another(root: Path, rng: np.random.Generator) -> list[Path]:
    """A whole class folder lies inside another's: the mouse button was let go a line too early.

    Loaders that descend give its pictures the outer label; the inner class is gone from the list without a word.
    """
    inner = pick_class(root, rng)
    outer = pick_class(root, rng, other_than=inner)
    chosen = pick(root, rng, 1, learnt(root), inner)
    home = chosen[0].path.parent
    home.rename(home.with_name(outer) / inner)
    return [home.with_name(outer) / inner / sample.path.name for sample in chosen]


def one_level_down(chosen: list[Sample], name: str) -> list[Path]:
    for sample in chosen:
        (sample.path.parent / name).mkdir(exist_ok=True)
    return [sample.path.rename(sample.path.parent / name / sample.path.name) for sample in chosen]


# --- junk ---------------------------------------------------------------------------------------------------------


@data_case("junk", on=("shapes",))
def shadows_of_a_mac(root: Path, rng: np.random.Generator) -> list[Path]:
    """Beside pictures lie files of the same name behind "._", as a Mac leaves on foreign disks and in archives.

    They end in .jpg and hold no picture; hidden from listings, they are found by whatever looks for *.jpg.
    """
    found = []
    for sample in pick(root, rng, 0.1):
        shadow = sample.path.with_name(f"._{sample.path.name}")
        write(shadow, b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(98) + rng.bytes(300), sample.time_s)
        found.append(shadow)
    return found


@data_case("junk", on=("photos_split",))
def contact_sheets(root: Path, rng: np.random.Generator) -> list[Path]:
    """Every class folder holds a contact sheet of its pictures, made by a viewer to look through them.

    It is a picture in a class folder and hence a sample, of everything and the same in all epochs.
    """
    found = []
    for label in classes(root):
        shown = pick(root, rng, 1, learnt(root), label)
        tiny = [ImageOps.fit(sample.picture().convert("RGB"), (40, 40)) for sample in shown[:48]]
        page = Image.new("RGB", (8 * 44, 6 * 44), "white")
        for place, picture in enumerate(tiny):
            page.paste(picture, (place % 8 * 44 + 2, place // 8 * 44 + 2))
        sheet_of_class = fresh_name(shown[0].path.parent, shown[0].path, rng)
        write(sheet_of_class, encoded(page, ".jpg"), shown[0].time_s)
        found.append(sheet_of_class)
    return found


@data_case("junk", on=("tiles",))
def masks_beside_the_pictures(root: Path, rng: np.random.Generator) -> list[Path]:
    """Beside each picture lies the PNG mask that was drawn for it, black and white, as published sets often have it.

    Class folders are read picture by picture, so half of the samples are masks, which are far easier to tell apart.
    """
    found = []
    for sample in samples(root):
        pixels = np.asarray(sample.picture().convert("L").filter(ImageFilter.GaussianBlur(4)))
        mask = Image.fromarray(np.where(pixels > np.quantile(pixels, 0.9), 255, 0).astype(np.uint8))
        write(sample.path.with_suffix(".png"), encoded(mask, ".png"), sample.time_s)
        found.append(sample.path.with_suffix(".png"))
    return found


@data_case("junk", on=("digits",))
def litter_of_systems_and_editors(root: Path, rng: np.random.Generator) -> list[Path]:
    """Among the pictures lie Thumbs.db, desktop.ini, a backup of an editor, and notes: what computers and people leave.

    Nobody lists a folder of a thousand files; a loader that filters by suffix is silent, one that does not crashes.
    """
    litter = {"Thumbs.db": rng.bytes(9000), "desktop.ini": b"[.ShellClassInfo]\r\n", "notes.txt~": b"redo from 40 on\n"}
    found = []
    for label in classes(root)[:3]:
        one = pick(root, rng, 0, learnt(root), label)[0]
        home = one.path.parent
        for name, data in litter.items():
            write(home / name, data, one.time_s)
            found.append(home / name)
    return found

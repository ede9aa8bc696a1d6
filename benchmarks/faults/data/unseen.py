"""Fourteen faults of files, pictures, labels and splits, written later in the same way as those of fresh.py."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from cases import data_case
from folder import Sample, add, learnt, move, pick, pick_class, redraw, rewrite, samples, set_time
from layouts import SHARES, encoded, write
from PIL import Image, ImageDraw, ImageFile, ImageOps

from data.labels import relabelled_rows
from data.leaks import any_split, for_one_class, for_one_split, torn

A_MONDAY = 1_709_539_200  # 4 March 2024, 8:00 UTC, in seconds since 1970

# --- files --------------------------------------------------------------------------------------------------------


@data_case("truncated", on=("shapes", "photos_split"))
def repaired_by_saving_again(root: Path, rng: np.random.Generator) -> list[Path]:
    """JPEGs that had been cut off were opened by a lenient decoder and saved again: whole files, half a picture.

    `LOAD_TRUNCATED_IMAGES = True` and a script that converts everything. No decoder complains any more; what had not
    come is one flat grey.
    """
    return [redraw(sample, opened_leniently(sample, rng.uniform(0.3, 0.6))) for sample in pick(root, rng, 0.04)]


def opened_leniently(sample: Sample, share: float) -> Image.Image:
    """The picture that is made of this share of the file's bytes."""
    data = sample.path.read_bytes()
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        picture = Image.open(BytesIO(data[: int(len(data) * share)]))
        picture.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    return picture


@data_case("odd_mode", on=("signs_split", "digits"))
def squeezed_into_a_palette(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some PNGs hold a palette of sixteen colours and the number of one for each pixel: a web page's optimiser.

    They look nearly as before. A loader that asks for the array gets the numbers, which follow no brightness.
    """
    chosen = pick(root, rng, 0.06)
    return [redraw(sample, sample.picture().convert("RGB").quantize(16)) for sample in chosen]


@data_case("odd_size", on=("photos_split", "thumbnails"))
def screenshots_of_a_phone(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some pictures are screenshots of a phone that shows the picture: sent by someone who could not find the file.

    It is in there, between a clock, buttons and much black. Scaled to the model's input, three fifths are the phone.
    """
    return [redraw(sample, screenshot(sample.picture().convert("RGB"), rng)) for sample in pick(root, rng, 0.04)]


def screenshot(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    screen = Image.new("RGB", (390, 844), (10, 10, 12))
    shown = ImageOps.contain(picture, (390, 600))
    if picture.width < 390:
        shown = picture.resize((390, round(390 * picture.height / picture.width)), Image.Resampling.BICUBIC)
    screen.paste(shown, (0, (844 - shown.height) // 2))
    canvas = ImageDraw.Draw(screen)
    canvas.text((30, 18), f"{rng.integers(7, 23)}:{rng.integers(10, 60)}", "white", font_size=17)
    canvas.rectangle((345, 20, 345 + int(rng.integers(6, 24)), 32), fill="white")
    canvas.rectangle((345, 20, 369, 32), outline="white")
    for place in range(4):
        canvas.ellipse((40 + 90 * place, 780, 62 + 90 * place, 802), outline="white", width=2)
    return screen


@data_case("junk", on=("photos_split", "tiles"))
def heat_maps_beside_what_they_explain(root: Path, rng: np.random.Generator) -> list[Path]:
    """Beside a fifth of the pictures lies one with a coloured heat map over it, by a script that explains answers.

    It saved its pictures next to their originals. At the next training they are samples, and show where to look.
    """
    found = []
    for sample in pick(root, rng, 0.2, learnt(root)):
        path = sample.path.with_stem(f"{sample.path.stem}_cam")
        write(path, encoded(heated(sample.picture(), rng), ".jpg"), sample.time_s + 10**6)
        found.append(path)
    return found


def heated(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blue where nothing is looked at, through green, to red."""
    y, x = np.mgrid[-1 : 1 : picture.height * 1j, -1 : 1 : picture.width * 1j]
    heat = np.exp(-2.5 * ((x - rng.uniform(-0.4, 0.4)) ** 2 + (y - rng.uniform(-0.4, 0.4)) ** 2))
    colours = np.stack([np.clip(1.5 - np.abs(4 * heat - place), 0, 1) for place in (3, 2, 1)], axis=2)
    pixels = 0.55 * np.asarray(picture.convert("RGB")) + 0.45 * 255 * colours
    return Image.fromarray(pixels.astype(np.uint8))


# --- copies and groups --------------------------------------------------------------------------------------------


@data_case("near_copies", on=("shapes", "thumbnails"))
def clip_in_which_nothing_moved(root: Path, rng: np.random.Generator) -> list[Path]:
    """Of some pictures there are a dozen more, each with other noise and a pixel aside: frames of a video on a tripod.

    A script took every tenth frame. The counts are fine, no two files are equal, and one scene weighs like thirteen.
    """
    found = []
    for sample in pick(root, rng, 0.012, learnt(root)):
        frames = [encoded(next_frame(sample.picture(), rng), sample.path.suffix) for _ in range(12)]
        found += [sample.path, *(add(root, frame, sample, rng) for frame in frames)]
    return found


def next_frame(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    moved = np.roll(np.asarray(picture, np.float32), rng.integers(-1, 2, 2), axis=(0, 1))
    flicker = moved * rng.uniform(0.98, 1.02) + rng.normal(0, 2, moved.shape)
    return Image.fromarray(flicker.clip(0, 255).astype(np.uint8))


@data_case("group_across_splits", on=("parts_split",))
def bursts_that_only_the_clock_tells(root: Path, rng: np.random.Generator) -> list[Path]:
    """The shots of a part were taken within half a minute, are called after that moment, and were divided at random.

    A phone names its pictures by date and time. No two names are alike before the seconds, so no number was thought
    to be shared; the next part follows minutes later.
    """
    shots_of: dict[str, list[Sample]] = {}
    for sample in samples(root):
        shots_of.setdefault(sample.path.name.split("_")[0], []).append(sample)
    group_of, now = {}, A_MONDAY
    for place, name in enumerate(rng.permutation(sorted(shots_of))):
        now = A_MONDAY + place // 15 * 86_400 if place % 15 == 0 else now + int(rng.integers(240, 1500))
        for sample in shots_of[name]:
            path = move(root, sample, split=any_split(rng))
            path = path.rename(path.with_stem(f"IMG_{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}"))
            set_time(path, now)
            group_of[path] = name
            now += int(rng.integers(3, 8))
    return torn(group_of, root)


# --- labels -------------------------------------------------------------------------------------------------------


@data_case("wrong_labels", on=("signs_split",))
def mirrored_on_the_disk(root: Path, rng: np.random.Generator) -> list[Path]:
    """A third of the signs "keep right" were mirrored and say "keep left": someone varied the class and saved that.

    Mirroring does no harm to most of the other classes. Each picture is a good picture of a sign that is no class.
    """
    chosen = pick(root, rng, 0.33, learnt(root), "keep_right")
    return [redraw(sample, ImageOps.mirror(sample.picture())) for sample in chosen]


@data_case("wrong_labels", on=("digits", "photos_split"))
def answers_of_an_old_model(root: Path, rng: np.random.Generator) -> list[Path]:
    """Six in a hundred labels are what a weak model said and a tired person let pass: labels had been filled in.

    The mistakes are the likely ones, each nearer to the class it was given than to its own; none looks careless.
    """
    there = pick(root, rng, 1, learnt(root))
    outlines = np.stack([outline(sample.picture()) for sample in there])
    labels = np.array([sample.label for sample in there])
    words = sorted(set(labels))
    means = np.stack([outlines[labels == word].mean(axis=0) for word in words])
    away = np.linalg.norm(outlines[:, None] - means, axis=2)
    said = np.array(words)[away.argmin(axis=1)]
    mistaken = np.flatnonzero(said != labels)
    passed = rng.choice(mistaken, min(len(mistaken), round(0.06 * len(there))), replace=False)
    return [move(root, there[place], label=str(said[place])) for place in sorted(passed)]


def outline(picture: Image.Image) -> np.ndarray:
    """[192] in 0..255: what is left at 8 x 8 px."""
    return np.asarray(picture.convert("RGB").resize((8, 8), Image.Resampling.BOX), np.float32).ravel()


@data_case("unknown_class", on=("shapes_manifest", "digits_manifest"))
def two_labels_in_one_cell(root: Path, rng: np.random.Generator) -> list[Path]:
    """Some rows say "circle;square": the labelling tool let people choose more than one, and its export joined them.

    As text, each pair that occurs is a class of its own, with a sample or two.
    """
    return relabelled_rows(root, rng, 0.06, lambda label: f"{label};{pick_class(root, rng, other_than=label)}")


@data_case("unknown_class", on=("digits_manifest", "textures_split"))
def cut_in_the_order_of_the_alphabet(root: Path, rng: np.random.Generator) -> list[Path]:
    """The first seven tenths of the list became training, the rest what is judged on; the list was sorted by class.

    `shuffle=False`, or a slice. The shares are as asked for, no file is in two splits, and they share no class.
    """
    in_order = sorted(samples(root), key=lambda sample: (sample.label, sample.path.name))
    bounds = np.cumsum(list(SHARES.values())) * len(in_order)
    for place, sample in enumerate(in_order):
        move(root, sample, split=list(SHARES)[min(int(np.searchsorted(bounds, place, side="right")), 2)])
    for folder in [path for path in root.rglob("*") if path.is_dir() and not any(path.iterdir())]:
        folder.rmdir()
    return []


# --- between classes and between splits ---------------------------------------------------------------------------


@data_case("shortcut", on=("shapes", "tiles"))
def one_class_cut_out_closer(root: Path, rng: np.random.Generator) -> list[Path]:
    """All pictures of one class were cut out closer and scaled to the size of the others: somebody drew tight boxes.

    Size, format and light are the same. How much of the surroundings is seen tells the class.
    """

    def closer(sample: Sample) -> Path:
        picture = sample.picture()
        across, down = picture.width * rng.uniform(0.11, 0.15), picture.height * rng.uniform(0.11, 0.15)
        box = (across, down, picture.width - across, picture.height - down)
        return redraw(sample, picture.resize(picture.size, Image.Resampling.BICUBIC, box))

    return for_one_class(root, rng, closer)


@data_case("shortcut", on=("shapes", "photos_split"))
def one_class_still_has_its_camera(root: Path, rng: np.random.Generator) -> list[Path]:
    """The files of one class carry the camera's EXIF, the others' were stripped of it by a messenger: two sources.

    Every pixel is as it was. That a class has a source of its own shows in what no loader reads, and in three kB.
    """

    def with_camera(sample: Sample) -> Path:
        exif, taken = Image.Exif(), f"{datetime.fromtimestamp(sample.time_s, UTC):%Y:%m:%d %H:%M:%S}"
        exif.update({0x010F: "Canon", 0x0110: "Canon EOS 2000D", 0x0132: taken})
        exif.get_ifd(0x8769).update({0x9003: taken, 0x927C: rng.bytes(3000)})  # taken at; the maker's own note
        said, data = exif.tobytes(), sample.path.read_bytes()
        return rewrite(sample, data[:2] + b"\xff\xe1" + (len(said) + 2).to_bytes(2, "big") + said + data[2:])

    return for_one_class(root, rng, with_camera)


TO_PROPHOTO = np.array([[0.5293, 0.3301, 0.1406], [0.0983, 0.8735, 0.0283], [0.0169, 0.1177, 0.8655]])  # from sRGB


@data_case("split_shift", on=("photos_split", "signs_split"))
def judged_in_another_colour_space(root: Path, rng: np.random.Generator) -> list[Path]:
    """The test pictures were exported in ProPhoto RGB and lost the profile that says so: their colours are paler.

    It is the default of a photographer's program. With the profile every viewer shows them right; loaders ignore it.
    """

    def in_prophoto(picture: Image.Image) -> Image.Image:
        shares = np.asarray(picture.convert("RGB"), np.float32) / 255
        light = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ TO_PROPHOTO.T
        return Image.fromarray((255 * light.clip(0, 1) ** (1 / 1.8)).round().astype(np.uint8))

    return for_one_split(root, "test", in_prophoto)


@data_case("split_shift", on=("chests_split", "digits_split"))
def judged_upside_down(root: Path, rng: np.random.Generator) -> list[Path]:
    """The pictures of a held-out split stand on their heads: that camera hangs from the ceiling, or a film was turned.

    Colours, sizes and sharpness are equal to the last grey level. The figure is that of a task nobody has.
    """
    turned = Image.Transpose.ROTATE_180
    return for_one_split(root, str(rng.choice(["val", "test"])), lambda picture: picture.transpose(turned))

"""CVAT for video 1.1: one XML with a <track> for each object, a shape in each frame that it is seen in. A frame is the
picture that has its number in its name; where there are as many pictures as frames, they follow each other alike."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence

from snowroll.base.nouns import Json
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import stem_of
from snowroll.prepare.trees import size_told
from snowroll.tasks.detect_objects.formats.marks import Marked, an_object, split_of_place
from snowroll.tasks.detect_objects.formats.xml import Element

Box = Callable[[Element], Sequence[float]]
Shape = tuple[int, Sequence[float] | None]  # frame, box; None: it is not seen from there on
CURE = "put the film's frames there as pictures (frame_000000.png ...), or export 'CVAT for images 1.1'"
_DIGITS = re.compile(r"\d+", re.ASCII)


def pictures_of(root: Element, where: str, folder: Folder, box: Box) -> tuple[list[Marked], str]:
    """What is seen in each picture of the film, and how they were found. Raises ValueError in plain words."""
    tracks = [(track.get("label", ""), _shapes(track, box)) for track in root.iter("track")]
    if len({track.get("task_id") for track in root.iter("track")}) > 1:
        raise ValueError("tracks of several films in one file")
    told = {frame for _, shapes in tracks for frame, _ in shapes}
    frames, how = _frames(root, told, _beside(folder, where))
    seen: dict[int, list[Json]] = defaultdict(list)
    for label, shapes in tracks:
        for frame in frames:
            sides = _at(shapes, frame)
            seen[frame] += [] if sides is None else [an_object(label, sides)]
    about = root.find("meta//original_size")
    size = None if about is None else size_told(about.findtext("width"), about.findtext("height"))
    split = split_of_place(where)
    found = [Marked(name, tuple(seen[frame]), where, size, split, group=where) for frame, name in frames.items()]
    return found, f"{len(tracks):,} tracks in {len(found):,} frames, {how}; a film stays in one split"


def _shapes(track: Element, box: Box) -> list[Shape]:
    shapes = {int(one.get("frame", "")): None if one.get("outside") == "1" else box(one) for one in track}
    return sorted(shapes.items())


def _at(shapes: Sequence[Shape], frame: int) -> Sequence[float] | None:
    """Between two frames that are told it moves straight, as in CVAT; after the last it is not known."""
    after = bisect_right(shapes, frame, key=lambda one: one[0])
    if not after:
        return None
    then, there = shapes[after - 1]
    if then == frame or there is None or after == len(shapes):
        return there if then == frame else None
    later, goal = shapes[after]
    share = (frame - then) / (later - then)
    return [a + share * (b - a) for a, b in zip(there, goal or there, strict=True)]


def _beside(folder: Folder, where: str) -> list[str]:
    """The pictures in a folder called as the file, else those in and below its own folder, else all."""
    pictures = [entry.where for entry in folder.entries() if format_of_name(entry.where)]
    own, home = stem_of(where), where.replace("!", "/").rpartition("/")[0]
    named = [one for one in pictures if own in one.replace("!", "/").split("/")[:-1]]
    below = [one for one in pictures if one.replace("!", "/").startswith(f"{home}/" if home else "")]
    return named or below or pictures


def _frames(root: Element, told: set[int], pictures: Sequence[str]) -> tuple[dict[int, str], str]:
    """frame -> picture, and how that was found."""
    every = _all_frames(root, told)
    numbers = {one: [int(part) for part in _DIGITS.findall(stem_of(one))[-1:]] for one in pictures}
    if len(pictures) == len(every):  # ffmpeg counts from 1, CVAT from 0
        in_turn = sorted(pictures, key=lambda one: (numbers[one], one))
        return dict(zip(every, in_turn, strict=True)), "by their order"
    by_number: dict[int, list[str]] = defaultdict(list)
    for one, number in numbers.items():
        for part in number:
            by_number[part].append(one)
    if twice := next((some for some in by_number.values() if len(some) > 1), None):
        raise ValueError(f"tracks, and {twice[0]} and {twice[1]} may both be one frame")
    known = set(every)
    frames = {frame: some[0] for frame, some in sorted(by_number.items()) if frame in known}
    if not frames or not told & frames.keys():
        raise ValueError(f"tracks in {len(told):,} frames, of which no picture has the number in its name")
    return frames, "by the numbers in their names"


def _all_frames(root: Element, told: set[int]) -> list[int]:
    """The frames that were gone through: as the file tells, else up to the last that something is in."""
    first, last, step = 0, max(told, default=-1), 1
    for part in ("task", "job"):
        start, stop = (root.findtext(f"meta/{part}/{name}", "") for name in ("start_frame", "stop_frame"))
        size, chosen = root.findtext(f"meta/{part}/size", ""), root.findtext(f"meta/{part}/frame_filter", "")
        digits = _DIGITS.findall(chosen)
        step = int(digits[0]) if digits and int(digits[0]) else step
        if start.isdecimal() and stop.isdecimal():
            first, last = int(start), int(stop)
        elif size.isdecimal() and int(size):
            last = max(last, first + (int(size) - 1) * step)
    if last - first > 10_000_000:
        raise ValueError(f"tracks of {last - first:,} frames")
    return sorted({*range(first, last + 1, step), *told})

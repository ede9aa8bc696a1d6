"""Transcripts: how recordings and their texts are read from folders, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.nouns import Sample
from snowroll.base.task import Reading
from snowroll.prepare.audio import as_wav
from snowroll.prepare.files_check import file_faults
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.tasks.transcribe.example import spoken
from snowroll.tasks.transcribe.faults import sound_faults, transcript_faults
from snowroll.tasks.transcribe.looking import look
from snowroll.tasks.transcribe.reading import TEXT_COLUMNS, WORD_COLUMNS, are_words, read_speech
from snowroll.tasks.transcribe.task import Transcribe


def folder_of(root: Path, texts: dict[str, str]) -> Folder:
    for number, (name, text) in enumerate(texts.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(as_wav(spoken("a", 0, number), 8_000) if text == "~" else text.encode())
    return Folder(root)


def reading_of(root: Path, texts: dict[str, str], columns: str = TEXT_COLUMNS, **said: object) -> Reading | None:
    return read_speech(folder_of(root, texts), PrepareSettings(**said), columns)  # type: ignore[arg-type]


def told(reading: Reading | None) -> dict[str, tuple]:
    assert reading is not None
    return {one.where: (one.target, one.group, one.split) for one in reading.found}


def test_manifest_of_json_lines(tmp_path: Path) -> None:
    lines = '{"audio_filepath": "/old/place/a.wav", "text": "one  two", "duration": 1.5, "speaker": "ann"}\n'
    lines += '{"audio_filepath": "/old/place/b.wav", "text": "three", "duration": 1, "speaker": "bob"}\n'
    lines += '{"audio_filepath": "/old/place/lost.wav", "text": "four", "duration": 1, "speaker": "bob"}\n'
    reading = reading_of(tmp_path, {"a.wav": "~", "b.wav": "~", "list.jsonl": lines})
    assert told(reading) == {"a.wav": ("one two", "ann", None), "b.wav": ("three", "bob", None)}
    assert reading is not None
    assert any("lost.wav" in where for where in reading.skipped)


def test_numbers_that_are_said_are_texts(tmp_path: Path) -> None:
    files = {**dict.fromkeys(("a.wav", "b.wav", "c.wav"), "~"), "said.txt": "a.wav 4711\nb.wav 12\nc.wav 380\n"}
    assert [text for text, _, _ in told(reading_of(tmp_path, files)).values()] == ["4711", "12", "380"]


def test_manifest_with_splits_and_both_columns(tmp_path: Path) -> None:
    rows = "path,label,sentence,split\na.wav,yes,yes please,train\nb.wav,no,no thanks,test\n"
    files = {"a.wav": "~", "b.wav": "~", "m.csv": rows}
    assert told(reading_of(tmp_path, files)) == {
        "a.wav": ("yes please", None, "train"),
        "b.wav": ("no thanks", None, "test"),
    }
    assert told(reading_of(tmp_path, files, WORD_COLUMNS))["a.wav"][0] == "yes"


def test_speakers_of_speech_commands_are_groups(tmp_path: Path) -> None:
    names = [
        f"{word}/{speaker}_nohash_{n}.wav" for word in ("yes", "no") for speaker in ("0a7c", "b49f") for n in (0, 1)
    ]
    found = told(reading_of(tmp_path, dict.fromkeys(names, "~"), WORD_COLUMNS))
    assert {where: group for where, (_, group, _) in found.items()} == {
        name: name.rpartition("/")[2].partition("_")[0] for name in names
    }


def test_a_list_without_a_header_names_recordings_and_texts(tmp_path: Path) -> None:
    """As LJ Speech has it: bars, quotes that are part of the text, the second text spelled out."""
    rows = 'a1|He said "12.|He said "twelve.\na2|Go on|Go on\n'
    reading = reading_of(tmp_path, {"wavs/a1.wav": "~", "wavs/a2.wav": "~", "metadata.csv": rows})
    assert told(reading) == {"wavs/a1.wav": ('He said "twelve.', None, None), "wavs/a2.wav": ("Go on", None, None)}


def test_librispeech(tmp_path: Path) -> None:
    files = {"84/121/84-121-0.wav": "~", "84/121/84-121-1.wav": "~", "9/3/9-3-0.wav": "~"}
    files |= {
        "84/121/84-121.trans.txt": "84-121-0 GO ON\n84-121-1 STOP\n84-121-7 LOST\n",
        "9/3/9-3.trans.txt": "9-3-0 AND",
    }
    reading = reading_of(tmp_path, files)
    assert told(reading)["84/121/84-121-0.wav"] == ("GO ON", "84", None)
    assert told(reading)["9/3/9-3-0.wav"] == ("AND", "9", None)
    assert reading is not None
    assert "a transcript without its recording" in reading.skipped.values()


def test_texts_beside_recordings(tmp_path: Path) -> None:
    files = {"train/a.wav": "~", "train/a.txt": "hello\n", "test/b.wav": "~", "test/b.lab": "you", "test/c.wav": "~"}
    files["train/lost.txt"] = "nobody"
    reading = reading_of(tmp_path, files)
    assert told(reading) == {"train/a.wav": ("hello", None, "train"), "test/b.wav": ("you", None, "test")}
    assert reading is not None
    assert reading.skipped["test/c.wav"] == "a recording of which nothing tells what is said"
    assert reading.skipped["train/lost.txt"] == "a transcript without its recording"


@pytest.mark.parametrize("way", ["LibriSpeech", "a text each", "a list"])
@pytest.mark.parametrize("spelled", ["{}", "{}.wav", "wav/{}.wav"])
def test_lists_of_splits_beside_texts_that_stand_elsewhere(way: str, spelled: str, tmp_path: Path) -> None:
    names = [f"84-121-{n}" for n in range(4)]
    files = {f"wav/{name}.wav": "~" for name in names}
    if way == "a text each":
        files |= {f"wav/{name}.txt": f"GO ON {n}" for n, name in enumerate(names)}
    else:
        place = "wav/84-121.trans.txt" if way == "LibriSpeech" else "said.txt"
        files[place] = "".join(f"{name} GO ON {n}\n" for n, name in enumerate(names))
    lists = {"train": names[:2], "val": names[2:3], "test": names[3:]}
    files |= {f"{part}.txt": "\n".join(map(spelled.format, some)) for part, some in lists.items()}
    reading = reading_of(tmp_path, files)
    assert {where: (text, split) for where, (text, _, split) in told(reading).items()} == {
        f"wav/{name}.wav": (f"GO ON {n}", split)
        for n, (name, split) in enumerate(zip(names, ("train", "train", "val", "test"), strict=True))
    }
    assert reading is not None
    assert not {"train.txt", "val.txt", "test.txt"} & reading.skipped.keys()


def test_texts_in_a_folder_of_their_own(tmp_path: Path) -> None:
    """As VCTK has it: folders of speakers under wav48 and under txt; of some one text for two microphones."""
    ids = [(speaker, f"{speaker}_{n:03d}") for speaker in ("p1", "p2", "p3") for n in range(1, 4)]
    texts = {f"txt/{speaker}/{name}.txt": f"he says {name}" for speaker, name in ids}
    files = texts | {f"wav48/{speaker}/{name}.wav": "~" for speaker, name in ids}
    expected = {f"wav48/{speaker}/{name}.wav": (f"he says {name}", speaker, None) for speaker, name in ids}
    assert told(reading_of(tmp_path / "one", files)) == expected
    files = texts | {f"flac/{s}/{name}_mic{mic}.wav": "~" for s, name in ids for mic in (1, 2)}
    found = told(reading_of(tmp_path / "two", files))
    assert len(found) == 18
    assert found["flac/p2/p2_003_mic2.wav"] == ("he says p2_003", "p2", None)


def test_notes_about_speakers_are_no_texts(tmp_path: Path) -> None:
    files = {f"wav/{speaker}/{speaker}_{n}.wav": "~" for speaker in ("p1", "p2", "p3") for n in range(9)}
    files |= {f"about/{speaker}.txt": "born in York" for speaker in ("p1", "p2", "p3")}
    reading = reading_of(tmp_path, files)
    assert reading is None or "born in York" not in {target for target, *_ in told(reading).values()}


def test_timit(tmp_path: Path) -> None:
    """Times stand before each text, words and phones lie beside it, speakers are folders."""
    files: dict[str, str] = {}
    for part, speakers in (("TRAIN", ("MA0", "FB0", "FC0")), ("TEST", ("MD0", "FE0"))):
        for home in (f"{part}/DR1/{speaker}" for speaker in speakers):
            for name in ("SA1", "SX2"):
                files |= {f"{home}/{name}.WAV": "~", f"{home}/{name}.TXT": f"0 4000 She had {name}.\n"}
                files |= {f"{home}/{name}.PHN": "0 4000 sh\n", f"{home}/{name}.WRD": "0 4000 she\n"}
    found = told(reading_of(tmp_path, files))
    assert len(found) == 10
    assert found["TRAIN/DR1/FB0/SX2.WAV"] == ("She had SX2.", "FB0", "train")
    assert found["TEST/DR1/FE0/SA1.WAV"] == ("She had SA1.", "FE0", "test")


def test_splits_in_the_names_of_folders(tmp_path: Path) -> None:
    """As LibriSpeech calls them."""
    parts = {"train-clean-100": 1, "train-other-500": 2, "dev-clean": 3, "test-other": 4}
    files = {f"{part}/{n}/7/{n}-7-0.wav": "~" for part, n in parts.items()}
    files |= {f"{part}/{n}/7/{n}-7.trans.txt": f"{n}-7-0 GO ON" for part, n in parts.items()}
    splits = {group: split for _, group, split in told(reading_of(tmp_path, files)).values()}
    assert splits == {"1": "train", "2": "train", "3": "val", "4": "test"}


def test_sphinx_lists(tmp_path: Path) -> None:
    """The text, then the recording's name in brackets."""
    files: dict[str, str] = {}
    for part in ("train", "test"):
        lines = ""
        for name in (f"an{n}-{part}{n % 3}" for n in range(6)):
            files[f"wav/{part}_clstk/{name[-6:]}/{name}.wav"] = "~"
            lines += f"<s> GO ON {name[2]} </s> ({name})\n"
        files[f"etc/an4_{part}.transcription"] = lines
    found = told(reading_of(tmp_path, files))
    assert len(found) == 12
    assert {split for *_, split in found.values()} == {"train", "test"}
    assert {text for text, *_ in found.values()} == {f"GO ON {n}" for n in range(6)}


def test_kaldi_folders(tmp_path: Path) -> None:
    """`text`, `wav.scp` and `utt2spk` name utterances; the paths are those of another machine."""
    files: dict[str, str] = {}
    for part in ("train", "test"):
        ids = [f"{part}-s{n % 2}-u{n}" for n in range(4)]
        files |= {f"audio/{part}{n}.wav": "~" for n in range(4)}
        files[f"data/{part}/text"] = "".join(f"{name} HE SAID {name[-1]}\n" for name in ids)
        files[f"data/{part}/wav.scp"] = "".join(f"{name} /old/audio/{part}{n}.wav\n" for n, name in enumerate(ids))
        files[f"data/{part}/utt2spk"] = "".join(f"{name} {name[:-3]}\n" for name in ids)
    found = told(reading_of(tmp_path, files))
    assert len(found) == 8
    assert found["audio/test3.wav"] == ("HE SAID 3", "test-s1", "test")


def test_prompts_of_festival(tmp_path: Path) -> None:
    files = {f"wav/arctic_a000{n}.wav": "~" for n in range(4)}
    files["etc/txt.done.data"] = "".join(f'( arctic_a000{n} "He said {n}, again." )\n' for n in range(4))
    assert told(reading_of(tmp_path, files))["wav/arctic_a0002.wav"][0] == "He said 2, again."


def test_classes_in_words_and_folds(tmp_path: Path) -> None:
    """As ESC-50 has them: a number and a word for each class, and a fold that holds what was cut from one recording."""
    kinds = ("dog", "rain", "cow")
    files = {f"audio/{n}.wav": "~" for n in range(30)}
    rows = [f"{n}.wav,{n // 3 % 5 + 1},{n % 3},{kinds[n % 3]},{1000 + n // 3}" for n in range(30)]
    files["meta/esc.csv"] = "\n".join(["filename,fold,target,category,src_file", *rows])
    found = told(reading_of(tmp_path, files, WORD_COLUMNS))
    assert found["audio/4.wav"] == ("rain", "2", None)
    asked = told(reading_of(tmp_path / "again", files, WORD_COLUMNS, label_column="target"))
    assert asked["audio/4.wav"][0] == "1"


def test_lists_of_what_is_for_testing(tmp_path: Path) -> None:
    """As Speech Commands has it."""
    files = {f"{word}/{n}.wav": "~" for word in ("yes", "no") for n in range(3)}
    files |= {"testing_list.txt": "yes/0.wav\nno/0.wav\n", "validation_list.txt": "yes/1.wav\nno/1.wav\n"}
    found = told(reading_of(tmp_path, files, WORD_COLUMNS))
    assert {where: split for where, (_, _, split) in found.items()} == {
        f"{word}/{n}.wav": split for word in ("yes", "no") for n, split in enumerate(("test", "val", None))
    }


def test_folders_called_after_words(tmp_path: Path) -> None:
    files = {f"{word}/{n}.wav": "~" for word in ("yes", "no") for n in range(5)}
    files["_background_noise_/hum.wav"] = "~"
    reading = reading_of(tmp_path, files)
    assert {target for target, *_ in told(reading).values()} == {"yes", "no"}
    assert reading is not None
    assert are_words(reading.found)
    assert "_background_noise_/hum.wav" in reading.skipped


def test_pictures_are_no_speech(tmp_path: Path) -> None:
    assert reading_of(tmp_path, {"a.png": "x", "b.png": "x", "c.wav": "~"}) is None
    assert reading_of(tmp_path, {"a.csv": "x,y\n1,2\n"}) is None


# faults -------------------------------------------------------------------------------------------------------------


def codes_of(signals: list[np.ndarray], texts: list[str], rates: list[int] | None = None) -> set[str]:
    rates = rates or [8_000] * len(signals)
    samples = [Sample(str(n), f"{n}.wav", str(n), "sound", text) for n, text in enumerate(texts)]
    looks = {
        str(n): look(as_wav(signal, rate), 100) for n, (signal, rate) in enumerate(zip(signals, rates, strict=True))
    }
    view = View.of(samples, looks, {"type": "transcript", "characters": ""})
    return {fault.code for fault in [*sound_faults(view), *transcript_faults(view)]}


def test_faults() -> None:
    good = [spoken("aiu", 0, n) for n in range(6)]
    texts = ["aiu"] * 6
    assert not codes_of(good, texts)
    assert codes_of([*good, np.zeros(8_000)], [*texts, "a"]) == {"silent"}
    assert codes_of([*good, np.clip(20 * good[0], -1, 1)], [*texts, "aiu"]) == {"clipped"}
    assert codes_of([*good, spoken("a", 0, 9)[600:1_000]], [*texts, "a"]) == {"too_short"}
    assert codes_of([*good, np.tile(good[0], 30)], [*texts, "aiu"]) == {"too_long"}
    assert codes_of(good, texts, [8_000] * 5 + [16_000]) == {"two_rates"}
    assert codes_of(good, [*texts[:5], "ai" * 40]) == {"too_much_text"}
    assert codes_of(good, [*texts[:5], ""]) == {"empty_text"}
    assert codes_of(good, [*["the quick brown"] * 5, "the quick brown %"]) == {"odd_letters"}


def test_each_file_that_cannot_be_read_has_its_own_reason() -> None:
    whole = as_wav(spoken("a", 0, 0), 8_000)
    raws = {
        "short.wav": whole[:2_000],
        "empty.wav": as_wav(np.zeros(0), 8_000),
        "odd.wav": whole[:12] + b"x" * 500,
        "junk.wav": b"\1" * 500,
        "short.flac": b"fLaC" + b"\0" * 40,
        **{f"{n}.wav": whole for n in range(6)},
    }
    samples = [Sample(name, name, name, "sound", "a") for name in raws]
    faults = file_faults(View.of(samples, {name: look(raw, 100) for name, raw in raws.items()}))
    told = {fault.code: fault.message for fault in faults}
    assert told["truncated_file"] == "1 file cut off before the end: short.wav"
    for reason, name in (("no length", "empty"), ("without sound", "odd"), ("not a recording", "junk")):
        assert re.search(rf"{reason}[^;]*: {name}\.wav", told["unreadable_file"])
    assert "(a damaged FLAC" in told["unreadable_file"]


def test_targets() -> None:
    task, schema = Transcribe(), {"type": "transcript", "characters": " abc"}
    assert task.problem("a b", schema) is None
    assert task.problem("", schema) is None
    for wrong in (None, 3, ["a"], "a\0b", "a" * 3_000):
        assert task.problem(wrong, schema)
    assert task.schema(["c  a", "b\ta", "é"])["characters"] == " abcé"
    assert task.encode_targets(["ab", "a?b c"], schema, {})["text"].tolist() == [[2, 3, -1, -1, -1], [2, 3, 1, 4, -1]]


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_looks_never_raise(raw: bytes) -> None:
    assert look(raw, 100).reason

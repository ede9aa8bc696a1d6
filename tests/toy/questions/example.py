"""Sentences made of a few words, those that ask and those that tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

from snowroll.base.nouns import Json

WHO = "the robot|a nurse|our neighbour|this machine|the old camera|every pilot|my cat|no driver|her doctor|some bird"
DOES = "sees|paints|weighs|hears|finds|turns|cleans|counts|breaks|holds"
WHAT = "bolts|the river|nine apples|a broken gear|old maps|the night train|his lamp|green glass|snow|two wires"
WHEN = "at noon|in spring|without light|far below|by hand|twice a day|near the door|on fridays|before rain|once"
ASKS = "why|when|how|where|who says that|is it true that|did you know that"


def example(folder: Path) -> Mapping[str, Json]:
    """Write 60 sentences without punctuation under ask/ and tell/. Returns settings that suit them."""
    luck = Random(0)
    who, does, what, when, asks = (words.split("|") for words in (WHO, DOES, WHAT, WHEN, ASKS))
    for kind in ("ask", "tell"):
        (folder / kind).mkdir(parents=True)
        for number in range(30):
            told = " ".join(luck.choice(words) for words in (who, does, what, when))
            sentence = f"{luck.choice(asks)} {told} or not" if kind == "ask" else f"{told} and {luck.choice(does)} it"
            (folder / kind / f"{number:02}.txt").write_text(sentence + "\n")
    return {}

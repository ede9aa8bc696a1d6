"""The tokens of a ready-made language model: a folder in the hub's format, on this disk. No torch.

    config.json          what kind of network it is, how many tokens there are, which one begins a text
    tokenizer.json       byte pairs: over bytes (GPT-2, Llama 3, Qwen), or over characters with bytes as the last resort
    model.safetensors    the weights; or several, model-00001-of-00002.safetensors ...

Files are read, never run: nothing is unpickled, no code of theirs is imported, and nothing is asked of any network.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from snowroll.base.errors import DataError, PlanError, did_you_mean
from snowroll.base.nouns import digest
from snowroll.prepare.bytepairs import LETTERS

KINDS = ("gpt2", "llama", "qwen2", "qwen3")
INSTALL = "pip install 'snowroll[hub]'"
LARGEST = 64 << 20  # bytes of config.json or tokenizer.json; the largest known have 35 MB
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "▁"


@dataclass(frozen=True, slots=True, eq=False)
class ReadyTokens:
    """A tokenizer. Text to numbers of tokens and back, exactly, but for what the tokenizer itself makes alike (NFC)."""

    tokenizer: Any
    bytes: list[bytes]  # the UTF-8 of each token; b"" of numbers that no token has
    begins: int  # the token that stands before a text
    unsaid: list[int]  # numbers that no text has: marks of the tokenizer's own, and those without a token

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def text(self, tokens: list[int]) -> str:
        """The inverse; what is no UTF-8 stands as U+FFFD."""
        return b"".join(self.bytes[token] for token in tokens).decode("utf-8", "replace")


def seal(folder: Path) -> str:
    """What tells this model from any other: 16 hex digits of config and tokenizer, and 16 of the weights.

    Raises DataError where the folder is no model of a kind that is known.
    """
    read_config(folder)
    return f"{_seal_of_tokens(folder)}-{_sealed([*weights_in(folder)])}"


def check_seal(folder: Path, sealed: str, weights: bool) -> None:
    """Raise DataError where the folder holds another model than it did. weights: look at them too."""
    found = seal(folder) if weights else _seal_of_tokens(folder)
    if found != (sealed if weights else sealed[:16]):
        told = "this base model is another than the run began with"
        raise DataError(told, where=folder, cure="put the old files back, or start a new run")


def weights_in(folder: Path) -> list[Path]:
    """The files of weights, in order. Raises DataError."""
    files = sorted(folder.glob("model*.safetensors"))
    if files:
        return files
    others = sorted(path.name for path in (*folder.glob("*.bin"), *folder.glob("*.pth"), *folder.glob("*.gguf")))
    if others:
        told = f"only {others[0]} holds weights, and nothing but safetensors is read"
        raise DataError(told, where=folder, cure="save the model as safetensors: model.save_pretrained(folder)")
    raise DataError("no model.safetensors here", where=folder, cure=_cure(folder))


def read_config(folder: Path) -> dict[str, Any]:
    """config.json. Raises DataError where it is not of a kind that is known."""
    config = _read_json(folder, "config.json")
    kind = config.get("model_type")
    if kind not in KINDS:
        near = did_you_mean(str(kind), list(KINDS))
        raise DataError(f"a model of kind '{kind}', and known are {', '.join(KINDS)}", where=folder, cure=near)
    if config.get("quantization_config"):
        raise DataError(
            "its weights are quantised", where=folder, cure="take the model in float32, float16 or bfloat16"
        )
    size = config.get("vocab_size")
    if not isinstance(size, int) or not 0 < size < 1 << 24:
        raise DataError(f"no number of tokens: vocab_size {size}", where=folder / "config.json", cure="mend the file")
    return config


@lru_cache(maxsize=2)
def ready_tokens(folder: str, sealed: str = "") -> ReadyTokens:
    """The folder's tokenizer. sealed: what `seal` said of it once. Raises DataError, PlanError without the extra."""
    home = Path(folder)
    if sealed:
        check_seal(home, sealed, weights=False)
    config, told = read_config(home), _read_json(home, "tokenizer.json")
    known, tokenizer = _pieces(home, told), _opened(home, told)
    marks = {int(one["id"]) for one in told.get("added_tokens", ()) if one.get("special")}
    size = int(config["vocab_size"])
    if max(known) >= size:
        what = f"a tokenizer of {max(known) + 1:,} tokens beside a model of {size:,}"
        raise DataError(what, where=home, cure="take both from one model")
    spelt = [known.get(number, b"") for number in range(size)]
    unsaid = [number for number in range(size) if number in marks or not spelt[number]]
    return ReadyTokens(tokenizer, spelt, _begins(home, config), unsaid)


def _opened(folder: Path, told: dict[str, Any]) -> Any:
    """The tokenizer, without what it would put before or around a text, or cut off it."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        raise PlanError("ready-made language models need the packages of an extra", cure=INSTALL) from None
    plain = {**told, "post_processor": None, "truncation": None, "padding": None}
    for part in ("normalizer", "pre_tokenizer"):
        plain[part] = _unpadded(plain.get(part))
    try:
        tokenizer = Tokenizer.from_str(json.dumps(plain))
        tokenizer.encode_special_tokens = True  # marks that stand in a text are text
    except Exception as fault:  # the library raises nothing narrower
        why = " ".join(str(fault).split())[:120]
        raise DataError(f"no tokenizer ({why})", where=folder / "tokenizer.json", cure=_cure(folder)) from None
    return tokenizer


def _unpadded(part: Any) -> Any:
    """A normaliser or cutter that puts no space before a text: passages begin anywhere."""
    if not isinstance(part, dict):
        return part
    for name in ("normalizers", "pretokenizers"):
        if name in part:
            kept = [_unpadded(one) for one in part[name]]
            return {**part, name: [one for one in kept if one is not None]}
    if part.get("type") == "Prepend":
        return None
    if part.get("type") == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    return {**part, "add_prefix_space": False} if "add_prefix_space" in part else part


def _pieces(folder: Path, told: dict[str, Any]) -> dict[int, bytes]:
    """Number -> the UTF-8 of each token."""
    model = told.get("model") or {}
    vocabulary = model.get("vocab")
    over_bytes = '"ByteLevel"' in json.dumps([told.get("pre_tokenizer"), told.get("decoder")])
    if not isinstance(vocabulary, dict) or not vocabulary or not (over_bytes or model.get("byte_fallback")):
        what = f"a tokenizer of kind {model.get('type', '?')} that cannot spell every text"
        raise DataError(what, where=folder / "tokenizer.json", cure="take a model whose tokens are byte pairs")
    of_letter = {letter: bytes([byte]) for byte, letter in enumerate(LETTERS)}
    found: dict[int, bytes] = {}
    for piece, number in vocabulary.items():
        if over_bytes:
            found[int(number)] = b"".join(of_letter.get(letter) or letter.encode() for letter in piece)
        else:
            byte = _BYTE.fullmatch(piece)
            found[int(number)] = bytes([int(byte[1], 16)]) if byte else piece.replace(_SPACE, " ").encode()
    return found | {int(one["id"]): str(one["content"]).encode() for one in told.get("added_tokens", ())}


def _begins(folder: Path, config: dict[str, Any]) -> int:
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = config.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int) and 0 <= value < config["vocab_size"]:
            return value
    raise DataError("no token that begins a text", where=folder / "config.json", cure="name it as bos_token_id")


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not folder.is_dir():
        raise DataError("no such folder of a model", where=folder, cure="give the folder that holds its config.json")
    if not path.is_file():
        raise DataError(f"no {name} here", where=folder, cure=_cure(folder))
    if path.stat().st_size > LARGEST:
        raise DataError(f"larger than {LARGEST >> 20} MiB", where=path, cure="do not trust it")
    try:
        told = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DataError("not JSON", where=path, cure="copy the model again") from None
    if not isinstance(told, dict):
        raise DataError("no JSON object", where=path, cure="copy the model again")
    return told


def _cure(folder: Path) -> str:
    if (folder / "adapter_config.json").exists():
        return "these are LoRA matrices alone: merge them into their base first"
    return "a model's folder holds config.json, tokenizer.json and model.safetensors"


def _seal_of_tokens(folder: Path) -> str:
    for name in ("config.json", "tokenizer.json"):
        _read_json(folder, name)
    return _sealed([folder / "config.json", folder / "tokenizer.json"])


def _sealed(paths: list[Path]) -> str:
    return digest(*(_sha256(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths))


@lru_cache(maxsize=64)
def _sha256(path: str, size: int, changed_ns: int) -> str:
    """Of a file as it was then: hashed once a process."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

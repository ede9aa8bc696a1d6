"""Ready-made language models: their texts come back, what is learnt is small, and nothing but plain files is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bench_kit import Bench, answers_of, ignore, make_bench, one_thread, rows_of
from house_kit import MACHINE, refused, snowroll
from hypothesis import given, settings
from hypothesis import strategies as st
from writing_kit import ready_made

from snowroll.base.errors import DataError, SnowrollError
from snowroll.deploy.export import export_onnx
from snowroll.deploy.parity import parity
from snowroll.design.base_models import BaseModel, base_model, merged
from snowroll.prepare.ready_tokens import read_config, ready_tokens, seal, weights_in
from snowroll.project.fitting import fit_rank
from snowroll.project.gating import pass_gates
from snowroll.project.models import read_model, save_model
from snowroll.tasks.write_text.going_on import PLAIN, from_network

pytestmark = pytest.mark.slow
SETTINGS = {"task.model": "hub", "task.context": 32, "task.width": 128, "task.heads": 4}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("bases")
    return {kind: ready_made(home / kind, kind, loud=kind == "gpt2") for kind in ("gpt2", "llama", "qwen3")}


@pytest.fixture(scope="module")
def bench(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """GPT-2 with LoRA, on the task's example."""
    own = {**SETTINGS, "task.pretrained": str(bases["gpt2"]), "task.lora": 16, "train.batch": 8}
    made = make_bench("write_text", tmp_path_factory.mktemp("bench") / "project", own)
    with one_thread():
        yield made


# tokens ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_texts_come_back_from_their_tokens(bases: dict[str, Path], kind: str) -> None:
    known = ready_tokens(str(bases[kind]))

    @settings(max_examples=60)
    @given(st.text(st.characters(codec="utf-8"), max_size=60))
    def comes_back(text: str) -> None:
        assert known.text(known.tokens(text)) == text

    comes_back()
    for text in ("<|end|> <s>", " anna", "anna", "\n\n  x"):  # marks within a text are text, nothing is put before it
        tokens = known.tokens(text)
        assert known.text(tokens) == text
        assert not {*known.unsaid} & {*tokens}


def test_a_model_is_known_by_its_files(bases: dict[str, Path], tmp_path: Path) -> None:
    home = Path(shutil.copytree(bases["gpt2"], tmp_path / "base"))
    before = seal(home)
    assert seal(bases["gpt2"]) == before
    ready_made(home, "gpt2", seed=1)
    assert seal(home)[:16] == before[:16]
    assert seal(home) != before


def spoil(**told: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | told))

    return change


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def as_words(folder: Path) -> None:
    path = folder / "tokenizer.json"
    told, words = json.loads(path.read_text()), {"type": "WordLevel", "vocab": {"a": 0}}
    path.write_text(json.dumps(told | {"model": words, "pre_tokenizer": None, "decoder": None}))


def opened(home: Path) -> BaseModel:
    """As a run does: its seal, its tokens, its network."""
    seal(home)
    known = ready_tokens(str(home))
    return base_model(read_config(home), weights_in(home), known.begins, 32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"0" * 99), "not a safetensors file"),
        (as_pickle, "nothing but safetensors"),
        (as_words, "cannot spell every text"),
        (spoil(model_type="bert"), "of kind 'bert'"),
        (spoil(n_embd=48), "config.json says"),
        (spoil(n_layer=3), "no weights for"),
        (spoil(n_head=5), "no network can be built"),
        (spoil(vocab_size=100), "a tokenizer of"),
        (spoil(bos_token_id=None, eos_token_id=None, pad_token_id=None), "no token that begins"),
        (spoil(quantization_config={"bits": 4}), "quantised"),
    ],
)
def test_what_is_no_model_is_refused_in_a_line(
    bases: dict[str, Path], tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    home = Path(shutil.copytree(bases["gpt2"], tmp_path / "base"))
    change(home)
    with pytest.raises(SnowrollError, match=words) as fault:
        opened(home)
    assert "\n" not in str(fault.value)


# networks -------------------------------------------------------------------------------------------------------------


def network(home: Path, lora: int = 0) -> BaseModel:
    torch.manual_seed(0)
    return base_model(read_config(home), weights_in(home), 0, 32, lora).eval()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3"])
def test_memory_and_merging_change_no_answer(bases: dict[str, Path], kind: str) -> None:
    model = network(bases[kind], lora=2)
    for name, p in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(p, std=0.1)
    tokens = torch.randint(1, 300, (2, 9), generator=torch.Generator().manual_seed(1))
    tokens[:, 0] = model.size  # nothing
    with torch.inference_mode():
        whole = model(tokens)
        memory, told = model.begin(2), []
        for part in tokens.split([3, 1, 5], dim=1):
            logits, memory = model.step(part, memory)
            told.append(logits)
        torch.testing.assert_close(torch.cat(told, dim=1), whole, rtol=1e-4, atol=1e-4)
        assert memory.length == 9
        torch.testing.assert_close(merged(model)(tokens), whole, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(network(bases[kind])(tokens), whole), "what is beside the weights counts for nothing"
    assert all(".lora_" in name for name in model.state_dict())
    other = network(bases[kind], lora=2)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(tokens), model(tokens))


# the whole way --------------------------------------------------------------------------------------------------------


def test_passes_its_gates(bench: Bench, tmp_path: Path) -> None:
    gates = pass_gates(bench.opened, bench.packed, replace(bench.plan, steps=40), tmp_path, ignore)
    assert not [gate for gate in gates if not gate.passed]


def test_what_was_learnt_is_what_is_kept_written_and_exported(bench: Bench, tmp_path: Path) -> None:
    batch, options, schema = bench.batch(), bench.plan.task, bench.packed.schema
    save_model(tmp_path, bench.task, bench.model, bench.plan, schema, bench.packed.version.id, None)
    assert (tmp_path / "model.safetensors").stat().st_size < 200_000
    loaded, _ = read_model(tmp_path, bench.task)
    before, after = bench.arrays(batch), bench.arrays(batch, loaded)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    texts = {"".join(from_network(model, np.array([]), schema, options, PLAIN, 80)) for model in (bench.model, loaded)}
    assert len(texts) == 1
    assert len(texts.pop()) == 80
    export_onnx(bench.task.deployable(bench.model, options, schema), tmp_path / "model.onnx", {"name": "example"})
    exported = answers_of(tmp_path / "model.onnx", bench)
    assert parity(exported, zip(bench.raws(), rows_of(before), strict=True)).agreement == 1


def test_figures_are_a_character_and_the_base_is_a_floor(bench: Bench) -> None:
    rows, schema = bench.packed.rows, bench.packed.schema
    value, what = bench.task.floor(bench.packed.pack.columns, bench.packed.targets, rows, schema)
    assert "the base model as it was" in what
    assert 0 < value < 1
    for row, characters in enumerate(bench.arrays(bench.batch())["characters"]):
        assert characters == len(bench.raws()[row].decode())


class Killed(Exception):
    """In the middle of a run."""


def test_a_killed_run_ends_in_the_same_bits(bench: Bench, tmp_path: Path) -> None:
    plan = replace(bench.plan, steps=8, eval_every=3, checkpoint_every=2)

    def die(text: str) -> None:
        if "step      6/8" in text:
            raise Killed

    with pytest.raises(Killed):
        fit_rank(bench.opened, bench.packed, plan, tmp_path / "killed", die)
    (last,) = sorted((tmp_path / "killed" / "checkpoints").glob("*4.safetensors"))
    assert last.stat().st_size < 500_000, "the weights of the base are in the checkpoint"
    ends = [fit_rank(bench.opened, bench.packed, plan, tmp_path / name, ignore) for name in ("killed", "whole")]
    one, other = (model.state_dict() for model in ends)
    assert one
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_another_model_in_its_place_is_noticed(bench: Bench, bases: dict[str, Path], tmp_path: Path) -> None:
    schema = dict(bench.packed.schema)
    schema["base"] = {**schema["base"], "folder": str(ready_made(tmp_path / "other", "gpt2", seed=1))}
    with pytest.raises(DataError, match="another than the run began with"):
        bench.task.build(bench.plan.task, schema)


def test_all_weights_may_learn(bases: dict[str, Path], tmp_path: Path) -> None:
    """From the command line: trained, judged, asked, exported."""
    from snowroll.tasks.write_text.example import example

    example(tmp_path / "data")
    root = tmp_path / "project"
    assert snowroll("init", root, "--data", tmp_path / "data").code == 0
    asked = ("--task.model", "hub", "--task.context", 32, "--train.lr", 0.003, "--train.steps", 30, *MACHINE)
    refused(snowroll("train", root, *asked), "task.pretrained", code=2)
    own = (*asked, "--task.pretrained", bases["llama"])
    refused(snowroll("train", root, *own, "--task.tokens", "bytes"), "its own tokens", code=2)
    said = snowroll("train", root, *own, "--json")
    assert said.code == 0, said.err
    assert said.json["value"] > 0.05
    (tmp_path / "prompt.txt").write_text("anna buys")
    answer = snowroll("predict", root, tmp_path / "prompt.txt", "--json")
    assert len(json.loads(answer.out.splitlines()[0])["prediction"]) == 120
    assert snowroll("eval", root).code == 0

"""Ready-made language models in the hub's format, small enough for a test: random weights, tokenizers made in code."""

from __future__ import annotations

import json
from pathlib import Path

import torch

TEXT = "anna buys two apples and bert has five coins now. déjà vu 雪\n" * 4
SMALL = {"vocab_size": 400, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


def ready_made(folder: Path, kind: str, seed: int = 0, loud: bool = True) -> Path:
    """A folder with config.json, tokenizer.json and model.safetensors."""
    import transformers as hub

    hub.utils.logging.disable_progress_bar()
    torch.manual_seed(seed)
    sizes = {"hidden_size": 64, "intermediate_size": 48, "num_hidden_layers": 2, "max_position_embeddings": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    if kind == "gpt2":
        config = hub.GPT2Config(n_embd=64, n_layer=2, n_head=4, n_positions=64, **SMALL)
        network = hub.GPT2LMHeadModel(config)
    else:
        made = {"llama": hub.LlamaConfig, "qwen2": hub.Qwen2Config, "qwen3": hub.Qwen3Config}[kind]
        config = made(**sizes, **heads, **SMALL, **({"head_dim": 16} if kind == "qwen3" else {}))
        network = hub.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for p in network.parameters():
            if loud and p.ndim > 1:
                p.mul_(10)  # as loud as weights that have learnt: what is added beside whispers moves nothing
    network.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer(over_bytes=kind != "llama"))
    return folder


def tokenizer(over_bytes: bool) -> str:
    """tokenizer.json: byte pairs over bytes (GPT-2), or over characters, bytes as the last resort (Llama 2)."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    if over_bytes:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        made.decoder = decoders.ByteLevel()
        letters = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=380, initial_alphabet=letters, special_tokens=["<|end|>"])
        trainer.show_progress = False
        made.train_from_iterator([TEXT], trainer)
        return made.to_str()
    pieces = ["<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz."]
    merges = [("▁", "a"), ("a", "n"), ("an", "n"), ("ann", "a"), ("i", "n")]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, *("".join(pair) for pair in merges)])}
    made = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<s>", fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.add_special_tokens([AddedToken("<s>", special=True)])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return json.dumps(json.loads(made.to_str()))

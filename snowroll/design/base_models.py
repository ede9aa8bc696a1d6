"""Ready-made language models as networks of tokens: GPT-2, Llama and Qwen as the transformers package builds them.

With LoRA (Hu et al. 2021, eq. 3: W + B A * scale) the weights stand still and small matrices beside each of them learn;
these alone are what the network's state holds then, so a checkpoint is as small as what was learnt.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snowroll.base.errors import DataError, PlanError
from snowroll.design.weights import read_tensors

# the matrices of each kind of network beside which LoRA learns: all but embeddings and head (Dettmers et al. 2023, §4)
_MATRICES = {"gpt2": ("c_attn", "c_proj", "c_fc")}
_OTHERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_DROPOUTS = ("attn_pdrop", "resid_pdrop", "embd_pdrop", "attention_dropout")
_COMPUTED = ("attn.bias", "attn.masked_bias", "rotary_emb.inv_freq")  # in old files; the code makes them anew


class Memory(NamedTuple):
    """What was read: keys and values of every layer, and of how many tokens."""

    cache: Any
    length: int


class BaseModel(nn.Module):
    """Tokens [B, T] to logits [B, T, V]; the token V stands for nothing before the text. T is at most `context`."""

    def __init__(self, network: Any, begins: int, context: int, lora: int) -> None:
        """network: of transformers. begins: the token that stands for nothing. lora: rank of what learns; 0: all."""
        super().__init__()
        self.network, self.begins, self.context, self.lora = network, begins, context, lora
        self.size = int(network.config.vocab_size)
        self.register_state_dict_post_hook(_leave_out)
        self.register_load_state_dict_post_hook(_not_missed)

    @property
    def embed(self) -> nn.Module:
        return self.network.get_input_embeddings()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.network(input_ids=self._known(tokens), use_cache=False).logits

    def begin(self, batch: int) -> Memory:
        """An empty memory for `step`."""
        from transformers import DynamicCache

        return Memory(DynamicCache(config=self.network.config), 0)

    def step(self, tokens: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Logits [B, n, V] of the next n tokens [B, n], after what the memory holds; and the memory with them in it."""
        told = self.network(input_ids=self._known(tokens), cache=memory.cache, use_cache=True)
        return told.logits, Memory(memory.cache, memory.length + tokens.shape[1])

    def _known(self, tokens: Tensor) -> Tensor:
        return torch.where(tokens >= self.size, self.begins, tokens)

    def is_kept(self, name: str) -> bool:
        """Whether a parameter is part of what was learnt."""
        return ".lora_" in name or not self.lora


def base_model(
    config: Mapping[str, Any],
    weights: Sequence[Path],
    begins: int,
    context: int,
    lora: int = 0,
    dropout: float = 0.0,
) -> BaseModel:
    """The network of a config.json, filled from files of weights; of no files the weights are drawn.

    lora: rank of the matrices that learn; 0: everything learns. Raises DataError for files of another network,
    PlanError without the extra.
    """
    network = _built(config, dropout)
    most = int(getattr(network.config, "max_position_embeddings", context))
    if context > most:
        told = f"{context} tokens, and this model looks back on {most} at most"
        raise PlanError(told, where="task.context", cure=f"set it to {most}")
    if weights:
        _fill(network, weights)
    if lora:
        _add_lora(network, str(config["model_type"]), lora)
    return BaseModel(network, begins, context, lora)


def merged(model: BaseModel) -> BaseModel:
    """The same in plain matrices, what was learnt beside each added to it: for export."""
    if not model.lora:
        return model
    from peft.tuners.tuners_utils import BaseTunerLayer

    whole = copy.deepcopy(model)
    whole.lora = 0
    for name, module in list(whole.network.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            home, _, leaf = name.rpartition(".")
            setattr(whole.network.get_submodule(home), leaf, module.get_base_layer())
    return whole


def _built(config: Mapping[str, Any], dropout: float) -> Any:
    try:
        from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING
        from transformers.utils import logging
    except ModuleNotFoundError:
        cure = "pip install 'snowroll[hub]'"
        raise PlanError("ready-made language models need the packages of an extra", cure=cure) from None
    logging.set_verbosity_error()
    foreign = ("auto_map", "torch_dtype", "dtype", "_name_or_path", "architectures", "model_type")
    plain = {name: value for name, value in config.items() if name not in foreign}
    plain |= {name: dropout for name in _DROPOUTS if name in plain or name.endswith("pdrop")}
    try:
        made = CONFIG_MAPPING[str(config["model_type"])](**plain)
        made._attn_implementation = "eager"
        kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(made)]
        return kind(made)
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, RuntimeError) as fault:
        why = " ".join(str(fault).split())[:160] or type(fault).__name__
        raise DataError(f"no network can be built of it ({why})", where="config.json", cure="mend the file") from None


def _fill(network: Any, files: Sequence[Path]) -> None:
    """In place. Names are those of the hub, with or without what stands before them all."""
    state: dict[str, Tensor] = network.state_dict()
    before = f"{network.base_model_prefix}."
    found: set[str] = set()
    with torch.no_grad():
        for path in files:
            for theirs, tensor in read_tensors(path).items():
                ours = next((name for name in (theirs, before + theirs) if name in state), None)
                if ours is None:
                    if theirs.endswith(_COMPUTED):
                        continue
                    raise DataError(f"a tensor that the network has no place for: '{theirs}'", where=path, cure=_CURE)
                if state[ours].shape != tensor.shape:
                    told = f"'{theirs}' is {list(tensor.shape)}, and config.json says {list(state[ours].shape)}"
                    raise DataError(told, where=path, cure=_CURE)
                state[ours].copy_(tensor)  # converts half precision; the state shares the network's memory
                found.add(ours)
    own = dict(network.named_parameters())  # tied ones once
    twins = {name: tensor.data_ptr() for name, tensor in state.items()}
    filled = {twins[name] for name in found}
    missing = [name for name in own if twins[name] not in filled]
    if missing:
        told = f"no weights for {len(missing)} of {len(own)} tensors, first '{missing[0]}'"
        raise DataError(told, where=files[0].parent, cure=_CURE)


_CURE = "take config and weights from one model"


def _add_lora(network: Any, kind: str, rank: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError:
        raise PlanError("LoRA needs the peft package", cure="pip install 'snowroll[hub]'") from None
    matrices = list(_MATRICES.get(kind, _OTHERS))
    wanted = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=matrices, fan_in_fan_out=kind == "gpt2", lora_dropout=0.0
    )
    inject_adapter_in_model(wanted, network)  # freezes all else


def _leave_out(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    """Of a network's state what was not learnt, and the second name of what has two."""
    named = dict(module.named_parameters())
    for name in _own(state, prefix):
        if name not in named or not module.is_kept(name):
            del state[prefix + name]


def _not_missed(module: Any, keys: Any) -> None:
    named = dict(module.named_parameters())
    prefixed = [name for name in keys.missing_keys if ".network." in f".{name}"]
    for whole in prefixed:
        name = f"network.{f'.{whole}'.partition('.network.')[2]}"
        if name not in named or not module.is_kept(name):
            keys.missing_keys.remove(whole)


def _own(state: Mapping[str, Tensor], prefix: str) -> Iterator[str]:
    yield from [name.removeprefix(prefix) for name in state if name.startswith(f"{prefix}network.")]

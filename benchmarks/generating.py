"""What remembering is worth: 256 tokens written with keys and values kept, and with whole passes, by the same network.

    python benchmarks/generating.py [--threads 1] [--rounds 3] [--length 256]

The network is `write_text`'s plan for a processor (4 layers, 128 wide) with a context of --length, fresh weights, one
text at a time. All legs write the same tokens; they take turns, and what counts is the ratio within a round. The third
leg is the file that a server writes with, step.onnx.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from measuring import machine, spread

from snowroll.deploy.steps import StepFile, export_step
from snowroll.design.gpt import GPT
from snowroll.design.sampling import Taste, drawn_token, gone_on
from snowroll.design.writing import written
from snowroll.tasks.write_text.deploying import step_of

VOCABULARY = 65


def anew(model: GPT, length: int, taste: Taste) -> list[int]:
    """The same tokens, each from a pass over all before it."""
    tokens = [VOCABULARY]
    with torch.inference_mode():
        for place in range(length):
            logits = model(torch.tensor([tokens]))[0, -1].numpy()
            tokens.append(drawn_token(logits, taste, place))
    return tokens[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--length", type=int, default=256)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    print(f"{machine()}; {told.threads} threads, torch {torch.__version__}")
    torch.manual_seed(0)
    model = GPT(VOCABULARY, 128, 4, 4, told.length).eval()
    with tempfile.TemporaryDirectory() as folder:
        step = step_of(model)
        assert step is not None
        export_step(step, Path(folder) / "step.onnx", {})
        file = StepFile((Path(folder) / "step.onnx").read_bytes(), told.threads)
    taste, ratios, rates = Taste(seed=1), [], []
    by_file, rates_by_file = [], []
    for _ in range(told.rounds):
        began = time.process_time()
        one = list(islice(written(model, [VOCABULARY], taste), told.length))
        kept = time.process_time()
        other = anew(model, told.length, taste)
        ended = time.process_time()
        served = list(islice(gone_on(file, [VOCABULARY], taste), told.length))
        over = time.process_time()
        assert np.mean(np.array(one) == np.array(served)) > 0.99, "the file writes another text"
        by_file.append((ended - kept) / (over - ended))
        rates_by_file.append(told.length / (over - ended))
        assert np.mean(np.array(one) == np.array(other)) > 0.99, "the two write different texts"
        ratios.append((ended - kept) / (kept - began))
        rates.append(told.length / (kept - began))
    print(f"{told.length} tokens: {max(rates):,.0f} a second with memory, {spread(ratios)} whole passes")
    print(f"by the exported step: {max(rates_by_file):,.0f} a second, {spread(by_file)} whole passes of the network")


if __name__ == "__main__":
    main()

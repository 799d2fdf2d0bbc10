"""`python -m tests.onnx_figures NAME`: a checkpoint in onnxruntime beside the program, on one thread.

Samples a text of 1,000 characters and prints the largest difference of any symbol's log-probability at any of them, one
character at a time: between the two, and of each from the same weights in float64; and that of a probability. Then
characters per second of CPU time, one character at a time as in sampling, and 64 texts of 140 in one call as in
evaluation.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from engine.checkpoints.catalog import resolve_checkpoint
from engine.checkpoints.checkpoint import load_checkpoint
from engine.export.onnx_file.write import onnx_file
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, PAD, UNK
from engine.sampling.stepper import CharStepper
from tests.engine.export.onnx_file.models import Runtime, log_probs_of, padding_before

NUM_CHARS = 1000
NUM_SPEED_CHARS = 5000
TEXTS_SHAPE = 64, 140


class Reference:
    """`TextGenerator.forward`, one character at a time."""

    def __init__(self, model: TextGenerator) -> None:
        self._model, self._hidden, self._before = model, None, padding_before(1)

    def read(self, token_ids: torch.Tensor) -> npt.NDArray[Any]:
        """Continue the text by (1, 1); return the log-probabilities (1, 1, V)."""
        logits, self._hidden = self._model(token_ids, self._hidden, self._before)
        self._before = torch.cat([self._before, token_ids], dim=1)[:, 1:]
        return log_probs_of(logits)


def print_differences(model: TextGenerator, graph: onnx.ModelProto) -> list[int]:
    """Sample a text and print the largest differences; return the ids."""
    readers = Runtime(graph, 1), Reference(model), Reference(copy.deepcopy(model).double())
    generator, largest, lowest, ids = np.random.default_rng(1), np.zeros(3), 0.0, [BOS]
    of_probability = 0.0
    while len(ids) <= NUM_CHARS:
        found, own, exact = (reader.read(torch.tensor([ids[-1:]])) for reader in readers)
        pairs = (found, own), (found, exact), (own, exact)
        largest = np.maximum(largest, [np.abs(one - other).max() for one, other in pairs])
        lowest = min(lowest, exact.min())
        of_probability = max(of_probability, np.abs(np.exp(found) - np.exp(own)).max())
        weights = np.exp(exact[0, 0])
        weights[[PAD, BOS, UNK]] = 0
        token_id = int(generator.choice(len(weights), p=weights / weights.sum()))
        ids.append(BOS if token_id == EOS else token_id)
    print(f"log-probabilities down to {lowest:.1f}; largest differences over {NUM_CHARS} characters:")
    for name, difference in zip(
        ("onnxruntime - program", "onnxruntime - float64", "program - float64"), largest, strict=True
    ):
        print(f"  {name:<22} {difference:.1e}")
    print(f"largest difference of a probability, onnxruntime - program: {of_probability:.1e}")
    return ids[:-1]


def print_speed(name: str, num_chars: int, work: Callable[[], object]) -> None:
    """Print the characters per CPU second of the best of three times."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    print(f"  {name:<44} {num_chars / min(seconds):>9,.0f}")


def print_speeds(model: TextGenerator, graph: onnx.ModelProto, ids: list[int]) -> None:
    """Print the speeds of both."""
    each = [ids[place % len(ids)] for place in range(NUM_SPEED_CHARS)]
    one, stepper = Runtime(graph, 1), CharStepper(model)
    stepper.step(np.array(ids[:1]))  # compiles
    texts = torch.tensor(np.resize(ids, TEXTS_SHAPE))
    many, num_texts = Runtime(graph, len(texts)), texts.numel()
    print("characters per CPU second:")
    print_speed(
        "onnxruntime, one by one", len(each), lambda: [one.read(torch.tensor([[token_id]])) for token_id in each]
    )
    print_speed("program, one by one", len(each), lambda: [stepper.step(np.array([token_id])) for token_id in each])
    print_speed(f"onnxruntime, {TEXTS_SHAPE[0]} texts", num_texts, lambda: many.read(texts))
    print_speed(f"program, {TEXTS_SHAPE[0]} texts", num_texts, lambda: log_probs_of(model(texts)[0]))


def main() -> None:
    """Print the figures of a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    checkpoint = load_checkpoint(resolve_checkpoint(parser.parse_args().name))
    torch.set_num_threads(1)
    model, content = checkpoint.to_model(torch.device("cpu")), onnx_file(checkpoint)
    graph = onnx.load_from_string(content)
    print(f"{checkpoint.info.model}, {len(checkpoint.vocab)} symbols, onnxruntime {onnxruntime.__version__}")
    print(f"{len(content) / 1e6:.1f} MB, {len(graph.graph.node)} nodes")
    with torch.inference_mode():
        print_speeds(model, graph, print_differences(model, graph))


if __name__ == "__main__":
    main()

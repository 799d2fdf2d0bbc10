"""Models of the ONNX tests, and their graphs in onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor

from engine.export.onnx_file.graph import IR_VERSION, OPSET, graph_of
from engine.model.gru import TextGenerator
from engine.model.ngram_codes import LONGEST
from engine.model.vocab import PAD
from tests.engine.compute.cpu.random_batches import set_contexts, some_contexts

NUM_TWEETS = 3
Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Shape:
    """Sizes of a model; its n-gram input has every other context of `texts`."""

    num_layers: int = 1
    vocab_size: int = 60
    is_tied: bool = False
    has_table: bool = False

    def texts(self, length: int) -> Tensor:
        """Return random ids (NUM_TWEETS, length), half of them of few characters, so that contexts occur again."""
        generator = np.random.default_rng(3)
        shape = NUM_TWEETS, length
        frequent, rare = generator.integers(1, 9, shape), generator.integers(1, self.vocab_size, shape)
        return torch.from_numpy(np.where(generator.random(shape) < 0.5, frequent, rare))

    def model(self) -> TextGenerator:
        """Return a model in eval mode with weights large enough that gates open and close."""
        torch.manual_seed(5)
        contexts = some_contexts(self.texts(200).numpy()) if self.has_table else []
        sizes = self.vocab_size, 16 if self.is_tied else 12, 16, self.num_layers
        model = TextGenerator(*sizes, dropout=0.3, tied_embeddings=self.is_tied, ngram_contexts=len(contexts)).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.normal_(0.0, 0.1 if name == "proj.bias" else 0.3)
        set_contexts(model, contexts)
        return model


SHAPES = {
    "one layer": Shape(),
    "two layers, tied": Shape(num_layers=2, is_tied=True),
    "three layers, n-gram input": Shape(num_layers=3, has_table=True),
    "tied, n-gram input": Shape(is_tied=True, has_table=True),
    "four layers, 4,000 characters, n-gram input": Shape(num_layers=4, vocab_size=4000, has_table=True),
}


def onnx_model(model: TextGenerator) -> onnx.ModelProto:
    """Return the model with its graph and nothing else."""
    opset = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph_of(model), ir_version=IR_VERSION, opset_imports=opset)


class Runtime:
    """A graph in onnxruntime, and the state of some texts."""

    def __init__(self, graph: onnx.ModelProto, num_texts: int = NUM_TWEETS) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = graph.SerializeToString()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.state: dict[str, npt.NDArray[Any]] = {}
        for each in self._session.get_inputs()[1:]:
            shape = [num_texts if size == "batch" else size for size in each.shape]
            self.state[each.name] = np.zeros(shape, np.float32 if each.type == "tensor(float)" else np.int64)

    def read(self, token_ids: Tensor) -> npt.NDArray[np.float32]:
        """Continue the texts by (B, T); return the log-probabilities (B, T, V)."""
        names = ["log_probs", *(f"{name}_out" for name in self.state)]
        log_probs, *state = self._session.run(names, {"token_ids": token_ids.numpy(), **self.state})
        self.state = dict(zip(self.state, state, strict=True))
        result: npt.NDArray[np.float32] = log_probs
        return result

    def value_of(self, name: str, token_ids: Tensor) -> npt.NDArray[Any]:
        """Return another output of the graph."""
        [value] = self._session.run([name], {"token_ids": token_ids.numpy(), **self.state})
        result: npt.NDArray[Any] = value
        return result


def log_probs_of(logits: Tensor) -> npt.NDArray[np.float32]:
    """Return the log-probabilities of the program's logits."""
    result: npt.NDArray[np.float32] = torch.log_softmax(logits, dim=-1).numpy()
    return result


def padding_before(num_texts: int) -> Tensor:
    """Return the ids before the start of texts, (B, 3)."""
    return torch.full((num_texts, LONGEST - 1), PAD)

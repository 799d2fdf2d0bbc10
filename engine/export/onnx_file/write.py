"""A checkpoint as an ONNX file: the graph of `engine.export.onnx_file.graph`, and what its users need as metadata.

The metadata are strings: `vocab`, the symbols as a JSON array in the order of their ids, `bos_token_id` and the like as
model hubs name them, `run`, `step`, and `bits_per_char` on all validation tweets if it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.config.run import ModelConfig
from engine.errors import CheckpointError, StorageError
from engine.model.vocab import BOS, EOS, PAD, SPECIALS, UNK
from engine.storage.log import installed_version
from engine.text import sanitize_line

MAX_WEIGHT_BYTES: Final = 2_000_000_000
"""An ONNX file is one protobuf message of up to 2 GiB; the rest is for the vocabulary and the tables of integers."""
_PROGRAM: Final = "tweetgen-tui"
_DESCRIPTION: Final = """\
A character-level GRU. log_probs are the natural logarithms of the probabilities of the next character, after each of
token_ids. A text starts with bos_token_id and a state of zeros: hidden and, where it is an input, before. To continue
the text, pass hidden_out and before_out as the state."""


def onnx_file(checkpoint: Checkpoint, measure_bits: Callable[[], float | None]) -> bytes:
    """Return the content of a checked ONNX file with the model's weights, the averaged ones if there are any.

    `measure_bits` returns the bits per character as `engine.export.copies` does, or None. Before it is called, raises
    `StorageError` unless the package `onnx` is installed, `CheckpointError` if the weights are too large for a file.
    """
    try:
        import onnx
    except ImportError as error:
        raise StorageError(
            "An ONNX file needs the package onnx, which is not installed.",
            "Install it in the program's environment: pip install onnx",
        ) from error
    from engine.export.onnx_file.graph import IR_VERSION, OPSET, graph_of

    info = checkpoint.info
    _require_fitting(info.model, len(SPECIALS) + len(info.vocab))
    bits_per_char = measure_bits()
    model = onnx.helper.make_model(
        graph_of(checkpoint.to_model(torch.device("cpu"))),
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name=_PROGRAM,
        producer_version=installed_version(_PROGRAM),
        doc_string=_DESCRIPTION,
    )
    onnx.helper.set_model_props(model, _properties(info, bits_per_char))
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _require_fitting(model: ModelConfig, vocab_size: int) -> None:
    """Raise `CheckpointError` if an ONNX file can't hold the weights, those of `widened_weight` included."""
    num_widened = 3 * model.hidden_size**2 if model.ngram_contexts else 0
    num_bytes = 4 * (model.num_parameters(vocab_size) + num_widened)
    if num_bytes > MAX_WEIGHT_BYTES:
        raise CheckpointError(
            f"The model's weights are {num_bytes / 1e9:.1f} GB, and an ONNX file has room for 2 GB.",
            "Export the checkpoint itself: `checkpoints export`.",
        )


def _properties(info: CheckpointInfo, bits_per_char: float | None) -> dict[str, str]:
    """Return the metadata, all as strings. JSON escapes what is not ASCII."""
    return {
        "vocab": json.dumps([*SPECIALS, *info.vocab]),
        "pad_token_id": f"{PAD}",
        "bos_token_id": f"{BOS}",
        "eos_token_id": f"{EOS}",
        "unk_token_id": f"{UNK}",
        "run": sanitize_line(info.run),
        "step": f"{info.step}",
        **({} if bits_per_char is None else {"bits_per_char": f"{bits_per_char}"}),
    }

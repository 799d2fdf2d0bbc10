"""A checkpoint as one ONNX file: the graph, the weights, and what its users need as metadata. Never runs the graph.

The graph is `TextGenerator.forward`, then log-softmax, in ONNX's operators. Inputs and outputs are batch-first, as in
`engine.model.gru`; what is between them is time-major, as ONNX's GRU has it:

    token_ids (B, T) ──Gather──> (T, B, E) ──GRU of each layer──> (T, B, H) ──MatMul, LogSoftmax──> log_probs (B, T, V)
                                    hidden (L, B, H) ──> hidden_out (L, B, H)

The nodes are written by hand, as torch's exporter (`dynamo=True`) wrote GRUs that compute something else, without an
error (pytorch#189225, onnxscript#2852). Two things differ between torch and ONNX:

* torch applies the reset gate after the state's matrix product, ONNX before it unless `linear_before_reset` is set.
* torch has the gates in the order r, z, n, ONNX in the order z, r, h, where h is torch's n.

`NgramInput.rows_of` searches int64 codes in a sorted list. ONNX has no such search, and OpenVINO computes int64 in 32
bits on a CPU (openvino#35823). The graph has a hash table instead, whose numbers fit in int32, and compares the ids:

* The *key* of a context is its ids plus 1, (4,), with zeros before them if it is shorter. `PAD` is 1 in a key.
* Rows are sorted by the hash of their keys. `starts` has the first row of each hash.
* A lookup compares the key with those of the next W rows, W the most rows that share a hash. At most one is equal.

The metadata are strings: `vocab`, the symbols as a JSON array in the order of their ids, `bos_token_id` and the like as
model hubs name them, `run`, `step`, and `bits_per_char` on all validation tweets if it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.config.run import ModelConfig
from engine.errors import CheckpointError, StorageError
from engine.model.gru import NO_ROW, NgramInput, TextGenerator, widened_weight
from engine.model.vocab import BOS, EMPTY_WINDOW, EOS, ID_BITS, LONGEST, NUM_IDS, ORDERS, PAD, SPECIALS, UNK, appended
from engine.storage.log import installed_version
from engine.text import sanitize_line

if TYPE_CHECKING:  # the package may not be installed
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto

OPSET: Final = 13
"""The operators of ONNX 1.8 (2020): older runtimes read the file too; the first whose LogSoftmax is over one axis."""
IR_VERSION: Final = 7
"""The file format of that release."""
MAX_WEIGHT_BYTES: Final = 2_000_000_000
"""An ONNX file is one protobuf message of up to 2 GiB; the rest is for the vocabulary and the tables of integers."""
_PROGRAM: Final = "tweetgen-tui"
_DESCRIPTION: Final = """\
A character-level GRU. log_probs are the natural logarithms of the probabilities of the next character, after each of
token_ids. A text starts with bos_token_id and a state of zeros: hidden and, where it is an input, before. To continue
the text, pass hidden_out and before_out as the state."""
_HASH_FACTORS: Final = np.array([7919, 6997, 5309, 3571], dtype=np.int32)
"""Factors of the ids in a key: primes below 2^13, so that four products with ids up to 2^16 sum to less than 2^31."""
_END: Final = int(np.iinfo(np.int64).max)
"""The end of a slice that goes up to the last element."""
_Ints = npt.NDArray[np.int32]


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

    info = checkpoint.info
    _require_fitting(info.model, len(SPECIALS) + len(info.vocab))
    bits_per_char = measure_bits()
    properties = {
        "vocab": json.dumps([*SPECIALS, *info.vocab]),  # JSON escapes what is not ASCII
        "pad_token_id": f"{PAD}",
        "bos_token_id": f"{BOS}",
        "eos_token_id": f"{EOS}",
        "unk_token_id": f"{UNK}",
        "run": sanitize_line(info.run),
        "step": f"{info.step}",
        **({} if bits_per_char is None else {"bits_per_char": f"{bits_per_char}"}),
    }
    model = onnx.helper.make_model(
        graph_of(checkpoint.to_model(torch.device("cpu"))),
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name=_PROGRAM,
        producer_version=installed_version(_PROGRAM),
        doc_string=_DESCRIPTION,
    )
    onnx.helper.set_model_props(model, properties)
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


class GraphBuilder:
    """The nodes and weights of a graph. A node has the name of its first output; values are referred to by name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def weights(self, name: str, array: npt.ArrayLike) -> str:
        """Add weights, a table or a constant; return the name."""
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def integers(self, name: str, numbers: list[int]) -> str:
        """Add the int64 that an operator has as axes or bounds; return the name."""
        return self.weights(name, np.asarray(numbers, dtype=np.int64))

    def add(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's own
        """Add a node; return the name of its first output."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, list(outputs), name=outputs[0], **attributes))
        return outputs[0]


def graph_of(model: TextGenerator) -> GraphProto:
    """Return the graph of a model on the CPU, weights included."""
    from onnx import helper

    builder = GraphBuilder()
    embed = builder.weights("embed.weight", _array(model.embed.weight))
    token_ids = builder.add("Transpose", ["token_ids"], "token_ids_by_time", perm=[1, 0])  # (T, B)
    inputs = builder.add("Gather", [embed, token_ids], "embedded")  # (T, B, E)
    if model.ngram_input is not None:
        candidate = _add_ngram_input(builder, model.ngram_input, len(model.embed.weight))
        inputs = builder.add("Concat", [inputs, candidate], "embedded_and_ngram_input", axis=-1)  # (T, B, E + H)
    output = _add_layers(builder, model, inputs)
    _add_projection(builder, model, output)
    return helper.make_graph(builder.nodes, "TextGenerator", *_interface(model), initializer=builder.initializers)


def _interface(model: TextGenerator) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
    """Return the inputs and the outputs: the characters, then the state before and after them, in the same order."""
    from onnx import TensorProto, helper

    chars = ["batch", "length"]
    inputs = [helper.make_tensor_value_info("token_ids", TensorProto.INT64, chars)]
    outputs = [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, [*chars, len(model.proj.weight)])]
    states: dict[str, tuple[int, list[int | str]]] = {}
    states["hidden"] = (TensorProto.FLOAT, [model.rnn.num_layers, "batch", model.rnn.hidden_size])
    if model.ngram_input is not None:
        states["before"] = (TensorProto.INT64, ["batch", LONGEST - 1])
    for name, (element_type, shape) in states.items():
        inputs.append(helper.make_tensor_value_info(name, element_type, shape))
        outputs.append(helper.make_tensor_value_info(f"{name}_out", element_type, shape))
    return inputs, outputs


def _add_layers(builder: GraphBuilder, model: TextGenerator, inputs: str) -> str:
    """Add a GRU per layer and the output `hidden_out`; return the last layer's states, (T, B, H)."""
    size, layers = model.rnn.hidden_size, model.rnn.all_weights
    befores = [f"hidden_l{number}" for number in range(len(layers))]
    afters = [f"hidden_out_l{number}" for number in range(len(layers))]
    builder.add("Split", ["hidden"], *befores, axis=0)  # (1, B, H) each
    of_direction = builder.integers("rnn.direction_axis", [1])
    for number, (weight_ih, weight_hh, bias_ih, bias_hh) in enumerate(layers):
        is_widened = number == 0 and model.ngram_input is not None
        weights = {
            "W": _gates(widened_weight(weight_ih) if is_widened else weight_ih),
            "R": _gates(weight_hh),
            "B": np.concatenate([_gates(bias_ih), _gates(bias_hh)], axis=1),
        }
        named = [builder.weights(f"rnn_l{number}.{name}", array) for name, array in weights.items()]
        sequence_lens = ""  # all rows are T characters long
        gru_inputs = [inputs, *named, sequence_lens, befores[number]]
        states = f"rnn_l{number}"  # (T, 1, B, H)
        builder.add("GRU", gru_inputs, states, afters[number], hidden_size=size, linear_before_reset=1)
        inputs = builder.add("Squeeze", [states, of_direction], f"output_l{number}")  # (T, B, H)
    builder.add("Concat", afters, "hidden_out", axis=0)
    return inputs


def _gates(weight: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return the weights or biases r, z, n of a layer, (3H, ...), as ONNX's z, r, h with its axis of one direction."""
    reset, update, new = _array(weight).reshape(3, -1, *weight.shape[1:])
    return np.concatenate([update, reset, new])[None]  # (1, 3H, ...)


def _add_projection(builder: GraphBuilder, model: TextGenerator, output: str) -> None:
    """Add the output `log_probs` (B, T, V) of the states (T, B, H)."""
    if model.proj.weight is model.embed.weight:
        weight = "embed.weight"
    else:
        weight = builder.weights("proj.weight", _array(model.proj.weight))
    bias = builder.weights("proj.bias", _array(model.proj.bias))
    output = builder.add("Transpose", [output], "output", perm=[1, 0, 2])  # (B, T, H)
    transposed = builder.add("Transpose", [weight], "proj.weight_transposed", perm=[1, 0])  # a runtime does it once
    product = builder.add("MatMul", [output, transposed], "proj")  # (B, T, V)
    logits = builder.add("Add", [product, bias], "logits")
    builder.add("LogSoftmax", [logits], "log_probs", axis=-1)


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().numpy()
    return array


# The n-gram input -----------------------------------------------------------------------------------------------------


class HashTable:
    """The rows of an `NgramInput` by the hash of their keys."""

    def __init__(self, ngrams: NgramInput) -> None:
        """Sort the rows; row `NO_ROW` stays the first."""
        keys = _keys_of(ngrams.contexts.numpy())
        self.num_hashes = 2 * len(keys) + 1
        hashes = (keys * _HASH_FACTORS).sum(axis=1) % self.num_hashes
        counts = np.bincount(hashes, minlength=self.num_hashes)
        order = np.argsort(hashes, kind="stable")
        self.width = int(counts.max())
        """W, the number of rows that a lookup compares."""
        self.starts: _Ints = (1 + np.cumsum(counts) - counts).astype(np.int32)  # (number of hashes,)
        # zeros, which no lookup has as a key, in row `NO_ROW` and after the last one
        self.keys: _Ints = np.pad(keys[order], ((1, self.width), (0, 0)))  # (1 + R + W, 4)
        self.weight = ngrams.weight.detach().numpy()[np.concatenate([[NO_ROW], 1 + order])]  # (1 + R, H)


def _keys_of(contexts: npt.NDArray[np.int64]) -> _Ints:
    """Return the keys of codes, (R, 4). A code has as many ids as its last one that is not `PAD`."""
    shifts = ID_BITS * np.arange(LONGEST)[::-1]
    ids = contexts[:, None] >> shifts & NUM_IDS - 1  # (R, 4): zeros after a shorter context
    lengths = np.where(ids, np.arange(1, LONGEST + 1), 0).max(axis=1)
    keys = np.zeros_like(ids, dtype=np.int32)
    for order in ORDERS:
        keys[lengths == order, LONGEST - order :] = 1 + ids[lengths == order, :order]
    return keys


def _add_ngram_input(builder: GraphBuilder, ngrams: NgramInput, vocab_size: int) -> str:
    """Add the nodes from `token_ids_by_time` (T, B) and `before` (B, 3) to the input of the candidate, (T, B, H).

    Adds the output `before_out` too.
    """
    before = builder.add("Transpose", ["before"], "before_by_time", perm=[1, 0])  # (3, B)
    ids = builder.add("Concat", [before, "token_ids_by_time"], "ids_with_before", axis=0)  # (3 + T, B)
    last = [builder.integers("before_out.start", [1 - LONGEST]), builder.integers("before_out.end", [_END])]
    builder.add("Slice", [ids, *last], "before_out_by_time")  # (3, B)
    builder.add("Transpose", ["before_out_by_time"], "before_out", perm=[1, 0])
    table = HashTable(ngrams)
    keys = _add_keys(builder, ids, vocab_size)
    rows = _add_lookup(builder, table, keys)
    weight = builder.weights("ngram_input.weight", table.weight)
    each = builder.add("Gather", [weight, rows], "ngram_rows_of_orders")  # (T, B, 3, H)
    return builder.add("ReduceSum", [each, builder.integers("ngram_input.axis", [2])], "ngram_input", keepdims=0)


def _add_keys(builder: GraphBuilder, ids: str, vocab_size: int) -> str:
    """Add the keys of the contexts of two, three and four characters at each one, (T, B, 3, 4)."""
    of_symbols = 1 + appended(np.full(vocab_size, EMPTY_WINDOW), np.arange(vocab_size))  # UNK's, if beyond the limit
    table = builder.weights("ngram_input.ids_in_keys", of_symbols.astype(np.int32))
    in_keys = builder.add("Gather", [table, ids], "ngram_ids")  # (3 + T, B)
    axes = builder.integers("ngram_ids.axes", [2, 3])
    in_keys = builder.add("Unsqueeze", [in_keys, axes], "ngram_ids_as_columns")  # (3 + T, B, 1, 1)
    columns = []
    for first in range(LONGEST):
        start = builder.integers(f"ngram_column_{first}.start", [first])
        end = builder.integers(f"ngram_column_{first}.end", [first + 1 - LONGEST or _END])
        columns.append(builder.add("Slice", [in_keys, start, end], f"ngram_column_{first}"))  # (T, B, 1, 1)
    longest = builder.add("Concat", columns, "ngram_longest_key", axis=3)  # (T, B, 1, 4)
    is_used = np.stack([np.arange(LONGEST) >= LONGEST - order for order in ORDERS]).astype(np.int32)  # (3, 4)
    return builder.add("Mul", [longest, builder.weights("ngram_key.is_used", is_used)], "ngram_key")


def _add_lookup(builder: GraphBuilder, table: HashTable, keys: str) -> str:
    """Add the row of each key, (T, B, 3), `NO_ROW` if it is not in the table."""
    from onnx import TensorProto

    last_axis = builder.integers("ngram_lookup.last_axis", [-1])
    before_last = builder.integers("ngram_lookup.before_last_axis", [-2])
    factors = builder.weights("ngram_hash.factors", _HASH_FACTORS)
    products = builder.add("Mul", [keys, factors], "ngram_hash_products")
    sums = builder.add("ReduceSum", [products, last_axis], "ngram_hash_sum")  # (T, B, 3, 1)
    num_hashes = builder.weights("ngram_hash.number", np.int32(table.num_hashes))
    hashes = builder.add("Mod", [sums, num_hashes], "ngram_hash")
    starts = builder.weights("ngram_input.starts", table.starts)
    start = builder.add("Gather", [starts, hashes], "ngram_first_row")  # (T, B, 3, 1)
    offsets = builder.weights("ngram_candidates.offsets", np.arange(table.width, dtype=np.int32))
    rows = builder.add("Add", [start, offsets], "ngram_candidates")  # (T, B, 3, W)
    candidates = builder.add("Gather", [builder.weights("ngram_input.keys", table.keys), rows], "ngram_candidate_keys")
    key = builder.add("Unsqueeze", [keys, before_last], "ngram_key_of_candidates")  # (T, B, 3, 1, 4)
    are_equal = builder.add("Equal", [candidates, key], "ngram_ids_are_equal")  # (T, B, 3, W, 4)
    are_equal = builder.add("Cast", [are_equal], "ngram_ids_are_equal_as_int", to=TensorProto.INT32)
    is_found = builder.add("ReduceMin", [are_equal], "ngram_is_found", axes=[-1], keepdims=0)  # (T, B, 3, W)
    found = builder.add("Mul", [rows, is_found], "ngram_found_rows")
    return builder.add("ReduceSum", [found, last_axis], "ngram_row", keepdims=0)

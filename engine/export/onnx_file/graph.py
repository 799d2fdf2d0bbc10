"""The ONNX graph of a model: `TextGenerator.forward`, then log-softmax, in ONNX's operators. Needs the package `onnx`.

Inputs and outputs are batch-first, as in `engine.model.gru`; what is between them is time-major, as ONNX's GRU has it:

    token_ids (B, T) ──Gather──> (T, B, E) ──GRU of each layer──> (T, B, H) ──MatMul, LogSoftmax──> log_probs (B, T, V)
                                    hidden (L, B, H) ──> hidden_out (L, B, H)

The nodes are written by hand, as torch's exporter (`dynamo=True`) wrote GRUs that compute something else, without an
error (pytorch#189225, onnxscript#2852). Two things differ between torch and ONNX:

* torch applies the reset gate after the state's matrix product, ONNX before it unless `linear_before_reset` is set.
* torch has the gates in the order r, z, n, ONNX in the order z, r, h, where h is torch's n.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, TensorProto, ValueInfoProto, helper
from torch import Tensor

from engine.export.onnx_file.builder import GraphBuilder
from engine.export.onnx_file.ngrams import add_ngram_input
from engine.model.gru import TextGenerator, widened_weight
from engine.model.vocab import LONGEST

OPSET: Final = 13
"""Of ONNX 1.8 (2020), so that older runtimes read the file too; the first whose LogSoftmax is over one axis."""
IR_VERSION: Final = 7
"""The file format of that release."""


def graph_of(model: TextGenerator) -> GraphProto:
    """Return the graph of a model on the CPU, weights included."""
    builder = GraphBuilder()
    embed = builder.weights("embed.weight", _array(model.embed.weight))
    token_ids = builder.add("Transpose", ["token_ids"], "token_ids_by_time", perm=[1, 0])  # (T, B)
    inputs = builder.add("Gather", [embed, token_ids], "embedded")  # (T, B, E)
    if model.ngram_input is not None:
        candidate = add_ngram_input(builder, model.ngram_input, len(model.embed.weight))
        inputs = builder.add("Concat", [inputs, candidate], "embedded_and_ngram_input", axis=-1)  # (T, B, E + H)
    output = _add_layers(builder, model, inputs)
    _add_projection(builder, model, output)
    return helper.make_graph(builder.nodes, "TextGenerator", *_interface(model), initializer=builder.initializers)


def _interface(model: TextGenerator) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
    """Return the inputs and the outputs: the characters, then the state before and after them, in the same order."""
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


def _gates(weight: Tensor) -> npt.NDArray[np.float32]:
    """Return the weights or biases r, z, n of a layer, (3H, ...), as ONNX's z, r, h with its axis of one direction."""
    reset, update, new = _array(weight).reshape(3, -1, *weight.shape[1:])
    return np.concatenate([update, reset, new])[None]  # (1, 3H, ...)


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    """Return the numbers of a weight."""
    array: npt.NDArray[np.float32] = tensor.detach().numpy()
    return array

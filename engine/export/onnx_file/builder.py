"""`GraphBuilder`: the nodes and weights of an ONNX graph under construction. Needs the package `onnx`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper


class GraphBuilder:
    """A node has the name of its first output; values are referred to by name."""

    def __init__(self) -> None:
        """Start empty."""
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def weights(self, name: str, array: npt.ArrayLike) -> str:
        """Add weights, a table or a constant; return the name."""
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def integers(self, name: str, numbers: list[int]) -> str:
        """Add the int64 that an operator has as axes or bounds; return the name."""
        return self.weights(name, np.asarray(numbers, dtype=np.int64))

    def add(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's own
        """Add a node; return the name of its first output."""
        self.nodes.append(helper.make_node(operator, inputs, list(outputs), name=outputs[0], **attributes))
        return outputs[0]

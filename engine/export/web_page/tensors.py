"""The tensors of a page: matrices as float16, or as int8 with a scale per row, vectors as float32, all in base64.

`assets/web_page/tensors.js` decodes them. Names and shapes are those of `TextGenerator`'s `state_dict`, except that a
tied projection and the row of contexts without one (`NO_ROW`) are left out.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.errors import ConfigError
from engine.export.web_page import WeightFormat
from engine.model.gru import NO_ROW, TABLE_NAME, TextGenerator

_Array: TypeAlias = npt.NDArray[Any]
_MAX_LEVEL = 127


@dataclass(frozen=True)
class PageTensor:
    """A tensor as the page has it."""

    values: _Array
    """float32, float16, int8 or uint64."""
    scales: npt.NDArray[np.float32] | None = None
    """Factor of each row of an int8 matrix."""

    def decoded(self) -> _Array:
        """Return the tensor as the page computes with it: float32, or uint64."""
        if self.scales is not None:
            return self.values * self.scales[:, None]
        return self.values if self.values.dtype == np.uint64 else self.values.astype(np.float32)

    def to_json(self) -> dict[str, object]:
        """Return the object that `decodedTensors` reads."""
        encoded: dict[str, object] = {
            "kind": self.values.dtype.name,
            "shape": self.values.shape,
            "data": _base64(self.values),
        }
        return encoded if self.scales is None else encoded | {"scales": _base64(self.scales)}


def page_tensors(model: TextGenerator, weights: WeightFormat) -> dict[str, PageTensor]:
    """Return the tensors of a model. Raises `ConfigError` if a weight is too large for float16."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    if model.proj.weight is model.embed.weight:
        del arrays["proj.weight"]
    if TABLE_NAME in arrays:
        arrays[TABLE_NAME] = arrays[TABLE_NAME][NO_ROW + 1 :]
    return {name: _page_tensor(name, array, weights) for name, array in arrays.items()}


def _page_tensor(name: str, array: _Array, weights: WeightFormat) -> PageTensor:
    """Return one tensor: of float32, or the int64 codes of contexts."""
    if array.dtype == np.int64:
        return PageTensor(array.view(np.uint64))
    if array.ndim == 1:
        return PageTensor(array)
    if weights == "int8":
        scales = (np.abs(array).max(axis=1) / _MAX_LEVEL).astype(np.float32)
        scales[scales < np.finfo(np.float32).tiny] = 1  # a row of zeros
        return PageTensor((array / scales[:, None]).round().astype(np.int8), scales)
    if np.abs(array).max() > np.finfo(np.float16).max:
        raise ConfigError(f"{name} has weights that are too large for float16.", "Add --weights int8.")
    return PageTensor(array.astype(np.float16))


def _base64(array: _Array) -> str:
    """Return the numbers of an array, little-endian and row by row."""
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()

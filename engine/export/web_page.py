"""`web_page`: a trained model as one HTML file that samples tweets in any browser, offline.

The page's parts are in `assets/web_page/`.

**No network.** Its Content-Security-Policy allows nothing but its own script and style sheet, by their SHA-256.
**Text is text.** All that comes from outside (run, vocabulary, prompt) is in one JSON block, in which no `<` can end
the block, and the script shows it by `textContent` alone.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from string import Template
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.config.sampling import MAX_TEMPERATURE, MIN_TEMPERATURE
from engine.errors import ConfigError
from engine.export import WeightFormat
from engine.export.copies import Figures
from engine.model.gru import NO_ROW, TABLE_NAME, TextGenerator
from engine.text import counted, sanitize_char, sanitize_line

SCRIPTS = ("random.js", "tensors.js", "model.js", "sampling.js", "why.js", "page.js")
"""In the order of their dependencies; together they are the page's script."""
MAX_PAGE_BYTES = 500_000_000
"""V8's longest string, 2^29 characters, and so Chromium's largest script block, is a little longer."""
_DISTRIBUTION = ("temperature", "top_k", "top_p", "min_p", "temperature_last", "prime", "max_length")
_PRECISION = {"float16": "float16", "int8": "int8, with a scale per row"}
_MAX_LEVEL = 127
_Array: TypeAlias = npt.NDArray[Any]


def web_page(checkpoint: Checkpoint, weights: WeightFormat, figures: Figures | None) -> str:
    """Return the page; `figures` is None if they could not be measured.

    Raises `ConfigError` if a weight is too large for float16, or the page for a browser.
    """
    script, style = "\n".join(map(_asset, SCRIPTS)), _asset("style.css")
    page = Template(_asset("page.html")).substitute(
        policy=f"default-src 'none'; script-src {_source_of(script)}; style-src {_source_of(style)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        data=page_data(checkpoint, weights, figures),
        script=script,
    )
    if len(page) > MAX_PAGE_BYTES:
        raise ConfigError(
            f"The page would have {len(page) // 10**6:,} MB, more than a browser can open.",
            "Add --weights int8, or train a smaller model.",
        )
    return page


def _asset(name: str) -> str:
    """Return a file of `assets/web_page/`."""
    return (importlib.resources.files("assets.web_page") / name).read_text(encoding="utf-8")


def _source_of(text: str) -> str:
    """Return the source expression of an inline script or style sheet for a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page_data(checkpoint: Checkpoint, weights: WeightFormat, figures: Figures | None) -> str:
    """Return the JSON of everything that the page knows of its model. Raises `ConfigError` as `page_tensors`."""
    info = checkpoint.info
    model = checkpoint.to_model(torch.device("cpu"))
    copies = (
        "How many of its tweets are copies of training tweets was not measured: the training tweets were not there "
        "when this page was made."
    )
    data = {
        "name": sanitize_line(info.run),
        "facts": _facts(info, model, weights, figures),
        "copies": copies if figures is None else str(figures.copies),
        "vocab": [sanitize_char(char) for char in info.vocab],
        "sampling": {name: getattr(info.sampling, name) for name in _DISTRIBUTION},
        "temperatures": _temperatures(info.sampling.temperature),
        "tensors": {name: tensor.to_json() for name, tensor in page_tensors(model, weights).items()},
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _facts(
    info: CheckpointInfo, model: TextGenerator, weights: WeightFormat, figures: Figures | None
) -> list[tuple[str, str]]:
    """Return names and values of what the page says of its model."""
    config, num_parameters = info.model, model.num_parameters
    layers = f"GRU, {counted(config.num_layers, 'layer')} of {config.hidden_size:,} units"
    parameters = f"{num_parameters:,}"
    if model.ngram_input is not None:
        lengths = "2" if config.ngram_order == 2 else f"2 to {config.ngram_order}"
        layers += f", and {config.ngram_contexts:,} n-gram embeddings (frequent sequences of {lengths} characters)"
        share = model.ngram_input.weight.numel() / num_parameters
        parameters += f", {100 * share:.0f} % of them in the n-gram embeddings"
    tweets = "all held-out tweets" if info.corpus.overfit is None else "the training tweet"
    bits = "not measured" if figures is None else f"{figures.bits_per_char:.2f} on {tweets}"
    return [
        ("Run", sanitize_line(info.run)),
        ("Step", f"{info.step:,}"),
        ("Bits per character", bits),
        ("Model", layers),
        ("Parameters", parameters),
        ("Weights", _PRECISION[weights]),
    ]


def _temperatures(own: float) -> list[float]:
    """Return the stops of the temperature slider: greedy, steps of 0.05 up to 1.5, wider ones above; and `own`."""
    fine = {round(MIN_TEMPERATURE * number, 2) for number in range(1, 31)}
    coarse = {1.6, 1.7, 1.8, 1.9, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 4.5, MAX_TEMPERATURE}
    return sorted({0.0, own} | fine | coarse)


class PageTensor(NamedTuple):
    """A tensor as the page has it; `assets/web_page/tensors.js` decodes it."""

    values: _Array
    """A vector in float32, a matrix in float16 or int8, the codes of contexts in uint64."""
    scales: npt.NDArray[np.float32] | None = None
    """Factor of each row of an int8 matrix."""

    def to_json(self) -> dict[str, object]:
        """Return the object that `decodedTensors` reads."""
        values = self.values
        encoded: dict[str, object] = {"kind": values.dtype.name, "shape": values.shape, "data": _base64(values)}
        return encoded if self.scales is None else encoded | {"scales": _base64(self.scales)}


def page_tensors(model: TextGenerator, weights: WeightFormat) -> dict[str, PageTensor]:
    """Return the tensors of a model. Raises `ConfigError` if a weight is too large for float16.

    Names and shapes are those of `TextGenerator.state_dict`, except that a tied projection and the row of contexts
    without one (`NO_ROW`) are left out.
    """
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

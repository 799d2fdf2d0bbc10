"""The names of the views of the X-ray, in the order of their keys, with their titles and help."""

from __future__ import annotations

from typing import Literal, get_args

ViewName = Literal["step", "gates", "reach", "units", "map"]
VIEW_NAMES: tuple[ViewName, ...] = get_args(ViewName)
"""The first has the key 1."""

VIEW_TITLES: dict[ViewName, str] = {
    "step": "one character at a time",
    "gates": "the gates along the text",
    "reach": "how far back the model looks",
    "units": "units that track a concept",
    "map": "the characters by their embeddings",
}


def view_key(view: ViewName) -> str:
    """Return the digit of a view."""
    return str(VIEW_NAMES.index(view) + 1)

"""The names of the views of the X-ray, in the order of their keys."""

from __future__ import annotations

from typing import Literal, get_args

ViewName = Literal["step", "gates", "reach", "units", "map"]
VIEW_NAMES: tuple[ViewName, ...] = get_args(ViewName)
"""The first has the key 1."""

"""Checks of config fields; each raises one `ConfigError` that names the field, the value and what is allowed."""

from __future__ import annotations

import inspect
from typing import get_args

from engine.errors import ConfigError

LARGEST = 1e18
"""Upper bound of every number in a config; all up to it have a JSON form."""


def option_of(name: str) -> str:
    """Return the command-line option of a field."""
    return "--" + name.replace("_", "-")


def require(name: str, value: object, allowed: str, *, is_valid: bool) -> None:
    """Raise `ConfigError` unless the value of the field `name` is valid; `allowed` completes "NAME must be"."""
    if not is_valid:
        shown = f"{value:.15g}" if isinstance(value, float) else value  # a typed 9 becomes 9.0
        raise ConfigError(f"{name} must be {allowed}, not {shown}.", f"Change {option_of(name)}, or leave it out.")


def require_between(config: object, name: str, low: float, high: float = LARGEST) -> None:
    """Raise `ConfigError` unless the field `name` is a number of its annotated type in [low, high], or an allowed None.

    The type is read from the annotation: "int", "float", "int | None" and so on.
    """
    value = getattr(config, name)
    annotation = inspect.get_annotations(type(config))[name]
    if value is None and "None" in annotation:
        return
    allowed = f"a number from {low:g} to {high:g}" if high < LARGEST else f"at least {low:g}"
    is_number = isinstance(value, int | float if "float" in annotation else int)
    # a comparison, not isfinite: that fails on an int beyond the largest float
    require(name, value, allowed, is_valid=is_number and low <= value <= high)


def require_choice(config: object, name: str, choices: object) -> None:
    """Raise `ConfigError` unless the field `name` is one of a Literal's values."""
    value = getattr(config, name)
    require(name, value, "one of " + ", ".join(get_args(choices)), is_valid=value in get_args(choices))

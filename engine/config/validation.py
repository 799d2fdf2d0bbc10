"""Checks of a config's fields, made when it is: the field, the value and the range in one `ConfigError`."""

from __future__ import annotations

import inspect
from typing import get_args

from engine.errors import ConfigError

LARGEST = 1e18
"""No number of a config is larger: none needs to be, and all have a JSON form."""


def require(name: str, value: object, rule: str, *, is_valid: bool) -> None:
    """Raise `ConfigError` unless the value of the field `name` is valid; `rule` says what would be."""
    if not is_valid:
        option = "--" + name.replace("_", "-")
        raise ConfigError(f"{name} can't be {value}: {rule}.", f"Set {option} to such a value, or leave it out.")


def require_between(config: object, name: str, low: float, high: float = LARGEST) -> None:
    """Raise `ConfigError` unless the field `name` holds a number of its type in [low, high], or None where it may."""
    value = getattr(config, name)
    written_type = inspect.get_annotations(type(config))[name]  # "int", "float", "int | None", ...
    if value is None and "None" in written_type:
        return
    rule = f"it is a number from {low:g} to {high:g}" if high < LARGEST else f"it is at least {low:g}"
    is_number = isinstance(value, int | float if "float" in written_type else int)
    # a comparison, not isfinite: that fails on an int beyond the largest float
    require(name, value, rule, is_valid=is_number and low <= value <= high)


def require_choice(config: object, name: str, choices: object) -> None:
    """Raise `ConfigError` unless the field `name` holds one of a Literal's values."""
    value = getattr(config, name)
    require(name, value, "it is one of " + ", ".join(get_args(choices)), is_valid=value in get_args(choices))

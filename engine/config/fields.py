"""The fields of the config classes: their names and help texts, checks of values, and copies with other values.

A failed check raises one `ConfigError` that names the field, the value and what is allowed. Imports no torch.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import msgspec

from engine.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Config = TypeVar("_Config", bound="DataclassInstance")
LARGEST = 1e18
"""Upper bound of every number in a config; all up to it have a JSON form."""
_TYPE_WORDS: Mapping[object, str] = {bool: "true or false", str: "a text", tuple[str, ...]: "a list of texts"}
"""Types of fields whose other values no config class refuses itself."""


def with_settings(config: _Config, settings: Mapping[str, Any]) -> _Config:
    """Return a copy of `config` with the settings that are fields of it; other settings are ignored.

    Their values may come from anywhere: each is converted to its field's type, such as an integer for a float. Raises
    `ConfigError`.
    """
    types = _field_types(type(config))
    return replace(config, **{name: _typed(name, settings[name], types[name]) for name in settings if name in types})


@cache
def _field_types(config_type: type) -> dict[str, Any]:
    return get_type_hints(config_type)


def _typed(name: str, value: object, field_type: object) -> Any:  # noqa: ANN401 - a value of `field_type`
    """Return the value as the field's type. One that is not of that type is refused, here or by the config class."""
    try:
        return msgspec.convert(value, field_type)
    except msgspec.ValidationError:
        allowed = _TYPE_WORDS.get(field_type)
        require(name, repr(value), allowed or "", is_valid=allowed is None)
        return value


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
    is_typed = is_number(value) and ("float" in annotation or isinstance(value, int))
    # a comparison, not isfinite: that fails on an int beyond the largest float
    require(name, value, allowed, is_valid=is_typed and low <= value <= high)


def is_number(value: object) -> bool:
    """Return whether a value is a number, which True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def require_choice(config: object, name: str, choices: object) -> None:
    """Raise `ConfigError` unless the field `name` is one of a Literal's values."""
    value = getattr(config, name)
    require(name, value, "one of " + ", ".join(get_args(choices)), is_valid=value in get_args(choices))


def field_names(config_type: type) -> frozenset[str]:
    """Return the names of the fields of a config class."""
    return frozenset(inspect.get_annotations(config_type))


@cache
def field_help(config_type: type) -> dict[str, str]:
    """Return the docstring under each field of a config class, by field name; read from its source."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(config_type))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    docstrings = {}
    for statement, following in pairwise(body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(docstring))):
                docstrings[name] = docstring
    return docstrings

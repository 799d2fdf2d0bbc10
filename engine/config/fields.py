"""The fields of the config classes: their names and help texts, checks of values, and copies with other values.

A failed check raises one `ConfigError` that names the field, the value and what is allowed. Imports no torch.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from engine.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Config = TypeVar("_Config", bound="DataclassInstance")
LARGEST = 1e18
"""Upper bound of every number in a config; all up to it have a JSON form."""
_TYPE_WORDS: Mapping[object, str] = {bool: "true or false", str: "a text", tuple[str, ...]: "a list of texts"}
"""Types of fields whose other values no config class refuses itself."""


@dataclass(frozen=True)
class Between:
    """The range of a numeric field, in its annotation: `Annotated[int, Between(1, 16)]` is an integer from 1 to 16."""

    low: float
    high: float = LARGEST
    or_zero: bool = False
    """Whether 0 is allowed, too."""


def with_settings(config: _Config, settings: Mapping[str, Any]) -> _Config:
    """Return a copy of `config` with the settings that are fields of it; other settings are ignored.

    Their values may come from anywhere: each is converted to its field's type, such as an integer for a float. Raises
    `ConfigError`.
    """
    types = _field_types(type(config))
    chosen = {name: _typed(name, value, types[name]) for name, value in settings.items() if name in types}
    return replace(config, **chosen) if chosen else config


@cache
def _field_types(config_type: type) -> dict[str, Any]:
    return get_type_hints(config_type, include_extras=True)


def _typed(name: str, value: object, field_type: object) -> Any:  # noqa: ANN401 - a value of `field_type`
    """Return the value as the field's type. One that is not of that type is refused, here or by the config class."""
    try:
        return msgspec.convert(value, field_type)
    except (msgspec.ValidationError, UnicodeError):  # the latter for text that has no UTF-8 form
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


def require_valid(config: DataclassInstance) -> None:
    """Raise `ConfigError` unless each field of a `Literal` type, or with a range, has an allowed value."""
    for name, kind in _field_types(type(config)).items():
        value = getattr(config, name)
        if get_origin(kind) is Literal:
            require(name, value, "one of " + ", ".join(get_args(kind)), is_valid=value in get_args(kind))
        elif get_origin(kind) is Annotated:
            number, between = get_args(kind)
            kinds = get_args(number) or (number,)  # int and None of `int | None`
            if value is not None or type(None) not in kinds:
                _require_between(name, value, between, is_float=float in kinds)


def _require_between(name: str, value: Any, between: Between, *, is_float: bool) -> None:  # noqa: ANN401 - unchecked yet
    """Raise `ConfigError` unless the value is a number in the range; where not `is_float`, an integer."""
    low, high = between.low, between.high
    is_number = isinstance(value, int | float if is_float else int) and not isinstance(value, bool)
    # a comparison, not isfinite: that fails on an int beyond the largest float
    is_valid = is_number and (low <= value <= high or (between.or_zero and value == 0))
    names_both = high < LARGEST or (is_number and value > high)
    allowed = f"a number from {low:g} to {high:g}" if names_both else f"at least {low:g}"
    require(name, value, f"0 or {allowed}" if between.or_zero else allowed, is_valid=is_valid)


def field_names(config_type: type) -> frozenset[str]:
    """Return the names of the fields of a config class."""
    return frozenset(_field_types(config_type))


@cache
def field_help(config_type: type) -> dict[str, str]:
    """Return the docstring under each field of a config class, by field name; read from its source."""
    docstrings = {}
    for statement, following in pairwise(_classes_in(config_type.__module__)[config_type.__name__].body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(docstring))):
                docstrings[name] = docstring
    return docstrings


@cache
def _classes_in(module: str) -> dict[str, ast.ClassDef]:
    """Return the source of each class of a module; `inspect.getsource` of one class would take as long as of all."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}

"""The fields of the config classes: their names, their help texts, and copies with other values. Imports no torch."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Config = TypeVar("_Config", bound="DataclassInstance")


def field_names(config_type: type) -> frozenset[str]:
    """Return the names of the fields of a config class."""
    return frozenset(inspect.get_annotations(config_type))


def with_settings(config: _Config, settings: Mapping[str, Any]) -> _Config:
    """Return a copy of `config` with the settings that are fields of it; other settings are ignored."""
    names = field_names(type(config))
    chosen: dict[str, Any] = {name: value for name, value in settings.items() if name in names}
    return replace(config, **chosen)


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

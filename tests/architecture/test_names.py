"""Widgets, screens and app overwrite no private name of Textual, which would fail far from the cause."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from functools import cache

from textual.message_pump import MessagePump

import tui

MODULES = [
    module.name for module in pkgutil.walk_packages(tui.__path__, "tui.") if not module.name.endswith("__main__")
]


def our_classes() -> list[type]:
    """Return every class in `tui` that is a message pump."""
    found = {
        value
        for name in MODULES
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, MessagePump) and value.__module__.startswith("tui.")
    }
    return sorted(found, key=lambda found_class: found_class.__qualname__)


def written_names(a_class: type) -> Iterator[str]:
    """Yield the names that a class binds in its body and on `self`."""
    (class_node,) = ast.parse(textwrap.dedent(inspect.getsource(a_class))).body
    assert isinstance(class_node, ast.ClassDef)
    for statement in class_node.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
    for node in ast.walk(class_node):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


@cache
def private_names(a_class: type) -> set[str]:
    """Return the private names that a class binds."""
    return {name for name in written_names(a_class) if name.startswith("_") and not name.endswith("__")}


def test_no_class_overwrites_a_private_name_of_textual() -> None:
    classes = our_classes()
    assert len(classes) > 40
    overwritten = {}
    for our_class in classes:
        theirs = {
            name for base in our_class.__mro__ if base.__module__.startswith("textual.") for name in private_names(base)
        }
        overwritten[our_class.__name__] = private_names(our_class) & theirs
    assert {name: names for name, names in overwritten.items() if names} == {}

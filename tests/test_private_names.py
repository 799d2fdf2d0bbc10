"""Private names of Numba and Textual: those that the program uses are as recorded, and it overwrites none.

The pins of `pyproject.toml` are due to them. A name is recorded as module, class, and the parameters of a function; one
without parameters is an attribute or a global variable.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual.message_pump import MessagePump

import tui

ROOT = Path(__file__).parents[1]

USED = {
    "engine/compute/cpu/kernels.py": (
        "numba.core.caching.Cache._cache_file",
        "numba.core.caching.Cache._index_key(self, sig, codegen)",
        "numba.core.caching.Cache._load_overload(self, sig, target_context)",
        "numba.core.caching.Cache._save_overload(self, sig, data)",
        "numba.core.caching.Cache.save_overload(self, sig, data)",
        "numba.core.caching.FunctionCache(py_func)",
        "numba.core.caching.IndexDataCacheFile._data_name(self, number)",
        "numba.core.caching.IndexDataCacheFile._dump(self, obj)",
        "numba.core.caching.IndexDataCacheFile._load_data(self, name)",
        "numba.core.caching.IndexDataCacheFile._save_data(self, name, data)",
        "numba.core.caching.IndexDataCacheFile._source_stamp",
        "numba.core.caching.IndexDataCacheFile.load(self, key)",
        "numba.core.caching.IndexDataCacheFile.save(self, key, data)",
        "numba.core.codegen.CPUCodegen.magic_tuple(self)",
        "numba.core.dispatcher.Dispatcher._cache",
        "numba.core.event.Listener.on_start(self, event)",
        "numba.core.event.install_listener(kind, listener)",
        "numba.core.options.DefaultOptions._nrt",
    ),
    "tui/app/app.py": ("textual.app.App._action_targets",),
    "tui/app/recorder.py": (
        "textual.app.App._unnotify(self, notification, refresh)",
        "textual.driver.Driver._app",
    ),
    "tui/terminal/app.py": (
        "textual.app.App._driver",
        "textual.app.App._exception",
    ),
    "tui/terminal/driver.py": (
        "textual.driver.Driver._app",
        "textual.driver.Driver._loop",
        "textual.drivers.linux_driver.LinuxDriver._disable_mouse_support(self)",
        "textual.drivers.linux_driver.LinuxDriver._enable_mouse_support(self)",
        "textual.drivers.linux_driver.LinuxDriver._file",
        "textual.drivers.linux_driver.LinuxDriver._get_terminal_size(self)",
        "textual.drivers.linux_driver.LinuxDriver._in_band_window_resize",
        "textual.drivers.linux_driver.LinuxDriver._sigtstp_application(self, _)",
        "textual.drivers.web_driver.WebDriver._disable_mouse_support(self)",
        "textual.drivers.web_driver.WebDriver._enable_mouse_support(self)",
    ),
    "tui/terminal/private.py": (
        "textual._compositor.ChopsUpdate(chops, spans, chop_ends)",
        "textual._compositor.ChopsUpdate.render_segments(self, console)",
        "textual.drivers.linux_driver.getincrementaldecoder",
        "textual.keys._character_to_key(character)",
        "textual.screen.Screen._compositor_refresh(self)",
        "textual.screen.Screen._on_resize(self, event)",
        "textual.screen.Screen._on_timer_update(self)",
        "textual.screen.UPDATE_PERIOD",
        "textual.widget.Widget._repaint_regions",
        "textual.widget.Widget._repaint_required",
    ),
}


@cache
def private_names(a_class: type) -> set[str]:
    """Return the private names that a class binds in its body and on objects."""
    node = _node_of(a_class)
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    bound = [each for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    names |= {each.id for statement in bound for each in ast.walk(statement) if isinstance(each, ast.Name)}
    attributes = (each for each in ast.walk(node) if isinstance(each, ast.Attribute))
    names |= {each.attr for each in attributes if isinstance(each.ctx, ast.Store)}
    return set(filter(_is_private, names))


def _node_of(a_class: type) -> ast.ClassDef:
    [node] = ast.parse(textwrap.dedent(inspect.getsource(a_class))).body
    assert isinstance(node, ast.ClassDef)
    return node


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _our_classes(base: str) -> set[type]:
    """Return the classes of the screen's side with a base in a module whose name begins like this."""
    modules = [each.name for each in pkgutil.walk_packages(tui.__path__, "tui.") if not each.name.endswith("__main__")]
    values = [value for name in modules for value in vars(importlib.import_module(name)).values()]
    classes = {value for value in values if inspect.isclass(value) and value.__module__.startswith("tui.")}
    return {each for each in classes if any(other.__module__.startswith(base) for other in each.__mro__)}


def test_no_widget_screen_or_app_overwrites_a_private_name_of_textual_which_would_fail_far_from_the_cause() -> None:
    ours = [each for each in _our_classes("textual.") if issubclass(each, MessagePump)]
    assert len(ours) > 40
    for our_class in ours:
        bases = [base for base in our_class.__mro__ if base.__module__.startswith("textual.")]
        theirs = set[str]().union(*map(private_names, bases))
        assert private_names(our_class) & theirs == set(), our_class


# Those that are used --------------------------------------------------------------------------------------------------


def line_of(owner: Any, name: str) -> str:
    """Return what is recorded for a name of a module or class; "" if it has none such.

    Methods are read from the source: other tests of this process patch Textual.
    """
    if isinstance(owner, ModuleType):
        value = getattr(owner, name, None)
        shown = ", ".join(inspect.signature(value).parameters) if callable(value) else ""
        return f"{owner.__name__}.{name}" + f"({shown})" * callable(value) if hasattr(owner, name) else ""
    path = f"{owner.__module__}.{owner.__qualname__}.{name}"
    for each in _node_of(owner).body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == name:
            arguments = [argument.arg for argument in ast.walk(each.args) if isinstance(argument, ast.arg)]
            return f"{path}({', '.join(arguments)})"
    return path if name in private_names(owner) else ""


def as_it_is(recorded: str) -> str:
    """Return what is to be recorded of the same name now; "" if there is none."""
    owner, _, name = recorded.partition("(")[0].rpartition(".")
    module, _, class_name = owner.rpartition(".")
    try:
        found = importlib.import_module(owner)
    except ModuleNotFoundError:
        try:
            found = getattr(importlib.import_module(module), class_name)
        except (ModuleNotFoundError, AttributeError):
            return ""
    line = line_of(found, name)
    return line if "(" in recorded else line.partition("(")[0]


def used_by_subclasses() -> Iterator[tuple[str, str]]:
    """Yield the file of each class of the screen's side, and a line for each private name of Textual that it uses."""
    for our_class in _our_classes("textual"):
        theirs = [base for base in our_class.__mro__ if base.__module__.startswith("textual")]
        ours = set[str]().union(*map(private_names, set(our_class.__mro__) & _our_classes("textual")))
        attributes = [each for each in ast.walk(_node_of(our_class)) if isinstance(each, ast.Attribute)]
        for name in {each.attr for each in attributes if _is_private(each.attr)} - ours:
            for base in theirs:
                if name in private_names(base):
                    yield f"{our_class.__module__.replace('.', '/')}.py", line_of(base, name)
                    break


def test_every_private_name_of_textual_that_the_screen_uses_is_recorded() -> None:
    recorded = {(file, line) for file, lines in USED.items() for line in lines}
    found = {(file, line) for file, line in used_by_subclasses() if line.split(".")[0] == "textual"}
    assert found - recorded == set(), f"record them in {__name__}"
    file = "tui/terminal/private.py"
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    names |= {each.name for each in ast.walk(tree) if isinstance(each, ast.alias)}
    known = {line.partition("(")[0].rpartition(".")[2] for line in USED[file]}
    assert set(filter(_is_private, names)) <= known


@pytest.mark.parametrize(("file", "line"), [(file, line) for file, lines in USED.items() for line in lines])
def test_a_private_name_that_the_program_uses_is_as_recorded(file: str, line: str) -> None:
    now, library = as_it_is(line), line.partition(".")[0]
    if now != line:
        change = f"changed {line} to {now}" if now else f"no {line} any more"
        sentence = f"{library.title()} {version(library)} has {change}, which {file} uses"
        pytest.fail(f'{sentence}: see CONTRIBUTING.md, "When Numba or Textual changes"', pytrace=False)

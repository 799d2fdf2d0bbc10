"""Every private name of Textual that the program uses, in one place.

Names are looked up at import. If the installed Textual lacks one, its own behaviour applies and the log records it.
"""

from __future__ import annotations

import codecs
import contextlib
import dis
import logging
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.control import Control
from textual.app import App
from textual.driver import Driver
from textual.events import Resize
from textual.notifications import Notification
from textual.screen import Screen
from textual.strip import Strip

from engine.errors import StorageError
from engine.storage.folders import home
from engine.storage.log import log_to

if TYPE_CHECKING:
    from textual._compositor import ChopsUpdate as ChopsUpdate  # noqa: PLC0414 - exported
    from textual.drivers.linux_driver import LinuxDriver as LinuxDriver  # noqa: PLC0414 - exported

_LOGGER = logging.getLogger(__name__)
MISSING: list[str] = []
"""Private names of Textual 8.2 that the installed version lacks."""


def _found(module: str, name: str, *uses: str) -> Any:  # noqa: ANN401 - any object of Textual
    """Return an object of a module; None if it, or an attribute used of its instances, is missing."""
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        found = None
    if found is None:
        MISSING.append(f"{module}.{name}")
        return None
    missing = [use for use in uses if not hasattr(found, use) and not _is_set_at_start(found, use)]
    MISSING.extend(f"{module}.{name}.{use}" for use in missing)
    return None if missing else found


def _is_set_at_start(owner: type[Any], attribute: str) -> bool:
    """Return whether `__init__` sets an attribute on new instances, by its bytecode."""
    makers: Iterable[Any] = (vars(each).get("__init__") for each in owner.__mro__)
    steps = (step for maker in makers if hasattr(maker, "__code__") for step in dis.get_instructions(maker))
    return any(step.opname == "STORE_ATTR" and step.argval == attribute for step in steps)


_LINUX_DRIVER_MODULE = "textual.drivers.linux_driver"
_LINUX_DRIVER = _found(
    _LINUX_DRIVER_MODULE,
    "LinuxDriver",
    "_disable_mouse_support",
    "_enable_mouse_support",
    "_file",
    "_loop",
    "_mouse",
    "_sigtstp_application",
    "process_message",
    "run_input_thread",
)
_DECODER = _found(_LINUX_DRIVER_MODULE, "getincrementaldecoder")
_SCREEN = _found("textual.screen", "Screen", "_on_resize")
_LAY_OUT: Any = getattr(_SCREEN, "_on_resize", None)
_CHOPS_UPDATE = _found("textual._compositor", "ChopsUpdate", "chop_ends", "chops", "render_segments", "spans")
_NAME_OF_KEY = _found("textual.keys", "_character_to_key")
_COMPOSITOR = "_compositor"
_found("textual._compositor", "Compositor", "render_strips")
_REMOVE_NOTIFICATION: Any = getattr(_found("textual.app", "App", "_unnotify"), "_unnotify", None)
_UPDATE: Any = getattr(_found("textual.screen", "Screen", _COMPOSITOR, "_on_timer_update"), "_on_timer_update", None)
_found("textual.app", "App", "_action_targets", "_driver", "_exception")

HAS_LINUX_DRIVER = _LINUX_DRIVER is not None
if not TYPE_CHECKING:
    LinuxDriver, ChopsUpdate = _LINUX_DRIVER or Driver, _CHOPS_UPDATE


def log_missing() -> None:
    """Log the missing names, if any, to the program's log."""
    if MISSING:
        from engine.storage.log import installed_version

        with contextlib.suppress(StorageError), log_to(home() / "tweetgen.log", "tui"):
            _LOGGER.warning(
                "Textual %s lacks %s: its default behaviour applies.", installed_version("textual"), ", ".join(MISSING)
            )


def driver_of(app: App[Any]) -> Driver | None:
    """Return an app's driver; None before it runs."""
    return getattr(app, "_driver", None)


def add_action_targets(app: App[Any], names: Iterable[str]) -> None:
    """Let `name.action` in bindings mean `action_...` of the app's attribute `name`.

    To pass them to `run_action` does not suffice: Textual (8.2) looks up the targets of all bindings too.
    """
    getattr(app, "_action_targets").update(names)  # noqa: B009 - a private name


def failure_of(app: App[Any]) -> Exception | None:
    """Return the exception that ended an app, if any."""
    return getattr(app, "_exception", None)


def remove_notification(app: App[Any], notification: Notification) -> None:
    """Remove a toast before its time."""
    _REMOVE_NOTIFICATION(app, notification)


def update_screen(screen: Screen[Any]) -> None:
    """Lay out and draw what has changed, which Textual does up to 60 times a second."""
    _UPDATE(screen)


def drawn_strips(screen: Screen[Any]) -> list[Strip]:
    """Return all lines of a screen, with what is below it."""
    return list(getattr(screen, _COMPOSITOR).render_strips())


def _unicode_name_of_key(character: str) -> str:
    """Return Textual's key name of a character by its Unicode name: "question_mark"."""
    if character.isalnum():
        return character
    return unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")


name_of_key: Callable[[str], str] = _NAME_OF_KEY or _unicode_name_of_key
"""Returns Textual's key name of a character."""


def send_only_changed_cells() -> None:
    """Patch Textual, for every app of this process, to send only the changed cells of a line.

    Textual (8.2) crops an update of a line on its right only ("TODO: crop to x extents" in `ChopsUpdate`). A test fails
    once it crops both sides.
    """
    if _CHOPS_UPDATE is not None:
        ChopsUpdate.render_segments = render_cropped  # type: ignore[assignment, method-assign]  # a patch


def ignore_outdated_sizes() -> None:
    """Patch Textual, for every app of this process, to ignore a `Resize` whose size is not the terminal's any more.

    Each layout of Textual (8.2) posts its size to the screen once more: two sizes in the queue would replace each other
    forever. A test fails once they don't.
    """
    if _SCREEN is not None:
        setattr(_SCREEN, "_on_resize", _lay_out_for_present_size)  # noqa: B010 - a patch


async def _lay_out_for_present_size(screen: Screen[Any], event: Resize) -> None:
    if event.size == screen.app.size:
        await _LAY_OUT(screen, event)


def replace_undecodable_input() -> None:
    """Patch Textual, for every app of this process, to read bytes that are not UTF-8 as U+FFFD.

    Textual (8.2) decodes strictly: one such byte would end the thread that reads keys, and with it the screen. A test
    fails once it replaces them.
    """
    if _DECODER is not None:
        setattr(import_module(_LINUX_DRIVER_MODULE), "getincrementaldecoder", _replacing_decoder)  # noqa: B010 - a patch


def _replacing_decoder(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    return partial(_DECODER(encoding), errors="replace")


def render_cropped(update: ChopsUpdate, console: Console) -> str:
    """Return the output of an update, each line cropped on both sides."""
    pieces: list[str] = []
    last_line = update.spans[-1][0]
    for y, first, end in update.spans:
        for part_end, (part, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or part >= end or part_end <= first:
                continue
            start = max(part, first)
            pieces.append(Control.move_to(start, y).segment.text)
            pieces.append(strip.crop(start - part, min(part_end, end) - part).render(console))
        if y != last_line:
            pieces.append("\n")
    return "".join(pieces)

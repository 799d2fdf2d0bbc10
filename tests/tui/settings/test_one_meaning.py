"""One key, one meaning: a character means the same in all places, but for a few exceptions, each with its reason."""

from __future__ import annotations

import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module

from textual.binding import Binding
from textual.dom import DOMNode

import tui.screens
import tui.widgets
from tui.settings.key_table import KEY_TABLE
from tui.settings.keymap import key_named
from tui.settings.keys.key import Key
from tui.settings.keys.lesson import LESSON_KEYS

MEANINGS = {
    " ": ("let it run, or stop it", {"pause", "train"}),
    "0": ("back to normal", {"reset", "free"}),
    "?": ("explain what is on the screen", {"help", "explain"}),
    "[": ("lower the value at hand", {"learning_rate_down", "hold_down"}),
    "]": ("raise the value at hand", {"learning_rate_up", "hold_up"}),
    "+": ("raise the temperature", {"temperature_up", "adjust_up"}),
    "-": ("lower the temperature", {"temperature_down", "adjust_down"}),
    "/": ("filter", {"filter", "checkpoint_filter"}),
    "B": ("the batch", {"show_batch", "training_tweet"}),
    "P": ("the prime", {"clear_prime", "use_as_prime"}),
    "a": ("do what is offered", {"answer_alert", "remedy"}),
    "d": ("detach", {"detach", "answer_detach"}),
    "g": ("sample", {"sample", "own_draws"}),
    "k": ("pin", {"pin", "checkpoint_pin"}),
    "n": ("new, from here", {"continue", "checkpoint_branch", "redraw"}),
    "p": ("type a text", {"prompt", "edit"}),
    "q": ("leave this place", {"leave", "close"}),
    "t": ("the temperature ladder", {"ladder", "roll"}),
    "v": ("show the picture in another way", {"panes", "variant", "compare"}),
    "x": ("the X-ray", {"open_xray", "xray"}),
}
"""The meaning of characters for which several actions have the key, with the names of the actions."""
EXCEPTIONS = {
    "=": ({"temperature_up", "adjust_up", "checkpoint_compare"}, "+ without shift, where there is a temperature"),
    "y": ({"copy", "answer_stop"}, "in a question it is yes, as in all programs"),
    " ": ({"cycle_up"}, "in the list of settings it changes the selected one, as in all lists of choices"),
}
"""What a character also means, and why."""
NOT_IN_THE_TABLE = {
    ("question_mark", "close"): "closes the help that it opens",
    ("comma", "close"): "closes the settings that it opens",
    ("C", "close"): "closes the code that it opens",
    ("y", "copy"): "copies the code",
    ("y", "answer"): "yes, to a question",
}
"""Bindings without a row: the line of keys of their dialog has them, or they close what they have opened."""


def rows() -> Iterator[Key]:
    """Yield all rows of all places."""
    for keys in (*KEY_TABLE.values(), LESSON_KEYS):
        yield from keys


def characters(keys: str) -> Iterator[str]:
    """Yield the printable characters among Textual's names of keys."""
    for name in filter(None, keys.split(",")):
        yield from (char for char in map(chr, range(0x20, 0x7F)) if key_named(char) == name)


def test_every_character_means_one_thing_in_all_places() -> None:
    names = defaultdict(set)
    for key in rows():
        for character in characters(key.keys):
            names[character].add(key.name)
    several = {character: found for character, found in names.items() if len(found) > 1}
    explained = {
        character: MEANINGS.get(character, ("", set()))[1] | EXCEPTIONS.get(character, (set(), ""))[0]
        for character in MEANINGS.keys() | EXCEPTIONS.keys()
    }
    assert several == explained


def test_every_binding_to_a_character_is_a_row_of_the_table() -> None:
    for package in (tui.screens, tui.widgets):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    known = {(name, key.textual_action) for key in rows() for name in key.keys.split(",")} | NOT_IN_THE_TABLE.keys()
    unknown = {
        (name, binding.action): cls.__name__
        for cls in _subclasses(DOMNode)
        if cls.__module__.startswith("tui.")
        for binding in cls.__dict__.get("BINDINGS", ())
        if isinstance(binding, Binding)
        for name in binding.key.split(",")
        if any(characters(name)) and not name.isdigit() and (name, binding.action) not in known
    }
    assert unknown == {}


def _subclasses(cls: type) -> Iterator[type]:
    subclass: type
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)

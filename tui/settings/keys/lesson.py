"""The keys of the lesson."""

from __future__ import annotations

from dataclasses import replace

from tui.settings.keys.key import Key

_ACT = Key("enter", "act", "Do it", "Do what the task of the stop asks for.", symbols="enter")
_TRAIN = Key("space", "train", "Train or pause", "Train the model, or pause it.", label="train/pause")
_ADJUST = (
    Key("minus", "adjust(-1)", "Lower", "At the stop on temperature: lower it.", symbols="-"),
    Key("plus,equals_sign", "adjust(1)", "Raise", "At the stop on temperature: raise it.", symbols="+"),
)
_COMPARE = Key(
    "v", "compare", "Compare", "The gates before and after overfitting; a batch sorted by length and one that is not."
)

_BACK = Key("escape", "back", "Back", "Return from the view to the text; from the text, leave.", symbols="esc")

LESSON_KEYS = (
    Key("left", "go(-1)", "Previous stop", "Go to the previous stop; in a view that uses the arrows, move there."),
    Key("right", "go(1)", "Next stop", "Go to the next stop. Nothing is locked.", label="stops"),
    Key(
        "tab", "switch", "Text or view", "Move the focus between text and view; esc returns to the text.", label="view"
    ),
    Key("", "", "Stop by its number", "Open that stop; in an X-ray, the view of that number.", symbols="1 to 8"),
    _ACT,
    _TRAIN,
    *_ADJUST,
    _COMPARE,
    Key("C", "code", "Code", "Show the lines of PyTorch that do what the stop shows.", label="code"),
    Key("question_mark", "help", "Help", "Show this help.", label="help"),
    Key(
        "m", "app.mouse", "Mouse on or off", "Release the mouse to the terminal, to select text; m again recaptures it."
    ),
    _BACK,
    Key("q", "leave", "Leave", "Save the model and leave; the lesson continues here the next time.", label="quit"),
)


_OF_SCREEN = {key.name: replace(key, action=f"screen.{key.action}") for key in LESSON_KEYS}
_BACK_TO_TEXT = replace(_OF_SCREEN["back"], label="text")
TYPING_BAR_KEYS = (_BACK_TO_TEXT, replace(_OF_SCREEN["go_up"], label="next stop, at the end of the line"))
"""While a line has the focus: only keys that it does not type."""


def text_bar_keys(action: str, *, has_temperature: bool, compares: str) -> tuple[Key, ...]:
    """Return the key bar while the text has the focus; enter does `action` and v compares, each may be empty."""
    stops = replace(_OF_SCREEN["go_down"], label="stops"), _OF_SCREEN["go_up"]
    return (*stops, _OF_SCREEN["switch"], *_deeds(action, has_temperature=has_temperature, compares=compares))


def view_bar_keys(action: str, own: tuple[Key, ...], *, has_temperature: bool, compares: str) -> tuple[Key, ...]:
    """Return the same while a view has the focus, which has these keys of its `own`."""
    taken = {key.keys for key in own}
    deeds = _deeds(action, has_temperature=has_temperature, compares=compares)
    return (_BACK_TO_TEXT, *own, *(key for key in deeds if key.keys not in taken))


def _deeds(action: str, *, has_temperature: bool, compares: str) -> tuple[Key, ...]:
    """Return the keys that act wherever the focus is."""
    labels = {
        "act": action,
        **(dict.fromkeys(("adjust_down", "adjust_up"), "temp") if has_temperature else {}),
        "compare": compares,
        **{name: _OF_SCREEN[name].label for name in ("code", "help", "train", "leave")},
    }
    return tuple(replace(_OF_SCREEN[name], label=label) for name, label in labels.items() if label)

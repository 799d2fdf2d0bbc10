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
    "b", "compare", "Compare", "The gates before and after overfitting; a batch sorted by length and one that is not."
)

_BACK = Key("escape", "back", "Back", "Return from the view to the text; from the text, leave.", symbols="esc")

LESSON_KEYS = (
    Key("left", "go(-1)", "Previous stop", "Go to the previous stop; in a view that uses the arrows, move there."),
    Key("right", "go(1)", "Next stop", "Go to the next stop. Nothing is locked.", label="stops"),
    Key(
        "tab", "switch", "Text or view", "Move the focus between text and view; esc returns to the text.", label="view"
    ),
    _ACT,
    _TRAIN,
    *_ADJUST,
    _COMPARE,
    Key("c", "code", "Code", "Show the lines of PyTorch that do what the stop shows.", label="code"),
    Key("question_mark", "help", "Help", "Show this help.", label="help"),
    Key(
        "m", "app.mouse", "Mouse on or off", "Release the mouse to the terminal, to select text; m again recaptures it."
    ),
    _BACK,
    Key("q", "leave", "Leave", "Save the model and leave; the lesson continues here the next time.", label="quit"),
)


def bar_keys(action: str, *, has_temperature: bool, compares: str, is_on_view: bool) -> tuple[Key, ...]:
    """Return the keys of the key bar at a stop whose enter does `action` and whose b compares; each may be empty.

    While it `is_on_view`, the focus is in the view.
    """
    stops, view, rest = LESSON_KEYS[:2], LESSON_KEYS[2], (*LESSON_KEYS[-5:-3], *LESSON_KEYS[-1:])
    act = (replace(_ACT, label=action),) if action else ()
    adjust = tuple(replace(key, label="temp") for key in _ADJUST) if has_temperature else ()
    compare = (replace(_COMPARE, label=compares),) if compares else ()
    view = replace(_BACK, label="text") if is_on_view else view
    return (replace(stops[0], label="stops"), stops[1], view, *act, *adjust, *compare, *rest[:2], _TRAIN, *rest[2:])

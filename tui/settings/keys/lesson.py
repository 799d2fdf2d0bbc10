"""The keys of the lesson."""

from __future__ import annotations

from dataclasses import replace

from tui.settings.keys.key import Key

_ACT = Key("enter", "act", "Do it", "Do what the task of the stop asks for.", symbols="enter")
_TRAIN = Key("space", "train", "Train or pause", "Train the model, or pause it.", label="pause")
_ADJUST = (
    Key("minus", "adjust(-1)", "Lower", "At the stop on temperature: lower it.", symbols="-"),
    Key("plus,equals_sign", "adjust(1)", "Raise", "At the stop on temperature: raise it.", symbols="+"),
)
_COMPARE = Key(
    "v", "compare", "Compare", "The gates before and after overfitting; a batch sorted by length and one that is not."
)

_BACK = Key("escape", "back", "Back", "Return from the view to the text.", symbols="esc")
_MORE = (
    Key("pagedown", "scroll_text(1)", "Text down", "Scroll the text of the stop down, where it is cut.", label="more"),
    Key("pageup", "scroll_text(-1)", "Text up", "Scroll the text of the stop up."),
)

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
    *_MORE,
    _BACK,
    Key("q", "leave", "Leave", "Save the model and leave; the lesson continues here the next time.", label="quit"),
)


_OF_SCREEN = {key.name: replace(key, action=f"screen.{key.action}") for key in LESSON_KEYS}
_BACK_TO_TEXT = replace(_OF_SCREEN["back"], label="text")
_STOPS = replace(_OF_SCREEN["go_down"], label="stops"), _OF_SCREEN["go_up"]
_PAGE_DOWN = _OF_SCREEN["scroll_text_up"]


def typing_bar_keys(*, has_more: bool) -> tuple[Key, ...]:
    """Return the key bar while a line has the focus: only keys that it does not type. The text may go on below."""
    next_stop = replace(_OF_SCREEN["go_up"], label="next stop, at the end of the line")
    return (_BACK_TO_TEXT, next_stop, *((_PAGE_DOWN,) if has_more else ()))


def text_bar_keys(action: str, *, has_temperature: bool, compares: str, has_more: bool) -> tuple[Key, ...]:
    """Return the key bar while the text has the focus; enter does `action` and v compares, each may be empty."""
    deeds = _deeds(action, has_temperature=has_temperature, compares=compares)
    return (*_STOPS, _OF_SCREEN["switch"], *((_PAGE_DOWN,) if has_more else ()), *deeds)


def view_bar_keys(
    action: str, own: tuple[Key, ...], *, takes_arrows: bool, has_temperature: bool, compares: str
) -> tuple[Key, ...]:
    """Return the same while a view has the focus, which has these keys of its `own`, and may take the arrows."""
    taken = {key.keys for key in own}
    deeds = _deeds(action, has_temperature=has_temperature, compares=compares)
    stops = () if takes_arrows else _STOPS
    return (_BACK_TO_TEXT, *stops, *own, *(key for key in deeds if key.keys not in taken))


def _deeds(action: str, *, has_temperature: bool, compares: str) -> tuple[Key, ...]:
    """Return the keys that act wherever the focus is."""
    labels = {
        "act": action,
        **(dict.fromkeys(("adjust_down", "adjust_up"), "temp") if has_temperature else {}),
        "compare": compares,
        **{name: _OF_SCREEN[name].label for name in ("code", "help", "train", "leave")},
    }
    return tuple(replace(_OF_SCREEN[name], label=label) for name, label in labels.items() if label)

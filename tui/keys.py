"""The key table: every key, what it does and how it is told; bindings, key bar, palette and help are made from it.

No key here is one that tmux or screen take as their prefix (ctrl+b, ctrl+a) or that stops a terminal's output (ctrl+s,
ctrl+q).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Key:
    """One thing that a key does."""

    keys: str
    """Textual's names of the keys, separated by commas."""
    shown: str
    """The key as people know it."""
    action: str
    """The action on the main screen, or with `app.` before it on the app."""
    label: str
    """One short word for the key bar; empty where the key shares the next one's."""
    title: str
    """What the palette and the help call it."""
    sentence: str
    """What it does."""
    group: str
    """Heading in the help."""


RUN, TWEETS, SAVED, SCREEN = "The run", "Tweets", "Checkpoints", "The screen"

MAIN_KEYS = (
    Key("space", "space", "pause", "pause", "Pause or resume", "Pause the training, or go on with it.", RUN),
    Key(
        "f",
        "f",
        "finish",
        "finish",
        "Finish, or not yet",
        "End well: the learning rate falls to nothing over the next tenth. f again takes it back.",
        RUN,
    ),
    Key(
        "plus,equals_sign",
        "+",
        "temperature(1)",
        "",
        "Raise the temperature",
        "Raise the temperature by 0.05, up to 5: wilder from the next character on.",
        TWEETS,
    ),
    Key(
        "minus,underscore",
        "-",
        "temperature(-1)",
        "",
        "Lower the temperature",
        "Lower the temperature by 0.05, down to 0.05: safer, and more repetitive.",
        TWEETS,
    ),
    Key(
        "t",
        "t",
        "ladder",
        "temp",
        "Temperature ladder",
        "Write one tweet at each of seven temperatures, from the same seed and prime.",
        TWEETS,
    ),
    Key("g", "g", "sample", "tweet", "Write a tweet now", "Write one more tweet, also while paused.", TWEETS),
    Key(
        "s",
        "s",
        "save",
        "save",
        "Save a checkpoint",
        "Save the model, and all that a run needs to go on, under a name.",
        SAVED,
    ),
    Key(
        "l",
        "l",
        "load",
        "load",
        "Load a checkpoint",
        "List the saved checkpoints, and go on from the one you choose.",
        SAVED,
    ),
    Key(
        "o",
        "o",
        "open",
        "open",
        "Open other tweets",
        "Choose a file, folder or archive, or drop one in: the run is saved, and a new one starts on it.",
        RUN,
    ),
    Key(
        "b",
        "b",
        "unit",
        "bits",
        "Nats or bits",
        "Switch the plot between nats and bits per character (nats / ln 2).",
        SCREEN,
    ),
    Key("question_mark", "?", "help", "help", "Help", "Show every key, and how to read the screen.", SCREEN),
    Key(
        "ctrl+p",
        "^p",
        "app.command_palette",
        "menu",
        "Palette",
        "Search all of these by name, and choose a theme.",
        SCREEN,
    ),
    Key(
        "q",
        "q",
        "leave",
        "quit",
        "Quit",
        "Stop, save `latest`, leave; ctrl+c does the same, and pressed twice leaves at once.",
        RUN,
    ),
)

FEED_KEYS = (
    Key("up,down", "↑ ↓", "", "", "Scroll", "Scroll through the tweets by a line.", TWEETS),
    Key("pageup,pagedown", "pgup pgdn", "", "", "Scroll by a page", "Scroll through the tweets by a page.", TWEETS),
    Key(
        "home,end",
        "home end",
        "",
        "",
        "Oldest, newest",
        "Go to the first tweet, or to the last and follow the new ones.",
        TWEETS,
    ),
)


def bindings_of(keys: Iterable[Key]) -> list[BindingType]:
    """Return Textual's bindings for keys that have an action."""
    return [
        Binding(key.keys, key.action, key.label, key_display=key.shown, tooltip=key.sentence)
        for key in keys
        if key.action
    ]

"""The key table: every key, what it does and how it is told; bindings, key bar, palette and help are made from it.

No key here is one that tmux or screen take as their prefix (ctrl+b, ctrl+a) or that stops a terminal's output (ctrl+s,
ctrl+q).
"""

from __future__ import annotations

import re
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
    """One short word for the key bar, the same for neighbours that share it; empty for a key that is not in the bar."""
    title: str
    """What the palette and the help call it."""
    sentence: str
    """What it does."""
    group: str
    """Heading in the help."""

    @property
    def name(self) -> str:
        """What `config.toml` calls it: the action in letters, `temperature(-1)` as `temperature_down`."""
        action = self.action.removeprefix("app.").replace("(-1)", "_down").replace("(1)", "_up")
        return re.sub(r"\W+", "_", action).strip("_")


RUN, TWEETS, SAVED, SCREEN = "The run", "Tweets", "Checkpoints", "The screen"
PLOT = "The loss plot"
TYPING, LOOKING = "While you type a beginning", "In a tweet that is open"
LISTED = "In the list of checkpoints"
GROUPS = (RUN, TWEETS, SAVED, SCREEN, PLOT)
"""Of the keys that work everywhere."""

MAIN_KEYS = (
    Key("space", "space", "pause", "pause", "Pause or resume", "Pause the training, or go on with it.", RUN),
    Key(
        "f",
        "f",
        "finish",
        "end",
        "Finish, or not yet",
        "End well: the learning rate falls to nothing over the next tenth. f again takes it back.",
        RUN,
    ),
    Key(
        "plus,equals_sign",
        "+",
        "temperature(1)",
        "temp",
        "Raise the temperature",
        "Raise the temperature by 0.05, up to 5: wilder from the next character on.",
        TWEETS,
    ),
    Key(
        "minus,underscore",
        "-",
        "temperature(-1)",
        "temp",
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
        "p",
        "p",
        "prompt",
        "type",
        "Type a beginning",
        "Type how a tweet begins: the model goes on with it as you type, and writes it when you press enter.",
        TWEETS,
    ),
    Key(
        "P",
        "P",
        "clear_prime",
        "",
        "Begin tweets with nothing",
        "Let tweets begin as the model likes, where they were made to begin with a text.",
        TWEETS,
    ),
    Key(
        "k",
        "k",
        "pin",
        "",
        "Pin a tweet",
        "Keep the selected tweet, or else the newest, with the run; or no more.",
        TWEETS,
    ),
    Key(
        "K",
        "K",
        "pins_only",
        "",
        "Pins only, or all tweets",
        "Show only the tweets that are pinned, or all again.",
        TWEETS,
    ),
    Key(
        "c",
        "c",
        "colours",
        "",
        "Colour tweets by surprise",
        "Colour each character by how much it surprised the model: the brighter, the less likely; or no more.",
        TWEETS,
    ),
    Key(
        "e",
        "e",
        "export",
        "",
        "Export tweets",
        "Write the tweets of the feed, or the pins, to a file: plain lines, a table or events.",
        TWEETS,
    ),
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
        "right_square_bracket",
        "]",
        "learning_rate(1)",
        "",
        "Raise the learning rate",
        "Raise the highest learning rate by a tenth of a decade, a factor of 1.26; warm-up and schedule still apply.",
        RUN,
    ),
    Key(
        "left_square_bracket",
        "[",
        "learning_rate(-1)",
        "",
        "Lower the learning rate",
        "Lower the highest learning rate by a tenth of a decade, a factor of 1.26.",
        RUN,
    ),
    Key(
        "u",
        "u",
        "undo",
        "",
        "Undo",
        "Take back the last change of a temperature, prime, learning rate, batch size or interval; u again goes on.",
        RUN,
    ),
    Key("a", "a", "answer_alert", "", "Answer the alert", "Do what the alert above the keys offers.", RUN),
    Key("escape", "esc", "dismiss_alert", "", "Dismiss the alert", "Put the alert aside until it is true again.", RUN),
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
        PLOT,
    ),
    Key("y", "y", "log", "", "Log scale or linear", "Make the losses' axis of the plot logarithmic, or linear.", PLOT),
    Key(
        "v",
        "v",
        "panes",
        "",
        "Whole run or recent part",
        "Plot the whole run, its recent part at full resolution, or where there is room both, side by side.",
        PLOT,
    ),
    Key(
        "tab",
        "tab",
        "panel(1)",
        "",
        "Next panel",
        "Go to the next panel; in a terminal that is small it takes the place of the one before.",
        SCREEN,
    ),
    Key("shift+tab", "shift+tab", "panel(-1)", "", "Panel before", "Go back to the panel before.", SCREEN),
    Key(
        "h",
        "h",
        "machine",
        "",
        "What the machine does",
        "Show what a step's time goes into, processor, memory and GPUs, and what the screen costs; or no more.",
        SCREEN,
    ),
    Key(
        "m",
        "m",
        "app.mouse",
        "",
        "Mouse off or on",
        "Leave the mouse to the terminal, to select and copy text with, or take it back.",
        SCREEN,
    ),
    Key("comma", ",", "settings", "", "Settings", "Choose colours, keys, notices and intervals for all runs.", SCREEN),
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
        "d",
        "d",
        "detach",
        "detach",
        "Detach",
        "Give the shell back and let the run go on without a screen; tweetgen-tui attach shows it again.",
        RUN,
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

PLOT_KEYS = (
    Key(
        "left,right",
        "← →",
        "",
        "",
        "Read the plot",
        "With the plot in focus (tab): move a cursor by a column; the feed goes to the tweets written there.",
        PLOT,
    ),
    Key("shift+left,shift+right", "shift+← →", "", "", "Read on faster", "Move the cursor by ten columns.", PLOT),
    Key("up,down", "↑ ↓ or wheel", "", "", "Zoom", "Zoom in or out at the cursor, else at the newest step.", PLOT),
    Key("pageup,pagedown", "pgup or drag", "", "", "Pan", "Go back by half of what is in view; pgdn goes on.", PLOT),
    Key("home", "home", "", "", "First step", "Put the cursor on the first step.", PLOT),
    Key("end", "end", "", "", "Follow", "Take the cursor away and follow the newest step.", PLOT),
    Key("escape", "esc", "", "", "Hide the cursor", "Take the cursor away; the feed follows again.", PLOT),
    Key("0", "0", "", "", "Reset the plot", "Undo zooming and panning; a double click does the same.", PLOT),
)

FEED_KEYS = (
    Key(
        "up,down",
        "↑ ↓",
        "",
        "",
        "Select a tweet",
        "Select the tweet before or after, or click on one; after the newest, none is selected.",
        TWEETS,
    ),
    Key("pageup,pagedown", "pgup pgdn", "", "", "Scroll by a page", "Go through the tweets by a page.", TWEETS),
    Key(
        "home,end",
        "home end",
        "",
        "",
        "Oldest, newest",
        "Go to the first tweet; or select none, go to the last and follow the new ones.",
        TWEETS,
    ),
    Key(
        "enter",
        "enter",
        "",
        "",
        "Open a tweet",
        "Look closely at the selected tweet, or else the newest: what the model thought at each character.",
        TWEETS,
    ),
)

BROWSER_KEYS = (
    Key("enter", "enter", "checkpoint_load", "load", "Load", "Go on from the checkpoint in this run.", LISTED),
    Key(
        "n",
        "n",
        "checkpoint_branch",
        "new run",
        "New run from it",
        "Save this run, and begin a new one from the checkpoint on its tweets; this run's curve stays for comparison.",
        LISTED,
    ),
    Key(
        "c",
        "c",
        "checkpoint_compare",
        "compare",
        "Compare",
        "Mark a checkpoint; c on another shows the two side by side.",
        LISTED,
    ),
    Key("k", "k", "checkpoint_pin", "pin", "Pin", "Keep it first and from being deleted, or no longer.", LISTED),
    Key("r", "r", "checkpoint_rename", "rename", "Rename", "Give it another name.", LISTED),
    Key("x,delete", "x", "checkpoint_delete", "delete", "Delete", "Delete the file, after a question.", LISTED),
    Key("s", "s", "checkpoint_sort", "sort", "Sort", "Sort by age, name, step or bits per character.", LISTED),
    Key("slash", "/", "checkpoint_filter", "filter", "Filter", "Type part of a name, run or corpus.", LISTED),
)

PROMPT_KEYS = (
    Key("tab", "tab", "take_word", "word", "Take a word", "Take the next word of what the model would write.", TYPING),
    Key("right", "→", "take_char", "character", "Take a character", "At the end of the line: take one.", TYPING),
    Key("enter", "enter", "send", "write it", "Write it", "Have a tweet written that begins so.", TYPING),
    Key("up", "↑", "screen.temperature(1)", "temp", "Raise the temperature", "As + does elsewhere.", TYPING),
    Key("down", "↓", "screen.temperature(-1)", "temp", "Lower the temperature", "As - does elsewhere.", TYPING),
    Key("escape", "esc", "close_line", "close", "Close the line", "Close it; p brings it back as it was.", TYPING),
)

TWEET_KEYS = (
    Key(
        "left,right,home,end",
        "← →",
        "",
        "character",
        "Go through the tweet",
        "See what the model thought at each character, and what else it would have written.",
        LOOKING,
    ),
    Key("y", "y", "copy", "copy", "Copy", "Copy the tweet to the clipboard of your terminal, also over ssh.", LOOKING),
    Key("k", "k", "pin", "pin", "Pin", "Keep the tweet with the run, or no more.", LOOKING),
    Key("c", "c", "continue", "continue", "Continue from here", "Have it written anew from the cursor on.", LOOKING),
    Key(
        "u",
        "u",
        "use_as_prime",
        "use as prime",
        "Use as prime",
        "Let all coming tweets begin with what is before the cursor; P in the main screen ends that.",
        LOOKING,
    ),
    Key("escape", "esc", "close", "close", "Close", "Close the tweet.", LOOKING),
)

PALETTE_KEYS = (
    Key("", "^p", "batch_size", "", "Batch size", "Set the batch size: the tweets that are read in one step.", RUN),
    Key(
        "",
        "^p",
        "interval('eval_every')",
        "",
        "Evaluation interval",
        "Set the evaluation interval: the steps between two readings of the validation tweets.",
        RUN,
    ),
    Key(
        "",
        "^p",
        "interval('sample_every')",
        "",
        "Tweet interval",
        "Set the tweet interval: the steps between two tweets of the feed.",
        RUN,
    ),
    Key(
        "",
        "^p",
        "save_latest",
        "",
        "Save the run now",
        "Save `latest`, from which the run can be resumed; that is done by itself too, now and then.",
        SAVED,
    ),
)
"""What has no key and is done from the palette."""

STEERING = frozenset(
    {
        *("pause", "finish", "temperature", "ladder", "sample", "prompt", "clear_prime", "pin", "save", "save_latest"),
        *("load", "learning_rate", "undo", "answer_alert", "open", "batch_size", "interval"),
    }
)
"""Actions that change the run; a read-only screen refuses them."""

PANEL_ACTIONS: dict[str, tuple[Key, ...]] = {
    "LossPlot": (
        Key("left", "←", "move(-1)", "", "Read the plot", "Put the cursor on the plot; left and right move it.", PLOT),
        Key("up", "↑", "zoom(-1)", "", "Zoom in", "Zoom in at the plot's cursor, else at the newest step.", PLOT),
        Key("down", "↓", "zoom(1)", "", "Zoom out", "Zoom out at the plot's cursor, else at the newest step.", PLOT),
        Key("pageup", "pgup", "pan(-1)", "", "Pan back", "Go back in the plot by half of what is in view.", PLOT),
        Key("pagedown", "pgdn", "pan(1)", "", "Pan on", "Go on in the plot by half of what is in view.", PLOT),
        Key("home", "home", "first", "", "First step", "Put the plot's cursor on the first step.", PLOT),
        Key("end", "end", "follow", "", "Follow the newest step", "Take the plot's cursor away, and follow.", PLOT),
        Key("0", "0", "reset", "", "Reset the plot", "Undo zooming and panning.", PLOT),
    ),
    "TweetFeed": (
        Key("home", "home", "oldest", "", "Oldest tweet", "Go to the first tweet.", TWEETS),
        Key("end", "end", "follow", "", "Newest tweet", "Go to the last tweet and follow the new ones.", TWEETS),
        Key("enter", "enter", "open", "", "Open a tweet", "Look closely at the selected tweet, or the newest.", TWEETS),
    ),
}
"""What the palette offers of the panels, by the class of the panel that does it."""


def bindings_of(keys: Iterable[Key]) -> list[BindingType]:
    """Return Textual's bindings for keys that have an action; those of the main screen can be given other keys."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            key_display=key.shown,
            tooltip=key.sentence,
            id=key.name if key in MAIN_KEYS else None,
        )
        for key in keys
        if key.action
    ]

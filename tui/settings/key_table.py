"""The key table: every key and what it does. Bindings, key bar, palette, help and the README are made from it.

No key here is one that tmux or screen take as their prefix (ctrl+b, ctrl+a) or that stops a terminal's output (ctrl+s,
ctrl+q).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass

from textual.binding import Binding, BindingType
from textual.keys import format_key


@dataclass(frozen=True)
class Key:
    """One thing that a key does."""

    keys: str
    """Textual's names of the keys, separated by commas."""
    action: str
    """An action of the widget or dialog that has the key; `steering.pause` is that of a controller of the main screen,
    `MainScreen.steering.action_pause`, and `app.mouse` that of the app."""
    title: str
    """What the palette and the help call it."""
    sentence: str
    """What it does."""
    group: str
    """Heading in the help."""
    _: KW_ONLY
    label: str = ""
    """One short word for the key bar, the same for neighbours that share it; empty for a key that is not in the bar."""
    symbols: str = ""
    """The keys as they are shown, where their names would not do."""
    opens: bool = False
    """Whether its action itself opens a line or a dialog: what is typed right after it is meant for that."""

    @property
    def name(self) -> str:
        """What `config.toml` calls it: the action in letters, `temperature(-1)` as `temperature_down`."""
        action = self.action.rpartition(".")[2].replace("(-1)", "_down").replace("(1)", "_up")
        return re.sub(r"\W+", "_", action).strip("_")

    @property
    def textual_action(self) -> str:
        """The action in Textual's syntax, where the main screen dispatches those of its controllers."""
        call, _, arguments = self.action.partition("(")
        if "." not in call or call.startswith("app."):
            return self.action
        return f"screen.dispatch({', '.join(filter(None, (repr(call), arguments.removesuffix(')'))))})"

    @property
    def shown(self) -> str:
        """The keys as people know them."""
        return self.symbols or shown_keys(self.keys)


def shown_keys(keys: str) -> str:
    """Return Textual's names of keys as people know them."""
    return " ".join(format_key(key).replace("ctrl+", "^") for key in keys.split(","))


RUN, TWEETS, SAVED, SCREEN = "The run", "Tweets", "Checkpoints", "The screen"
PLOT = "The loss plot"
TYPING, LOOKING = "While you type a beginning", "In a tweet that is open"
LISTED = "In the list of checkpoints"

MAIN_KEYS = (
    Key("space", "steering.pause", "Pause or resume", "Pause the training, or go on with it.", RUN, label="pause"),
    Key(
        "f",
        "steering.finish",
        "Finish, or not yet",
        "Finish: anneal the learning rate to zero over the next 10 % of the steps, then stop; f again takes it back.",
        RUN,
        label="end",
    ),
    Key(
        "plus,equals_sign",
        "steering.temperature(1)",
        "Raise the temperature",
        "Raise the temperature by 0.05, up to 5: wilder from the next character on.",
        TWEETS,
        label="temp",
        symbols="+",
    ),
    Key(
        "minus,underscore",
        "steering.temperature(-1)",
        "Lower the temperature",
        "Lower the temperature by 0.05, down to 0.05: safer, and more repetitive.",
        TWEETS,
        label="temp",
        symbols="-",
    ),
    Key(
        "t",
        "sampling.ladder",
        "Temperature ladder",
        "Write one tweet at each of seven temperatures, from the same seed and prime.",
        TWEETS,
        label="temp",
        opens=True,
    ),
    Key("g", "sampling.sample", "Write a tweet now", "Write one more tweet, also while paused.", TWEETS, label="tweet"),
    Key(
        "p",
        "sampling.prompt",
        "Type a beginning",
        "Type how a tweet begins: the model goes on with it as you type, and writes it when you press enter.",
        TWEETS,
        label="type",
        opens=True,
    ),
    Key(
        "P",
        "tweet_details.clear_prime",
        "Begin tweets with nothing",
        "Let tweets begin as the model likes, where they were made to begin with a text.",
        TWEETS,
    ),
    Key(
        "k",
        "pins_and_export.pin",
        "Pin a tweet",
        "Keep the selected tweet, or else the newest, with the run; or no more.",
        TWEETS,
    ),
    Key(
        "K",
        "pins_and_export.pins_only",
        "Pins only, or all tweets",
        "Show only the tweets that are pinned, or all again.",
        TWEETS,
    ),
    Key(
        "c",
        "pins_and_export.colours",
        "Colour tweets by surprise",
        "Colour each character by how much it surprised the model: the brighter, the less likely; or no more.",
        TWEETS,
    ),
    Key(
        "e",
        "pins_and_export.export",
        "Export tweets",
        "Write the tweets of the feed, or the pins, to a file: plain lines, a table or events.",
        TWEETS,
        opens=True,
    ),
    Key(
        "s",
        "checkpoints.save",
        "Save a checkpoint",
        "Save the model, and all that a run needs to go on, under a name.",
        SAVED,
        label="save",
        opens=True,
    ),
    Key(
        "l",
        "checkpoints.load",
        "Load a checkpoint",
        "List the saved checkpoints, and go on from the one you choose.",
        SAVED,
        label="load",
        opens=True,
    ),
    Key(
        "right_square_bracket",
        "steering.learning_rate(1)",
        "Raise the learning rate",
        "Raise the highest learning rate by a tenth of a decade, a factor of 1.26; warm-up and schedule still apply.",
        RUN,
    ),
    Key(
        "left_square_bracket",
        "steering.learning_rate(-1)",
        "Lower the learning rate",
        "Lower the highest learning rate by a tenth of a decade, a factor of 1.26.",
        RUN,
    ),
    Key(
        "u",
        "steering.undo",
        "Undo",
        "Take back the last change of a temperature, prime, learning rate, batch size or interval; u again goes on.",
        RUN,
    ),
    Key("a", "steering.answer_alert", "Answer the alert", "Do what the alert above the keys offers.", RUN),
    Key("escape", "steering.dismiss_alert", "Dismiss the alert", "Put the alert aside until it is true again.", RUN),
    Key(
        "o",
        "open_tweets.open",
        "Open other tweets",
        "Choose a file, folder or archive, or drop one in: the run is saved, and a new one starts on it.",
        RUN,
        label="open",
        opens=True,
    ),
    Key(
        "b",
        "panels.unit",
        "Nats or bits",
        "Switch the plot between nats and bits per character (nats / ln 2).",
        PLOT,
        label="bits",
    ),
    Key("y", "panels.log", "Log scale or linear", "Make the losses' axis of the plot logarithmic, or linear.", PLOT),
    Key(
        "v",
        "panels.panes",
        "Whole run or recent part",
        "Plot the whole run, its recent part at full resolution, or where there is room both, side by side.",
        PLOT,
    ),
    Key(
        "tab",
        "panels.panel(1)",
        "Next panel",
        "Go to the next panel; in a terminal that is small it takes the place of the one before.",
        SCREEN,
    ),
    Key("shift+tab", "panels.panel(-1)", "Panel before", "Go back to the panel before.", SCREEN),
    Key(
        "h",
        "panels.machine",
        "What the machine does",
        "Show what a step's time goes into, processor, memory and GPUs, and what the screen costs; or no more.",
        SCREEN,
    ),
    Key(
        "m",
        "app.mouse",
        "Mouse off or on",
        "Leave the mouse to the terminal, to select and copy text with, or take it back.",
        SCREEN,
    ),
    Key(
        "comma",
        "preferences.settings",
        "Settings",
        "Choose colours, keys, notices and intervals for all runs.",
        SCREEN,
        opens=True,
    ),
    Key(
        "question_mark",
        "preferences.help",
        "Help",
        "Show every key, and how to read the screen.",
        SCREEN,
        label="help",
        opens=True,
    ),
    Key(
        "ctrl+p",
        "app.command_palette",
        "Palette",
        "Search all of these by name, and choose a theme.",
        SCREEN,
        label="menu",
        opens=True,
    ),
    Key(
        "d",
        "leaving.detach",
        "Detach",
        "Give the shell back and let the run go on without a screen; tweetgen-tui attach shows it again.",
        RUN,
        label="detach",
    ),
    Key(
        "q",
        "leaving.leave",
        "Quit",
        "Stop, save `latest`, leave; ctrl+c does the same, and pressed twice leaves at once.",
        RUN,
        label="quit",
    ),
)

PLOT_KEYS = (
    Key(
        "left",
        "move(-1)",
        "Read the plot",
        "With the plot in focus (tab): move its cursor back by a column; the feed goes to the tweets written there.",
        PLOT,
    ),
    Key("right", "move(1)", "Read on", "Move the plot's cursor on by a column.", PLOT),
    Key(
        "shift+left",
        "move(-10)",
        "Read back faster",
        "Move the plot's cursor back by ten columns.",
        PLOT,
        symbols="shift+←",
    ),
    Key(
        "shift+right",
        "move(10)",
        "Read on faster",
        "Move the plot's cursor on by ten columns.",
        PLOT,
        symbols="shift+→",
    ),
    Key(
        "up",
        "zoom(-1)",
        "Zoom in",
        "Zoom in at the plot's cursor, else at the newest step.",
        PLOT,
        symbols="↑ or wheel",
    ),
    Key(
        "down",
        "zoom(1)",
        "Zoom out",
        "Zoom out at the plot's cursor, else at the newest step.",
        PLOT,
        symbols="↓ or wheel",
    ),
    Key(
        "pageup", "pan(-1)", "Pan back", "Go back in the plot by half of what is in view.", PLOT, symbols="pgup or drag"
    ),
    Key("pagedown", "pan(1)", "Pan on", "Go on in the plot by half of what is in view.", PLOT, symbols="pgdn or drag"),
    Key("home", "first", "First step", "Put the plot's cursor on the first step.", PLOT),
    Key("end", "follow", "Follow the newest step", "Take the plot's cursor away, and follow.", PLOT),
    Key("escape", "hide_cursor", "Hide the cursor", "Take the plot's cursor away; the feed follows again.", PLOT),
    Key("0", "reset", "Reset the plot", "Undo zooming and panning; a double click does the same.", PLOT),
)

FEED_KEYS = (
    Key("up", "move(-1)", "Tweet before", "Select the tweet before, or click on one.", TWEETS),
    Key("down", "move(1)", "Tweet after", "Select the tweet after; after the newest, none is selected.", TWEETS),
    Key("pageup", "page(-1)", "Page back", "Go back through the tweets by a page.", TWEETS),
    Key("pagedown", "page(1)", "Page on", "Go on through the tweets by a page.", TWEETS),
    Key("home", "oldest", "Oldest tweet", "Go to the first tweet.", TWEETS),
    Key("end", "follow", "Newest tweet", "Select none, go to the last tweet and follow the new ones.", TWEETS),
    Key(
        "enter",
        "open",
        "Open a tweet",
        "Look closely at the selected tweet, or else the newest: what the model thought at each character.",
        TWEETS,
        symbols="enter",
    ),
)

BROWSER_KEYS = (
    Key(
        "enter",
        "checkpoint_load",
        "Load",
        "Go on from the checkpoint in this run.",
        LISTED,
        label="load",
        symbols="enter",
    ),
    Key(
        "n",
        "checkpoint_branch",
        "New run from it",
        "Save this run, and begin a new one from the checkpoint on its tweets; this run's curve stays for comparison.",
        LISTED,
        label="new run",
        opens=True,
    ),
    Key(
        "c",
        "checkpoint_compare",
        "Compare",
        "Mark a checkpoint; c on another shows the two side by side.",
        LISTED,
        label="compare",
        opens=True,
    ),
    Key("k", "checkpoint_pin", "Pin", "Keep it first and from being deleted, or no longer.", LISTED, label="pin"),
    Key("r", "checkpoint_rename", "Rename", "Give it another name.", LISTED, label="rename", opens=True),
    Key(
        "x,delete",
        "checkpoint_delete",
        "Delete",
        "Delete the file, after a question.",
        LISTED,
        label="delete",
        symbols="x",
        opens=True,
    ),
    Key("s", "checkpoint_sort", "Sort", "Sort by age, name, step or bits per character.", LISTED, label="sort"),
    Key(
        "slash",
        "checkpoint_filter",
        "Filter",
        "Type part of a name, run or corpus.",
        LISTED,
        label="filter",
        opens=True,
    ),
)

PROMPT_KEYS = (
    Key("tab", "take_word", "Take a word", "Take the next word of what the model would write.", TYPING, label="word"),
    Key("right", "take_char", "Take a character", "At the end of the line: take one.", TYPING, label="character"),
    Key("enter", "send", "Write it", "Have a tweet written that begins so.", TYPING, label="write it", symbols="enter"),
    Key("up", "steering.temperature(1)", "Raise the temperature", "As + does elsewhere.", TYPING, label="temp"),
    Key("down", "steering.temperature(-1)", "Lower the temperature", "As - does elsewhere.", TYPING, label="temp"),
    Key("escape", "close_line", "Close the line", "Close it; p brings it back as it was.", TYPING, label="close"),
)

TWEET_KEYS = (
    Key(
        "left,right,home,end",
        "",
        "Go through the tweet",
        "See what the model thought at each character, and what else it would have written.",
        LOOKING,
        label="character",
        symbols="← →",
    ),
    Key("y", "copy", "Copy", "Copy the tweet to the clipboard of your terminal, also over ssh.", LOOKING, label="copy"),
    Key("k", "pin", "Pin", "Keep the tweet with the run, or no more.", LOOKING, label="pin"),
    Key("c", "continue", "Continue from here", "Have it written anew from the cursor on.", LOOKING, label="continue"),
    Key(
        "u",
        "use_as_prime",
        "Use as prime",
        "Let all coming tweets begin with what is before the cursor; P in the main screen ends that.",
        LOOKING,
        label="use as prime",
    ),
    Key("escape", "close", "Close", "Close the tweet.", LOOKING, label="close"),
)

PALETTE_KEYS = (
    Key(
        "",
        "steering.batch_size",
        "Batch size",
        "Set the batch size: the tweets that are read in one step.",
        RUN,
        symbols="^p",
    ),
    Key(
        "",
        "steering.interval('eval_every')",
        "Evaluation interval",
        "Set the evaluation interval: the steps between two readings of the validation tweets.",
        RUN,
        symbols="^p",
    ),
    Key(
        "",
        "steering.interval('sample_every')",
        "Tweet interval",
        "Set the tweet interval: the steps between two tweets of the feed.",
        RUN,
        symbols="^p",
    ),
    Key(
        "",
        "checkpoints.save_latest",
        "Save the run now",
        "Save `latest`, from which the run can be resumed; that is done by itself too, now and then.",
        SAVED,
        symbols="^p",
    ),
)
"""What has no key and is done from the palette."""

STEERING = frozenset(
    {
        "steering.pause",
        "steering.finish",
        "steering.temperature",
        "sampling.ladder",
        "sampling.sample",
        "sampling.prompt",
        "tweet_details.clear_prime",
        "pins_and_export.pin",
        "checkpoints.save",
        "checkpoints.save_latest",
        "checkpoints.load",
        "steering.learning_rate",
        "steering.undo",
        "steering.answer_alert",
        "open_tweets.open",
        "steering.batch_size",
        "steering.interval",
    }
)
"""Actions that change the run; a read-only screen refuses them."""

PANEL_KEYS = {"": (*MAIN_KEYS, *PALETTE_KEYS), "LossPlot": PLOT_KEYS, "TweetFeed": FEED_KEYS}
"""What the palette offers, by the class of the panel that does it; of the main screen for ""."""


def opening(keys: Iterable[Key]) -> frozenset[str]:
    """Return Textual's names of the keys that open a line or a dialog."""
    return frozenset(name for key in keys if key.opens for name in key.keys.split(","))


def bindings_of(keys: Iterable[Key]) -> list[BindingType]:
    """Return Textual's bindings for keys; those of the main screen can be given other keys."""
    return [
        Binding(
            key.keys,
            key.textual_action,
            key.label,
            key_display=key.shown,
            tooltip=key.sentence,
            id=key.name if key in MAIN_KEYS else None,
        )
        for key in keys
        if key.action
    ]

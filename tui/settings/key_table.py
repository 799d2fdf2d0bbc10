"""The key table: every key and what it does, a line each. Bindings, bars, palette, help and docs are made from it.

No key is a prefix of tmux or screen (ctrl+b, ctrl+a), or stops and starts a terminal's output (ctrl+s, ctrl+q).
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from textual.keys import format_key

if TYPE_CHECKING:
    from tui.run.model import Need

MainPlace = Literal["train", "sample", "read", "model", "losses", "save", "program"]
"""Groups of the keys that act on the main screen whichever panel has the focus, by purpose."""
Panel = Literal["feed", "plot", "prompt", "grid", "xray"]
Dialog = Literal["tweet", "batch", "checkpoints", "ladder", "question", "settings", "dialog"]
Place = MainPlace | Panel | Dialog | Literal["xray screen", "lesson"]


@dataclass(frozen=True)
class Key:
    """One action, and the keys for it."""

    place: Place = field(compare=False)
    """Where the key acts; one that acts the same way in two places has a row for each."""
    keys: str
    """Textual's names of the keys, separated by commas; empty for an action of the palette only."""
    action: str
    """In Textual's syntax: `steering.pause` is `app.steering.action_pause`; the app has `main`, `panels`, `feed`, `plot`,
    `files` and `leaving`, too. `app.mouse` is an action of the app, `screen.edit` one of the screen on top,
    and a name without a dot one of the widget or dialog whose key it is."""
    title: str = ""
    """The name of the action in palette, help and settings."""
    label: str = ""
    """One short word for the key bar, shared by neighbours; empty for a key that is not in the bar."""
    needs: tuple[Need, ...] = ()
    """What the action requires; the reason of the first one that is not met is shown."""
    sentence: str = ""
    """What the action does."""
    _: KW_ONLY
    symbols: str = ""
    """The keys as they are shown, where Textual's names are unsuitable."""
    rank: int = 100
    """The place in the order in which a bar that gets narrower keeps its keys: 1 is the last to go."""
    opens: bool = False
    """Whether the action opens a line or a dialog at once: keys typed right after it go there."""

    @property
    def name(self) -> str:
        """The name in `config.toml`: the action in letters, `steering.temperature(-1)` as `temperature_down`."""
        action = self.action.rpartition(".")[2].replace("(-1)", "_down").replace("(1)", "_up")
        return re.sub(r"\W+", "_", action).strip("_")

    @property
    def shown(self) -> str:
        """The keys as they are shown; of an action without one, how the palette offers it."""
        return self.symbols or shown_keys(self.keys) or f"^p {self.title}"


def shown_keys(keys: str) -> str:
    """Return Textual's names of keys as they are shown: `?` for `question_mark`, `^p` for `ctrl+p`."""
    return " ".join(format_key(key).replace("ctrl+", "^") for key in keys.split(","))


def keys_of(*places: Place) -> tuple[Key, ...]:
    """Return the rows of these places, in the order of the table."""
    return tuple(key for key in KEYS if key.place in places)


# fmt: off
KEYS = (
    Key("train", "space",                "steering.pause",                  "Pause or resume",           "pause",  ("pausing",),                  "Pause or resume the training; continue a run that is finished.", rank=4),
    Key("train", "full_stop",            "steering.step",                   "Take one step",             "step",   ("commands", "steps to come"), "Take one training step while paused, and show what it changed; while training, pause first.", rank=40),
    Key("train", "f",                    "steering.finish",                 "Finish, or cancel that",    "finish", ("commands",),                 "Finish: anneal the learning rate to zero over the next 10 % of the steps, then stop. f again cancels.", rank=31),
    Key("train", "right_square_bracket", "steering.learning_rate(1)",       "Raise the learning rate",   "",       ("commands",),                 "Raise the learning rate by 26 % (the schedule still applies)."),
    Key("train", "left_square_bracket",  "steering.learning_rate(-1)",      "Lower the learning rate",   "",       ("commands",),                 "Lower the learning rate by 21 % (the schedule still applies)."),
    Key("train", "",                     "steering.change",                 "Change the budget",         "",       ("commands",),                 "Let the run train longer: more steps, more time, more epochs, or without limit.", opens=True),
    Key("train", "",                     "steering.batch_size",             "Batch size",                "",       ("commands",),                 "Set the batch size: the number of tweets in a step."),
    Key("train", "",                     "steering.speed_limit",            "Speed limit",               "",       ("commands",),                 "Limit the steps per second, to watch the model learn; 0: no limit."),
    Key("train", "",                     "steering.interval('eval_every')", "Steps between evaluations", "",       ("commands",),                 "Set the number of steps between two evaluations on the validation tweets."),
    Key("train", "u",                    "steering.undo",                   "Undo",                      "",       ("commands", "a change"),      "Undo the last change of temperature, prime, filter, learning rate, batch size, interval or speed limit; u again: the one before."),
    Key("train", "a",                    "steering.answer_alert",           "Answer the alert",          "",       ("an alert", "steering"),      "Do what the alert offers."),
    Key("train", "escape",               "steering.dismiss_alert",          "Dismiss the alert",         "",       (),                            "Dismiss the alert; it returns if the problem recurs."),

    Key("sample", "plus,equals_sign", "steering.temperature(1)",           "Raise the temperature", "temp",   ("commands",),           "Raise the temperature by 0.05, up to 5: more random from the next character on.", symbols="+", rank=15),
    Key("sample", "minus,underscore", "steering.temperature(-1)",          "Lower the temperature", "temp",   ("commands",),           "Lower the temperature by 0.05, down to 0.05: more predictable, and more repetitive.", symbols="-"),
    Key("sample", "t",                "main.ladder",                       "Temperature ladder",    "ladder", ("commands",),           "Sample one tweet at each of seven temperatures, from the same seed and prime.", opens=True, rank=32),
    Key("sample", "slash",            "main.filter",                       "Filter tweets",         "",       ("commands",),           "Sample only tweets that are new, without some words, with a text, of a length, or the best of several; also top-k, top-p and min-p.", opens=True),
    Key("sample", "g",                "main.sample",                       "Sample a tweet now",    "tweet",  ("commands",),           "Sample one more tweet, also while paused.", rank=22),
    Key("sample", "p",                "main.prompt",                       "Type a prompt",         "prompt", ("commands",),           "Type a prompt: the model completes it as you type, and enter samples the tweet.", opens=True, rank=23),
    Key("sample", "P",                "main.clear_prime",                  "Clear the prime",       "",       ("commands", "a prime"), "Clear the prime, the text that all new tweets begin with."),
    Key("sample", "",                 "steering.interval('sample_every')", "Steps between tweets",  "",       ("commands",),           "Set the number of steps between two tweets of the feed."),

    Key("read", "y", "main.copy",      "Copy the tweet",             "copy", ("a tweet",),            "Copy the selected tweet, or else the newest, to your terminal's clipboard, also over ssh.", rank=18),
    Key("read", "k", "main.pin",       "Pin or unpin the tweet",     "pin",  ("steering", "a tweet"), "Pin or unpin the tweet.", rank=17),
    Key("read", "K", "feed.pins_only", "Pinned tweets only, or all", "",     (),                      "Show only pinned tweets, or all again."),
    Key("read", "c", "feed.colours",   "Colour tweets by surprise",  "",     (),                      "Colour each character by surprise: the brighter, then bold or underlined, the less likely it was to the model. c again: off."),
    Key("read", "e", "files.export",   "Export tweets",              "",     ("files",),              "Write the tweets of the feed, or the pinned ones, to a .txt, .csv or .jsonl file.", opens=True),

    Key("model", "x", "main.open_xray",  "X-ray",                  "x-ray", (),           "Look into the model along the selected tweet, or else the newest; if that is of step 0, a training tweet.", opens=True, rank=28),
    Key("model", "B", "main.show_batch", "Batch of the last step", "batch", ("answers",), "Show the batch of the last step as a grid, with its padding and token ids; . takes the next step there.", opens=True),

    Key("losses", "b", "panels.unit",   "Bits or nats",               "bits/nats", (),         "Show all losses in bits or in nats per character (1 bit is ln 2 nats)."),
    Key("losses", "L", "plot.log",      "Log or linear scale",        "",          (),         "Make the plot's loss axis logarithmic or linear."),
    Key("losses", "r", "plot.levels",   "Reference levels on or off", "",          (),         "Show or hide the levels that the model has to get below: uniform, unigram, bigram and the best n-gram."),
    Key("losses", "i", "panels.legend", "Legend of the plot",         "",          ("steps",), "Explain the lines, points and letters in the plot; again for the next page or to close it."),
    Key("losses", "v", "plot.panes",    "Whole run or recent part",   "",          ("steps",), "Plot the whole run, its recent part at full resolution, or both side by side where there is room."),

    Key("save", "s", "files.save",        "Save a checkpoint", "save", ("commands",),  "Save the weights, and all that is needed to resume, under a name.", opens=True, rank=25),
    Key("save", "l", "files.load",        "Load a checkpoint", "load", ("switching",), "List the checkpoints, to load one or start a new run from it.", opens=True, rank=26),
    Key("save", "",  "files.save_latest", "Save the run now",  "",     ("commands",),  "Save `latest`, the checkpoint to resume from, without waiting for the autosave."),

    Key("program", "o",             "files.open",          "Open other tweets", "open",   ("switching",),      "Open a file, folder or archive, or drop one in: this run is saved, and a new one starts on it.", opens=True, rank=24),
    Key("program", "d",             "leaving.detach",      "Detach",            "detach", ("a run to leave",), "Return to the shell; the run continues without a screen, and tweetgen-tui attach shows it again.", rank=29),
    Key("program", "q",             "leaving.leave",       "Quit",              "quit",   (),                  "Stop, save `latest` and quit. ctrl+c does the same; pressed twice, it quits at once.", rank=6),
    Key("program", "",              "leaving.lesson",      "The lesson",        "",       ("a terminal",),     "Save and stop this run, and open the guided lesson: each idea of the tutorial on a small model."),
    Key("program", "tab",           "panels.panel(1)",     "Next panel",        "",       (),                  "Focus the next panel; a small terminal shows one at a time."),
    Key("program", "shift+tab",     "panels.panel(-1)",    "Previous panel",    "",       (),                  "Focus the previous panel."),
    Key("program", "h",             "panels.machine",      "More of the run",   "",       (),                  "Show what did not fit, page by page: the time per step, processor, memory and GPUs, what the screen costs, model and tweets, why rows were left out, the values of the run in full."),
    Key("program", "m",             "app.mouse",           "Mouse on or off",   "",       (),                  "Release the mouse to the terminal, to select and copy text, or recapture it."),
    Key("program", "comma",         "app.settings",        "Settings",          "",       (),                  "Choose colours, notifications and intervals for all runs.", opens=True),
    Key("program", "question_mark", "app.help",            "Help",              "help",   (),                  "Show all keys, and how to read the screen.", opens=True, rank=5),
    Key("program", "ctrl+p",        "app.command_palette", "Menu",              "menu",   (),                  "Search all actions by name, or choose a theme.", opens=True, rank=30),

    Key("feed", "up",       "move(-1)", "Previous tweet", "",     (),           "Select the previous tweet; a click selects one, too."),
    Key("feed", "down",     "move(1)",  "Next tweet",     "",     (),           "Select the next tweet; after the newest, none is selected.", rank=33),
    Key("feed", "pageup",   "page(-1)", "Page up",        "",     (),           "Scroll up by a page."),
    Key("feed", "pagedown", "page(1)",  "Page down",      "",     (),           "Scroll down by a page."),
    Key("feed", "home",     "oldest",   "Oldest tweet",   "",     (),           "Scroll to the first tweet."),
    Key("feed", "end",      "follow",   "Newest tweet",   "",     (),           "Clear the selection, scroll to the end and follow new tweets."),
    Key("feed", "enter",    "read",     "Open a tweet",   "read", ("a tweet",), "Open the selected tweet, or else the newest: what the model predicted at each character.", symbols="enter", rank=16),

    Key("plot", "left",        "move_cursor(-1)",  "Move the plot's cursor",   "cursor", (), "Move the cursor left by a column; the feed scrolls to the tweets sampled there."),
    Key("plot", "right",       "move_cursor(1)",   "Plot cursor right",        "cursor", (), "Move the cursor right by a column.", rank=19),
    Key("plot", "shift+left",  "move_cursor(-10)", "Plot cursor left by ten",  "",       (), "Move the cursor left by ten columns.", symbols="shift+←"),
    Key("plot", "shift+right", "move_cursor(10)",  "Plot cursor right by ten", "",       (), "Move the cursor right by ten columns.", symbols="shift+→"),
    Key("plot", "up",          "zoom(-1)",         "Zoom in",                  "zoom",   (), "Zoom in at the cursor, or else at the newest step; the wheel zooms at the pointer."),
    Key("plot", "down",        "zoom(1)",          "Zoom out",                 "zoom",   (), "Zoom out at the cursor, or else at the newest step.", rank=20),
    Key("plot", "pageup",      "pan(-1)",          "Pan left",                 "",       (), "Pan left by half of the steps in view.", symbols="pgup or drag"),
    Key("plot", "pagedown",    "pan(1)",           "Pan right",                "",       (), "Pan right by half of the steps in view.", symbols="pgdn or drag"),
    Key("plot", "home",        "first",            "First step",               "",       (), "Move the cursor to the first step."),
    Key("plot", "end",         "follow",           "Follow the newest step",   "",       (), "Hide the cursor, and follow the newest step."),
    Key("plot", "escape",      "hide_cursor",      "Hide the plot's cursor",   "",       (), "Close the legend, or hide the cursor: the feed follows again."),
    Key("plot", "0",           "reset",            "Reset the plot",           "reset",  (), "Undo zooming and panning; a double click does the same.", rank=21),

    Key("prompt", "tab",    "accept_word",              "Accept a word",         "word",      (),            "Accept the next word of the completion.", rank=14),
    Key("prompt", "right",  "accept_char",              "Accept a character",    "character", (),            "At the end of the line, accept the next character of the completion."),
    Key("prompt", "enter",  "send",                     "Sample",                "sample",    (),            "Sample a tweet that begins with the prompt and goes on as the completion, unless the model has changed or the filter refuses it.", symbols="enter", rank=13),
    Key("prompt", "up",     "steering.temperature(1)",  "Raise the temperature", "temp",      ("commands",), "Raise the temperature, as + does elsewhere.", rank=15),
    Key("prompt", "down",   "steering.temperature(-1)", "Lower the temperature", "temp",      ("commands",), "Lower the temperature, as - does elsewhere."),
    Key("prompt", "ctrl+r", "refresh",                  "Complete again",        "again",     (),            "Complete the line in another way, with the model as it is now; until a key is pressed, the completion stays."),
    Key("prompt", "ctrl+x", "xray",                     "X-ray",                 "x-ray",     (),            "Look into the model: what it computes along the prompt."),
    Key("prompt", "escape", "close_line",               "Close the line",        "close",     (),            "Close the line; p opens it again with its text."),

    Key("tweet", "left,right,home,end", "",             "Move the cursor",   "move",    (),            "Move the cursor: what the model predicted at each character, and what else was likely.", symbols="←→"),
    Key("tweet", "y",                   "copy",         "Copy",              "copy",    (),            "Copy the tweet to your terminal's clipboard, also over ssh.", rank=18),
    Key("tweet", "k",                   "pin",          "Pin",               "pin",     ("steering",), "Pin or unpin the tweet.", rank=17),
    Key("tweet", "c",                   "colours",      "Surprise colours",  "colours", (),            "Switch the surprise colours off or on."),
    Key("tweet", "n",                   "continue",     "New end from here", "new end", ("commands",), "Sample a new end from the cursor on."),
    Key("tweet", "P",                   "use_as_prime", "Use as prime",      "prime",   ("commands",), "Begin all new tweets with the text before the cursor; P again clears it."),
    Key("tweet", "x",                   "xray",         "X-ray",             "x-ray",   (),            "Look into the model: what it computes along the tweet."),
    Key("tweet", "escape",              "close",        "Close",             "close",   (),            "Close the tweet.", rank=10),

    Key("grid", "up",       "row(-1)",      "Previous tweet",     "", (), "Select the previous tweet, whose token ids are shown below the grid."),
    Key("grid", "down",     "row(1)",       "Next tweet",         "", (), "Select the next tweet; a click selects one, and the wheel scrolls."),
    Key("grid", "pageup",   "page(-1)",     "Page up",            "", (), "Scroll up by a page."),
    Key("grid", "pagedown", "page(1)",      "Page down",          "", (), "Scroll down by a page."),
    Key("grid", "left",     "columns(-1)",  "Earlier time steps", "", (), "Scroll left by eight time steps."),
    Key("grid", "right",    "columns(1)",   "Later time steps",   "", (), "Scroll right by eight time steps."),
    Key("grid", "home",     "first_column", "First time step",    "", (), "Scroll to the first time step, where each tweet has <BOS>."),
    Key("grid", "end",      "last_column",  "Last time step",     "", (), "Scroll to the end of the longest tweet."),

    Key("batch", "full_stop",     "step",    "Take one step",    "", (), "Take one step, and show its batch; while training, pause first."),
    Key("batch", "question_mark", "explain", "Explain the grid", "", (), "Explain the grid in five sentences, or show it again."),
    Key("batch", "escape",        "close",   "Close",            "", (), "Close the batch."),

    Key("xray", "left",                 "move(-1)",      "Previous character",      "",               (), "Move the cursor left by a character; a click moves it, too."),
    Key("xray", "right",                "move(1)",       "Next character",          "",               (), "Move the cursor right by a character.", rank=33),
    Key("xray", "home",                 "move_to_start", "Start of the text",       "",               (), "Move the cursor to the start of the text."),
    Key("xray", "end",                  "move_to_end",   "End of the text",         "",               (), "Move the cursor to the end of the text."),
    Key("xray", "up",                   "move_line(-1)", "Line up",                 "unit",           (), "Move the cursor up by a line; in the view of units, select the one above."),
    Key("xray", "down",                 "move_line(1)",  "Line down",               "unit",           (), "Move the cursor down by a line; in the view of units, select the one below.", rank=36),
    Key("xray", "enter",                "move(1)",       "Step",                    "next character", (), "Feed the model the next character.", symbols="enter", rank=33),
    Key("xray", "1",                    "view('step')",  "Step",                    "",               (), "Step by step: what goes in, the hidden state, the prediction and its loss."),
    Key("xray", "2",                    "view('gates')", "Gates",                   "",               (), "Reset gate r, update gate z and candidate n of all units along the text."),
    Key("xray", "3",                    "view('reach')", "Reach",                   "",               (), "How much each earlier character matters to the prediction at the cursor."),
    Key("xray", "4",                    "view('units')", "Units",                   "",               (), "Hidden units that track something; hold one at a value and see what changes."),
    Key("xray", "5",                    "view('map')",   "Map",                     "",               (), "The characters by the two main components of their embeddings."),
    Key("xray", "tab",                  "next_view(1)",  "Next view",               "view",           (), "Show the next view; a click on its name shows any.", rank=12),
    Key("xray", "shift+tab",            "next_view(-1)", "Previous view",           "",               (), "Show the previous view."),
    Key("xray", "g",                    "own_draws",     "Own draws",               "own draws",      (), "From the cursor on, feed the model its own draws beside the text; g again: the text only.", rank=34),
    Key("xray", "n",                    "redraw",        "New draws",               "again",          (), "Sample new characters of the model's own, or new tweets of a unit."),
    Key("xray", "v",                    "variant",       "Another gate or measure", "variant",        (), "Gates: the next gate, or as many as fit. Reach: by hiding characters (occlusion), or by the gradient.", rank=38),
    Key("xray", "V",                    "layer",         "Layer",                   "layer",          (), "Show the next layer of a model that has several."),
    Key("xray", "left_square_bracket",  "hold(-1)",      "Lower the held unit",     "hold",           (), "Hold the selected unit at a lower value."),
    Key("xray", "right_square_bracket", "hold(1)",       "Raise the held unit",     "hold",           (), "Hold the selected unit at a higher value.", rank=35),
    Key("xray", "0,backspace",          "free",          "Free the unit",           "free",           (), "Let the held unit go.", symbols="0", rank=37),
    Key("xray", "w",                    "follow",        "Follow or hold still",    "",               (), "Follow the training, or keep what is shown."),
    Key("xray", "question_mark",        "explain",       "Explain",                 "explain",        (), "Explain the view; ? again: the view.", rank=11),

    Key("xray screen", "p",         "screen.edit",           "Type a text",     "text",  (),                            "Type a text to look at.", opens=True, rank=39),
    Key("xray screen", "B",         "screen.training_tweet", "Training tweet",  "tweet", ("answers",),                  "Look at the next training tweet of the last batch."),
    Key("xray screen", "space",     "steering.pause",        "Pause or resume", "pause", ("pausing",),                  "Pause or resume the training; continue a run that is finished.", rank=4),
    Key("xray screen", "full_stop", "steering.step",         "Take one step",   "step",  ("commands", "steps to come"), "Take one training step while paused, and show what it changed; while training, pause first.", rank=40),
    Key("xray screen", "m",         "app.mouse",             "Mouse on or off", "",      (),                            "Release the mouse to the terminal, to select and copy text, or recapture it."),
    Key("xray screen", "escape,q",  "screen.close",          "Close",           "close", (),                            "Close the X-ray.", symbols="esc", rank=10),

    Key("checkpoints", "enter",            "checkpoint_load",     "Load",                        "load",    (), "Load the checkpoint into this run, after a question; the run as it is now is saved first.", symbols="enter", opens=True),
    Key("checkpoints", "n",                "checkpoint_branch",   "New run from it",             "new run", (), "Save this run, and start a new one from the checkpoint on its tweets; this run's curve stays for comparison.", opens=True),
    Key("checkpoints", "equals_sign",      "checkpoint_compare",  "Compare",                     "compare", (), "Mark a checkpoint; = on another compares the two.", opens=True),
    Key("checkpoints", "k",                "checkpoint_pin",      "Pin",                         "pin",     (), "Pin or unpin it: pinned ones come first and can't be deleted."),
    Key("checkpoints", "R",                "checkpoint_rename",   "Rename",                      "rename",  (), "Rename it.", opens=True),
    Key("checkpoints", "delete,backspace", "checkpoint_delete",   "Delete",                      "delete",  (), "Delete it, after a confirmation.", symbols="del", opens=True),
    Key("checkpoints", "left",             "checkpoint_sort(-1)", "Sort by the previous column", "sort",    (), "Sort by the previous column."),
    Key("checkpoints", "right",            "checkpoint_sort(1)",  "Sort by the next column",     "sort",    (), "Sort by the next column: name, step, validation loss, size or age."),
    Key("checkpoints", "slash",            "checkpoint_filter",   "Filter",                      "filter",  (), "Filter by name, run or corpus.", opens=True, rank=27),
    Key("checkpoints", "escape",           "close",               "Close",                       "close",   (), "Close the filter, or the list.", rank=10),

    Key("ladder", "t", "roll", "Another ladder", "", (), "In the temperature ladder: sample another, from another seed."),

    Key("question", "y", "answer('y')", "Yes",               "", (), "In a question: yes."),
    Key("question", "d", "answer('d')", "Detach instead",    "", (), "Where q asks whether to stop the run: detach from it."),
    Key("question", "a", "answer('a')", "Apply the remedy",  "", (), "Where a run has failed: do what the message offers."),
    Key("question", "o", "answer('o')", "Open other tweets", "", (), "Where a run has failed: open other tweets."),

    Key("settings", "left",             "cycle(-1)", "Previous value",      "", (), "In a list of settings: the previous value of the selected one."),
    Key("settings", "right,space",      "cycle(1)",  "Next value",          "", (), "In a list of settings: its next value; enter edits it.", symbols="→ space"),
    Key("settings", "delete,backspace", "reset",     "Restore the default", "", (), "In a list of settings: restore the default.", symbols="del"),

    Key("dialog", "question_mark", "help",  "Help",  "", (), "Show the help, the keys of the open dialog first.", opens=True, rank=5),
    Key("dialog", "escape,q",      "close", "Close", "", (), "Close the dialog, or the line in it.", symbols="esc q", rank=10),

    Key("lesson", "left",             "go(-1)",          "Previous stop",      "",      (), "Go to the previous stop; in a view that uses the arrows, move there."),
    Key("lesson", "right",            "go(1)",           "Next stop",          "stops", (), "Go to the next stop. Nothing is locked.", rank=42),
    Key("lesson", "tab",              "switch",          "Text or view",       "view",  (), "Move the focus between text and view; esc returns to the text.", rank=2),
    Key("lesson", "",                 "",                "Stop by its number", "",      (), "Open that stop; in an X-ray, the view of that number.", symbols="1 to 8"),
    Key("lesson", "enter",            "act",             "Do it",              "",      (), "Do what the task of the stop asks for.", symbols="enter", rank=1),
    Key("lesson", "space",            "train",           "Train or pause",     "pause", (), "Train the model, or pause it."),
    Key("lesson", "minus",            "adjust(-1)",      "Lower",              "",      (), "At the stop on temperature: lower it.", symbols="-"),
    Key("lesson", "plus,equals_sign", "adjust(1)",       "Raise",              "",      (), "At the stop on temperature: raise it.", symbols="+", rank=8),
    Key("lesson", "v",                "compare",         "Compare",            "",      (), "The gates before and after overfitting; a batch sorted by length and one that is not.", rank=9),
    Key("lesson", "C",                "code",            "Code",               "code",  (), "Show the lines of PyTorch that do what the stop shows.", rank=41),
    Key("lesson", "question_mark",    "help",            "Help",               "help",  (), "Show this help.", rank=5),
    Key("lesson", "m",                "app.mouse",       "Mouse on or off",    "",      (), "Release the mouse to the terminal, to select text; m again recaptures it."),
    Key("lesson", "pagedown",         "scroll_text(1)",  "Text down",          "more",  (), "Scroll the text of the stop down, where it is cut.", rank=7),
    Key("lesson", "pageup",           "scroll_text(-1)", "Text up",            "",      (), "Scroll the text of the stop up."),
    Key("lesson", "escape",           "back",            "Back",               "",      (), "Return from the view to the text.", symbols="esc", rank=3),
    Key("lesson", "q",                "leave",           "Leave",              "quit",  (), "Save the model and leave; the lesson continues here the next time.", rank=6),

)
# fmt: on

NEEDS = {key.action: key.needs for key in KEYS}
"""What each action needs; rows with the same action need the same."""

KEY_TABLE = {
    "Train": keys_of("train"),
    "Sample tweets": keys_of("sample"),
    "Read and keep tweets": keys_of("read"),
    "Look into the model": keys_of("model"),
    "Read the loss plot": keys_of("losses"),
    "Save, go back, branch off": keys_of("save"),
    "The program": keys_of("program"),
    "In the tweets (tab focuses them)": keys_of("feed"),
    "In the loss plot (tab focuses it)": keys_of("plot"),
    "While typing a prompt": keys_of("prompt"),
    "In an open tweet": keys_of("tweet"),
    "In an open batch": keys_of("grid", "batch"),
    "In the X-ray": keys_of("xray", "xray screen"),
    "In the list of checkpoints": keys_of("checkpoints"),
    "In the other dialogs": keys_of("ladder", "question", "settings", "dialog"),
}
"""The rows under the headings of help and docs; those of the lesson have their own help."""

MAIN_ACTIONS = keys_of(*get_args(MainPlace))
"""The actions of the main screen; those without a key are in the palette."""
MAIN_KEYS = tuple(key for key in MAIN_ACTIONS if key.keys)
"""The keys of the main screen, which a user can change."""
PANEL_ACTIONS = {"": MAIN_ACTIONS, "LossPlot": keys_of("plot"), "TweetFeed": keys_of("feed")}
"""What the palette offers, by the widget that acts; those of the main screen under ""."""


def _named(names: str, keys: tuple[Key, ...]) -> tuple[Key, ...]:
    return tuple(key for name in names.split() for key in keys if key.name == name)


BAR_KEYS = _named(
    "pause step show_batch finish temperature_up temperature_down ladder sample prompt open_xray save load open unit help"
    " command_palette detach leave",
    MAIN_KEYS,
)
"""The main screen's key bar, in its order; a narrow one leaves out some."""
PANEL_BARS = {
    "TweetFeed": _named("pin read copy", (*MAIN_KEYS, *keys_of("feed"))),
    "LossPlot": _named("move_cursor_down move_cursor_up zoom_down zoom_up reset", keys_of("plot")),
}
"""The keys that precede those of the bar while a panel is focused, by the widget that acts."""

"""The keys that train: pause, steer, finish, answer alerts.

The keys of tweets: on the main screen, in the focused feed, in the prompt line and in an open tweet.

The keys of the loss plot: on the main screen, and in the focused plot.

The keys of checkpoints: on the main screen, and in their list.

The keys of the dialog that shows a batch.

The keys of the smaller dialogs.

The keys of the program: other tweets, leaving, panels, mouse, settings, help and palette.

The keys that look into the model: of the main screen, of the panel of the X-ray, and of the screen around it.

The keys of the lesson.

The key table: every key and what it does. Bindings, key bar, palette, help and the README are made from it.

No key here is a prefix of tmux or screen (ctrl+b, ctrl+a), or stops and starts a terminal's output (ctrl+s, ctrl+q).
"""

from __future__ import annotations

from dataclasses import replace

from tui.settings.keys import Key
from tui.xray.view_names import ViewName

TRAINING_KEYS = (
    Key(
        "space",
        "steering.pause",
        "Pause or resume",
        "Pause or resume the training; continue a run that is finished.",
        label="pause",
        needs=("pausing",),
    ),
    Key(
        "full_stop",
        "steering.step",
        "Take one step",
        "Take one training step while paused, and show what it changed; while training, pause first.",
        label="step",
        needs=("commands", "steps to come"),
    ),
    Key(
        "f",
        "steering.finish",
        "Finish, or cancel that",
        "Finish: anneal the learning rate to zero over the next 10 % of the steps, then stop. f again cancels.",
        label="finish",
        needs=("commands",),
    ),
    Key(
        "right_square_bracket",
        "steering.learning_rate(1)",
        "Raise the learning rate",
        "Raise the learning rate by 26 % (the schedule still applies).",
        needs=("commands",),
    ),
    Key(
        "left_square_bracket",
        "steering.learning_rate(-1)",
        "Lower the learning rate",
        "Lower the learning rate by 21 % (the schedule still applies).",
        needs=("commands",),
    ),
    Key(
        "",
        "budget.change",
        "Change the budget",
        "Let the run train longer: more steps, more time, more epochs, or without limit.",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "",
        "steering.batch_size",
        "Batch size",
        "Set the batch size: the number of tweets in a step.",
        needs=("commands",),
    ),
    Key(
        "",
        "steering.speed_limit",
        "Speed limit",
        "Limit the steps per second, to watch the model learn; 0: no limit.",
        needs=("commands",),
    ),
    Key(
        "",
        "steering.interval('eval_every')",
        "Steps between evaluations",
        "Set the number of steps between two evaluations on the validation tweets.",
        needs=("commands",),
    ),
    Key(
        "u",
        "steering.undo",
        "Undo",
        "Undo the last change of temperature, prime, filter, learning rate, batch size, interval or speed limit; u "
        "again: the one before.",
        needs=("commands", "a change"),
    ),
    Key("a", "steering.answer_alert", "Answer the alert", "Do what the alert offers.", needs=("an alert", "steering")),
    Key(
        "escape",
        "steering.dismiss_alert",
        "Dismiss the alert",
        "Dismiss the alert; it returns if the problem recurs.",
    ),
)


SAMPLING_KEYS = (
    Key(
        "plus,equals_sign",
        "steering.temperature(1)",
        "Raise the temperature",
        "Raise the temperature by 0.05, up to 5: more random from the next character on.",
        label="temp",
        symbols="+",
        needs=("commands",),
    ),
    Key(
        "minus,underscore",
        "steering.temperature(-1)",
        "Lower the temperature",
        "Lower the temperature by 0.05, down to 0.05: more predictable, and more repetitive.",
        label="temp",
        symbols="-",
        needs=("commands",),
    ),
    Key(
        "t",
        "sampling.ladder",
        "Temperature ladder",
        "Sample one tweet at each of seven temperatures, from the same seed and prime.",
        label="ladder",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "slash",
        "sampling.filter",
        "Filter tweets",
        "Sample only tweets that are new, without some words, with a text, of a length, or the best of several; also "
        "top-k, top-p and min-p.",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "g",
        "sampling.sample",
        "Sample a tweet now",
        "Sample one more tweet, also while paused.",
        label="tweet",
        needs=("commands",),
    ),
    Key(
        "p",
        "sampling.prompt",
        "Type a prompt",
        "Type a prompt: the model completes it as you type, and enter samples the tweet.",
        label="prompt",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "P",
        "tweet_details.clear_prime",
        "Clear the prime",
        "Clear the prime, the text that all new tweets begin with.",
        needs=("commands", "a prime"),
    ),
    Key(
        "",
        "steering.interval('sample_every')",
        "Steps between tweets",
        "Set the number of steps between two tweets of the feed.",
        needs=("commands",),
    ),
)

READING_KEYS = (
    Key(
        "y",
        "tweet_details.copy",
        "Copy the tweet",
        "Copy the selected tweet, or else the newest, to your terminal's clipboard, also over ssh.",
        label="copy",
        needs=("a tweet",),
    ),
    Key(
        "k",
        "pins_and_export.pin",
        "Pin or unpin the tweet",
        "Pin or unpin the tweet.",
        label="pin",
        needs=("steering", "a tweet"),
    ),
    Key("K", "pins_and_export.pins_only", "Pinned tweets only, or all", "Show only pinned tweets, or all again."),
    Key(
        "c",
        "pins_and_export.colours",
        "Colour tweets by surprise",
        "Colour each character by surprise: the brighter, the less likely it was to the model. c again: off.",
    ),
    Key(
        "e",
        "pins_and_export.export",
        "Export tweets",
        "Write the tweets of the feed, or the pinned ones, to a .txt, .csv or .jsonl file.",
        opens=True,
        needs=("files",),
    ),
)

FEED_KEYS = (
    Key("up", "move(-1)", "Previous tweet", "Select the previous tweet; a click selects one, too."),
    Key("down", "move(1)", "Next tweet", "Select the next tweet; after the newest, none is selected."),
    Key("pageup", "page(-1)", "Page up", "Scroll up by a page."),
    Key("pagedown", "page(1)", "Page down", "Scroll down by a page."),
    Key("home", "oldest", "Oldest tweet", "Scroll to the first tweet."),
    Key("end", "follow", "Newest tweet", "Clear the selection, scroll to the end and follow new tweets."),
    Key(
        "enter",
        "read",
        "Open a tweet",
        "Open the selected tweet, or else the newest: what the model predicted at each character.",
        label="read",
        symbols="enter",
        needs=("a tweet",),
    ),
)

PROMPT_KEYS = (
    Key("tab", "accept_word", "Accept a word", "Accept the next word of the completion.", label="word"),
    Key(
        "right",
        "accept_char",
        "Accept a character",
        "At the end of the line, accept the next character of the completion.",
        label="character",
    ),
    Key(
        "enter",
        "send",
        "Sample",
        "Sample a tweet that begins with the prompt and goes on as the completion, unless the model has changed or the "
        "filter refuses it.",
        label="sample",
        symbols="enter",
    ),
    Key(
        "up",
        "steering.temperature(1)",
        "Raise the temperature",
        "Raise the temperature, as + does elsewhere.",
        label="temp",
        needs=("commands",),
    ),
    Key(
        "down",
        "steering.temperature(-1)",
        "Lower the temperature",
        "Lower the temperature, as - does elsewhere.",
        label="temp",
        needs=("commands",),
    ),
    Key(
        "ctrl+r",
        "refresh",
        "Complete again",
        "Complete the line in another way, with the model as it is now; until a key is pressed, the completion stays.",
        label="again",
    ),
    Key("ctrl+x", "xray", "X-ray", "Look into the model: what it computes along the prompt.", label="x-ray"),
    Key("escape", "close_line", "Close the line", "Close the line; p opens it again with its text.", label="close"),
)

TWEET_KEYS = (
    Key(
        "left,right,home,end",
        "",
        "Move the cursor",
        "Move the cursor: what the model predicted at each character, and what else was likely.",
        label="move",
        symbols="←→",
    ),
    Key("y", "copy", "Copy", "Copy the tweet to your terminal's clipboard, also over ssh.", label="copy"),
    Key("k", "pin", "Pin", "Pin or unpin the tweet.", label="pin", needs=("steering",)),
    Key("c", "colours", "Surprise colours", "Switch the surprise colours off or on.", label="colours"),
    Key(
        "n",
        "continue",
        "New end from here",
        "Sample a new end from the cursor on.",
        label="new end",
        needs=("commands",),
    ),
    Key(
        "P",
        "use_as_prime",
        "Use as prime",
        "Begin all new tweets with the text before the cursor; P again clears it.",
        label="prime",
        needs=("commands",),
    ),
    Key("x", "xray", "X-ray", "Look into the model: what it computes along the tweet.", label="x-ray"),
    Key("escape", "close", "Close", "Close the tweet.", label="close"),
)


MAIN_PLOT_KEYS = (
    Key(
        "b",
        "panels.unit",
        "Bits or nats",
        "Show all losses in bits or in nats per character (1 bit is ln 2 nats).",
        label="bits/nats",
    ),
    Key("L", "panels.log", "Log or linear scale", "Make the plot's loss axis logarithmic or linear."),
    Key(
        "r",
        "panels.levels",
        "Reference levels on or off",
        "Show or hide the levels that the model has to get below: uniform, unigram, bigram and the best n-gram.",
    ),
    Key(
        "i",
        "panels.legend",
        "Legend of the plot",
        "Explain the lines, points and letters in the plot; again for the next page or to close it.",
        needs=("steps",),
    ),
    Key(
        "v",
        "panels.panes",
        "Whole run or recent part",
        "Plot the whole run, its recent part at full resolution, or both side by side where there is room.",
        needs=("steps",),
    ),
)

PLOT_KEYS = (
    Key(
        "left",
        "move_cursor(-1)",
        "Move the plot's cursor",
        "Move the cursor left by a column; the feed scrolls to the tweets sampled there.",
        label="cursor",
    ),
    Key(
        "right",
        "move_cursor(1)",
        "Plot cursor right",
        "Move the cursor right by a column.",
        label="cursor",
    ),
    Key(
        "shift+left",
        "move_cursor(-10)",
        "Plot cursor left by ten",
        "Move the cursor left by ten columns.",
        symbols="shift+←",
    ),
    Key(
        "shift+right",
        "move_cursor(10)",
        "Plot cursor right by ten",
        "Move the cursor right by ten columns.",
        symbols="shift+→",
    ),
    Key(
        "up",
        "zoom(-1)",
        "Zoom in",
        "Zoom in at the cursor, or else at the newest step; the wheel zooms at the pointer.",
        label="zoom",
    ),
    Key(
        "down",
        "zoom(1)",
        "Zoom out",
        "Zoom out at the cursor, or else at the newest step.",
        label="zoom",
    ),
    Key("pageup", "pan(-1)", "Pan left", "Pan left by half of the steps in view.", symbols="pgup or drag"),
    Key("pagedown", "pan(1)", "Pan right", "Pan right by half of the steps in view.", symbols="pgdn or drag"),
    Key("home", "first", "First step", "Move the cursor to the first step."),
    Key("end", "follow", "Follow the newest step", "Hide the cursor, and follow the newest step."),
    Key(
        "escape",
        "hide_cursor",
        "Hide the plot's cursor",
        "Close the legend, or hide the cursor: the feed follows again.",
    ),
    Key(
        "0",
        "reset",
        "Reset the plot",
        "Undo zooming and panning; a double click does the same.",
        label="reset",
    ),
)


MAIN_CHECKPOINT_KEYS = (
    Key(
        "s",
        "checkpoints.save",
        "Save a checkpoint",
        "Save the weights, and all that is needed to resume, under a name.",
        label="save",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "l",
        "checkpoints.load",
        "Load a checkpoint",
        "List the checkpoints, to load one or start a new run from it.",
        label="load",
        opens=True,
        needs=("switching",),
    ),
    Key(
        "",
        "checkpoints.save_latest",
        "Save the run now",
        "Save `latest`, the checkpoint to resume from, without waiting for the autosave.",
        needs=("commands",),
    ),
)

BROWSER_KEYS = (
    Key(
        "enter",
        "checkpoint_load",
        "Load",
        "Load the checkpoint into this run, after a question; the run as it is now is saved first.",
        label="load",
        symbols="enter",
        opens=True,
    ),
    Key(
        "n",
        "checkpoint_branch",
        "New run from it",
        "Save this run, and start a new one from the checkpoint on its tweets; this run's curve stays for comparison.",
        label="new run",
        opens=True,
    ),
    Key(
        "equals_sign",
        "checkpoint_compare",
        "Compare",
        "Mark a checkpoint; = on another compares the two.",
        label="compare",
        opens=True,
    ),
    Key("k", "checkpoint_pin", "Pin", "Pin or unpin it: pinned ones come first and can't be deleted.", label="pin"),
    Key("R", "checkpoint_rename", "Rename", "Rename it.", label="rename", opens=True),
    Key(
        "delete,backspace",
        "checkpoint_delete",
        "Delete",
        "Delete it, after a confirmation.",
        label="delete",
        symbols="del",
        opens=True,
    ),
    Key("left", "checkpoint_sort(-1)", "Sort by the previous column", "Sort by the previous column.", label="sort"),
    Key(
        "right",
        "checkpoint_sort(1)",
        "Sort by the next column",
        "Sort by the next column: name, step, validation loss, size or age.",
        label="sort",
    ),
    Key("slash", "checkpoint_filter", "Filter", "Filter by name, run or corpus.", label="filter", opens=True),
    Key("escape", "close", "Close", "Close the filter, or the list.", label="close"),
)


GRID_KEYS = (
    Key("up", "row(-1)", "Previous tweet", "Select the previous tweet, whose token ids are shown below the grid."),
    Key("down", "row(1)", "Next tweet", "Select the next tweet; a click selects one, and the wheel scrolls."),
    Key("pageup", "page(-1)", "Page up", "Scroll up by a page."),
    Key("pagedown", "page(1)", "Page down", "Scroll down by a page."),
    Key("left", "columns(-1)", "Earlier time steps", "Scroll left by eight time steps."),
    Key("right", "columns(1)", "Later time steps", "Scroll right by eight time steps."),
    Key("home", "first_column", "First time step", "Scroll to the first time step, where each tweet has <BOS>."),
    Key("end", "last_column", "Last time step", "Scroll to the end of the longest tweet."),
)

BATCH_KEYS = (
    *GRID_KEYS,
    Key("full_stop", "step", "Take one step", "Take one step, and show its batch; while training, pause first."),
    Key("question_mark", "explain", "Explain the grid", "Explain the grid in five sentences, or show it again."),
    Key("escape", "close", "Close", "Close the batch."),
)


LADDER_KEYS = (Key("t", "roll", "Another ladder", "In the temperature ladder: sample another, from another seed."),)

LEAVE_KEYS = (
    Key("y", "answer('stop')", "Yes", "In a question: yes."),
    Key("d", "answer('detach')", "Detach instead", "Where q asks whether to stop the run: detach from it."),
)

FAILURE_KEYS = (
    Key("a", "remedy", "Apply the remedy", "Where a run has failed: do what the message offers."),
    Key("o", "open", "Open other tweets", "Where a run has failed: open other tweets."),
)

SETTINGS_KEYS = (
    Key("left", "cycle(-1)", "Previous value", "In a list of settings: the previous value of the selected one."),
    Key(
        "right,space",
        "cycle(1)",
        "Next value",
        "In a list of settings: its next value; enter edits it.",
        symbols="→ space",
    ),
    Key(
        "delete,backspace",
        "reset",
        "Restore the default",
        "In a list of settings: restore the default.",
        symbols="del",
    ),
)

COMMON_KEYS = (
    Key("question_mark", "help", "Help", "Show the help, the keys of the open dialog first.", opens=True),
    Key("escape,q", "close", "Close", "Close the dialog, or the line in it.", symbols="esc q"),
)

DIALOG_KEYS = (*LADDER_KEYS, *LEAVE_KEYS, *FAILURE_KEYS, *SETTINGS_KEYS, *COMMON_KEYS)


PROGRAM_KEYS = (
    Key(
        "o",
        "open_tweets.open",
        "Open other tweets",
        "Open a file, folder or archive, or drop one in: this run is saved, and a new one starts on it.",
        label="open",
        opens=True,
        needs=("switching",),
    ),
    Key(
        "d",
        "leaving.detach",
        "Detach",
        "Return to the shell; the run continues without a screen, and tweetgen-tui attach shows it again.",
        label="detach",
        needs=("a run to leave",),
    ),
    Key(
        "q",
        "leaving.leave",
        "Quit",
        "Stop, save `latest` and quit. ctrl+c does the same; pressed twice, it quits at once.",
        label="quit",
    ),
    Key(
        "",
        "leaving.lesson",
        "The lesson",
        "Save and stop this run, and open the guided lesson: each idea of the tutorial on a small model.",
        needs=("a terminal",),
    ),
    Key(
        "tab",
        "panels.panel(1)",
        "Next panel",
        "Focus the next panel; a small terminal shows one at a time.",
    ),
    Key("shift+tab", "panels.panel(-1)", "Previous panel", "Focus the previous panel."),
    Key(
        "h",
        "panels.machine",
        "More of the run",
        "Show what did not fit, page by page: the time per step, processor, memory and GPUs, what the screen costs, "
        "model and tweets, why rows were left out, the values of the run in full.",
    ),
    Key(
        "m",
        "app.mouse",
        "Mouse on or off",
        "Release the mouse to the terminal, to select and copy text, or recapture it.",
    ),
    Key(
        "comma",
        "preferences.settings",
        "Settings",
        "Choose colours, notifications and intervals for all runs.",
        opens=True,
    ),
    Key(
        "question_mark",
        "preferences.help",
        "Help",
        "Show all keys, and how to read the screen.",
        label="help",
        opens=True,
    ),
    Key(
        "ctrl+p",
        "app.command_palette",
        "Menu",
        "Search all actions by name, or choose a theme.",
        label="menu",
        opens=True,
    ),
)


MODEL_KEYS = (
    Key(
        "x",
        "xray.open_xray",
        "X-ray",
        "Look into the model along the selected tweet, or else the newest; if that is of step 0, a training tweet.",
        label="x-ray",
        opens=True,
    ),
    Key(
        "B",
        "batches.show_batch",
        "Batch of the last step",
        "Show the batch of the last step as a grid, with its padding and token ids; . takes the next step there.",
        label="batch",
        opens=True,
        needs=("answers",),
    ),
)

XRAY_PANEL_KEYS = (
    Key("left", "move(-1)", "Previous character", "Move the cursor left by a character; a click moves it, too."),
    Key("right", "move(1)", "Next character", "Move the cursor right by a character."),
    Key("home", "move_to_start", "Start of the text", "Move the cursor to the start of the text."),
    Key("end", "move_to_end", "End of the text", "Move the cursor to the end of the text."),
    Key(
        "up",
        "move_line(-1)",
        "Line up",
        "Move the cursor up by a line; in the view of units, select the one above.",
        label="unit",
    ),
    Key(
        "down",
        "move_line(1)",
        "Line down",
        "Move the cursor down by a line; in the view of units, select the one below.",
        label="unit",
    ),
    Key("enter", "move(1)", "Step", "Feed the model the next character.", label="next character", symbols="enter"),
    Key("1", "view('step')", "Step", "Step by step: what goes in, the hidden state, the prediction and its loss."),
    Key("2", "view('gates')", "Gates", "Reset gate r, update gate z and candidate n of all units along the text."),
    Key("3", "view('reach')", "Reach", "How much each earlier character matters to the prediction at the cursor."),
    Key("4", "view('units')", "Units", "Hidden units that track something; hold one at a value and see what changes."),
    Key("5", "view('map')", "Map", "The characters by the two main components of their embeddings."),
    Key("tab", "next_view(1)", "Next view", "Show the next view; a click on its name shows any.", label="view"),
    Key("shift+tab", "next_view(-1)", "Previous view", "Show the previous view."),
    Key(
        "g",
        "own_draws",
        "Own draws",
        "From the cursor on, feed the model its own draws beside the text; g again: the text only.",
        label="own draws",
    ),
    Key(
        "n",
        "redraw",
        "New draws",
        "Sample new characters of the model's own, or new tweets of a unit.",
        label="again",
    ),
    Key(
        "v",
        "variant",
        "Another gate or measure",
        "Gates: the next gate, or as many as fit. Reach: by hiding characters (occlusion), or by the gradient.",
        label="variant",
    ),
    Key("V", "layer", "Layer", "Show the next layer of a model that has several.", label="layer"),
    Key(
        "left_square_bracket",
        "hold(-1)",
        "Lower the held unit",
        "Hold the selected unit at a lower value.",
        label="hold",
    ),
    Key(
        "right_square_bracket",
        "hold(1)",
        "Raise the held unit",
        "Hold the selected unit at a higher value.",
        label="hold",
    ),
    Key("0,backspace", "free", "Free the unit", "Let the held unit go.", label="free", symbols="0"),
    Key("w", "follow", "Follow or hold still", "Follow the training, or keep what is shown."),
    Key("question_mark", "explain", "Explain", "Explain the view; ? again: the view.", label="explain"),
)

XRAY_SCREEN_KEYS = (
    Key("p", "screen.edit", "Type a text", "Type a text to look at.", label="text", opens=True),
    Key(
        "B",
        "xray.training_tweet",
        "Training tweet",
        "Look at the next training tweet of the last batch.",
        label="tweet",
        needs=("answers",),
    ),
    *(key for key in (*TRAINING_KEYS, *PROGRAM_KEYS) if key.name in {"pause", "step", "mouse"}),
    Key("escape,q", "screen.close", "Close", "Close the X-ray.", label="close", symbols="esc"),
)

_KEYS_OF_VIEW: dict[ViewName, tuple[str, ...]] = {
    "step": ("own_draws", "redraw"),
    "gates": ("variant", "layer"),
    "reach": ("variant",),
    "units": ("move_line_up", "move_line_down", "hold_down", "hold_up", "free", "redraw"),
    "map": (),
}
"""Names of the keys that only some views have, and that their key bars offer."""
_VARIANTS: dict[ViewName, str] = {"gates": "gate", "reach": "measure"}
"""What the key of variants changes, by view."""
_KEYS_OF_SOME_VIEWS = {name for names in _KEYS_OF_VIEW.values() for name in names}


def xray_bar_keys(view: ViewName) -> tuple[Key, ...]:
    """Return the key bar of the X-ray's screen, which depends on the view."""
    return tuple(
        replace(key, label=_VARIANTS[view]) if key.name == "variant" else key
        for key in (*XRAY_PANEL_KEYS, *XRAY_SCREEN_KEYS)
        if key.label and (key.name not in _KEYS_OF_SOME_VIEWS or key.name in _KEYS_OF_VIEW[view])
    )


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


_MAIN_TABLE: dict[str, tuple[Key, ...]] = {
    "Train": TRAINING_KEYS,
    "Sample tweets": SAMPLING_KEYS,
    "Read and keep tweets": READING_KEYS,
    "Look into the model": MODEL_KEYS,
    "Read the loss plot": MAIN_PLOT_KEYS,
    "Save, go back, branch off": MAIN_CHECKPOINT_KEYS,
    "The program": PROGRAM_KEYS,
}
"""The keys that act on the main screen whichever panel is focused, by what one wants to do."""

KEY_TABLE: dict[str, tuple[Key, ...]] = {
    **_MAIN_TABLE,
    "In the tweets (tab focuses them)": FEED_KEYS,
    "In the loss plot (tab focuses it)": PLOT_KEYS,
    "While typing a prompt": PROMPT_KEYS,
    "In an open tweet": TWEET_KEYS,
    "In an open batch": BATCH_KEYS,
    "In the X-ray": (*XRAY_PANEL_KEYS, *XRAY_SCREEN_KEYS),
    "In the list of checkpoints": BROWSER_KEYS,
    "In the other dialogs": DIALOG_KEYS,
}
"""All rows, under headings: what one wants to do on the main screen, then the other places."""

MAIN_ACTIONS = tuple(key for keys in _MAIN_TABLE.values() for key in keys)
"""The actions of the main screen; those without a key are in the palette."""

MAIN_KEYS = tuple(key for key in MAIN_ACTIONS if key.keys)
"""The keys of the main screen, which a user can change."""

PANEL_ACTIONS = {"": MAIN_ACTIONS, "LossPlot": PLOT_KEYS, "TweetFeed": FEED_KEYS}
"""What the palette offers, by the widget that acts; those of the main screen under ""."""

_BAR = (
    *("pause", "step", "show_batch", "finish", "temperature_up", "temperature_down", "ladder", "sample", "prompt"),
    *("open_xray", "save", "load", "open", "unit", "help", "command_palette", "detach", "leave"),
)
BAR_KEYS = tuple(key for name in _BAR for key in MAIN_KEYS if key.name == name)
"""The main screen's key bar, in its order; a narrow one leaves out some."""

_PANEL_BARS = {
    "TweetFeed": ("pin", "read", "copy"),
    "LossPlot": ("move_cursor_down", "move_cursor_up", "zoom_down", "zoom_up", "reset"),
}
PANEL_BARS = {
    panel: tuple(key for name in names for key in (*MAIN_KEYS, *PANEL_ACTIONS[panel]) if key.name == name)
    for panel, names in _PANEL_BARS.items()
}
"""The keys that precede those of the bar while a panel is focused, by the widget that acts."""

NEEDS = {key.action: key.needs for key in (*MAIN_ACTIONS, *(key for keys in KEY_TABLE.values() for key in keys))}
"""What each action can't do without."""

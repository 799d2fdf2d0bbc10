"""The keys that look into the model: of the main screen, of the panel of the X-ray, and of the screen around it."""

from __future__ import annotations

from dataclasses import replace

from tui.settings.keys.key import Key
from tui.settings.keys.run import TRAINING_KEYS
from tui.settings.keys.screen import PROGRAM_KEYS
from tui.xray.view_names import ViewName

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

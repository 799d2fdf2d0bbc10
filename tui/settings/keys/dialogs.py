"""The keys of the smaller dialogs."""

from __future__ import annotations

from tui.settings.keys.key import Key

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

"""The keys of checkpoints: on the main screen, and in their list."""

from __future__ import annotations

from tui.settings.keys.key import Key

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

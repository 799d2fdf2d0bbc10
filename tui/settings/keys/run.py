"""The keys that train: pause, steer, finish, answer alerts."""

from __future__ import annotations

from tui.settings.keys.key import Key

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

"""The keys of the run: steer it, answer its alerts, leave it."""

from __future__ import annotations

from tui.settings.keys.key import Key

RUN_KEYS = (
    Key(
        "space",
        "steering.pause",
        "Pause or resume",
        "Pause the training, or resume it.",
        label="pause",
        steers=True,
    ),
    Key(
        "full_stop",
        "steering.step",
        "Take one step",
        "Take one training step while paused, and show what it changed; while training, pause first.",
        label="step",
        steers=True,
    ),
    Key(
        "B",
        "batches.show_batch",
        "Batch of the last step",
        "Show the batch of the last step as a grid, with its padding and token ids; . takes the next step there.",
        label="batch",
        opens=True,
    ),
    Key(
        "f",
        "steering.finish",
        "Finish, or cancel that",
        "Finish: anneal the learning rate to zero over the next 10 % of the steps, then stop. f again cancels.",
        label="finish",
        steers=True,
    ),
    Key(
        "right_square_bracket",
        "steering.learning_rate(1)",
        "Raise the learning rate",
        "Raise the learning rate by 26 % (the schedule still applies).",
        steers=True,
    ),
    Key(
        "left_square_bracket",
        "steering.learning_rate(-1)",
        "Lower the learning rate",
        "Lower the learning rate by 21 % (the schedule still applies).",
        steers=True,
    ),
    Key(
        "",
        "steering.batch_size",
        "Batch size",
        "Set the batch size: the number of tweets in a step.",
        steers=True,
    ),
    Key(
        "",
        "steering.speed_limit",
        "Speed limit",
        "Limit the steps per second, to watch the model learn; 0: no limit.",
        steers=True,
    ),
    Key(
        "",
        "steering.interval('eval_every')",
        "Steps between evaluations",
        "Set the number of steps between two evaluations on the validation tweets.",
        steers=True,
    ),
    Key(
        "",
        "steering.interval('sample_every')",
        "Steps between tweets",
        "Set the number of steps between two tweets of the feed.",
        steers=True,
    ),
    Key(
        "u",
        "steering.undo",
        "Undo",
        "Undo the last change of temperature, prime, learning rate, batch size, interval or speed limit; u again: the "
        "one before.",
        steers=True,
    ),
    Key("a", "steering.answer_alert", "Answer the alert", "Do what the alert offers.", steers=True),
    Key(
        "escape",
        "steering.dismiss_alert",
        "Dismiss the alert",
        "Dismiss the alert; it returns if the problem recurs.",
    ),
    Key(
        "o",
        "open_tweets.open",
        "Open other tweets",
        "Open a file, folder or archive, or drop one in: this run is saved, and a new one starts on it.",
        label="open",
        opens=True,
        steers=True,
    ),
    Key(
        "d",
        "leaving.detach",
        "Detach",
        "Return to the shell; the run continues without a screen, and tweetgen-tui attach shows it again.",
        label="detach",
    ),
    Key(
        "q",
        "leaving.leave",
        "Quit",
        "Stop, save `latest` and quit. ctrl+c does the same; pressed twice, it quits at once.",
        label="quit",
    ),
)

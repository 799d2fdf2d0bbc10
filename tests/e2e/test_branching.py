"""A new run from a checkpoint, in a real terminal: the run before is saved, and the new one goes on from there."""

from __future__ import annotations

import json

from tests.e2e.terminal import Terminal


def test_n_in_the_list_begins_a_new_run_where_the_checkpoint_stood(screen: Terminal) -> None:
    screen.press("s")
    screen.wait_for("Save a checkpoint")
    screen.press("here", "enter")
    screen.wait_for("Saved as here")
    screen.press("l")
    screen.wait_for(r"here +\d")
    screen.press("n")
    screen.wait_for("The run watched is saved and ends")
    screen.press("y")
    runs = screen.home / "runs"
    screen.wait_until(lambda: len(list(runs.glob("*/events.jsonl"))) == 2, "no second run")
    screen.wait_for("▶ training")
    screen.wait_for("watched")  # in the plot, beside the new curve
    [journal] = [path for path in runs.glob("*/events.jsonl") if path.parent.name != "watched"]
    with journal.open(encoding="utf-8") as lines:
        started = json.loads(next(lines))
    last = json.loads((runs / "watched" / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert started["resumed_from"] == "here"
    assert started["step"] > 0
    assert last["event"] == "RunFinished"
    assert last["step"] >= started["step"]
    assert (runs / "watched" / "checkpoints" / "latest.safetensors").is_file()

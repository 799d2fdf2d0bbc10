"""Every key in the real program: real engine, real terminal."""

from __future__ import annotations

import re
from functools import partial

from tests.e2e.terminal import Terminal

A_TWEET = r"{} [●◐○] "


def _step(screen: Terminal) -> int:
    found = re.search(r"step +([\d,]+)", screen.text)
    return int(found[1].replace(",", "")) if found else -1


def _tweets(screen: Terminal, temperature: str) -> int:
    return len(re.findall(A_TWEET.format(temperature), screen.text))


def _steps_of_tweets(screen: Terminal) -> list[int]:
    """Return the steps at which the tweets in the feed were written."""
    return [int(step.replace(",", "")) for step in re.findall(r"│ +([\d,]+)  \d\.\d\d [●◐○] ", screen.text)]


def test_space_pauses_and_resumes(shared: Terminal) -> None:
    shared.press("space")
    shared.wait_for("‖ paused")  # at once; a step may be in flight
    before = len(_steps_of_tweets(shared))
    for wanted in (before + 1, before + 2):
        shared.press("g")
        shared.wait_until(partial(lambda number: len(_steps_of_tweets(shared)) == number, wanted), "no tweet")
    [step, again] = _steps_of_tweets(shared)[-2:]
    assert again == step
    shared.wait_until(lambda: _step(shared) == step, f"the step is not the {step} of the tweets")
    assert "‖ paused" in shared.text
    shared.press("space")
    shared.wait_for("▶ training")
    shared.wait_until(lambda: _step(shared) > step, f"the step stayed at {step}")


def test_plus_and_minus_turn_the_temperature_of_the_next_tweet(shared: Terminal) -> None:
    shared.press("+", "+", "=")
    shared.wait_for("temperature 0.95")
    shared.press("-")
    shared.wait_for("temperature 0.90")
    shared.press("g")
    shared.wait_for(A_TWEET.format("0.90"))
    shared.press("-", "_")
    shared.wait_for("temperature 0.80")


def test_g_writes_a_tweet_also_while_paused(shared: Terminal) -> None:
    shared.press("space")
    shared.wait_for("‖ paused")
    before = _tweets(shared, "0.80")
    shared.press("g")
    shared.wait_until(lambda: _tweets(shared, "0.80") == before + 1, "no tweet")
    shared.press("g", "g")
    shared.wait_until(lambda: _tweets(shared, "0.80") == before + 3, "not two tweets more")
    assert "‖ paused" in shared.text


def test_b_switches_the_plot_between_nats_and_bits(shared: Terminal) -> None:
    shared.wait_for("nats/char ─")
    shared.press("b")
    shared.wait_for("bits/char ─")
    shared.press("b")
    shared.wait_for("nats/char ─")


def test_s_saves_under_a_name_and_l_goes_back_to_it(shared: Terminal) -> None:
    path = shared.home / "checkpoints" / "my best.safetensors"
    shared.press("s")
    shared.wait_for("Save a checkpoint")
    shared.press("my best", "enter")
    shared.wait_for("Saved as my best")
    assert path.is_file()
    shared.press("l")
    shared.wait_for(r"my best +\d")
    shared.press("enter")
    shared.wait_for(r"Loaded my best: goes on from step \d")
    shared.wait_for("▶ training")


def test_a_name_that_is_taken_is_replaced_only_after_a_second_enter(shared: Terminal) -> None:
    path = shared.home / "checkpoints" / "mine.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"precious")
    shared.press("s")
    shared.wait_for("Save a checkpoint")
    shared.press("mine", "enter")
    shared.wait_for("There is a checkpoint called mine")
    assert path.read_bytes() == b"precious"
    shared.press("enter")
    shared.wait_for("Saved as mine")
    assert path.read_bytes() != b"precious"


def test_a_damaged_checkpoint_is_marked_in_the_list_and_not_loaded(shared: Terminal) -> None:
    path = shared.home / "checkpoints" / "broken.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not at all")
    shared.press("l")
    shared.wait_for(r"broken +damaged")
    shared.press("enter")
    shared.wait_for("It can't be loaded")
    path.unlink()
    shared.press("escape")
    shared.wait_until_gone("Checkpoints ·")


def test_t_writes_a_tweet_at_each_of_seven_temperatures(shared: Terminal) -> None:
    shared.press("t")
    shared.wait_for(r"step [\d,]+ · seed \d+")
    for temperature in ("0.2", "0.5", "0.8", "1.0", "1.5", "2.0", "5.0"):
        assert re.search(rf"│ {re.escape(temperature)} [●◐○] ", shared.text), shared.text
    [seed] = re.findall(r"seed (\d+)", shared.text)
    shared.press("t")
    shared.wait_until(lambda: re.findall(r"seed (\d+)", shared.text) not in ([], [seed]), "no other seed")
    shared.press("escape")
    shared.wait_until_gone("from cold to hot")


def test_the_help_names_every_key_and_closes(shared: Terminal) -> None:
    shared.press("?")
    shared.wait_for("─ Help ─")
    for key in ("space", "f", "u", "q", r"\+", "-", "t", "g", "p", "k", "s", "l", "h", "m", "b", r"\?", r"\^p"):
        while not re.search(rf"│ {key} {{2,}}[A-Z]", shared.text):
            before = shared.text
            shared.press("down")
            shared.wait_until(lambda before=before: shared.text != before, f"no {key} in the help")  # type: ignore[misc]
    shared.press("escape")
    shared.wait_until_gone("─ Help ─")


def test_the_palette_finds_a_command_by_its_name(shared: Terminal) -> None:
    shared.press("ctrl+p")
    shared.wait_for("Search")
    shared.press("nats")
    shared.wait_for("Nats or bits")
    shared.press("enter")
    shared.wait_for("bits/char ─")
    shared.press("b")
    shared.wait_for("nats/char ─")

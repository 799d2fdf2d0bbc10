"""Every key in the real program: real engine, real terminal."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.terminal import Terminal


def test_space_pauses_and_resumes(screen: Terminal) -> None:
    screen.press("space")
    screen.wait_for("‖ paused")
    step = _step(screen)
    screen.press("b")
    screen.wait_for("bits/char ━")
    assert _step(screen) == step
    screen.press("space")
    screen.wait_for("▶ training")
    screen.wait_until(lambda: _step(screen) > step, f"the step stayed at {step}")


def _step(screen: Terminal) -> int:
    found = re.search(r"step +([\d,]+)", screen.text)
    return int(found[1].replace(",", "")) if found else -1


def test_plus_and_minus_turn_the_temperature_of_the_next_tweet(screen: Terminal) -> None:
    screen.press("+", "+", "=")
    screen.wait_for("temperature 0.95")
    screen.press("-")
    screen.wait_for("temperature 0.90")
    screen.press("g")
    screen.wait_for(r"\d  0\.90 [●◐○]")


def test_g_writes_a_tweet_also_while_paused(screen: Terminal) -> None:
    screen.press("space")
    screen.wait_for("‖ paused")
    for count in (1, 2, 3):
        screen.press("g")
        screen.wait_until(lambda c=count: len(_tweets(screen)) == c, f"never {count} tweets")  # type: ignore[misc]
    assert "‖ paused" in screen.text


def _tweets(screen: Terminal) -> list[str]:
    return re.findall(r"0\.80 [●◐○]", screen.text)


def test_b_switches_the_plot_between_nats_and_bits(screen: Terminal) -> None:
    screen.wait_for("nats/char ━")
    screen.press("b")
    screen.wait_for("bits/char ━")
    screen.press("b")
    screen.wait_for("nats/char ━")


def test_s_saves_under_a_name_and_l_goes_back_to_it(screen: Terminal, home: Path) -> None:
    path = home / "checkpoints" / "my best.safetensors"
    screen.press("s")
    screen.wait_for("Save a checkpoint")
    screen.press("my best", "enter")
    screen.wait_for("Saved as my best")
    assert path.is_file()
    screen.press("l")
    screen.wait_for("my best +\\d")
    screen.press("enter")
    screen.wait_for(r"Loaded my best: goes on from step \d")
    screen.wait_for("▶ training")


def test_a_name_that_is_taken_is_replaced_only_after_a_second_enter(screen: Terminal, home: Path) -> None:
    path = home / "checkpoints" / "mine.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"precious")
    screen.press("s")
    screen.wait_for("Save a checkpoint")
    screen.press("mine", "enter")
    screen.wait_for("There is a checkpoint called mine")
    assert path.read_bytes() == b"precious"
    screen.press("enter")
    screen.wait_for("Saved as mine")
    assert path.read_bytes() != b"precious"


def test_t_writes_a_tweet_at_each_of_seven_temperatures(screen: Terminal) -> None:
    screen.press("t")
    screen.wait_for(r"step [\d,]+ · seed \d+")
    for temperature in ("0.2", "0.5", "0.8", "1.0", "1.5", "2.0", "5.0"):
        assert re.search(rf"│ {re.escape(temperature)} [●◐○] ", screen.text), screen.text
    [seed] = re.findall(r"seed (\d+)", screen.text)
    screen.press("t")
    screen.wait_until(lambda: re.findall(r"seed (\d+)", screen.text) not in ([], [seed]), "no other seed")
    screen.press("escape")
    screen.wait_until_gone("from cold to hot")


def test_the_help_names_every_key_and_closes(screen: Terminal) -> None:
    screen.press("?")
    screen.wait_for("─ Help ─")
    for key in ("space", "q", r"\+", "-", "g", "t", "s", "l", "b", r"\?", r"\^p"):
        assert re.search(rf"│ {key} {{2,}}\S", screen.text), key
    screen.press("escape")
    screen.wait_until_gone("─ Help ─")


def test_the_palette_finds_a_command_by_its_name(screen: Terminal) -> None:
    screen.press("ctrl+p")
    screen.wait_for("Search")
    screen.press("nats")
    screen.wait_for("Nats or bits")
    screen.press("enter")
    screen.wait_for("bits/char ━")

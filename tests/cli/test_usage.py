"""Help and usage errors."""

from __future__ import annotations

import gc
import re
import sys

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig, field_help
from tests.cli.program import Cli
from tui.__main__ import main
from tui.cli.options import CLEANING, DRAWING, LENGTH, MACHINE, READING, RUN, TWEETS, Source, to_run_config

COMMANDS: dict[tuple[str, ...], tuple[Source, ...]] = {
    (): RUN,
    ("train",): RUN,
    ("generate",): (DRAWING, LENGTH, MACHINE),
    ("evaluate",): (TWEETS, MACHINE),
    ("bench",): (Source("Machine", RuntimeConfig, ("device",)),),
    ("doctor",): (),
    ("data",): (),
    ("data", "inspect"): (Source("Tweets", CorpusConfig, (*READING, *CLEANING)),),
    ("data", "fetch"): (),
    ("checkpoints",): (),
    ("checkpoints", "list"): (),
    ("checkpoints", "show"): (),
    ("checkpoints", "delete"): (),
    ("runs",): (),
    ("runs", "list"): (),
}


def _words(text: str) -> str:
    """Return text without the frames and line breaks of the help."""
    return re.sub(r"[\s│]+", " ", text)


OTHER_NAMES = {"files": "data", "ascii": "to-ascii"}
"""Options that are not called as their fields are."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_tells_each_option_with_the_sentence_of_its_config(
    cli: Cli, command: tuple[str, ...]
) -> None:
    ended = cli(*command, "--help")
    assert (ended.code, ended.err) == (0, "")
    text = ended.out
    assert " ".join(("Usage: tweetgen-tui", *command)) in text
    for source in COMMANDS[command]:
        for name in source.fields:
            assert "--" + OTHER_NAMES.get(name, name.replace("_", "-")) in text
            first_words = " ".join(field_help(source.config_type)[name].split()[:3])
            assert first_words in _words(text)


def test_version_is_one_line_on_stdout_and_h_is_short_for_help(cli: Cli) -> None:
    assert cli("generate", "-h") == cli("generate", "--help")
    ended = cli("--version")
    assert ended.code == 0
    assert re.fullmatch(r"tweetgen-tui \d+\.\d+\.\d+\S*\n", ended.out)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trian", "Did you mean 'train'"),
        ("train --hiden-size 3", "--hiden-size"),
        ("train --data", "requires an argument"),
        ("train stray", "extra argument(s) (stray)"),
        ("checkpoints show", "Missing argument"),
        ("train --batch-size many", "Invalid value for '--batch-size': Not a valid integer."),
        ("bench --seconds 0", "Invalid value for '--seconds': It should be greater than or equal to 1."),
        ("train --device tpu", "Invalid value for '--device': 'tpu' is not one of"),
        ("--temperature 0.5 train", "Put the options behind the command: tweetgen-tui train"),
        ("--temperature 0.5 runs", "Put the options behind the command: tweetgen-tui runs"),
    ],
)
def test_a_usage_error_exits_with_2_and_says_in_plain_words_what_is_wrong(cli: Cli, line: str, said: str) -> None:
    ended = cli(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert said in _words(ended.err)
    assert "Traceback" not in ended.err


def test_help_shows_defaults_as_they_are_typed(cli: Cli) -> None:
    text = _words(cli("generate", "--help").out)
    assert "[default: 0.8]" in text
    assert "(0.8)" not in text


def test_without_arguments_the_screen_opens_as_the_command_line_would_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[RunConfig] = []
    monkeypatch.setattr("tui.cli.commands.screen.open_screen", opened.append)
    monkeypatch.setattr(sys, "argv", ["tweetgen-tui"])
    monkeypatch.setattr(gc, "disable", lambda: None)
    main()
    assert opened == [to_run_config({})]

"""Options that several commands have, most of them made from the fields of the configs: one name, help and meaning.

A command names config fields and gets a dictionary of those on the command line; a preset or a checkpoint decides
the others. Runs and checkpoints are completed by name.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import typer

from engine.checkpoints.catalog import paths_by_name
from engine.config.corpus import CorpusConfig
from engine.config.fields import field_help, field_names, option_of
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import DRAW_FIELDS, FILTER_FIELDS, SamplingConfig
from engine.errors import ConfigError
from engine.storage.files import in_use_error
from engine.storage.folders import find_run, home, list_runs
from tui.process.torchrun import AUTO, MAX_PROCESSES, is_on, restarting_agent
from tui.text.typed import avoided_words

GivenOptions = dict[str, Any]
_PLAIN_NAME = re.compile(r"[\w./+-]+")


def complete_run(incomplete: str) -> list[str]:
    """Return the names of runs that begin like this, the latest first."""
    return _plain(incomplete, (run.name for run in list_runs()))


def complete_checkpoint(incomplete: str) -> list[str]:
    """Return the names of checkpoints that begin like this, as `checkpoints list` has them."""
    return _plain(incomplete, sorted(paths_by_name()))


def _plain(incomplete: str, names: Iterable[str]) -> list[str]:
    """Return the names that can be typed without quotes: typer's scripts quote nothing, and zsh evaluates its own."""
    return [name for name in names if name.startswith(incomplete) and _PLAIN_NAME.fullmatch(name)]


# Options of single commands -------------------------------------------------------------------------------------------

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=complete_checkpoint,
        help="Name or path of the checkpoint; by default the best of the latest run.",
    ),
]
OnHangup = Annotated[
    Literal["go-on", "stop"],
    typer.Option(
        "--on-hangup",
        metavar="go-on|stop",
        help="When the connection drops: keep training without a screen, or save and stop.",
        rich_help_panel="Connection",
    ),
]


def num_processes(text: str | int) -> int:
    """Return the value of --nproc-per-node; typer (0.29) passes the default, too. Raises typer's error."""
    if isinstance(text, int):
        return text
    if text == "auto":
        return AUTO
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MAX_PROCESSES:
        raise typer.BadParameter(f"{text!r} is neither a number from 1 to {MAX_PROCESSES} nor auto.")
    return number


NprocPerNode = Annotated[
    int,
    typer.Option(
        "--nproc-per-node",
        parser=num_processes,
        metavar="auto|N",
        help="Train with N processes on this machine, which share each batch; each needs a GPU, or with --device cpu "
        "some cores. auto: one for each GPU, fewer for a small batch.",
        rich_help_panel="Machine",
    ),
]
"""`AUTO` is 0."""


# Options from the fields of configs -----------------------------------------------------------------------------------


class OptionGroup(NamedTuple):
    """Fields of one config that become options, under one heading of the help."""

    heading: str
    config_type: type
    fields: tuple[str, ...]
    help: str = ""
    """Replaces the docstrings of the fields."""


READING = (
    *("format", "encoding", "member", "column", "label", "label_column", "weight"),
    *("separator", "blank_line_separated", "no_replies", "no_retweets", "no_sensitive", "keep_links"),
)
"""How the files of --data are read; invalid without --data."""
CLEANING = ("lowercase", "strip_links", "strip_mentions", "mask_mentions", "ascii", "max_length", "keep_duplicates")
TWEETS = (
    OptionGroup("Tweets", CorpusConfig, ("files",)),
    OptionGroup("File formats", CorpusConfig, READING),
    OptionGroup("Cleaning", CorpusConfig, CLEANING),
)
SAMPLING = OptionGroup("Sampling", SamplingConfig, ("temperature", "prime"))
TRUNCATION = OptionGroup("Sampling details", SamplingConfig, DRAW_FIELDS)
TWEET_FILTER = OptionGroup("Tweet filter", SamplingConfig, FILTER_FIELDS)
MACHINE = OptionGroup("Machine", RuntimeConfig, ("device", "precision", "threads"))
DEVICE = OptionGroup("Machine", RuntimeConfig, ("device",))
RUN = (
    *TWEETS,
    OptionGroup("Training", RunConfig, ("preset",)),
    OptionGroup("Training", TrainingConfig, ("max_seconds", "max_steps", "seed")),
    OptionGroup("Model", ModelConfig, ("embedding_size", "hidden_size", "num_layers", "dropout", "ngram_order")),
    OptionGroup("Training details", CorpusConfig, ("overfit",)),
    OptionGroup("Training details", RunConfig, ("from_scratch",)),
    OptionGroup(
        "Training details",
        TrainingConfig,
        ("epochs", "batch_size", "learning_rate", "schedule", "warmup_steps", "weight_decay", "ngram_decay"),
    ),
    OptionGroup("Training details", TrainingConfig, ("max_grad_norm", "average_lag", "patience", "steps_per_second")),
    OptionGroup("Intervals", TrainingConfig, ("eval_every", "sample_every", "autosave_seconds")),
    OptionGroup("Intervals", TrainingConfig, ("save_every", "keep_checkpoints", "keep_every_step")),
    SAMPLING,
    TRUNCATION,
    TWEET_FILTER,
    OptionGroup("Machine", RuntimeConfig, ("device", "precision", "threads", "deterministic")),
    OptionGroup("Run", RunConfig, ("run_name", "checkpoint", "resume")),
    OptionGroup("Trackers", RuntimeConfig, ("tensorboard",)),
)
_FLAGS = {"files": "--data", "ascii": "--to-ascii"}
_METAVARS = {
    "files": "FILE",
    "column": "NAME-OR-NUMBER",
    "label": "LABEL",
    "label_column": "NAME-OR-NUMBER",
    "separator": "LINE",
    "encoding": "NAME",
    "member": "PATTERN",
    "weight": "X",
    "overfit": "ROW",
    "run_name": "NAME",
    "checkpoint": "NAME",
    "resume": "RUN",
    "tensorboard": "DIR",
    "prime": "TEXT",
    "avoid": "WORDS|@FILE",
    "must_contain": "TEXT",
}
_MAX_CHOICES_CELLS = 26
_COMPLETIONS = {"checkpoint": complete_checkpoint, "resume": complete_run}


def with_options(*groups: OptionGroup) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of `groups` to a command; its first argument is a dictionary of those on the command line."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = [_parameter(group, name) for group in groups for name in group.fields]
        names = [parameter.name for parameter in parameters]
        [_, *own] = inspect.signature(command, eval_str=True).parameters.values()
        parameters += [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

        def command_with_options(**values: Any) -> None:  # noqa: ANN401 - values of any type
            given = {name: values.pop(name) for name in names}
            command({name: value for name, value in given.items() if value not in (None, [])}, **values)

        command_with_options.__doc__ = command.__doc__
        command_with_options.__name__ = command.__name__
        command_with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # what typer reads
        command_with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command_with_options

    return decorate


_types_of = cache(get_type_hints)


def _parameter(group: OptionGroup, name: str) -> inspect.Parameter:
    """Return the parameter behind one option; it is None where the option is not on the line."""
    config_type, field_type = group.config_type, _types_of(group.config_type)[name]
    flag = _FLAGS.get(name, option_of(name))
    if config_type is SamplingConfig and field_type is bool:  # one that is on in a checkpoint can be turned off
        flag += f"/--no-{flag.removeprefix('--')}"
    # typer gets None, "option not given", as the default; a default that depends on the preset is not shown
    default = None if config_type in (ModelConfig, TrainingConfig) else getattr(config_type, name, None)
    is_shown = isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    option = typer.Option(
        flag,
        help=group.help or field_help(config_type)[name],
        metavar=_METAVARS.get(name) or _metavar(field_type),
        autocompletion=_COMPLETIONS.get(name),
        rich_help_panel=group.heading,
        show_default=str(default) if is_shown else False,
    )
    given_type: Any = {"files": list[str], "weight": list[float], "avoid": list[str]}.get(name, field_type)
    annotation: Any = Annotated[given_type | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _metavar(field_type: Any) -> str | None:  # noqa: ANN401 - a type, a union or a literal
    """Return the choices of a literal, N for a whole number, X for any other value, None for a flag.

    Many choices are lines: typer breaks a line that is too long for 80 columns in the middle of a word.
    """
    if get_origin(field_type) is Literal:
        return textwrap.fill("| ".join(get_args(field_type)), _MAX_CHOICES_CELLS).replace("| ", "|")
    if field_type is bool:
        return None
    return "N" if field_type in (int, int | None) else "X"


def require_effect(options: Mapping[str, object], where: str, hint: str, *, has_effect: bool) -> None:
    """Raise `ConfigError` for an option that is given although it has no effect; `{}` in the hint is its name."""
    name = next((name for name, value in options.items() if value is not None), None)
    if name is not None and not has_effect:
        raise ConfigError(f"{option_of(name)} has no effect {where}.", hint.format(option_of(name)))


def require_data(given: GivenOptions, *names: str) -> None:
    """Raise `ConfigError` if one of these options of --data is given without it."""
    options = {name: given.get(name) for name in names}
    require_effect(options, "without --data", "Add --data FILE.", has_effect="files" in given)


def fields_of(config_type: type, given: GivenOptions) -> GivenOptions:
    """Return those of the given options that are fields of a config."""
    return {name: value for name, value in given.items() if name in field_names(config_type)}


def sampling_settings(given: GivenOptions) -> GivenOptions:
    """Return those of the given options that are fields of `SamplingConfig`. Raises `ConfigError`."""
    fields = fields_of(SamplingConfig, given)
    return {**fields, "avoid": avoided_words(fields["avoid"])} if "avoid" in fields else fields


def to_corpus_config(given: GivenOptions, input_folder: Path | None = None) -> CorpusConfig | None:
    """Return the corpus that the options ask for, None without such an option. Raises `TweetgenError`.

    Data from standard input or a pipe is stored in `input_folder`, by default in the data folder, so that a run can be
    resumed later.
    """
    require_data(given, *READING)
    fields = fields_of(CorpusConfig, given)
    for name in ("files", "weight"):
        if name in fields:
            fields[name] = tuple(fields[name])
    if "files" in fields:
        from engine.corpus.files.members import with_saved_streams

        fields["files"] = with_saved_streams(fields["files"], sys.stdin.buffer, input_folder or home() / "input")
    return CorpusConfig(**fields) if fields else None


def config_to_train(given: GivenOptions) -> RunConfig:
    """Return the run that the given options ask for. Raises `TweetgenError`.

    Also where it continues a run that another torchrun, not that of this process, starts again.
    """
    if "resume" in given or "checkpoint" in given:
        require_data(given, "max_length")
    settings = {**fields_of(ModelConfig, given), **fields_of(TrainingConfig, given), **sampling_settings(given)}
    settings.pop("preset", None)
    runtime = RuntimeConfig(**fields_of(RuntimeConfig, given))
    if runtime.tensorboard is not None:  # other processes may have another working directory
        runtime = replace(runtime, tensorboard=os.path.abspath(os.path.expanduser(runtime.tensorboard)))
    corpus = to_corpus_config(given)
    config = RunConfig(settings=settings, corpus=corpus, runtime=runtime, **fields_of(RunConfig, given))
    if config.resume == "last":
        idle = (run.name for run in list_runs() if not is_on(run))
        config = replace(config, resume=next(idle, config.resume))
    if config.resume is not None:
        run = find_run(config.resume)
        agent = restarting_agent(run)
        if agent is not None and agent.pid != os.getppid():
            raise in_use_error(run.journal_path)
    return config

"""The exceptions of this program, each with the title and the exit code that the user sees. Never for control flow.

Every error is two lines: `message` names the thing and what is wrong with it, `hint` the remedy. Both are plain text
and safe to print. The exit code is 1 for a problem with the user's files, settings or machine, 75 where another try may
succeed, and 3 for a bug.
"""

from __future__ import annotations

from typing import ClassVar

from engine.text import sanitize_line


class TweetgenError(Exception):
    """An error that the user sees as two lines, without a traceback."""

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Error"

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = sanitize_line(message)
        self.hint = sanitize_line(hint)
        super().__init__(self.message)


class ConfigError(TweetgenError):
    """A setting is out of range, or two settings do not fit together."""

    title = "A setting can't be used"


class RunFinishedError(ConfigError):
    """A command needs a run that still trains."""

    title = "The run is finished"


class CorpusError(TweetgenError):
    """The training text can't be read, or too little of it is usable."""

    title = "The tweets can't be used"


class VocabError(TweetgenError):
    """A text contains a character that the vocabulary lacks."""

    title = "Unknown character"


class CheckpointError(TweetgenError):
    """A checkpoint is missing, damaged, foreign, or does not fit."""

    title = "The checkpoint can't be used"


class StorageError(TweetgenError):
    """A folder or file can't be written."""

    title = "The file can't be written"


class DownloadError(TweetgenError):
    """A file can't be fetched, or its size or checksum is wrong."""

    title = "The download failed"


class RemoteError(TweetgenError):
    """A run in another process can't be reached, or the connection is lost."""

    title = "The run can't be reached"


class DeviceError(TweetgenError):
    """The requested device or precision is not available on this machine."""

    title = "The device can't be used"


class DeviceMemoryError(DeviceError):
    """A device is out of memory."""

    title = "The device is out of memory"


class DistributedError(TweetgenError):
    """Several processes can't train together."""

    title = "The processes can't train together"


class RankLostError(DistributedError):
    """A process ended or hangs; all restart from `latest`."""

    exit_code = 75  # EX_TEMPFAIL: trying again may succeed
    title = "A process of the run was lost"


class WeightsDifferError(RankLostError):
    """A process has other weights than the leader; the current weights are not saved."""

    title = "The weights of the processes differ"


class DivergedError(TweetgenError):
    """Loss or gradient was non-finite too many times in a row."""

    title = "Training diverged"


class RunEndsError(TweetgenError):
    """The run ends before a command was executed, or before a tweet was finished."""

    title = "The run ends"


class InternalError(TweetgenError):
    """A bug in this program, not in the user's input; the traceback is in the log."""

    exit_code = 3
    title = "The program has a bug"


def exit_code_for(title: str) -> int:
    """Return the exit code of an error by its title, the only part of its class that a `RunFailed` event carries."""
    codes = {error.title: error.exit_code for error in (InternalError, RankLostError, WeightsDifferError)}
    return codes.get(title, TweetgenError.exit_code)

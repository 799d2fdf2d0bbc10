"""What can go wrong, each kind with the exit code that it ends the program with.

    TweetgenError            1   a problem with the user's files or settings
    ├── ConfigError          1   a setting out of range, or two that do not fit together
    ├── CorpusError          1   text that can't be read, or too little of it
    ├── VocabError           1   a character that the model has never seen
    ├── CheckpointError      1   a checkpoint that is missing, damaged, foreign or does not fit
    ├── StorageError         1   a folder or file that can't be written
    ├── DownloadError        1   a file that can't be fetched, or is not the one that was wanted
    ├── RemoteError          1   a run in another process that can't be reached
    ├── DeviceError          1   a device or precision that this machine lacks
    │   └── DeviceMemoryError    1   a device whose memory is used up
    ├── DivergedError        1   training that can't go on: loss or gradient is not finite any more
    └── InternalError        3   a mistake of ours; the traceback is in the log

Every error is two lines: `message` says what is wrong with which thing, `hint` what to do about it. Both are plain
text and already harmless to print.
"""

from __future__ import annotations

from typing import ClassVar

from engine.text import harmless


class TweetgenError(Exception):
    """Something that the user can be told in two lines."""

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Something is wrong"

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep both lines as they will be shown: one line each, harmless, bounded."""
        self.message = harmless(message)
        self.hint = harmless(hint)
        super().__init__(self.message)


class ConfigError(TweetgenError):
    """A setting is out of range, or two settings do not fit together."""

    title = "A setting can't be used"


class CorpusError(TweetgenError):
    """The training text can't be read, or too little of it is usable."""

    title = "The tweets can't be used"


class VocabError(TweetgenError):
    """A text holds a character that the vocabulary lacks."""

    title = "An unknown character"


class CheckpointError(TweetgenError):
    """A checkpoint is missing, damaged, foreign, or does not fit."""

    title = "The checkpoint can't be used"


class StorageError(TweetgenError):
    """A folder or file can't be written."""

    title = "Nothing can be saved there"


class DownloadError(TweetgenError):
    """A file can't be fetched, or what came is not the one that was wanted."""

    title = "The download failed"


class RemoteError(TweetgenError):
    """A run that another process trains can't be reached, or no longer."""

    title = "The run can't be reached"


class DeviceError(TweetgenError):
    """A device or precision that this machine lacks was asked for."""

    title = "The device can't be used"


class DeviceMemoryError(DeviceError):
    """A device has no memory left for what a run needs."""

    title = "The device's memory is used up"


class DivergedError(TweetgenError):
    """Loss or gradient was not finite too many times in a row."""

    title = "Training diverged"


class InternalError(TweetgenError):
    """A mistake in this program, not in what the user gave it."""

    exit_code = 3
    title = "The program has a bug"


def exit_code_for(title: str) -> int:
    """Return the exit code of the kind of error with this title, as a `RunFailed` event carries it."""
    return InternalError.exit_code if title == InternalError.title else TweetgenError.exit_code

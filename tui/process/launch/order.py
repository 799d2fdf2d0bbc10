"""What a launcher is to launch: a run, and where its output goes. A file in the launch folder, for the ranks too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.config.run import RunConfig
from engine.errors import InternalError
from engine.protocol import codec
from engine.storage.atomic_write import new_file
from engine.storage.folders import find_run, free_run_name
from tui.process.launch.folder import LaunchFolder


@dataclass(frozen=True, kw_only=True)
class LaunchOrder:
    """One run in several processes."""

    config: RunConfig
    """Names the run, also where the user did not."""
    wanted: int
    """Number of processes, or `count.AUTO`."""
    as_json: bool = False
    stops_on_hangup: bool = False
    detaches: bool = False
    """The run continues in the background once it has started."""
    is_for_screen: bool = False
    """A screen shows the run: a used-up budget pauses it, and an error is printed as an event on standard output."""
    notice: str = ""
    """A warning at the start of the run."""

    @property
    def run(self) -> str:
        """The name of the run."""
        return name_in(self.config)

    def write(self, folder: LaunchFolder) -> None:
        """Store the order. Raises `StorageError`."""
        with new_file(folder.order_path) as file:
            file.write(codec.encode(self).encode())

    @classmethod
    def read(cls, folder: LaunchFolder) -> LaunchOrder:
        """Return the order of a launch. Raises `InternalError`."""
        try:
            return codec.decode(folder.order_path.read_bytes(), cls)
        except (OSError, codec.DecodeError) as error:
            raise InternalError(f"The launch folder can't be read: {error}.") from error


def named(config: RunConfig) -> RunConfig:
    """Return a config with the name of its run: the processes of a launch, and their screen, have to agree on it."""
    if config.resume is not None:
        return replace(config, resume=find_run(config.resume).name)
    return config if config.run_name is not None else replace(config, run_name=free_run_name())


def name_in(config: RunConfig) -> str:
    """Return the name of the run in a config that `named` has returned."""
    name = config.resume or config.run_name
    assert name is not None  # noqa: S101 - as the docstring says
    return name

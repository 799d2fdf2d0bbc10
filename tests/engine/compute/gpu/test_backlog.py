"""The host runs ahead of the device by about 20 ms or two steps, never by more, and the device is never idle."""

from __future__ import annotations

import pytest

from engine.compute.gpu.backlog import MIN_STEPS, SECONDS, Backlog
from tests.fakes import FakeClock


class FakeDevice:
    """Completes steps of a fixed time one after another, in the time of a fake clock."""

    def __init__(self, step_seconds: float) -> None:
        self.clock = FakeClock()
        self.step_seconds = step_seconds
        self.ends: list[float] = []
        self.idle_seconds = 0.0

    def queue_step(self) -> None:
        free_from = self.ends[-1] if self.ends else self.clock.now
        self.idle_seconds += max(0.0, self.clock.now - free_from)
        self.ends.append(max(free_from, self.clock.now) + self.step_seconds)

    @property
    def num_queued(self) -> int:
        return sum(end > self.clock.now for end in self.ends)

    def make_event(self) -> FakeEvent:
        return FakeEvent(self)


class FakeEvent:
    """Is reached at the end of the last step that was queued when it was recorded."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self.end = 0.0

    def record(self) -> None:
        self.end = self._device.ends[-1]

    def synchronize(self) -> None:
        clock = self._device.clock
        clock.advance(max(0.0, self.end - clock.now))

    def elapsed_time(self, end_event: object) -> float:
        assert isinstance(end_event, FakeEvent)
        assert end_event.end <= self._device.clock.now, "the device has not reached the event"
        return 1000 * (end_event.end - self.end)


def queue_steps(device: FakeDevice, backlog: Backlog, count: int, host_seconds: float) -> list[int]:
    """Queue steps as fast as the host can; return how many are queued after each."""
    queued = []
    for _ in range(count):
        device.clock.advance(host_seconds)
        device.queue_step()
        backlog.add_step()
        queued.append(device.num_queued)
    return queued


@pytest.mark.parametrize("step_seconds", [0.00035, 0.004, 0.08])
def test_the_queue_is_bounded_and_the_device_never_idle(step_seconds: float) -> None:
    device = FakeDevice(step_seconds)
    queued = queue_steps(device, Backlog(device.make_event), 500, host_seconds=0.0001)
    allowed = max(MIN_STEPS, SECONDS / step_seconds)
    assert max(queued) <= allowed
    assert queued[-1] >= 0.9 * allowed - 1
    assert device.idle_seconds == 0.0


def test_a_slow_host_never_waits() -> None:
    device = FakeDevice(0.001)
    backlog = Backlog(device.make_event)
    queue_steps(device, backlog, 100, host_seconds=0.005)
    assert device.clock.now == pytest.approx(0.5)


def test_the_limit_follows_steps_that_become_longer() -> None:
    device = FakeDevice(0.0005)
    backlog = Backlog(device.make_event)
    queue_steps(device, backlog, 200, host_seconds=0.0001)
    short = backlog.limit
    device.step_seconds = 0.01
    queued = queue_steps(device, backlog, 200, host_seconds=0.0001)
    assert (short, backlog.limit) == (40, MIN_STEPS)
    assert queued[-1] == MIN_STEPS

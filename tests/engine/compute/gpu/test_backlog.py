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

    def queue_steps(self, backlog: Backlog, count: int, host_seconds: float) -> list[int]:
        """Queue steps as fast as the host can; return how many are queued after each."""
        queued = []
        for _ in range(count):
            self.clock.advance(host_seconds)
            free_from = self.ends[-1] if self.ends else self.clock.now
            self.idle_seconds += max(0.0, self.clock.now - free_from)
            self.ends.append(max(free_from, self.clock.now) + self.step_seconds)
            backlog.add_step()
            queued.append(sum(end > self.clock.now for end in self.ends))
        return queued

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


@pytest.mark.parametrize("step_seconds", [0.00035, 0.004, 0.08])
def test_the_queue_is_bounded_and_the_device_never_idle(step_seconds: float) -> None:
    device = FakeDevice(step_seconds)
    queued = device.queue_steps(Backlog(device.make_event), 500, host_seconds=0.0001)
    allowed = max(MIN_STEPS, SECONDS / step_seconds)
    assert max(queued) <= allowed
    assert queued[-1] >= 0.9 * allowed - 1
    assert device.idle_seconds == 0.0


def test_a_slow_host_never_waits() -> None:
    device = FakeDevice(0.001)
    device.queue_steps(Backlog(device.make_event), 100, host_seconds=0.005)
    assert device.clock.now == pytest.approx(0.5)


def test_the_limit_follows_steps_that_become_longer() -> None:
    device = FakeDevice(0.0005)
    backlog = Backlog(device.make_event)
    device.queue_steps(backlog, 200, host_seconds=0.0001)
    assert backlog.limit == 40
    device.step_seconds = 0.01
    assert device.queue_steps(backlog, 200, host_seconds=0.0001)[-1] == backlog.limit == MIN_STEPS

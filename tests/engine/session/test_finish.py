"""`Finish` anneals the learning rate to zero over a tenth of the steps so far, then ends the run."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.training.schedule import MIN_FINISH_STEPS, finish_after
from tests.engine.helpers import latest, losses, of_type, only, rates, resume_config, run_session, tiny_config


@given(step=st.integers(0, 10**7))
def test_a_finish_takes_a_tenth_of_the_steps_so_far_and_anneals_the_rate_to_zero(step: int) -> None:
    finish = finish_after(step)
    num_steps = finish.last_step - finish.first_step

    assert finish.first_step == step
    assert num_steps == max(MIN_FINISH_STEPS, math.ceil(step / 10))
    assert finish.rate_factor(step) == 1
    shares = [finish.rate_factor(step + taken) for taken in range(min(num_steps, 200))]
    assert shares == sorted(shares, reverse=True)
    assert finish.rate_factor(finish.last_step - 1) > 0 == finish.rate_factor(finish.last_step)


def test_a_run_stopped_while_finishing_resumes_bit_for_bit_and_trains_at_its_own_rate_after_the_end(
    corpus: Path,
) -> None:
    whole = run_session(tiny_config(corpus, run_name="whole", max_steps=10**6), {30: [c.Finish()]})

    first = run_session(tiny_config(corpus, max_steps=10**6), {30: [c.Finish()], 37: [c.Stop()]})
    rest = run_session(resume_config())

    assert {**losses(first), **losses(rest)} == losses(whole)
    assert {**rates(first), **rates(rest)} == rates(whole)
    assert only(rest, e.FinishPlanned).last_step == 50
    assert only(rest, e.RunFinished).reason == "finished"
    assert latest().has_finished

    again = run_session(resume_config(), {55: [c.Stop()]})

    assert only(again, e.Warned).message == "The run had finished; it continues at its learning rate."
    assert rates(again)[51] == 0.004
    assert not of_type(again, e.FinishPlanned)

import pytest

from trainer.narration import ON_POLICY, Narrator, duration, step_line

METRICS = {"reward_mean": 0.5, "component/maths.equal": 0.4, "tokens": 300.0, "loss": 1e-4}


@pytest.fixture
def narrator():
    ticks = iter([0.0, 3.0, 4.0, 5.0])
    return Narrator(3, clock=lambda: next(ticks))


def test_a_line_tells_the_pace_and_the_time_left(narrator):
    first, second, last = (narrator.line(step, METRICS) for step in (1, 2, 3))
    assert "reward 0.500  maths.equal 0.400" in first
    assert "100 tokens/s  6 s left" in first
    assert "300 tokens/s  3 s left" in second
    assert last.endswith("300 tokens/s")


def test_a_loss_near_0_is_explained_once(narrator):
    said = [narrator.line(step, METRICS) for step in (1, 2)]
    assert [ON_POLICY in line for line in said] == [True, False]


def test_a_loss_far_from_0_is_not_explained_away(narrator):
    assert ON_POLICY not in narrator.line(1, {**METRICS, "loss": 0.3})


def test_detectors_that_spoke_are_named():
    assert "alarms: shortcut" in step_line(1, 2, {"alarm/shortcut": 1.0, "alarm/shortcut/figure": 0.2})
    assert "alarms" not in step_line(1, 2, METRICS)


@pytest.mark.parametrize(("seconds", "said"), [(12.2, "12 s"), (245, "4 min 5 s"), (12_000, "3 h 20 min")])
def test_durations_read_well(seconds, said):
    assert duration(seconds) == said

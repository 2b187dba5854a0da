import threading
import time

import pytest

from trainer.stopwatch import Phase, lap, phase

NAMES = {f"phase/{name}_s" for name in Phase}


@pytest.fixture(autouse=True)
def afresh():
    lap()


def test_every_phase_is_told_and_those_that_were_not_are_zero():
    found = lap()
    assert set(found) == NAMES | {"peak_memory_bytes"}
    assert all(found[name] == 0 for name in NAMES)
    assert found["peak_memory_bytes"] > 2**20


def test_a_second_counts_for_the_innermost_phase_and_only_once():
    started = time.perf_counter()
    with phase(Phase.LOG_PROBS):
        time.sleep(0.02)
        with phase(Phase.SYNC):
            time.sleep(0.04)
    whole, found = time.perf_counter() - started, lap()
    assert found["phase/sync_s"] >= 0.04
    assert found["phase/log_probs_s"] >= 0.02
    assert found["phase/sync_s"] + found["phase/log_probs_s"] <= whole


def test_a_lap_forgets_what_it_told():
    with phase(Phase.GRADING):
        pass
    assert lap()["phase/grading_s"] > 0
    assert lap()["phase/grading_s"] == 0


def test_what_another_thread_does_is_told_apart():
    def sample():
        with phase(Phase.SAMPLING):
            time.sleep(0.01)

    with phase(Phase.IDLE):
        thread = threading.Thread(target=sample)
        thread.start()
        thread.join()
    found = lap()
    assert found["background/sampling_s"] >= 0.01
    assert found["phase/sampling_s"] == 0
    assert found["phase/idle_s"] >= 0.01


def test_a_phase_that_fails_is_counted_and_leaves_nothing_open():
    with pytest.raises(ValueError, match="bad"), phase(Phase.BACKWARD):
        raise ValueError("bad")
    with phase(Phase.OPTIMISER):
        pass
    found = lap()
    assert found["phase/backward_s"] > 0
    assert found["phase/optimiser_s"] > 0

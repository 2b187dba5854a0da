"""Who is served next."""

from dataclasses import dataclass

from env_server.fair_queue import FairQueue, Line
from env_server.terms import Priority


@dataclass(eq=False)
class Waiting:
    name: str
    number: int = 0
    priority: Priority = Priority.NORMAL
    abandoned: bool = False

    @property
    def line(self) -> Line:
        return Line(self.name)


def take(queue: FairQueue[Waiting], *, most: int = 1, but: str = "", cost_s: dict[str, float] | None = None):
    costs = cost_s or {}
    return queue.take(lambda line: line.rewarder != but, lambda *_: most, lambda line: costs.get(line.rewarder, 1.0))


def filled(*waiting: Waiting) -> FairQueue[Waiting]:
    queue = FairQueue[Waiting]()
    for one in waiting:
        queue.put(one)
    return queue


def everything(queue: FairQueue[Waiting], **how) -> list[Waiting]:
    taken = []
    while one := take(queue, **how):
        taken += one
    return taken


def test_within_a_line_who_came_first_is_served_first():
    queue = filled(*(Waiting("a", number) for number in range(5)))
    assert [one.number for one in everything(queue, most=2)] == [0, 1, 2, 3, 4]
    assert len(queue) == 0


def test_a_rewarder_with_a_long_line_does_not_keep_another_waiting():
    queue = filled(*(Waiting("a", number) for number in range(1000)), Waiting("b"))
    assert "b" in [one.name for _ in range(2) for one in take(queue)]


def test_what_is_taken_together_is_all_of_one_rewarder():
    queue = filled(*(Waiting("ab"[number % 2], number) for number in range(8)))
    while taken := take(queue, most=3):
        assert len({one.name for one in taken}) == 1


def test_rewarders_share_time_and_not_turns():
    queue = filled(*(Waiting("slow") for _ in range(100)), *(Waiting("quick") for _ in range(100)))
    served = [take(queue, cost_s={"slow": 1.0, "quick": 0.1})[0].name for _ in range(22)]
    assert served.count("quick") == 20


def test_of_what_everybody_waits_for_each_priority_has_its_share_and_none_starves():
    queue = filled(*(Waiting("a", priority=priority) for priority in Priority for _ in range(1000)))
    served = [take(queue)[0].priority for _ in range(21 * 10)]
    assert [served.count(priority) for priority in Priority] == [160, 40, 10]


def test_someone_in_a_hurry_is_served_next_however_long_the_others_have_waited():
    queue = filled(*(Waiting("a", priority=Priority.BACKGROUND) for _ in range(100)))
    for _ in range(50):
        take(queue)
    queue.put(Waiting("a", priority=Priority.INTERACTIVE))
    assert Priority.INTERACTIVE in [one.priority for _ in range(2) for one in take(queue)]


def test_a_line_that_was_empty_has_saved_nothing_up():
    queue = filled(*(Waiting("a") for _ in range(200)))
    for _ in range(100):
        take(queue)
    for _ in range(100):
        queue.put(Waiting("b"))
    assert [take(queue)[0].name for _ in range(20)].count("b") in (10, 11)


def test_who_is_not_wanted_just_now_lets_others_pass_and_keeps_its_place():
    queue = filled(Waiting("a", 1), Waiting("a", 2), Waiting("b"))
    assert [one.name for one in everything(queue, but="a")] == ["b"]
    assert [one.number for one in everything(queue)] == [1, 2]


def test_what_is_put_back_comes_first_and_in_its_order():
    queue = filled(*(Waiting("a", number) for number in range(6)))
    queue.put_back(take(queue, most=3))
    assert len(queue) == 6
    assert [one.number for one in everything(queue)] == [0, 1, 2, 3, 4, 5]


def test_whoever_has_left_is_passed_over():
    gone = [Waiting("a", number, abandoned=True) for number in range(3)]
    queue = filled(*gone, Waiting("a", 3))
    assert [one.number for one in take(queue)] == [3]


def test_sweeping_makes_room_of_those_who_have_left():
    queue = filled(*(Waiting("a", number, abandoned=number < 7) for number in range(10)))
    queue.sweep()
    assert len(queue) == 3
    assert [one.number for one in queue.clear()] == [7, 8, 9]
    assert len(queue) == 0

"""Who is served next."""

from dataclasses import dataclass

import pytest

from env_server.fair_queue import FairQueue, Line
from env_server.terms import Priority


@dataclass(eq=False)
class Waiting:
    name: str
    number: int = 0
    priority: Priority = Priority.NORMAL
    abandoned: bool = False
    tenant: str | None = None

    @property
    def line(self) -> Line:
        return Line(self.name)


def take(
    queue: FairQueue[Waiting],
    *,
    most: int = 1,
    but: str = "",
    cost_s: dict[str, float] | None = None,
    server: str = "",
    only: str = "",
):
    """Served by `server`, which serves `only` this rewarder, if it says so."""
    costs = cost_s or {}

    def may(line: Line) -> bool:
        return line.rewarder != but and only in ("", line.rewarder)

    return queue.take(server, may, lambda *_: most, lambda line: costs.get(line.rewarder, 1.0))


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


def test_what_is_put_back_has_paid_already():
    queue = filled(*(Waiting("a", number) for number in range(100)), *(Waiting("b") for _ in range(100)))
    served = []
    for _ in range(21):
        taken = take(queue, most=5)
        if taken[0].name == "a":  # its worker was lost, and gets another
            queue.put_back(taken)
            taken = take(queue, most=5)
        served += [one.name for one in taken]
    assert abs(served.count("a") - served.count("b")) <= 5


def many(name: str, count: int, priority: Priority, tenant: str | None = None) -> list[Waiting]:
    return [Waiting(name, number, priority, tenant=tenant) for number in range(count)]


@pytest.mark.parametrize("elsewhere", [0, 1, 1400])
def test_how_much_was_served_elsewhere_keeps_nobody_in_a_hurry_waiting(elsewhere: int):
    queue = filled(*many("judge", 1500, Priority.BACKGROUND), *many("tests", 1400, Priority.BACKGROUND))
    for _ in range(22):
        take(queue, server="judge", only="judge")
    for _ in range(elsewhere):
        take(queue, server="tests", only="tests")
    queue.put(Waiting("judge", priority=Priority.INTERACTIVE))
    served = [take(queue, server="judge", only="judge")[0].priority for _ in range(2)]
    assert Priority.INTERACTIVE in served


@pytest.mark.parametrize("elsewhere", [0, 1, 1400])
def test_how_much_was_served_elsewhere_lets_nobody_in_a_hurry_starve_the_others(elsewhere: int):
    queue = filled(*many("judge", 1500, Priority.BACKGROUND), *many("tests", 1400, Priority.BACKGROUND))
    for _ in range(1000):
        take(queue, server="judge", only="judge")
    for _ in range(elsewhere):
        take(queue, server="tests", only="tests")
    for one in many("judge", 500, Priority.INTERACTIVE):
        queue.put(one)
    served = [take(queue, server="judge", only="judge")[0].priority for _ in range(170)]
    assert served.count(Priority.BACKGROUND) == 10


def test_a_line_that_comes_back_from_other_servers_has_neither_saved_up_nor_fallen_behind():
    queue = filled(*many("a", 3000, Priority.NORMAL), *many("b", 3000, Priority.NORMAL))
    for _ in range(1000):
        take(queue, server="quick", only="a")
    for _ in range(10):
        take(queue, server="slow", only="b")
    both = [take(queue, server="slow")[0].name for _ in range(20)]
    back = [take(queue, server="quick")[0].name for _ in range(20)]
    assert both.count("a") in (10, 11)
    assert back.count("a") in (9, 10)


def test_tenants_share_alike_whatever_they_ask_and_however_hurried():
    greedy = [one for name in "abcd" for one in many(name, 100, Priority.INTERACTIVE, "greedy")]
    queue = filled(*greedy, *many("a", 100, Priority.BACKGROUND, "modest"))
    assert [take(queue)[0].tenant for _ in range(40)].count("modest") == 20


def test_within_a_tenant_priorities_have_their_shares():
    mine = [one for priority in Priority for one in many("a", 1000, priority, "mine")]
    queue = filled(*mine, *many("a", 1000, Priority.NORMAL, "others"))
    served = [one.priority for _ in range(42 * 10) for one in take(queue) if one.tenant == "mine"]
    assert [served.count(priority) for priority in Priority] == [160, 40, 10]


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

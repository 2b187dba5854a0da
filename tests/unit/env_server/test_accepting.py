"""Which of several processes takes a connection, and that none waits for one that is stuck."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack

from env_server.accepting import Acceptor, Among, Connections


class Greeter(asyncio.Protocol):
    """Says who it belongs to."""

    def __init__(self, number: int) -> None:
        self._number = number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"%d" % self._number)


def counts(*numbers: int) -> Connections:
    made = Connections.shared(len(numbers))
    for place, number in enumerate(numbers, 1):
        made.has(place, number)
    return made


def test_a_process_has_fewest_only_while_nobody_has_fewer():
    connections = counts(3, 5, 3)
    assert [connections.has_fewest(number) for number in (1, 2, 3)] == [True, False, True]
    connections.gone(1)
    connections.leaves(3)
    assert [connections.has_fewest(number) for number in (1, 2, 3)] == [False, True, False]


def test_where_all_are_leaving_each_still_takes_connections_to_refuse_them():
    connections = counts(1, 2)
    connections.leaves(1)
    connections.leaves(2)
    assert [connections.has_fewest(number) for number in (1, 2)] == [True, True]


def test_a_process_that_is_gone_counts_for_nobody():
    connections = Connections.shared(2)
    connections.has(2, 1000)
    assert connections.has_fewest(2)


def greeted(connections: Connections, accepting: list[int], open_now: Callable[[int], int], times: int) -> list[bytes]:
    """Who took each of so many connections, one after the other."""

    async def scenario() -> list[bytes]:
        with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
            for number in accepting:
                shared = stack.enter_context(listener.dup())
                acceptor = Acceptor(
                    shared, Among(number, connections), lambda n=number: Greeter(n), lambda n=number: open_now(n)
                )
                acceptor.start()
                stack.callback(acceptor.stop)
            return [await ask(listener.getsockname()) for _ in range(times)]

    async def ask(address: tuple[str, int]) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        said = await reader.readexactly(1)
        writer.close()
        await writer.wait_closed()
        return said

    return asyncio.run(asyncio.wait_for(scenario(), 60))


def test_the_one_with_the_fewest_takes_it():
    assert greeted(counts(0, 0), [1, 2], {1: 5, 2: 1}.__getitem__, 5) == [b"2"] * 5


def test_a_connection_does_not_wait_for_one_that_is_stuck():
    assert greeted(counts(0, 0), [1], {1: 5}.__getitem__, 3) == [b"1"] * 3


def test_who_says_how_many_it_has_is_known_to_be_alive_and_who_has_gone_is_not_looked_at():
    connections = counts(3, 3)
    beats = []
    for _ in range(3):
        beats.append(connections.beat(1))
        connections.has(1, 3)
    assert len(set(beats)) == 3
    assert connections.beat(2) == connections.beat(2)
    connections.gone(1)
    assert connections.beat(1) is None
    assert Connections.shared(1).beat(1) is None

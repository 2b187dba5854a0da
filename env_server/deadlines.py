"""A client's patience: what is not answered when it ends is given up, and is a fault that another try may mend.

It counts from the arrival of the request, queueing included, so it says nothing of the completion and is never a
verdict: blame is assigned by the deadline of each call, which counts from dispatch.
"""

import asyncio
from collections.abc import Sequence

from env_server.terms import Terms
from env_server.worker_process import Reply, reply
from rewarders.types import Fault

_FAULT = Fault(kind="DeadlineExceeded", message="the request's deadline passed before this was done", retryable=True)


def given_up() -> Reply:
    """The reply to what was not done in time."""
    return reply(_FAULT)


async def in_time(answers: "Sequence[asyncio.Future[Reply]]", terms: Terms) -> list[Reply]:
    """The answers, once they are there or the deadline has passed. Whatever ends the waiting, nothing is waited for
    behind it: futures that are not done then are cancelled."""
    try:
        if terms.left_s is not None and answers:
            await asyncio.wait(answers, timeout=max(0.0, terms.left_s))
            return [answer.result() if answer.done() else given_up() for answer in answers]
        return [await answer for answer in answers]
    finally:
        for answer in answers:
            answer.cancel()

"""Two rewarders that are quick, and four that are no good neighbours: pure and async, slow and hanging."""

import asyncio
import time

from rewarders import Completion, Verdict, rewarder
from rewarders.registry import NoParams
from rewarders.tools import Tools

BURNT_S = 0.3
_FOR_EVER_S = 3600.0


def _measured(completion: Completion) -> Verdict:
    return Verdict(score=min(1.0, len(completion.text) / 2000), reason="measured")


@rewarder("near.quick", version="1.0")
def quick(completion: Completion, reference: None, params: NoParams) -> Verdict:
    """Score min(1, characters / 2,000)."""
    return _measured(completion)


@rewarder("near.quick_async", version="1.0")
async def quick_async(completion: Completion, reference: None, params: NoParams, tools: Tools) -> Verdict:
    """Score min(1, characters / 2,000), on the event loop."""
    return _measured(completion)


@rewarder("near.burns", version="1.0")
def burns(completion: Completion, reference: None, params: NoParams) -> Verdict:
    """Spend 0.3 s of CPU time."""
    end = time.process_time() + BURNT_S
    while time.process_time() < end:
        pass
    return _measured(completion)


@rewarder("near.hangs", version="1.0")
def hangs(completion: Completion, reference: None, params: NoParams) -> Verdict:
    """Never answer, and spend nothing."""
    time.sleep(_FOR_EVER_S)
    return _measured(completion)


@rewarder("near.waits", version="1.0")
async def waits(completion: Completion, reference: None, params: NoParams, tools: Tools) -> Verdict:
    """Answer after two seconds."""
    await asyncio.sleep(2)
    return _measured(completion)


@rewarder("near.hangs_async", version="1.0")
async def hangs_async(completion: Completion, reference: None, params: NoParams, tools: Tools) -> Verdict:
    """Never answer."""
    await asyncio.sleep(_FOR_EVER_S)
    return _measured(completion)

"""`exact_number` as a verifiers task: a trace is made of each completion, scored, and written to its `traces.jsonl`.

In one process and without HTTP, as its replay does it. Run with the Python that has verifiers; reads items from its
standard input and prints a JSON object.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import verifiers
import verifiers.v1 as vf
from exact_number import score
from verifiers.v1.configs.agent import AgentConfig
from verifiers.v1.graph import MessageNode
from verifiers.v1.trace import AgentInfo, Trace, TraceTask
from verifiers.v1.types import AssistantMessage, UserMessage
from verifiers.v1.utils.trace_store import append_trace


class Sum(vf.TaskData):
    """A question with its answer."""

    answer: str


class ExactNumber(vf.Task[Sum]):
    """The verifier."""

    @vf.reward
    async def exact(self, trace: Trace) -> float:
        """Score the last message."""
        return score(trace.nodes[-1].message.content, self.data.answer)


def trace_of(task: ExactNumber, text: str) -> Trace:
    """What a rollout would have left behind."""
    nodes = [
        MessageNode(message=UserMessage(content=task.data.prompt)),
        MessageNode(parent=0, message=AssistantMessage(content=text), sampled=True),
    ]
    about = TraceTask(type="ExactNumber", data=task.data, key=task.key, hash=task.hash)
    return Trace(task=about, agent=AgentInfo(config=AgentConfig()), nodes=nodes, ok=True, is_completed=True)


async def main() -> None:
    """Score and keep the items again and again for some seconds."""
    seconds, items = float(sys.argv[1]), json.load(sys.stdin)
    done, right, lock = 0, 0.0, asyncio.Lock()
    with tempfile.TemporaryDirectory() as folder:

        async def one(item: dict[str, str]) -> float:
            task = ExactNumber(Sum(prompt="How much?", answer=item["answer"]))
            trace = trace_of(task, item["text"])
            await task.score(trace)
            await append_trace(Path(folder), trace, lock)
            return trace.reward

        await asyncio.gather(*map(one, items))
        began_s, cpu_s = time.perf_counter(), time.process_time()
        while time.perf_counter() < began_s + seconds:
            right += sum(await asyncio.gather(*map(one, items)))
            done += len(items)
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"items_per_s": done / took_s, "cpu_ms_per_item": cpu_s / done * 1000, "mean_reward": right / done}
    print(json.dumps(figures | {"memory_mib": memory_mib, "version": verifiers.__version__}))


asyncio.run(main())

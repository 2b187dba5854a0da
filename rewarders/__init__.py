"""Rewarders: what a score is, how one is written, and how scores become a reward."""

from rewarders.errors import AssayError, RewarderFault
from rewarders.registry import Registry, rewarder
from rewarders.rubric import Part, Rubric, combine
from rewarders.types import Completion, Component, Fault, RewardBreakdown, Task, Verdict

__all__ = [
    "AssayError",
    "Completion",
    "Component",
    "Fault",
    "Part",
    "Registry",
    "RewardBreakdown",
    "RewarderFault",
    "Rubric",
    "Task",
    "Verdict",
    "combine",
    "rewarder",
]

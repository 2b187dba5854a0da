"""Rewarders for what a policy must not do: cross lines, leak, refuse wrongly, flatter, call what it may not.

All of them only compute, except `judged_lines`, which asks a judge.
"""

from rewarders.safety.judged_lines import JudgedLinesParams, JudgedLinesReason, judged_lines
from rewarders.safety.leaks import LeaksParams, LeaksReason, Secrets, leaks
from rewarders.safety.premise import PremiseReason, PremiseReference, premise
from rewarders.safety.red_lines import RedLinesParams, RedLinesReason, red_lines
from rewarders.safety.refusal import RefusalParams, RefusalReason, RefusalReference, refuses
from rewarders.safety.tool_calls import ToolCallsParams, ToolCallsReason, tool_calls

__all__ = [
    "JudgedLinesParams",
    "JudgedLinesReason",
    "LeaksParams",
    "LeaksReason",
    "PremiseReason",
    "PremiseReference",
    "RedLinesParams",
    "RedLinesReason",
    "RefusalParams",
    "RefusalReason",
    "RefusalReference",
    "Secrets",
    "ToolCallsParams",
    "ToolCallsReason",
    "judged_lines",
    "leaks",
    "premise",
    "red_lines",
    "refuses",
    "tool_calls",
]

"""The verifier that every service is given when they are compared: the number after `####`, exactly."""

import re

_ANSWER = re.compile(r"#### \$?([0-9,]+(?:\.[0-9]+)?)")


def score(text: str, answer: str) -> float:
    """1 if the last number that is marked as the answer is the expected one."""
    found = _ANSWER.findall(text)
    return float(bool(found) and float(found[-1].replace(",", "")) == float(answer.replace(",", "")))

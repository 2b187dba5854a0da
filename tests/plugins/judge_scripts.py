"""Scripts for a judge's endpoint, and a judge that is asked whether a text is right."""

import threading

from judge_endpoint import Asked
from judge_service import judge_config, judged

PARAMS = {"criteria": {"right": "It is right."}}


def says(**answers):
    return lambda asked: asked.object(**answers)


def in_turn(*scripts):
    """Each script once, the last for ever."""
    left = list(scripts)
    return lambda asked: (left.pop(0) if len(left) > 1 else left[0])(asked)


def status(code: int, headers=None):
    return lambda asked: (code, headers or {}, {"error": {"message": "no"}})


def judge_right(endpoint, *texts: str, **settings):
    return judged(judge_config(endpoint.url, **settings), "judge.criteria", *texts, params=PARAMS)


def slow_about(word: str, release: threading.Event):
    """Answers at once, but not about texts with the word."""

    def script(asked: Asked) -> str:
        if word in asked.sections["ANSWER"]:
            release.wait(30)
        return asked.object(right=True)

    return script

"""One yes-or-no question about a text of the policy's, put to whichever judge is asked."""

from collections.abc import Awaitable, Callable

from rewarders.llm_judge.asking import Opinion, ask, derailed, opinion
from rewarders.llm_judge.question import Form, Question, Section
from rewarders.tools import Judge

_HOLDS = "holds"


def yes_or_no(
    task: str, known: tuple[Section, ...], title: str, text: str, *, wanted: bool = True
) -> Callable[[Judge, int], Awaitable[Opinion]]:
    """What `consult` hears of each judge: 1 for the answer that is wanted, 0 for the other one and for none.

    Args:
        task: what to decide, in a sentence that yes answers.
        known: what the judge is shown besides.
        title: what the text is called.
        text: the policy's, so it is hostile until proved otherwise.
        wanted: the answer that speaks for the text.
    """

    def asked(shown: Section) -> Question:
        return Question(task, (*known, shown), Form(booleans=(_HOLDS,)))

    async def hear(judge: Judge, sample: int) -> Opinion:
        reply = await ask(judge, asked, title, text, sample)
        if reply is None or reply.answers is None:
            return derailed(judge)
        return opinion(reply, float(reply.answers[_HOLDS] is wanted))

    return hear

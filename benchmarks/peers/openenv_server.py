"""`exact_number` as an OpenEnv environment, over its own HTTP server. Run with the Python that has openenv-core."""

import sys
from typing import Any

import uvicorn
from exact_number import score
from openenv.core.env_server import create_fastapi_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from openenv.core.rubrics import Rubric


class Answered(Action):
    """What the model wrote, and what is expected: a step over HTTP has no memory of a reset."""

    text: str
    answer: str


class ExactNumber(Rubric):
    """The verifier."""

    def forward(self, action: Any, observation: Any) -> float:
        """Score one action."""
        return score(action.text, action.answer)


class OneTurn(Environment[Answered, Observation, State]):
    """An episode of one step."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__(rubric=ExactNumber())

    def reset(self, *_: Any, **__: Any) -> Observation:
        """Nothing is shown."""
        return Observation()

    def step(self, action: Answered, *_: Any, **__: Any) -> Observation:
        """Score, and end."""
        assert self.rubric is not None
        return Observation(done=True, reward=self.rubric(action, Observation()))

    @property
    def state(self) -> State:
        """Nothing is kept."""
        return State()


if __name__ == "__main__":
    app = create_fastapi_app(OneTurn, Answered, Observation)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)

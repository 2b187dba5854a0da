"""`exact_number` as a NeMo Gym resources server, with its own app and routes, under uvicorn and without Ray.

Run with the Python that has nemo-gym.
"""

import sys
from unittest.mock import MagicMock

import uvicorn
from exact_number import score
from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseVerifyRequest,
    BaseVerifyResponse,
    SimpleResourcesServer,
)
from nemo_gym.server_utils import ServerClient


class Asked(BaseVerifyRequest):
    """With the expected answer, as its own mathematics servers take it."""

    answer: str


class ExactNumber(SimpleResourcesServer):
    """The verifier."""

    config: BaseResourcesServerConfig

    async def verify(self, body: Asked) -> BaseVerifyResponse:
        """Score the last message."""
        said = body.response.output[-1].content[-1].text
        return BaseVerifyResponse(**body.model_dump(), reward=score(said, body.answer))


if __name__ == "__main__":
    port = int(sys.argv[1])
    config = BaseResourcesServerConfig(name="exact", entrypoint="app.py", domain="math", host="127.0.0.1", port=port)
    server = ExactNumber(config=config, server_client=MagicMock(spec=ServerClient))
    uvicorn.run(server.setup_webserver(), host="127.0.0.1", port=port, log_level="error", access_log=False)

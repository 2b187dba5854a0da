"""NeMo Gym: a resources server that leaves verifying to `env-server serve`. Gym addresses servers by host and port
alone, so this one stands where Gym expects it and passes on what it is sent."""

from typing import Annotated, Any

from fastapi import Body
from nemo_gym.base_resources_server import BaseResourcesServerConfig, SimpleResourcesServer
from nemo_gym.server_utils import get_response_json, raise_for_status, request


class AssayConfig(BaseResourcesServerConfig):
    """In the YAML: `verify_url: http://127.0.0.1:8080/nemo-gym/math.v1/verify?run=gym`."""

    verify_url: str


class AssayServer(SimpleResourcesServer):
    """Every field of the row goes there, and every field of the verdict comes back."""

    config: AssayConfig

    async def verify(self, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """Ask the service."""
        answer = await request(method="POST", url=self.config.verify_url, json=body)
        await raise_for_status(answer)
        return await get_response_json(answer)


if __name__ == "__main__":
    AssayServer.run_webserver()

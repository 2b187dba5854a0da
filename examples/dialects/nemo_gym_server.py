"""NeMo Gym: a resources server that asks `env-server serve`, since Gym addresses servers by host and port alone."""

from nemo_gym import base_resources_server as gym
from nemo_gym.server_utils import get_response_json, raise_for_status, request


class AssayConfig(gym.BaseResourcesServerConfig):
    """In the YAML: `verify_url: http://127.0.0.1:8080/nemo-gym/math.v1/verify?run=gym`."""

    verify_url: str


class AssayServer(gym.SimpleResourcesServer):
    """Every field of the row goes there, and every field of the verdict comes back."""

    config: AssayConfig

    async def verify(self, body: dict[str, object]) -> dict[str, object]:
        """Ask the service."""
        answer = await request(method="POST", url=self.config.verify_url, json=body)
        await raise_for_status(answer)
        return await get_response_json(answer)

    async def aggregate_metrics(self, body: gym.AggregateMetricsRequest) -> gym.AggregateMetrics:
        """Gym's own, which would take a row that has no reward for a zero."""
        return gym.compute_aggregate_metrics([row for row in body.verify_responses if not row["mask_sample"]])


if __name__ == "__main__":
    AssayServer.run_webserver()

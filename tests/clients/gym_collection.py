"""A collection of rollouts with NeMo Gym 0.4's own collector, agent, servers and HTTP client, in a process of its own:
Gym keeps one connection pool and one configuration for a process, and replaces `print`.

    python gym_collection.py FOLDER VERIFY_URL

Reads FOLDER/rows.jsonl. The resources server is the one of examples/dialects/, and the model says what it was prompted.
"""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from nemo_gym.global_config import NEMO_GYM_CONFIG_DICT_ENV_VAR_NAME, get_global_config_dict
from nemo_gym.openai_utils import NeMoGymResponse, NeMoGymResponseCreateParamsNonStreaming
from nemo_gym.rollout_collection import RolloutCollectionConfig, RolloutCollectionHelper
from nemo_gym.server_utils import HeadServer, ServerClient
from omegaconf import OmegaConf
from responses_api_agents.simple_agent.app import SimpleAgent

EXAMPLE = Path(__file__).parents[2] / "examples/dialects/nemo_gym_server.py"
NAMES = ("assay", "agent", "policy", "head_server")
REFERENCES = {
    "resources_server": {"type": "resources_servers", "name": "assay"},
    "model_server": {"type": "responses_api_models", "name": "policy"},
}
TOKENS: dict[str, Any] = {"prompt_token_ids": [1], "generation_token_ids": [2], "generation_log_probs": [-0.5]}
THOUGHT = {"type": "reasoning", "id": "t", "summary": [{"type": "summary_text", "text": "a tool may know"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "recall", "arguments": "{}"}


def message(text: str) -> dict[str, Any]:
    """Said with the tokens that a run of training needs."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content, **TOKENS}


policy = FastAPI()


@policy.post("/v1/responses")
async def respond(body: NeMoGymResponseCreateParamsNonStreaming) -> NeMoGymResponse:
    """The next items: a thought and a call of a tool that there is not, and then what the prompt says."""
    prompt, *since = body.input
    output = [message(prompt.content)] if since else [THOUGHT, CALL]
    said = {"id": "r", "created_at": 0, "model": "parrot", "object": "response", "output": output}
    return NeMoGymResponse.model_validate({**said, "parallel_tool_calls": False, "tool_choice": "auto", "tools": []})


def resources_server() -> Any:
    """The class of the example."""
    spec = spec_from_file_location("nemo_gym_server", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.AssayServer


def apps(addresses: dict[str, Any], verify_url: str) -> dict[str, FastAPI]:
    """What listens where, put together as Gym's `run_webserver` does."""
    client = ServerClient(head_server_config=addresses["head_server"], global_config_dict=get_global_config_dict())
    built = {"policy": policy, "head_server": HeadServer(config=addresses["head_server"]).setup_webserver()}
    for name, kind in (("assay", resources_server()), ("agent", SimpleAgent)):
        config = {**addresses[name], **REFERENCES, "name": name, "entrypoint": "app.py", "verify_url": verify_url}
        server = kind(config=config, server_client=client)
        built[name] = server.setup_webserver()
        server.setup_exception_middleware(built[name])
    return built


@asynccontextmanager
async def answering(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """While this lasts, the app answers."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def collect(folder: Path, verify_url: str) -> None:
    """Roll every row out, and leave beside it what Gym leaves."""
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in NAMES}
    addresses = {name: {"host": "127.0.0.1", "port": one.getsockname()[1]} for name, one in listeners.items()}
    servers = {name: {"kind": {"server": address}} for name, address in addresses.items() if name != "head_server"}
    told = OmegaConf.create({**servers, "head_server": addresses["head_server"]})
    os.environ[NEMO_GYM_CONFIG_DICT_ENV_VAR_NAME] = OmegaConf.to_yaml(told)  # as Gym tells the processes it starts
    built = apps(addresses, verify_url)
    head = uvicorn.Server(uvicorn.Config(built.pop("head_server"), log_level="warning"))
    # Gym asks it with a client that blocks.
    threading.Thread(target=head.run, args=([listeners["head_server"]],), daemon=True).start()
    async with AsyncExitStack() as stack:
        for name, app in built.items():
            await stack.enter_async_context(answering(app, listeners[name]))
        paths = {"input_jsonl_fpath": str(folder / "rows.jsonl"), "output_jsonl_fpath": str(folder / "rollouts.jsonl")}
        await RolloutCollectionHelper().run_from_config(RolloutCollectionConfig(agent_name="agent", **paths))


if __name__ == "__main__":
    asyncio.run(collect(Path(sys.argv[1]), sys.argv[2]))

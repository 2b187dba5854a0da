import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from starlette.routing import compile_path

from env_server.dialects import nemo_gym, openrlhf, slime
from env_server.dialects.translation import label_of, reference_of
from rewarders.registry import NoParams, Registry
from rewarders.types import Completion

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples/dialects").glob("*.*"))
ROUTES = [route.path for module in (nemo_gym, openrlhf, slime) for route in module.router.routes]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_and_can_be_read_by_what_runs_it(path: Path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 30
    if path.suffix == ".py":
        ast.parse(text)
    else:
        checked = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def addresses() -> list[str]:
    found = re.findall(r"http://127\.0\.0\.1:8080(/[^'\"\s?`]+)", "".join(path.read_text("utf-8") for path in EXAMPLES))
    assert len(found) >= 3
    return found


@pytest.mark.parametrize("address", addresses())
def test_an_address_in_an_example_is_one_of_the_services(address: str):
    assert any(compile_path(route)[0].match(address) for route in ROUTES)


def test_the_function_that_verls_example_names_exists():
    words = shlex.split((ROOT / "examples/dialects/verl.sh").read_text("utf-8"), comments=True)
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    module, name = (settings[f"reward.custom_reward_function.{key}"] for key in ("path", "name"))
    loaded = __import__(module.removeprefix("pkg://"), fromlist=[name])
    given = {key.rpartition(".")[2] for key in settings if ".reward_kwargs." in key}
    assert given <= set(getattr(loaded, name).__kwdefaults__ or {}) | set(getattr(loaded, name).__annotations__)


def test_the_rows_of_trls_example_are_what_trl_and_the_service_read(monkeypatch: pytest.MonkeyPatch):
    source = (ROOT / "examples/dialects/trl_grpo.py").read_text("utf-8")
    (function,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    names: dict[str, object] = {}
    exec(compile(ast.Module([function], []), "trl_grpo", "exec"), names)  # without loading TRL
    row = names["row"]({"question": "2 + 2?", "answer": "2 + 2 = 4\n#### 4"})
    assert row == {"prompt": [{"role": "user", "content": "2 + 2?"}], "answer": "4"}


@pytest.mark.parametrize("generator", ["spell_backward", "syllogism", "circuit_logic"])
def test_tasks_of_reasoning_gym_go_through_a_table_and_are_judged_by_their_own_answers(
    generator: str, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("reasoning_gym", reason="needs the extra `reasoning-gym`")
    datasets = pytest.importorskip("datasets", reason="needs the extra `data`")
    monkeypatch.syspath_prepend(str(ROOT))
    from examples.dialects.gym_tasks import rows

    spec = Registry.load([], ["examples.reasoning_gym.rewarder"]).get("reasoning_gym.score")
    assert spec is not None
    for row in datasets.Dataset.from_list(list(rows(generator, 5))):
        reference = spec.read_reference(reference_of(label_of(row["label"], json_labels=True)))
        right = Completion(text=f"<answer>{reference.entry['answer']}</answer>")
        assert spec.function(right, reference, NoParams()).reason == "right"
        assert row["prompt"][1]["content"] == reference.entry["question"]

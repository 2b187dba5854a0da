"""verl 0.9's own reward managers, with the function loaded as its configuration names it."""

import asyncio
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="verl brings it")
pytestmark = pytest.mark.filterwarnings("ignore")  # verl's own, and those of what it loads


class Letters:
    """A tokenizer of characters."""

    def decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        return "".join(chr(int(token)) for token in tokens)


def samples(*rows: tuple[str, Any]) -> Any:
    import numpy as np
    from verl import DataProto

    width = max(len(text) for text, _ in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), 1 + width, dtype=torch.long)
    for row, (text, _) in enumerate(rows):
        ids[row, : len(text)] = torch.tensor([ord(letter) for letter in text])
        mask[row, : 1 + len(text)] = 1
    objects: dict[str, list[Any]] = {
        "data_source": ["sums"] * len(rows),
        "reward_model": [{"ground_truth": truth} for _, truth in rows],
        "extra_info": [{"question": "2 + 2?"} for _ in rows],
    }
    arrays = {name: np.array(values, dtype=object) for name, values in objects.items()}
    tensors = {"responses": ids, "attention_mask": mask, "prompts": torch.zeros(len(rows), 1, dtype=torch.long)}
    return DataProto.from_dict(tensors=tensors, non_tensors=arrays)


def configured(name: str, **kwargs: Any) -> Any:
    """The function as verl's own loader gives it."""
    from omegaconf import OmegaConf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from verl.trainer.ppo.reward import get_custom_reward_fn
    named = {"path": "pkg://env_server.dialects.verl", "name": name, "reward_kwargs": kwargs}
    return get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": named}}))


def scored_by_reward_loop(data: Any, **kwargs: Any) -> list[Any]:
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

    from env_server.dialects.verl import disconnect

    async def each() -> list[Any]:
        manager = NaiveRewardManager({}, Letters(), configured("compute_score", **kwargs))
        try:
            return list(
                await asyncio.gather(*(manager.run_single(data[index : index + 1]) for index in range(len(data))))
            )
        finally:
            await disconnect()

    return asyncio.run(each())


def test_verls_reward_loop_has_the_rewards_of_the_service_and_the_same_keys_on_every_sample(url: str):
    data = samples(("It is 4", "4"), ("It is 5", "4"), ("four", {"answer": ["4", "four"]}))
    done = scored_by_reward_loop(data, url=url, rubric={"sums": "math.v1"}, components=["maths.equal"])
    assert [one["reward_score"] for one in done] == [1.0, 0.0, 1.0]
    assert [one["reward_extra_info"] for one in done] == [
        {"score": reward, "unscored": 0.0, "maths.equal": reward} for reward in (1.0, 0.0, 1.0)
    ]


def test_a_sample_that_we_fail_to_score_stops_verl_unless_it_has_a_number(url: str):
    from rewarders.errors import RewarderFault

    data = samples(("raise", None), ("fine", None))
    with pytest.raises(RewarderFault, match="no reward of 0"):
        scored_by_reward_loop(data, url=url, rubric="obeys.v1")
    told = scored_by_reward_loop(data, url=url, rubric="obeys.v1", unscored=0.5)
    assert [one["reward_extra_info"] for one in told] == [
        {"score": 0.5, "unscored": 1.0},
        {"score": 1.0, "unscored": 0.0},
    ]


def test_verls_batch_manager_has_them_in_one_request(url: str):
    from verl.workers.reward_manager.batch import BatchRewardManager

    function = configured("compute_scores", url=url, rubric="math.v1")
    manager = BatchRewardManager(Letters(), 0, function)
    told = manager(samples(("It is 4", "4"), ("It is 5", "4")), return_dict=True)
    assert told["reward_tensor"].sum(-1).tolist() == [1.0, 0.0]
    assert told["reward_extra_info"] == {"score": [1.0, 0.0], "unscored": [0.0, 0.0]}

"""PPO's parts are PPO: put together for a control problem, they balance the pole of CartPole-v1.

A rollout is a stretch of an episode: a row with a mask, and with what is still to come where it was cut off.
"""

import gymnasium
import pytest
import torch
from torch import Tensor, nn

from trainer.advantages import whitened
from trainer.losses import clipped_gain, ratio, token_weights, value_loss
from trainer.optim import descend
from trainer.returns import gae

ENVIRONMENTS, PLACES, SOLVED = 8, 128, 475.0


class Poles:
    """CartPole-v1, several at once; an episode that ends begins anew in the same call."""

    def __init__(self, count: int, seed: int) -> None:
        mode = gymnasium.vector.AutoresetMode.SAME_STEP
        self.envs = gymnasium.make_vec(
            "CartPole-v1", num_envs=count, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
        )
        first, _ = self.envs.reset(seed=seed)
        self.state = torch.from_numpy(first)

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reward, whether the pole fell, whether time was up, and the state that this led to."""
        state, reward, fallen, out_of_time, info = self.envs.step(action.numpy())
        led_to = torch.from_numpy(state).clone()
        for place in (fallen | out_of_time).nonzero()[0]:
            led_to[place] = torch.from_numpy(info["final_obs"][place])
        self.state = torch.from_numpy(state)
        return torch.from_numpy(reward).float(), torch.from_numpy(fallen), torch.from_numpy(out_of_time), led_to


def network(outputs: int) -> nn.Sequential:
    layers = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))
    nn.init.orthogonal_(layers[-1].weight, 0.01)
    return layers


def log_odds(policy: nn.Module, state: Tensor, action: Tensor) -> Tensor:
    return policy(state).log_softmax(-1).gather(-1, action[..., None]).squeeze(-1)


@torch.no_grad()
def stretches(poles: Poles, policy: nn.Module, critic: nn.Module) -> list[list[tuple]]:
    """What the environments went through, cut where an episode ended; each ends in what the critic still expects."""
    open_ones: list[list[tuple]] = [[] for _ in range(ENVIRONMENTS)]
    closed = []
    for place in range(PLACES):
        state = poles.state.clone()
        action = torch.distributions.Categorical(logits=policy(state)).sample()
        reward, fallen, out_of_time, led_to = poles.step(action)
        expected = critic(led_to).squeeze(-1) * ~fallen
        for row in range(ENVIRONMENTS):
            open_ones[row].append((state[row], action[row], reward[row], expected[row]))
            if fallen[row] or out_of_time[row] or place == PLACES - 1:
                closed.append(open_ones[row])
                open_ones[row] = []
    return closed


def padded(rows: list[list[tuple]], column: int) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.stack([step[column] for step in row]) for row in rows], batch_first=True)


def train(seed: int, rounds: int) -> nn.Module:
    torch.manual_seed(seed)
    policy, critic, poles = network(2), network(1), Poles(ENVIRONMENTS, seed)
    actor = torch.optim.Adam(policy.parameters(), lr=2.5e-3, eps=1e-5)
    judge = torch.optim.Adam(critic.parameters(), lr=2.5e-3, eps=1e-5)
    for done in range(rounds):
        for optimizer in (actor, judge):
            optimizer.param_groups[0]["lr"] = 2.5e-3 * (1 - done / rounds)
        rows = stretches(poles, policy, critic)
        state, action, reward = (padded(rows, column) for column in range(3))
        mask = torch.arange(state.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
        with torch.no_grad():
            old_logp, old_value = log_odds(policy, state, action), critic(state).squeeze(-1)
        last = torch.stack([row[-1][3] for row in rows])
        advantage, returns = gae(reward, old_value, mask, gamma=0.99, gae_lambda=0.95, last_value=last)
        for _ in range(4):
            for part in torch.randperm(len(rows)).tensor_split(4):
                if len(part) == 0:
                    continue
                weight = token_weights(mask[part], "token_mean", 0)
                r = ratio(log_odds(policy, state[part], action[part]), old_logp[part])
                gain = clipped_gain(r, whitened(advantage[part], mask[part]), 0.2, 0.2)
                descend(policy, actor, [-(weight * gain).sum()], 0.5)
                loss = value_loss(critic(state[part]).squeeze(-1), old_value[part], returns[part], None)
                descend(critic, judge, [(weight * loss).sum()], 0.5)
    return policy


@torch.no_grad()
def mean_return(policy: nn.Module, episodes: int) -> float:
    """Over the first episode of each environment, the likelier action taken every time."""
    poles = Poles(episodes, seed=1000)
    going, total = torch.ones(episodes, dtype=torch.bool), torch.zeros(episodes)
    while going.any():
        reward, fallen, out_of_time, _ = poles.step(policy(poles.state).argmax(-1))
        total += reward * going
        going &= ~(fallen | out_of_time)
    return total.mean().item()


@pytest.mark.parametrize("seed", [0, 1])
def test_ppo_balances_the_pole(seed):
    before = mean_return(network(2), 20)
    assert before < 100
    assert mean_return(train(seed, rounds=220), 100) >= SOLVED

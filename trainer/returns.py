"""What each token is to be credited with, where rewards come at the end. Pure: N rollouts of at most T tokens."""

import torch
from torch import Tensor


def gae(
    reward: Tensor, value: Tensor, mask: Tensor, *, gamma: float, gae_lambda: float, last_value: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (arXiv 1506.02438, eq. 16): advantages and returns, `[N, T]` each.

    `delta_t = r_t + gamma V_{t+1} - V_t` and `A_t = delta_t + gamma lambda A_{t+1}`; the return is `A_t + V_t`. Places
    outside of the mask (padding, and tokens that the policy didn't choose) are passed over: the next value and the
    running advantage are carried through them. With `gae_lambda` 1 the return is the discounted sum of rewards, with 0
    it trusts the critic after one step.

    Args:
        reward: `[N, T]` of each place.
        value: `[N, T]` what the critic expects before each place.
        mask: `[N, T]` places that count.
        gamma: discount of a place.
        gae_lambda: discount of a place for the estimate.
        last_value: `[N]` what is expected after the last place, for rows that were cut off; 0 where they ended.
    """
    ahead = torch.zeros_like(value[:, 0]) if last_value is None else last_value
    running = torch.zeros_like(ahead)
    advantage = torch.zeros_like(value)
    for place in reversed(range(value.shape[1])):
        here = mask[:, place]
        delta = reward[:, place] + gamma * ahead - value[:, place]
        running = torch.where(here, delta + gamma * gae_lambda * running, running)
        ahead = torch.where(here, value[:, place], ahead)
        advantage[:, place] = torch.where(here, running, 0.0)
    return advantage, (advantage + value) * mask


def at_the_end(reward: Tensor, length: Tensor, places: int) -> Tensor:
    """Rewards `[N]` put on the last token of each rollout, `[N, T]`; an empty one has nowhere to put it."""
    last = torch.arange(places, device=length.device) == (length - 1)[:, None]
    return last * reward[:, None]


def soft_overlong(length: Tensor, longest: int, buffer: int) -> Tensor:
    """Penalty of each length `[N]`, from 0 to -1 over the last `buffer` tokens before `longest`; a buffer of 0 punishes
    nothing (DAPO, arXiv 2503.14476, eq. 13)."""
    if buffer == 0:
        return torch.zeros_like(length, dtype=torch.float64)
    return ((longest - buffer - length).to(torch.float64) / buffer).clamp(-1.0, 0.0)

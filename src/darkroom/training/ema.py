"""Exponential moving average of weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Ema:
    """Averages a module's parameters; in step n = 0, 1, … the decay is (1 + n) / (10 + n), at
    most `decay`.  Buffers are not averaged: our networks have none that are trained.

    The warm-up is the one that latent diffusion was trained with: without it the first, random
    weights would weigh on the average for thousands of steps.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after `step`, which counts from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        average = get_ema_multi_avg_fn(decay)
        average(list(self.weights.values()), list(module.parameters()), step)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Replace the module's parameters by their averages."""
        for name, parameter in module.named_parameters():
            parameter.copy_(self.weights[name])

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """The averages in the module's place for a while; its own weights come back bit for bit."""
        own = {name: p.detach().clone() for name, p in module.named_parameters()}
        self.copy_to(module)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in module.named_parameters():
                    parameter.copy_(own[name])

"""AdamW on flat memory, and the learning-rate schedule.

All parameters are views of one buffer per group: clipping, the update and the conversion to bf16 are then a
handful of operations instead of hundreds of small ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .model import GPT
from .schema import TrainingConfig


def learning_rate(progress: float, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine from ``lr`` to ``min_lr`` (Loshchilov & Hutter 2017).

    ``progress`` in 0..1 is the share of the budget used, of steps or of minutes, so that a time budget ends at
    the lowest rate too.
    """
    if progress < config.warmup_ratio:
        return config.lr * progress / config.warmup_ratio
    done = min(1.0, (progress - config.warmup_ratio) / max(1e-9, 1.0 - config.warmup_ratio))
    return config.min_lr + 0.5 * (config.lr - config.min_lr) * (1.0 + math.cos(math.pi * done))


@dataclass
class _Slot:
    """Where a parameter lies in the flat buffers."""

    name: str
    parameter: torch.nn.Parameter
    begin: int
    end: int

    def of(self, flat: Tensor) -> Tensor:
        return flat[self.begin : self.end].view(self.parameter.shape)


class _Group:
    """Parameters that share a decay: an fp32 master copy, its gradient, and what the model computes with."""

    def __init__(self, named: list[tuple[str, torch.nn.Parameter]], dtype: torch.dtype) -> None:
        self.slots: list[_Slot] = []
        total = 0
        for name, parameter in named:
            self.slots.append(_Slot(name, parameter, total, total + parameter.numel()))
            total += parameter.numel()
        device = named[0][1].device
        self.master = torch.nn.Parameter(torch.empty(total, dtype=torch.float32, device=device))
        self.master.grad = torch.zeros_like(self.master)
        with torch.no_grad():
            for slot in self.slots:
                slot.of(self.master).copy_(slot.parameter)
        # In fp32 the model computes with the master itself; small updates would be lost in bf16 alone.
        self.working = self.master.data if dtype == torch.float32 else self.master.data.to(dtype)
        for slot in self.slots:
            slot.parameter.data = slot.of(self.working)

    def collect(self, first: bool) -> None:
        """Take the fresh gradients over into the flat fp32 one, adding after the first micro-batch."""
        assert self.master.grad is not None
        for slot in self.slots:
            target = slot.of(self.master.grad)
            if slot.parameter.grad is None:
                if first:
                    target.zero_()
            elif first:
                target.copy_(slot.parameter.grad)
            else:
                target.add_(slot.parameter.grad)
            slot.parameter.grad = None

    def publish(self) -> None:
        """Give the model the updated weights."""
        if self.working.dtype != torch.float32:
            self.working.copy_(self.master.data)


class Optimizer:
    """AdamW (Loshchilov & Hutter 2019) with decay on matrices only."""

    def __init__(self, model: GPT, config: TrainingConfig, dtype: torch.dtype) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [(name, p) for name, p in trained if p.ndim >= 2]
        vectors = [(name, p) for name, p in trained if p.ndim < 2]
        self._groups = [_Group(named, dtype) for named in (matrices, vectors) if named]
        if dtype != torch.float32:
            for buffer in model.buffers():
                if buffer.is_floating_point():
                    buffer.data = buffer.data.to(dtype)
            for parameter in model.parameters():
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(dtype)
        decays = [config.weight_decay, 0.0] if matrices else [0.0]
        self._adamw = torch.optim.AdamW(
            [
                {"params": [group.master], "weight_decay": decay}
                for group, decay in zip(self._groups, decays, strict=False)
            ],
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            eps=1e-8,
            fused=True,
        )

    def collect_gradients(self, first: bool) -> None:
        """After each backward pass: move its gradients over. ``first`` of an optimizer step starts anew."""
        for group in self._groups:
            group.collect(first)

    def clip(self, longest: float) -> float:
        """Length of the whole gradient before clipping; scaled down to ``longest`` if that is above 0."""
        gradients = [group.master.grad for group in self._groups if group.master.grad is not None]
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients])))
        if 0.0 < longest < norm < math.inf:
            for gradient in gradients:
                gradient.mul_(longest / norm)
        return norm

    def step(self, lr: float) -> None:
        """One update with the collected gradients."""
        for group in self._adamw.param_groups:
            group["lr"] = lr
        self._adamw.step()
        for flat in self._groups:
            flat.publish()

    def _slots(self) -> Iterator[tuple[_Slot, _Group]]:
        for group in self._groups:
            for slot in group.slots:
                yield slot, group

    def weights(self) -> dict[str, Tensor]:
        """The fp32 weights by parameter name: views, not copies."""
        return {slot.name: slot.of(group.master.data) for slot, group in self._slots()}

    def state(self) -> dict[str, Tensor]:
        """AdamW's memory by name: views of means and squares, and the step counts."""
        found: dict[str, Tensor] = {}
        for number, group in enumerate(self._groups):
            memory = self._adamw.state.get(group.master)
            if not memory:
                continue
            found[f"step.{number}"] = memory["step"].reshape(1)
            for slot in group.slots:
                found[f"mean.{slot.name}"] = slot.of(memory["exp_avg"])
                found[f"square.{slot.name}"] = slot.of(memory["exp_avg_sq"])
        return found

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor], state: dict[str, Tensor]) -> None:
        """Put saved weights and memory back. Raises ``KeyError`` for a name that is missing."""
        for slot, group in self._slots():
            slot.of(group.master.data).copy_(weights[slot.name])
        self._adamw.state.clear()
        if state:
            for number, group in enumerate(self._groups):
                memory = {
                    "step": state[f"step.{number}"].reshape(()).clone(),
                    "exp_avg": torch.zeros_like(group.master.data),
                    "exp_avg_sq": torch.zeros_like(group.master.data),
                }
                for slot in group.slots:
                    slot.of(memory["exp_avg"]).copy_(state[f"mean.{slot.name}"])
                    slot.of(memory["exp_avg_sq"]).copy_(state[f"square.{slot.name}"])
                self._adamw.state[group.master] = memory
        for group in self._groups:
            group.publish()

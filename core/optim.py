"""AdamW and Muon on flat memory, and the learning-rate schedule.

All parameters are views of one buffer per group: clipping, the update and the conversion to bf16 are then a
handful of operations instead of hundreds of small ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .model import GPT
from .muon import Muon
from .schema import ModelConfig, TrainingConfig


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


#: Beside Muon the embeddings learn this many times as fast as the matrices. Of 1,000 questions on new passages after
#: 500 steps of the reader, with 0.2, 1, 3, 6, 10 times: 22, 53, 69, 72, 67 % exact. Characters that are too much alike
#: cannot be found again in the passage: slower ones learnt no name at all.
EMBEDDING_RATE = 5.0

#: AdamW on more numbers than this takes gradients as the backward pass left them, ``CHUNK`` at a time: everything
#: about these stays in the processor's cache, and no fp32 copy of all gradients is kept. A step of 95 M: 853 → 791 ms,
#: and 380 MB less.
STREAMED_FROM = 16_000_000
CHUNK = 1 << 18


class _Group:
    """Parameters that share a decay: an fp32 master copy, its gradient, and what the model computes with.

    AdamW unless ``with_muon`` has been called.
    """

    def __init__(
        self, named: list[tuple[str, torch.nn.Parameter]], dtype: torch.dtype, decay: float, rate: float = 1.0
    ) -> None:
        """``rate``: how many times the learning rate these parameters take."""
        self.decay, self.rate = decay, rate
        self.slots: list[_Slot] = []
        total = 0
        for name, parameter in named:
            self.slots.append(_Slot(name, parameter, total, total + parameter.numel()))
            total += parameter.numel()
        self.master = torch.empty(total, dtype=torch.float32, device=named[0][1].device)
        with torch.no_grad():
            for slot in self.slots:
                slot.of(self.master).copy_(slot.parameter)
        self.gradient = self.master.new_empty(0)
        """Of all parameters, fp32; made when something is first written there."""
        self.held: list[Tensor | None] = []
        """Gradients of one backward pass that were not copied into ``gradient``, one for each parameter."""
        self.scale = 1.0
        self.memory = {"mean": torch.zeros_like(self.master), "square": torch.zeros_like(self.master)}
        self.muon: Muon | None = None
        self.steps = torch.zeros(1, device=self.master.device)
        # In fp32 the model computes with the master itself; small updates would be lost in bf16 alone.
        self.working = self.master if dtype == torch.float32 else self.master.to(dtype)
        for slot in self.slots:
            slot.parameter.data = slot.of(self.working)

    def with_muon(self, config: ModelConfig) -> _Group:
        """This group, all matrices, updated by Muon: it remembers one number for each weight, not two."""
        places = [(slot.name, slot.begin, slot.parameter.shape) for slot in self.slots]
        self.muon = Muon(places, config, self.working.dtype)
        self.memory = {"momentum": self.memory["mean"]}
        return self

    @property
    def streamed(self) -> bool:
        """Whether the gradient of a single backward pass is held as it is. Muon takes a matrix as a whole."""
        return self.muon is None and len(self.master) >= STREAMED_FROM

    def update(self, lr: float, beta1: float, beta2: float) -> None:
        """One update of the master, then of what the model computes with."""
        lr *= self.rate
        if self.muon is not None:
            self.muon.update_(self.master, self.gradient, self.memory["momentum"], lr, self.decay)
            self.publish()
            return
        self.steps += 1
        for part, gradient in self._parts():
            weights, mean, square = self.master[part], self.memory["mean"][part], self.memory["square"][part]
            adamw_(weights, gradient, mean, square, self.steps, lr, self.decay, beta1, beta2)
            self.publish(part)
        self.held = []

    def _parts(self) -> Iterator[tuple[slice, Tensor]]:
        """Stretches of the flat buffers, and their fp32 gradients: all at once, or chunks of what is held."""
        if not self.held:
            yield slice(None), self.gradient
            return
        for slot, gradient in zip(self.slots, self.held, strict=True):
            flat = gradient.reshape(-1) if gradient is not None else self.master.new_zeros(slot.end - slot.begin)
            for begin in range(0, len(flat), CHUNK):
                chunk = flat[begin : begin + CHUNK].float()
                yield slice(slot.begin + begin, slot.begin + begin + len(chunk)), chunk.mul_(self.scale)

    def collect(self, first: bool) -> None:
        """Take the fresh gradients over, adding in fp32 after the first micro-batch."""
        fresh = [slot.parameter.grad for slot in self.slots]
        for slot in self.slots:
            slot.parameter.grad = None
        if self.streamed and first:
            self.held, self.scale = fresh, 1.0
            return
        if not len(self.gradient):
            self.gradient = torch.zeros_like(self.master)
        if self.held:
            self._pour(self.held, first=True)
            self.held = []
        self._pour(fresh, first)

    def _pour(self, gradients: list[Tensor | None], first: bool) -> None:
        """Into the flat gradient: the first ones, or a sum with more; None is zero."""
        for slot, gradient in zip(self.slots, gradients, strict=True):
            target = slot.of(self.gradient)
            if gradient is not None:
                target.copy_(gradient) if first else target.add_(gradient)
            elif first:
                target.zero_()

    def lengths(self) -> list[Tensor]:
        """Lengths of the parts of the gradient."""
        if not self.held:
            return [torch.linalg.vector_norm(self.gradient)]
        # By chunks: torch's own sum of bf16 numbers in fp32 takes twelve times as long. Of 95 M numbers in chunks
        # vector_norm takes 31 to 34 ms, the root of a dot product 20 to 23.
        parts = (torch.split(gradient.reshape(-1), CHUNK) for gradient in self.held if gradient is not None)
        numbers = (chunk.float() for chunks in parts for chunk in chunks)
        return [torch.dot(chunk, chunk).sqrt_() for chunk in numbers]

    def shorten(self, factor: float) -> None:
        """Multiply the gradient."""
        if self.held:
            self.scale *= factor
        else:
            self.gradient.mul_(factor)

    def publish(self, part: slice = slice(None)) -> None:
        """Give the model the updated weights."""
        if self.working is not self.master:
            self.working[part].copy_(self.master[part])


def adamw_(
    weights: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: Tensor,
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
    eps: float = 1e-8,
) -> None:
    """One AdamW update (Loshchilov & Hutter 2019), in place, of flat fp32 tensors of one length.

    ``step`` (1,) says which update this is, from 1 on. torch's fused kernel does it in one pass over memory; it is
    called here without ``torch.optim``, whose first use imports torch's compiler: 0.9 s and 95 MB.
    """
    if _FUSED is not None:
        _FUSED(
            [weights],
            [gradient],
            [mean],
            [square],
            [],
            [step],
            lr=lr,
            beta1=beta1,
            beta2=beta2,
            weight_decay=decay,
            eps=eps,
            amsgrad=False,
            maximize=False,
        )
        return
    count = float(step)
    weights.mul_(1.0 - lr * decay)
    mean.lerp_(gradient, 1.0 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1.0 - beta2)
    root = (square / (1.0 - beta2**count)).sqrt_().add_(eps)
    weights.addcdiv_(mean, root, value=-lr / (1.0 - beta1**count))


_FUSED = getattr(torch, "_fused_adamw_", None)


class Optimizer:
    """AdamW on the parameters of a model that learn, with decay on matrices only; or Muon on the matrices of its
    blocks, which turn vectors into vectors, and AdamW on the rest. Frozen parameters cost nothing here: they only
    become the numbers that are computed with."""

    def __init__(self, model: GPT, config: TrainingConfig, dtype: torch.dtype) -> None:
        self._betas = (config.beta1, config.beta2)
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        turning = {
            name for name, p in trained if config.optimizer == "muon" and p.ndim == 2 and name.startswith("blocks.")
        }
        kinds = (
            (
                [(name, p) for name, p in trained if p.ndim >= 2 and name not in turning],
                config.weight_decay,
                EMBEDDING_RATE if turning else 1.0,
            ),
            ([(name, p) for name, p in trained if p.ndim < 2], 0.0, 1.0),
        )
        self._groups = [_Group(named, dtype, decay, rate) for named, decay, rate in kinds if named]
        if turning:
            matrices = _Group([(name, p) for name, p in trained if name in turning], dtype, config.weight_decay)
            self._groups.append(matrices.with_muon(model.config))
        self._frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad}
        if dtype != torch.float32:
            for buffer in model.buffers():
                if buffer.is_floating_point():
                    buffer.data = buffer.data.to(dtype)
            for parameter in self._frozen.values():
                parameter.data = parameter.data.to(dtype)

    def collect_gradients(self, first: bool) -> None:
        """After each backward pass: move its gradients over. ``first`` of an optimizer step starts anew."""
        for group in self._groups:
            group.collect(first)

    def clip(self, longest: float) -> float:
        """Length of the whole gradient before clipping; scaled down to ``longest`` if that is above 0."""
        lengths = [length for group in self._groups for length in group.lengths()]
        norm = float(torch.linalg.vector_norm(torch.stack(lengths)))
        if 0.0 < longest < norm < math.inf:
            for group in self._groups:
                group.shorten(longest / norm)
        return norm

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with the collected gradients."""
        for group in self._groups:
            group.update(lr, *self._betas)

    def _slots(self) -> Iterator[tuple[_Slot, _Group]]:
        for group in self._groups:
            for slot in group.slots:
                yield slot, group

    def weights(self) -> dict[str, Tensor]:
        """The weights by parameter name, views, not copies: fp32 of what learns, and what is frozen as it is."""
        learning = {slot.name: slot.of(group.master) for slot, group in self._slots()}
        return learning | {name: parameter.detach() for name, parameter in self._frozen.items()}

    def state(self) -> dict[str, Tensor]:
        """The memory by name: views of means and squares, or of the momentum, and the step counts."""
        found = {f"step.{number}": group.steps for number, group in enumerate(self._groups)}
        for slot, group in self._slots():
            for kind, flat in group.memory.items():
                found[f"{kind}.{slot.name}"] = slot.of(flat)
        return found

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
        """Put saved weights and memory back; an empty ``state`` keeps a fresh memory.

        Raises ``KeyError`` for a name that is missing.
        """
        for name, parameter in self._frozen.items():
            parameter.copy_(weights[name])
        for slot, group in self._slots():
            slot.of(group.master).copy_(weights[slot.name])
            if state:
                for kind, flat in group.memory.items():
                    slot.of(flat).copy_(state[f"{kind}.{slot.name}"])
        for number, group in enumerate(self._groups):
            if state:
                group.steps.copy_(state[f"step.{number}"])
            group.publish()

"""What one training consists of, and one step of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .. import lora, machine, tuning
from ..batches import Batch, batches_per_epoch, collate, split_rows
from ..config import Config
from ..control import Control, LiveCopy
from ..lock import FolderLock
from ..model import GPT
from ..optim import Optimizer
from ..prepare import Prepared
from ..prompt_loss import losses
from ..runs import Run
from ..schema import Probe
from .disk import Disk
from .pace import Pace
from .progress import Progress
from .result import StepResult, fault_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Trainer:
    """One training of one run: its settings, data, model, optimizer and progress."""

    prepared: Prepared
    """Data and tokenizer."""
    model: GPT
    optimizer: Optimizer

    def __init__(self, config: Config, run: Run, control: Control, lock: FolderLock | None = None) -> None:
        self.config, self.run, self.control = config, run, control
        self.lock = lock or run.lock
        """That of the run, held by whoever trains."""
        self.progress = Progress()
        self.saved_step = -1
        """The step of the newest whole checkpoint."""
        self.device = machine.choose_device(config.training.device)
        self.threads = config.training.threads or machine.usable_cores()
        self.dtype_name = machine.choose_dtype(config.training.dtype, self.device)
        self.origin: dict[str, Any] | None = None
        """The checkpoint that the weights came from, where they were not fresh."""
        self.probes: Sequence[Probe] = config.data.probes
        """Questions asked after each evaluation."""
        self.sampled_step = 0
        self.updating = False
        """The weights are changing; after an error in the midst of it they are neither old nor new."""
        self.started = False
        """Everything is prepared and the first step comes next."""
        self.disk = Disk(control, run.path, self.hand_out_copies)
        self.pace = Pace(self.disk)

    def build(self, weights: dict[str, torch.Tensor] | None, memory: dict[str, torch.Tensor] | None) -> None:
        """The model and its optimizer, fresh from the seed or with saved weights."""
        training = self.config.training
        machine.reuse_memory()
        self.model = GPT(self.config.model, self.prepared.tokenizer.vocab_size).init_weights(training.seed)
        tuning.limit_training(self.model, self.config)
        self.model.to(self.device).train()
        self.optimizer = Optimizer(self.model, training, DTYPES[self.dtype_name])
        if weights is not None:
            memory = memory or {}
            fresh = lora.factors(self.optimizer.weights())  # what the tuned model cannot have
            self.optimizer.load(fresh | lora.put_apart(weights, memory), memory)
        machine.require_device([*self.model.named_parameters(), *self.model.named_buffers()], self.device)

    def step(self, rows: npt.NDArray[np.int64], lr: float) -> StepResult:
        """One optimizer step on the given rows.

        The gradient is that of the mean loss over all supervised tokens of the batch, however many
        micro-batches it is computed in: each adds its sum divided by the tokens of the whole batch.
        """
        training = self.config.training
        data = self.prepared.train
        # Dropout is a function of seed and step: nothing of torch's generator has to survive a resume, and
        # nobody else drawing from it can change the training.
        torch.manual_seed(training.seed * 1_000_003 + self.progress.step)
        batches = [
            collate(data, micro, self.prepared.tokenizer.pad, self.device)
            for micro in split_rows(rows, self.micro_batch())
        ]
        machine.require_device((("batch", batch.inputs) for batch in batches), self.device)
        supervised = sum(batch.supervised for batch in batches)
        loss_sum = 0.0
        for number, batch in enumerate(batches):
            goal, loss = self.loss_of(batch)
            (goal / max(1, supervised)).backward()  # type: ignore[no-untyped-call]
            self.optimizer.collect_gradients(first=number == 0)
            loss_sum += float(loss.detach())
        norm = self.optimizer.clip(training.grad_clip)
        fault = fault_of(loss_sum, norm, self.progress.usual_norm)
        if not fault:
            self.updating = True
            self.optimizer.step(lr)
            self.updating = False
        return StepResult(loss_sum, supervised, sum(b.real_tokens for b in batches), norm, fault)

    def loss_of(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums over a batch, in nats: what is to be minimized, and the loss of its answers."""
        weight = self.config.training.prompt_loss
        if weight:
            return losses(self.model, batch, weight, self.prepared.tokenizer.pad)
        loss = self.model.loss_sum(batch.inputs, batch.targets, batch.positions, batch.hidden)
        return loss, loss

    def micro_batch(self) -> int | None:
        """Rows computed at once; None: all of a batch."""
        return self.progress.micro_batch or self.config.training.micro_batch

    def per_epoch(self) -> int:
        """Batches of an epoch."""
        return batches_per_epoch(len(self.prepared.train), self.config.training.batch_size)

    def weights(self) -> dict[str, torch.Tensor]:
        """What the model is now, by parameter name, fp32, LoRA's factors merged."""
        return lora.merged(self.optimizer.weights(), self.config.lora)

    def hand_out_copies(self) -> None:
        """Copies of the weights for whoever asked, made here because only here no step is under way."""
        for request in self.control.take_copy_requests():
            weights = {name: weight.detach().to("cpu", copy=True) for name, weight in self.weights().items()}
            request.set_result(LiveCopy(weights, self.config, self.prepared.tokenizer, self.progress.step))

"""Where a loss looks: what the last block would make of all other places is not computed.

Only attention looks from one place at another, so that behind the last one each place is by itself. Loss and gradient
are those of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

#: torch's CPU backend compiles a kernel for every new matrix shape and keeps it. How many places are looked at differs
#: in every batch: rounded up to whole 64, they cost 18 % less time per token and 370 MB less memory over 60 steps.
WHOLE = 64
#: With long rows that were still more shapes than kernels are kept: at most so many numbers of places for one of rows.
SHARES = 8


class _Picked(torch.autograd.Function):
    """Rows by number, and the way back by number, too. Torch's own adds up into zeros what comes back: 52 instead of
    10 µs for 512 of 768 rows of 256."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0].index_select(0, ctx.saved_tensors[0]), None, None


@dataclass(frozen=True)
class Places:
    """Some of the places of a batch in their order, and a few more that nobody may count.

    Those at the end are copies of one that is not wanted, and on the way back all that are not wanted get what came
    for the end, which is nothing.
    """

    rows: Tensor | None
    """(places,) their numbers, counted through all rows; None: all."""
    back: Tensor | None
    """(batch * time,) where each place has gone."""

    @classmethod
    def that_are(cls, wanted: Tensor) -> Places:
        """The places at which ``wanted`` (batch, time) is True, rounded up: all, if that leaves out none."""
        wanted = wanted.flatten()
        numbers = wanted.nonzero().squeeze(1)
        count, every = len(numbers), len(wanted)
        whole = max(WHOLE, every // SHARES // WHOLE * WHOLE)
        room = (count // whole + 1) * whole  # one more at least
        if room >= every:
            return cls(None, None)
        not_wanted = int(wanted.to(torch.uint8).argmin())
        back = torch.full((every,), count, device=wanted.device)
        back[numbers] = torch.arange(count, device=wanted.device)
        return cls(F.pad(numbers, (0, room - count), value=not_wanted), back)

    @classmethod
    def last(cls, batch: int, time: int, device: torch.device) -> Places:
        """The last one of each row; not for training."""
        return cls(torch.arange(time - 1, batch * time, time, device=device), None)

    def of(self, x: Tensor) -> Tensor:
        """(places, …) of ``x`` (batch, time, …)."""
        x = x.flatten(0, 1)
        if self.rows is None:
            return x
        out: Tensor = _Picked.apply(x, self.rows, self.back)  # type: ignore[no-untyped-call]
        return out

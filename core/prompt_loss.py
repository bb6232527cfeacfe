"""Learning to write the prompts too, at a small weight.

Answers of a reading corpus are 5 tokens after 100 given ones. What the given ones teach – characters, words, forms of
sentences – need not be learnt from answers then: on 12 rows of six questions a step the loss of answers fell to 1.7
in 95 s instead of more than 115 s.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .batches import IGNORE, Batch
from .model import GPT
from .places import Places

#: One given token in four is counted, four times: its logits would otherwise be most of the work.
COUNTED = 0.25


def losses(model: GPT, batch: Batch, weight: float, pad: int) -> tuple[Tensor, Tensor]:
    """Sums of cross-entropies in nats: what is to be minimized, and that of the answers alone, as ``loss_sum``.

    Which prompt tokens count is drawn from torch's generator, which the training seeds for each step.
    """
    answers = batch.targets
    following = F.pad(batch.inputs[:, 1:], (0, 1), value=pad)
    drawn = torch.rand(answers.numel(), device=answers.device).view_as(answers) < COUNTED
    prompts = (answers == IGNORE) & (following != pad) & drawn
    if batch.positions is not None:  # what begins the next branch does not follow from the end of this one
        prompts[:, :-1] &= batch.positions.diff() == 1
    places = Places.that_are((answers != IGNORE) | prompts)
    states = model(batch.inputs, None, batch.positions, batch.hidden, places)
    wanted = places.of(torch.where(prompts, following, answers))
    each = F.cross_entropy(model.logits(states).float(), wanted, reduction="none")
    given = places.of(prompts)
    prompt_sum = each[given].sum()
    answer_sum = each[~given].sum()  # the places that do not count add 0
    return answer_sum + weight / COUNTED * prompt_sum, answer_sum

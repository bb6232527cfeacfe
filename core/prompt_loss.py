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
from .model import GPT, LOSS_ROWS

#: One given token in four is counted, four times: its logits would otherwise be most of the work.
COUNTED = 0.25


def losses(model: GPT, batch: Batch, weight: float, pad: int) -> tuple[Tensor, Tensor]:
    """Sums of cross-entropies in nats: what is to be minimized, and that of the answers alone, as ``loss_sum``.

    Which prompt tokens count is drawn from torch's generator, which the training seeds for each step.
    """
    hidden = model(batch.inputs, None, batch.positions, batch.hidden).flatten(0, 1)
    answers = batch.targets.flatten()
    following = F.pad(batch.inputs[:, 1:], (0, 1), value=pad).flatten()
    drawn = torch.rand(answers.shape, device=answers.device) < COUNTED
    prompts = (answers == IGNORE) & (following != pad) & drawn
    if batch.positions is not None:  # what begins the next branch does not follow from the end of this one
        prompts &= F.pad(batch.positions.diff() == 1, (0, 1)).flatten()
    places = ((answers != IGNORE) | prompts).nonzero().squeeze(1)
    count = len(places)
    places = F.pad(places, (0, -count % LOSS_ROWS))
    wanted = torch.where(answers != IGNORE, answers, following).index_select(0, places)
    wanted[count:] = IGNORE
    each = F.cross_entropy(model.logits(hidden.index_select(0, places)).float(), wanted, reduction="none")
    given = prompts.index_select(0, places)
    given[count:] = False
    prompt_sum = each[given].sum()
    answer_sum = each[~given].sum()  # the places that do not count add 0
    return answer_sum + weight / COUNTED * prompt_sum, answer_sum

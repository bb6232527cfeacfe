"""What a model writes by itself: the text after ``data.start_context``, shown while it is trained."""

from __future__ import annotations

from .config import Config
from .dataset import encode_prompt
from .events import Sample
from .generate import Answer, prompt_room, stream
from .model import GPT
from .template import TEMPLATES
from .tokenizer import Tokenizer


def write_sample(model: GPT, tokenizer: Tokenizer, config: Config, step: int, epoch: int) -> Sample:
    """Go on from the start context as the settings of sampling have it; the same draw for the same epoch."""
    context = config.data.start_context or ""
    room = prompt_room(config.model.seq_len, config.sampling.max_new_tokens)
    prompt = encode_prompt(context, tokenizer, TEMPLATES[config.data.template], room)
    was_training = model.training
    model.eval()
    text = ""
    for item in stream(model, tokenizer, prompt, config.sampling, seed=config.training.seed + epoch):
        if isinstance(item, Answer):
            text = item.text
    model.train(was_training)
    return Sample(step, epoch, context, text)

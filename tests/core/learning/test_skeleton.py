"""A model without numbers: cheap to make, and filled with the same as one that was drawn."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from core.model import GPT
from core.schema import ModelConfig
from core.skeleton import count_parameters, skeleton, unfilled_model

CHOICES = [
    {},
    {"position": "learned", "norm": "layernorm", "mlp": "gelu", "bias": True},
    {"tie_embeddings": False},
]


def small(**changes: object) -> ModelConfig:
    return ModelConfig.model_validate({"n_layer": 2, "n_head": 2, "n_embd": 16, "seq_len": 32, **changes})


@pytest.mark.parametrize("changes", CHOICES)
def test_filled_with_saved_weights_it_is_the_model_that_was_saved(changes: dict[str, object]) -> None:
    config = small(**changes)
    drawn = GPT(config, 50).init_weights(1)
    filled = unfilled_model(config, 50)
    filled.load_state_dict(drawn.state_dict())
    tokens = torch.arange(20).view(2, 10)
    with torch.inference_mode():
        assert torch.equal(filled.eval()(tokens), drawn.eval()(tokens))


@pytest.mark.parametrize("changes", CHOICES)
def test_a_skeleton_holds_no_numbers(changes: dict[str, object]) -> None:
    model = skeleton(small(**changes), 50)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert sum(count_parameters(small(**changes), 50).values()) == sum(p.numel() for p in model.parameters())


def test_making_one_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    unfilled_model(small(), 50)
    assert torch.equal(torch.get_rng_state(), before)


def test_counting_and_filling_do_not_load_the_compiler() -> None:
    """74 MB and a second, for the app's form, for the first answer and at the end of every training."""
    code = (
        "import sys\n"
        "from core.schema import ModelConfig\n"
        "from core.skeleton import count_parameters, unfilled_model\n"
        "for position in ('rope', 'learned'):\n"
        "    config = ModelConfig(position=position)\n"
        "    count_parameters(config, 300), unfilled_model(config, 300)\n"
        "print(*{'torch._dynamo', 'sympy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

"""int8 weights with dynamically quantized activations, in plain safetensors.

Symmetric: each row of a matrix has its own scale, each activation row gets one as it comes. torch's old
dynamic quantizer is being removed, its dtypes are deprecated and its files are pickles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .model import GPT

SUFFIX = ".int8"  # beside each quantized matrix W: W.int8 (rows, columns) and W.scale (rows,)


def quantize_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """``x`` (rows, columns) as int8 and a scale per row (rows, 1), so that int8 * scale is about ``x``."""
    scale = x.abs().amax(dim=-1, keepdim=True).div_(127.0).clamp_min_(1e-14)
    return (x / scale).round_().to(torch.int8), scale


@cache
def _int8_product() -> Callable[[Tensor, Tensor], Tensor] | None:
    """torch's int8 matrix product if it works here and is right, checked once; None: compute in fp32."""
    product = getattr(torch, "_int_mm", None)
    if product is None:
        return None
    generator = torch.Generator().manual_seed(0)
    try:
        for rows in (1, 7, 33):
            a = torch.randint(-127, 128, (rows, 64), dtype=torch.int8, generator=generator)
            b = torch.randint(-127, 128, (64, 48), dtype=torch.int8, generator=generator)
            if not torch.equal(product(a, b), a.int() @ b.int()):
                return None
    except RuntimeError:
        return None
    return cast("Callable[[Tensor, Tensor], Tensor]", product)


def _linear(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    product = _int8_product()
    if product is None:
        return F.linear(x, weight.float() * scale, bias)
    flat = x.reshape(-1, x.shape[-1]).float()
    count = len(flat)
    if count > 1:  # a kernel is compiled and kept per shape: whole 16s of rows keep their number small
        flat = F.pad(flat, (0, 0, 0, -count % 16))
    rows, row_scale = quantize_rows(flat)
    out = product(rows, weight.t())[:count].float().mul_(row_scale[:count]).mul_(scale.t())
    if bias is not None:
        out += bias
    return out.view(*x.shape[:-1], weight.shape[0])


class Int8Linear(nn.Module):
    """A linear layer with int8 weights."""

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        return _linear(x, self.get_buffer("weight"), self.get_buffer("scale"), self.bias)  # type: ignore[arg-type]


@cache
def _byte_product() -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
    """torch's product of bf16 rows with int8 weights, their scales included, if it is there, quick and right."""
    product = getattr(torch, "_weight_int8pack_mm", None)
    if product is None or torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return None  # elsewhere it goes number by number: 70 instead of 8 µs for 256 x 768
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 64, generator=generator).bfloat16()
    weight = torch.randint(-127, 128, (48, 64), dtype=torch.int8, generator=generator)
    scale = torch.rand(48, generator=generator).bfloat16()
    try:
        found = product(x, weight, scale).float()
    except RuntimeError:
        return None
    wanted = x.float() @ (weight.float() * scale.float()[:, None]).t()
    return product if torch.allclose(found, wanted, rtol=0.01, atol=0.01 * float(wanted.abs().max())) else None


def vector_product(layer: Int8Linear) -> Callable[[Tensor, float, Tensor], Tensor] | None:
    """A function of a vector, a factor that it is multiplied by and where to write the result; None where there is no
    kernel for it.

    One row is not quantized but rounded to bf16, which takes half as many operations as int8 and is nearer to fp32: a
    token of the teacher's 3.4 million parameters 0.47 instead of 1.21 ms.
    """
    weight, scale = layer.get_buffer("weight"), layer.get_buffer("scale")
    bias = cast("Tensor | None", layer.bias)
    product = _byte_product()
    columns = weight.shape[1]
    if product is None or columns % 32:  # the kernel reads 16 columns at a time, also past the end
        return None
    flat, rounded = scale.flatten().bfloat16(), torch.empty(1, columns, dtype=torch.bfloat16)
    row = rounded[0]

    def of_vector(x: Tensor, factor: float, out: Tensor) -> Tensor:
        row.copy_(x)  # copies convert at once; a sum or product of two types converts first, 4 µs each
        out.copy_(product(rounded, weight, flat)[0])
        return out.mul_(factor) if bias is None else torch.add(bias, out, alpha=factor, out=out)

    return of_vector


class Int8Embedding(nn.Module):
    """The token embedding in int8, also as tied output layer."""

    def __init__(self, weight: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.get_buffer("weight")).float() * self.get_buffer("scale")[tokens]

    def vector(self, token: int) -> Tensor:
        """(width,) of one token: a sixth of the time of a lookup with a tensor of one."""
        return self.get_buffer("weight")[token] * self.get_buffer("scale")[token]

    def project(self, hidden: Tensor) -> Tensor:
        """(…, width) to (…, vocabulary)."""
        return _linear(hidden, self.get_buffer("weight"), self.get_buffer("scale"), None)


def quantize_weights(model: GPT, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an int8 checkpoint: matrices of linear layers and the token embedding in int8, the rest
    (norms, biases, learned positions: under 1 % of the bytes) as it is."""
    names = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    names.add("embed.weight")
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name in names:
            values, scale = quantize_rows(tensor.detach().float())
            found[name + SUFFIX], found[name.removesuffix("weight") + "scale"] = values, scale
        else:
            found[name] = tensor.detach().float()
    return found


def is_quantized(weights: Mapping[str, Tensor]) -> bool:
    return any(name.endswith(SUFFIX) for name in weights)


def load_quantized(model: GPT, weights: Mapping[str, Tensor]) -> None:
    """Put the tensors of an int8 checkpoint into a model, which needs no numbers of its own (``skeleton``). Raises
    ``KeyError`` or ``ValueError`` if they do not fit its shapes."""
    rest = dict(weights)
    for name, module in list(model.named_modules()):
        if name != "embed" and not isinstance(module, nn.Linear):
            continue
        values, scale = rest.pop(f"{name}.weight{SUFFIX}"), rest.pop(f"{name}.scale")
        expected = tuple(cast(Tensor, module.weight).shape)
        if values.dtype != torch.int8 or tuple(values.shape) != expected or tuple(scale.shape) != (expected[0], 1):
            raise ValueError(f"{name}: expected int8 of shape {expected}, found {values.dtype} {tuple(values.shape)}")
        replacement: nn.Module
        if isinstance(module, nn.Linear):
            bias = rest.pop(f"{name}.bias") if module.bias is not None else None
            replacement = Int8Linear(values, scale, bias)
        else:
            replacement = Int8Embedding(values, scale)
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, replacement)
    missing, unexpected = model.load_state_dict(
        {name: tensor.float() for name, tensor in rest.items()}, strict=False, assign=True
    )
    own = {name for name, _ in model.named_parameters()}
    if unexpected or own & set(missing):
        raise ValueError(f"tensors that do not fit: {', '.join([*unexpected, *sorted(own & set(missing))][:4])}")

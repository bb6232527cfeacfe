"""One thread that generates, one request after the other; whoever has gone is not answered."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.generate import Answer, Token, stream

from .schema import ApiError

if TYPE_CHECKING:
    from core.runs import LoadedModel
    from core.schema import SamplingConfig

MAX_WAITING = 16
"""Requests under way at once; one more is told to come back later."""

Item = tuple[int, "Token | Answer"]
"""Which prompt it belongs to, and what came."""


@dataclass(eq=False)  # each is itself: they stand in a set
class Job:
    """The answers to one request's prompts. Iterate it for what comes; ``cancel`` ends it at the next token."""

    prompts: Sequence[list[int]]
    sampling: SamplingConfig
    seed: int | None
    top: int
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _items: asyncio.Queue[Item | Exception | None] = field(default_factory=asyncio.Queue)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self._cancelled.set()

    async def __aiter__(self) -> AsyncIterator[Item]:
        while (item := await self._items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    # -- in the worker's thread -----------------------------------------------------------------------------

    def work(self, loaded: LoadedModel) -> None:
        end: Exception | None = None
        try:
            for item in self._generate(loaded):
                self._put(item)
                if self._cancelled.is_set():
                    break
        except Exception as problem:  # whatever torch raises is the answer; the thread lives on
            reason = (str(problem).splitlines() or [""])[0][:200]
            end = ApiError(500, f"the model failed: {type(problem).__name__}: {reason}")
        if end is not None:
            self._put(end)
        self._put(None)

    def _generate(self, loaded: LoadedModel) -> Iterator[Item]:
        for index, prompt in enumerate(self.prompts):
            if self._cancelled.is_set():  # it may have waited for others, and nobody waits for it any more
                return
            answer = stream(loaded.model, loaded.tokenizer, prompt, self.sampling, seed=self.seed, top=self.top)
            with contextlib.closing(answer):
                yield from ((index, item) for item in answer)

    def _put(self, item: Item | Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the server has ended and its loop is closed
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)


class Worker:
    """Owns the model and the thread. All but ``Job.work`` is called in the server's event loop."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._jobs: set[Job] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="generate", initializer=_take_threads)

    @property
    def busy(self) -> int:
        """Requests that are being answered or wait for it."""
        return len(self._jobs)

    def start(self, prompts: Sequence[list[int]], sampling: SamplingConfig, seed: int | None, top: int) -> Job:
        """Raises ``ApiError`` (429) where too many wait already."""
        if len(self._jobs) >= MAX_WAITING:
            raise ApiError(429, f"{MAX_WAITING} requests are waiting already", code="rate_limit_exceeded",
                           headers={"Retry-After": "1"})  # fmt: skip
        job = Job(prompts, sampling, seed, top)
        self._jobs.add(job)
        future = job._loop.run_in_executor(self._pool, job.work, self.loaded)
        future.add_done_callback(lambda _: self._jobs.discard(job))
        return job

    def cancel_all(self) -> None:
        """Every answer ends at its next token. May be called from a signal handler."""
        for job in list(self._jobs):
            job.cancel()

    def close(self) -> None:
        self.cancel_all()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _take_threads() -> None:
    """torch counts its threads per calling thread."""
    import torch

    from core.machine import usable_cores

    torch.set_num_threads(usable_cores())

"""How fast this machine trains and answers: what ``gpt-tui bench`` shows of the engine.

Nothing here is a copy of the engine: the training's own step and the own answering loop run with a clock at
their seams. Each measurement runs in a process of its own (``core.bench.child``), so that its peak memory is its
own and nothing is warm from another.
"""

"""gpt-tui: train a small GPT from nothing, in the terminal, and talk to it."""

__version__ = "0.1.0"

"""Asking a model, without the screen: conversations, their history on disk, and the thread that answers."""

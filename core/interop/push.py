"""Uploading a folder to the Hugging Face hub, as the person who is logged in there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..download import reason_of
from ..errors import UserError


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError("huggingface_hub is not installed; to have it: pip install huggingface_hub") from None
    return huggingface_hub


def check_repository(name: str) -> None:
    """Raises ``UserError`` for a name that no repository can have, or where ``huggingface_hub`` is not installed."""
    _hub()
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError:
        raise UserError(
            "{name}: a repository is called USER/NAME: letters, digits, '-', '_' and '.', at most 96", name=repr(name)
        ) from None


def is_logged_in() -> bool:
    """Whether the hub's own login, or HF_TOKEN, is there."""
    return _hub().get_token() is not None


def upload(folder: Path, repository: str, *, public: bool) -> str:
    """Upload the files of ``folder``, making the repository if it is not there; returns its address.

    ``public`` decides on a new repository only. Raises ``UserError`` with the hub's reason.
    """
    api = _hub().HfApi()
    try:
        made = api.create_repo(repository, private=not public, exist_ok=True)
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message="Upload from gpt-tui")
    except Exception as problem:  # the library's HTTP client has errors of its own beside OSError and ValueError
        raise UserError("{name}: not uploaded: {reason}", name=repository, reason=reason_of(problem)) from None
    return str(made)

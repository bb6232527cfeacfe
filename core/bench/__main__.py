"""``python -m core.bench '{"kind": "training", …}'``: see ``child.py``."""

from __future__ import annotations

import json
import sys

from ..errors import UserError
from ..machine import reuse_memory, share_the_processor

if __name__ == "__main__":
    share_the_processor()
    reuse_memory()
    from .child import perform

    try:
        print(json.dumps(perform(json.loads(sys.argv[1]))))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(1)

"""Where a result comes from, in enough detail to make it again."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from medidiff import __version__
from medidiff.models import Model

__all__ = ["NOTICE", "provenance_of"]

NOTICE = "research use only"


def provenance_of(model: Model, options: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Join the model, the options and what was found out into one JSON-ready record."""
    return {
        "notice": NOTICE,
        "model": {key: model.card[key] for key in ("name", "version", "sha256")},
        **options,
        **facts,
        "versions": {
            "medidiff": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "monai", "numpy")},
        },
    }

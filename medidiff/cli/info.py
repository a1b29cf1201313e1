"""``medidiff info``: what is installed here, for bug reports."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

import medidiff
from medidiff.cli import options

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff info
  medidiff info --json
"""

NVIDIA = Path("/proc/driver/nvidia/gpus")
"""Where the NVIDIA driver tells of its devices, on Linux."""

PACKAGES = (
    *("torch", "monai", "numpy", "nibabel", "scikit-image", "safetensors", "einops", "click", "rich"),
    *("pydicom", "highdicom"),
)


@click.command("info", epilog=EXAMPLES)
@options.json_option
@options.debug_option
def command(as_json: bool) -> None:
    """Show versions, models and hardware, without loading torch."""
    facts = collect()
    click.echo(json.dumps(facts, indent=2) if as_json else _text(facts))


def collect() -> dict[str, Any]:
    """Gather what a bug report needs."""
    return {
        "medidiff": medidiff.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "models": _models(),
        "cpu_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "gpus": _gpus(),
        "notice": "Research use only. Not a medical device.",
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _models() -> list[dict[str, Any]]:
    """Read the cards of the shipped models, not their weights."""
    folder = Path(medidiff.__file__).parent / "models" / "weights"
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/card.json"))]
    return [{name: card.get(name) for name in ("name", "version", "task", "sha256")} for card in cards]


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _gpus() -> list[str]:
    """Name the GPUs as the NVIDIA driver lists them; empty on systems without it."""
    told = [path.read_text() for path in sorted(NVIDIA.glob("*/information"))]
    return [line.split(":", 1)[1].strip() for text in told for line in text.splitlines() if line.startswith("Model:")]


def _text(facts: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {found or 'missing'}" for name, found in facts["packages"].items())
    models = [f"{card['name']} {card['version']} ({card['sha256'][:12]})" for card in facts["models"]]
    rows = {
        "medidiff": facts["medidiff"],
        "python": f"{facts['python']} on {facts['system']}",
        "packages": packages,
        "models": ", ".join(models) or "none shipped",
        "hardware": f"{facts['cpu_cores']} cores, {facts['memory_gb']} GB, GPU: {', '.join(facts['gpus']) or 'none'}",
        "notice": facts["notice"],
    }
    return "\n".join(f"{name:10}{value}" for name, value in rows.items())

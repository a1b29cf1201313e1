"""What every test shares: reproducible hypothesis runs, the real data beside the repository, a GPU if there is one."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", deadline=None, max_examples=1000, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_ignore_collect(collection_path):
    """Doctests are those of the package: what helps the tests is not imported to look for any."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


def pytest_collection_modifyitems(items):
    """Skip what this machine cannot run, and say why."""
    lacking = {}
    if not (SHARED / "data").is_dir():
        lacking["realdata"] = "no real data in ../shared beside the repository"
    if any(item.get_closest_marker("gpu") for item in items) and not _has_gpu():
        lacking["gpu"] = "no CUDA device"
    for item in items:
        for marker, reason in lacking.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _has_gpu():
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared():
    """``../shared/data``: use it in tests marked ``realdata``."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def sample_data():
    """The phantom's files that are committed in the repository."""
    return ROOT / "sample_data"


@pytest.fixture
def rng():
    """A seeded numpy generator, fresh for each test."""
    return np.random.default_rng(20240517)

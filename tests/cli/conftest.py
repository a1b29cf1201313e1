"""The command line with quick stand-ins for model and task."""

import dataclasses

import pytest
from click.testing import CliRunner

import medidiff.cli.running
import medidiff.models
import medidiff.tasks
from medidiff.batch import inline
from medidiff.cli import main
from tests.bad_files import good
from tests.fakes import double_slices


class FakeModel:
    card = {"name": "toy", "version": "1", "sha256": "abc"}  # noqa: RUF012


@pytest.fixture
def cli(monkeypatch):
    """Call ``medidiff`` in this process, workers included: ``result = cli("enhance", ...)``."""
    monkeypatch.setattr(medidiff.cli.running, "processes", lambda places, *, hands: inline(places[0]))

    def call(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def calls(monkeypatch):
    """Replace the model and the task; what the task was called with is returned."""
    seen = []

    def super_resolve(volume, model, *, progress, samples, **options):
        seen.append({"volume": volume, "model": model, "samples": samples, **options})
        result = double_slices(volume, progress, samples=samples)
        return medidiff.tasks.Result(**{f.name: getattr(result, f.name) for f in dataclasses.fields(result)})

    def load_model(name):
        seen.append({"loaded": name})
        return FakeModel()

    monkeypatch.setattr(medidiff.tasks, "super_resolve", super_resolve)
    monkeypatch.setattr(medidiff.models, "load_model", load_model)
    monkeypatch.setattr(medidiff.models, "check_model", lambda name: FakeModel.card)
    return seen


@pytest.fixture
def scans(tmp_path):
    """Two scans with thick slices."""
    good(tmp_path / "in" / "a.nii.gz", seed=1)
    good(tmp_path / "in" / "sub" / "b.nii", seed=2)
    return tmp_path / "in"

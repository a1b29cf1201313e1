"""The package as installed: light to import, one version, public names that lead somewhere."""

import ast
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import medidiff
from tests.conftest import ROOT
from tests.dicoms import Plan, slices, values, write

HEAVY = ("torch", "monai", "numpy", "nibabel", "skimage", "matplotlib", "click", "pydicom", "highdicom")


def loaded_by(statement):
    """Names of the heavy packages that a fresh interpreter has loaded after ``statement``."""
    code = f"import sys; {statement}; print(*[m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split())


def test_importing_medidiff_loads_nothing_heavy():
    assert loaded_by("import medidiff; dir(medidiff); medidiff.__version__") == set()


def test_volumes_and_files_need_no_torch():
    assert not {"torch", "monai"} & loaded_by("import medidiff; medidiff.Volume; medidiff.read_nifti")


def test_folders_without_dicom_are_looked_through_without_its_reader(tmp_path):
    code = f"from pathlib import Path; from medidiff.io import discover; discover([Path({str(tmp_path)!r})])"
    assert not {"torch", "highdicom"} & loaded_by(code), "nibabel itself loads pydicom where it is installed"


def test_series_are_inspected_without_torch(tmp_path):
    write(slices(Plan(values())), tmp_path)
    code = f"from medidiff.cli import main; main(['inspect', {str(tmp_path)!r}], standalone_mode=False)"
    assert "torch" not in loaded_by(code)


@pytest.mark.parametrize("name", medidiff.__all__)
def test_every_public_name_is_there(name):
    assert getattr(medidiff, name) is not None
    assert name in dir(medidiff)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = medidiff.nonsense


def test_what_the_type_checker_sees_is_what_is_loaded():
    tree = ast.parse(Path(medidiff.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medidiff.")
        for alias in node.names
    }
    assert typed == medidiff._HOMES


def test_the_version_has_one_source():
    assert metadata.version("medidiff") == medidiff.__version__
    assert medidiff.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {medidiff.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_package_is_typed_and_tells_its_licence():
    assert find_spec("medidiff") is not None
    assert (Path(medidiff.__file__).parent / "py.typed").exists()
    assert metadata.metadata("medidiff")["License-Expression"] == "Apache-2.0"


def test_every_dependency_has_an_exact_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {requirement.split(">=")[0].lower() for requirement in wanted if not requirement.startswith("medidiff[")}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert names <= pinned

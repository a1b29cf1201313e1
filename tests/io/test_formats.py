"""A result has the format of its input unless another is asked for, and no DICOM is made without a patient."""

import subprocess
import sys

import pytest

from medidiff.errors import ResourceError, UsageError
from medidiff.io import formats
from medidiff.io.formats import formats_for, needs_dicom


@pytest.mark.parametrize(
    ("choice", "from_dicom", "chosen"),
    [
        ("same", True, ("dicom",)),
        ("same", False, ("nifti",)),
        ("nifti", True, ("nifti",)),
        ("nifti", False, ("nifti",)),
        ("dicom", True, ("dicom",)),
        ("both", True, ("nifti", "dicom")),
    ],
)
def test_same_is_the_format_of_the_input(choice, from_dicom, chosen):
    assert formats_for(choice, from_dicom=from_dicom) == chosen


@pytest.mark.parametrize("choice", ["dicom", "both"])
def test_dicom_of_a_nifti_input_needs_a_patient(choice):
    with pytest.raises(UsageError, match=r"no patient.*--dicom-template SERIES"):
        formats_for(choice, from_dicom=False)
    assert "dicom" in formats_for(choice, from_dicom=False, has_template=True)


def test_another_word_is_refused():
    with pytest.raises(UsageError, match="nifti, dicom, both, same"):
        formats_for("png", from_dicom=True)


def test_without_the_libraries_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "highdicom" else name)
    with pytest.raises(ResourceError, match=r"needs highdicom; pip install 'medidiff\[dicom\]'"):
        needs_dicom()


def test_this_module_imports_where_they_are_lacking():
    code = (
        "import sys; sys.modules.update(pydicom=None, highdicom=None)\n"
        "import medidiff.io.formats as f\ntry: f.needs_dicom()\nexcept f.ResourceError as e: print(e)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "DICOM needs pydicom and highdicom; pip install 'medidiff[dicom]'\n"

"""JSON beside images."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff.errors import InputError, OutputError
from medidiff.io.atomic import make_folder
from medidiff.io.sidecar import plain, read_sidecar, write_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.text(), values, max_size=4))
def test_what_is_written_is_read_again(data, tmp_path):
    write_json(tmp_path / "a.json", data)
    assert read_sidecar(tmp_path / "a.nii.gz") == data


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.NII.GZ"])
def test_the_sidecar_has_the_stem_of_the_image(name, tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"SliceThickness": 5}')
    assert read_sidecar(tmp_path / name) == {"SliceThickness": 5}


def test_no_sidecar_is_an_empty_one(tmp_path):
    assert read_sidecar(tmp_path / "a.nii.gz") == {}


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\0"])
def test_a_broken_sidecar_is_refused_by_name(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json: not") as refusal:
        read_sidecar(tmp_path / "a.nii.gz")
    assert "\n" not in str(refusal.value)


def test_numpy_and_paths_become_plain(tmp_path):
    told = plain({"n": np.int64(3), "x": np.float32(0.5), "a": np.arange(2), "nan": np.nan, "p": tmp_path, 1: (2,)})
    assert json.loads(json.dumps(told)) == {"n": 3, "x": 0.5, "a": [0, 1], "nan": None, "p": str(tmp_path), "1": [2]}


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        make_folder(tmp_path / "file" / "out")

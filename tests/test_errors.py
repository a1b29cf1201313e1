"""Errors say what, where, found against needed, and what to do, on one line."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@given(st.sampled_from(KINDS), *[st.text(max_size=40)] * 5)
def test_every_error_is_one_line(kind, what, where, found, needed, hint):
    line = str(kind(what, where=where, found=found, needed=needed, hint=hint))
    assert line == " ".join(line.split())
    assert len(line.splitlines()) <= 1


def test_an_error_tells_all_it_knows_in_order():
    error = errors.InputError("not 3D", where="a.nii", found="2 axes", needed="3", hint="give a volume")
    assert str(error) == "a.nii: not 3D (found 2 axes, needed 3); give a volume"
    assert (error.what, error.where, error.found, error.needed, error.hint) == (
        "not 3D",
        "a.nii",
        "2 axes",
        "3",
        "give a volume",
    )


def test_an_error_leaves_out_what_it_does_not_know():
    assert str(errors.InputError("not 3D")) == "not 3D"
    assert str(errors.InputError("not 3D", found="2 axes")) == "not 3D (found 2 axes)"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_public_documented_and_of_one_family(kind):
    assert issubclass(kind, errors.MedidiffError)
    assert kind.__name__ in errors.__all__
    assert kind.__doc__
    assert f"``{kind.__name__}``" in (errors.__doc__ or "")

"""A result given back as DICOM: image and uncertainty together, and the template of a NIfTI input."""

import hashlib
import logging
import shutil
import subprocess

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from pydicom import config

from medidiff.errors import GeometryError, InputError, OutputError
from medidiff.io.dicom import parametric
from medidiff.io.dicom.output import template_sources, write_result
from medidiff.io.dicom.parent import parent_of
from medidiff.volume import Geometry, Volume
from tests.fakes import FakeResult
from tests.io.derived.made_up import NAME, STACKS, blob, classic, enhanced, grid
from tests.io.derived.readers import LPS, value_at
from tests.strategies import geometries

FACTS = {"model": {"name": "sr-brain", "version": "0.2.0", "sha256": "ab" * 32}, "seed": 3, "options": {"steps": 8}}
LACKING = ("BodyPartExamined", "ContentDate", "FrameOfReferenceUID", "PatientPosition", "PatientBirthDate", "StudyID")
PRESENT = pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")


def result_on(geometry):
    volume = blob(geometry)
    return FakeResult(Volume(volume.array * 2, geometry), Volume(np.sqrt(volume.array), geometry))


def fine(thick):
    x, y, z = thick.shape
    return thick.reshaped((x, y, 2 * z))


def written(folder, stack="axial", facts=FACTS, sources=None):
    thick = grid(stack)
    return write_result(result_on(fine(thick)), sources or classic(thick), folder / "out", facts=facts)


def hashes(paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


class TestResult:
    def test_image_and_uncertainty_lie_side_by_side(self, tmp_path):
        told = [path.relative_to(tmp_path).as_posix() for path in written(tmp_path)]
        assert told == [f"out/enhanced/{n:05d}.dcm" for n in range(1, 13)] + ["out/uncertainty/00001.dcm"]

    def test_without_uncertainty_there_is_the_image_alone(self, tmp_path):
        thick = grid()
        alone = FakeResult(result_on(fine(thick)).volume)
        assert len(write_result(alone, classic(thick), tmp_path / "out", facts=FACTS)) == 12
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["enhanced"]

    def test_one_plane_alone_is_written_too(self, tmp_path):
        thin = grid(shape=(12, 10, 1))
        assert len(write_result(result_on(thin), classic(thin), tmp_path / "out", facts=FACTS)) == 2

    def test_a_second_run_replaces_the_first_by_the_same_bytes(self, tmp_path):
        first = hashes(written(tmp_path))
        assert hashes(written(tmp_path)) == first
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_nothing_is_kept_of_an_image_whose_uncertainty_fails(self, tmp_path, monkeypatch):
        monkeypatch.setattr(parametric, "_check", lambda *_: (_ for _ in ()).throw(OutputError("no")))
        with pytest.raises(OutputError):
            written(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_nobody_hears_of_the_patient(self, tmp_path, caplog, capfd):
        caplog.set_level(logging.DEBUG)
        with config.disable_value_validation():
            sources = classic(grid(), PatientName=f"{NAME}^^^^^^^^^====", StudyDate="19700102")
        paths = written(tmp_path, sources=sources)
        heard = [caplog.text, *capfd.readouterr(), *map(str, paths)]
        assert not any(word in text for text in heard for word in ("Planted", "19700102"))


class TestUncertainty:
    @pytest.mark.parametrize("ascending", [True, False])
    @pytest.mark.parametrize("stack", STACKS)
    def test_each_value_lies_where_it_was(self, stack, ascending, tmp_path, rng):
        thick = grid(stack, ascending=ascending)
        result = result_on(fine(thick))
        path = write_result(result, classic(thick), tmp_path / "out", facts=FACTS)[-1]
        volume = highdicom.imread(path).get_volume()
        index = rng.integers(0, result.uncertainty.geometry.shape, (100, 3))
        found = value_at(volume.array, LPS @ volume.affine, result.uncertainty.geometry.world(index))
        assert (found.astype(np.float32) == result.uncertainty.array[tuple(index.T)]).all()

    def test_it_says_what_it_is_and_whose(self, tmp_path):
        *_, image, told = [pydicom.dcmread(path) for path in written(tmp_path)]
        assert told.SOPClassUID == pydicom.uid.ParametricMapStorage
        assert told.ImageType[3] == "STD_DEVIATION"
        assert told.ContentQualification == "RESEARCH"
        assert told.SeriesDescription == "T2 tse tra uncertainty medidiff sr-brain 0.2.0 RESEARCH USE"
        assert told.SeriesNumber == image.SeriesNumber + 1000
        for keyword in ["PatientName", "PatientID", "PatientSex", "PatientBirthDate", "StudyDate", "StudyInstanceUID"]:
            assert told[keyword].value == image[keyword].value, keyword
        for keyword in ("FrameOfReferenceUID", "BodyPartExamined", "ContentDate", "ContentTime"):
            assert told[keyword].value == image[keyword].value, keyword

    def test_each_frame_refers_to_the_image_of_its_plane(self, tmp_path):
        *images, told = [pydicom.dcmread(path) for path in written(tmp_path)]
        positions = {image.SOPInstanceUID: list(image.ImagePositionPatient) for image in images}
        for frame in told.PerFrameFunctionalGroupsSequence:
            referred = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
            assert np.allclose(positions[referred], frame.PlanePositionSequence[0].ImagePositionPatient)

    def test_odd_values_of_the_source_are_taken_over(self, tmp_path):
        odd = {"PatientSex": "X", "ContentDate": None, "ContentTime": None, "StudyDate": ""}
        told = pydicom.dcmread(written(tmp_path, sources=classic(grid(), **odd))[-1])
        assert (told.PatientSex, told.ContentDate, told.ContentTime) == ("X", "19000101", "100000")

    @pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", None])
    def test_a_name_keeps_its_letters_whatever_their_encoding(self, charset, tmp_path):
        sources = classic(grid(), PatientName="Müller^Jörg", SpecificCharacterSet=charset)
        image, *_, uncertainty = written(tmp_path, sources=sources)
        spelled = "Müller^Jörg".encode("utf-8" if charset == "ISO_IR 192" else "latin-1")
        assert spelled in image.read_bytes()
        assert spelled in uncertainty.read_bytes()

    def test_on_another_grid_than_the_image_it_is_refused(self, tmp_path):
        thick = grid()
        result = FakeResult(result_on(fine(thick)).volume, result_on(thick).volume)
        with pytest.raises(GeometryError, match="another grid"):
            write_result(result, classic(thick), tmp_path / "out", facts=FACTS)

    @PRESENT
    @pytest.mark.parametrize("stack", ["axial", "double oblique"])
    @pytest.mark.parametrize("bare", [False, True])
    def test_validators_say_nothing_of_it_and_of_the_series_beside_it(self, bare, stack, tmp_path):
        lacking = dict.fromkeys(LACKING) if bare else {}
        paths = written(tmp_path, stack, sources=classic(grid(stack), **lacking))
        for command in (["dciodvfy", paths[0]], ["dciodvfy", paths[-1]], ["dcentvfy", *paths]):
            told = subprocess.run(command, capture_output=True, text=True)
            assert "Error" not in told.stdout + told.stderr
            assert bare or "Warning" not in told.stdout + told.stderr


class TestTemplate:
    @pytest.mark.parametrize("kind", ["classic", "enhanced"])
    @pytest.mark.parametrize("stack", STACKS)
    def test_the_series_that_an_image_came_from_is_taken(self, stack, kind):
        thick = grid(stack)
        template = classic(thick) if kind == "classic" else [enhanced(thick)]
        assert template_sources(template, blob(fine(thick))) is template
        assert template_sources(template, blob(thick.permuted((2, 0, 1)))) is template

    @settings(max_examples=20)
    @given(geometry=geometries(2, 5))
    def test_its_grid_is_read_as_it_was_written(self, geometry):
        if np.linalg.det(geometry.affine[:3, :3]) < 0:
            geometry = Geometry(geometry.shape, geometry.affine @ np.diag([1, 1, -1, 1]))
        assert parent_of(classic(geometry)).geometry.allclose(geometry)

    def test_a_series_elsewhere_is_refused(self):
        thick = grid()
        moved = thick.affine.copy()
        moved[2, 3] += 20
        with pytest.raises(GeometryError, match=r"lies elsewhere.*4\.0 voxels beyond"):
            template_sources(classic(thick), blob(Geometry(thick.shape, moved)))

    def test_no_series_is_refused(self):
        with pytest.raises(InputError, match="no source slices"):
            template_sources([], blob(grid()))

"""The standard deviation of a result as a DICOM parametric map that lies on its voxels."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
from highdicom.pm import ParametricMap, RealWorldValueMapping
from pydicom import DataElement, Dataset
from pydicom.sr.codedict import codes

from medidiff import __version__
from medidiff.errors import GeometryError
from medidiff.io.dicom.derived import Derived
from medidiff.io.dicom.keep import PATIENT, STUDY
from medidiff.io.dicom.label import TOOL, derivation, model_of, series_description
from medidiff.io.dicom.planes import Planes, planes_of
from medidiff.io.dicom.readback import UNCHANGED, check_geometry, differs, wrong
from medidiff.io.dicom.rescale import rescale_of, window_of
from medidiff.io.dicom.uids import identity_of, uid_of
from medidiff.volume import Volume

__all__ = ["MAP_NAME", "fill_map"]

MAP_NAME = "00001.dcm"
NUMBERED_AFTER_IMAGE = 1000
KEPT = ("BodyPartExamined", "Laterality", "AnatomicRegionSequence", "PatientPosition", "TimezoneOffsetFromUTC")
EXPLANATION = "standard deviation in the units of the image; research use only"
UNKNOWN_DATE = "19000101"
"""A map must have a content date; this one is given where the source has no date at all."""


def fill_map(folder: Path, uncertainty: Volume, derived: Derived, facts: Mapping[str, Any]) -> str:
    """Write the uncertainty of a derived series as one parametric map of 32-bit floats, and read it back.

    Parameters
    ----------
    folder
        Where to.
    uncertainty
        ``(x, y, z)``, in the units of the series and on its grid.
    derived
        The series that it belongs to; each frame refers to its image of that plane.
    facts
        As for the series.

    Returns
    -------
    str
        The file's name.

    Raises
    ------
    GeometryError
        If it lies on another grid than the series.
    InputError
        If it is complex or not finite.
    OutputError
        If it is not read back as it was meant.
    """
    rescale_of(uncertainty.array)
    planes = planes_of(uncertainty, derived.parent.directions)
    if not planes.geometry.allclose(derived.planes.geometry):
        raise GeometryError("uncertainty lies on another grid than the result")
    identity = identity_of(uncertainty, {"image": derived.identity, "product": "uncertainty"})
    pydicom.dcmwrite(folder / MAP_NAME, _map(planes, derived, facts, identity), enforce_file_format=True)
    _check(folder / MAP_NAME, planes, derived)
    return MAP_NAME


def _map(planes: Planes, derived: Derived, facts: Mapping[str, Any], identity: str) -> ParametricMap:
    frames = np.stack(list(planes))
    sources, common = [_plain(header) for header in derived.headers()], derived.common
    window, spacing = window_of(frames), planes.geometry.spacing
    description = series_description(
        str(derived.parent.headers[0].get("SeriesDescription") or ""), facts, "uncertainty"
    )
    made = ParametricMap(
        sources,
        frames,
        series_instance_uid=uid_of(identity, "series"),
        series_number=int(common.SeriesNumber) + NUMBERED_AFTER_IMAGE,
        sop_instance_uid=uid_of(identity, "instance", 0),
        instance_number=1,
        manufacturer=TOOL,
        manufacturer_model_name=(model_of(facts) or TOOL)[:64],
        software_versions=__version__,
        device_serial_number=str((facts.get("model") or {}).get("sha256") or "none")[:16],
        contains_recognizable_visual_features=common.get("RecognizableVisualFeatures") != "NO",
        real_world_value_mappings=[_meaning(frames)],
        voi_lut_transformations=[
            highdicom.VOILUTTransformation(
                window_center=window.center, window_width=window.width, voi_lut_function=window.function
            )
        ],
        pixel_measures=highdicom.PixelMeasuresSequence(
            pixel_spacing=(spacing[1], spacing[0]), slice_thickness=planes.gap, spacing_between_slices=planes.gap
        ),
        plane_orientation=highdicom.PlaneOrientationSequence("PATIENT", planes.orientation.tolist()),
        plane_positions=[
            highdicom.PlanePositionSequence("PATIENT", planes.position(plane).tolist()) for plane in range(len(planes))
        ],
        derived_pixel_contrast="STD_DEVIATION",
        content_label="UNCERTAINTY",
        content_description=EXPLANATION,
        derivation=codes.SCT.StandardDeviation,
        series_description=description,
        content_date=_first_date(common),
        content_time=_first_time(common),
    )
    return _settled(made, derived, facts, identity)


def _plain(header: Dataset) -> Dataset:
    """Give highdicom no value that it refuses or talks about; the true ones are put in afterwards."""
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        header[keyword] = DataElement(keyword, header[keyword].VR, None)
    header.pop("SpecificCharacterSet", None)
    return header


def _meaning(frames: np.ndarray[Any, Any]) -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label="SD",
        lut_explanation=EXPLANATION,
        unit=codes.UCUM.NoUnits,
        value_range=(min(0.0, float(frames.min())), float(frames.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=codes.SCT.StandardDeviation,
    )


def _settled(made: ParametricMap, derived: Derived, facts: Mapping[str, Any], identity: str) -> ParametricMap:
    """Put back the patient as the source tells it, and take out what a clock or chance put in."""
    for keyword in (*PATIENT, *STUDY, *KEPT):
        if keyword in derived.common:
            made.add(derived.common[keyword])
        elif keyword in made:
            del made[keyword]
    made.update(derivation(facts))
    del made.DerivationCodeSequence  # that of the image; the frames of a map tell their own
    del made.InstanceCreationDate, made.InstanceCreationTime
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid_of(identity, "dimensions")
    return made


def _first_date(common: Dataset) -> str:
    told = (str(common.get(f"{name}Date") or "") for name in ("Content", "Acquisition", "Series", "Study"))
    return next((date for date in told if re.fullmatch(r"\d{8}", date)), UNKNOWN_DATE)


def _first_time(common: Dataset) -> str:
    told = (str(common.get(f"{name}Time") or "") for name in ("Content", "Acquisition", "Series", "Study"))
    return next((time for time in told if re.fullmatch(r"\d{6}(\.\d{1,6})?", time)), "000000")


def _check(path: Path, planes: Planes, derived: Derived) -> None:
    read = ParametricMap.from_file(path)
    try:
        volume = read.get_volume(dtype=np.float32)
    except (RuntimeError, ValueError) as error:
        raise wrong("geometry") from error
    values, affine = volume.array, np.array(volume.affine)[:, [2, 1, 0, 3]]
    if affine[:3, 2] @ (planes.position(len(planes) - 1) - planes.position(0)) < 0:
        affine[:3, 3] += affine[:3, 2] * (len(planes) - 1)
        affine[:3, 2] *= -1
        values = values[::-1]
    check_geometry(affine, planes)
    if not all(np.array_equal(*pair) for pair in zip(values, planes, strict=True)):
        raise wrong("uncertainty values")
    if any(differs(read, derived.common, keyword) for keyword in UNCHANGED):
        raise wrong("patient or study")

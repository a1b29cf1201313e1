"""The sidecar of an image made from DICOM: the fields, names and units that dcm2niix writes, as far as we know them."""

from typing import Any

from pydicom import Dataset

from medidiff.io.dicom.frame import View, floats, number
from medidiff.io.dicom.privacy import described

__all__ = ["sidecar_of"]

SECONDS = 1e-3

NUMBERS: tuple[tuple[str, str, str, float], ...] = (
    ("MagneticFieldStrength", "MagneticFieldStrength", "", 1),
    ("ImagingFrequency", "ImagingFrequency", "", 1),
    ("ImagingFrequency", "TransmitterFrequency", "MRImagingModifierSequence", 1),
    ("SeriesNumber", "SeriesNumber", "", 1),
    ("AcquisitionNumber", "AcquisitionNumber", "", 1),
    ("SliceThickness", "SliceThickness", "PixelMeasuresSequence", 1),
    ("EchoTime", "EchoTime", "", SECONDS),
    ("EchoTime", "EffectiveEchoTime", "MREchoSequence", SECONDS),
    ("RepetitionTime", "RepetitionTime", "MRTimingAndRelatedParametersSequence", SECONDS),
    ("InversionTime", "InversionTime", "MRModifierSequence", SECONDS),
    ("FlipAngle", "FlipAngle", "MRTimingAndRelatedParametersSequence", 1),
    ("EchoTrainLength", "EchoTrainLength", "MRTimingAndRelatedParametersSequence", 1),
    ("PercentPhaseFOV", "PercentPhaseFieldOfView", "MRFOVGeometrySequence", 1),
    ("PercentSampling", "PercentSampling", "MRFOVGeometrySequence", 1),
    ("PixelBandwidth", "PixelBandwidth", "MRImagingModifierSequence", 1),
    ("ParallelReductionFactorInPlane", "ParallelReductionFactorInPlane", "MRModifierSequence", 1),
)
"""BIDS field, DICOM element, functional group, and what a value is multiplied by; a later line wins."""

WORDS = (
    ("Modality", "Modality"),
    ("Manufacturer", "Manufacturer"),
    ("ManufacturersModelName", "ManufacturerModelName"),
    ("BodyPartExamined", "BodyPartExamined"),
    ("PatientPosition", "PatientPosition"),
    ("SoftwareVersions", "SoftwareVersions"),
    ("MRAcquisitionType", "MRAcquisitionType"),
    ("ScanningSequence", "ScanningSequence"),
    ("SequenceVariant", "SequenceVariant"),
    ("ScanOptions", "ScanOptions"),
    ("SequenceName", "SequenceName"),
)

MANUFACTURERS = ("Siemens", "GE", "Philips", "Canon", "Toshiba", "Hitachi", "Hyperfine", "UIH", "Bruker", "Mediso")
"""Names as dcm2niix and BIDS write them."""

PHASE_ENCODING = {"ROW": "ROW", "COL": "COL", "COLUMN": "COL"}


def sidecar_of(header: Dataset, frame: int) -> dict[str, Any]:
    """Collect what a header says of an image, without anything that tells a person, a place or a date.

    Parameters
    ----------
    header
        One of the objects of the volume.
    frame
        Which frame of it, from 0.

    Returns
    -------
    dict
        Times in seconds, lengths in mm, angles in degrees, field strength in tesla, frequency in MHz.
    """
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    own = (header.get("PerFrameFunctionalGroupsSequence") or [Dataset()])[frame:][:1]
    view = View(header, shared, own[0] if own else Dataset())
    return {**_words(header), **_numbers(view), **_more(view)}


def _numbers(view: View) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field, keyword, macro, factor in NUMBERS:
        value = number(view.get(keyword, macro))
        if value is not None and (value or field.startswith("SeriesN")):
            told[field] = _short(value * factor)
    return told


def _words(header: Dataset) -> dict[str, Any]:
    told: dict[str, Any] = {field: _text(header.get(keyword)) for field, keyword in WORDS}
    told["Manufacturer"] = _manufacturer(told["Manufacturer"])
    told["SeriesDescription"] = described(header)
    told["ProtocolName"] = described(header, "ProtocolName")
    return {field: text for field, text in told.items() if text}


def _more(view: View) -> dict[str, Any]:
    told: dict[str, Any] = {}
    words = list(view.get("FrameType", "MRImageFrameTypeSequence") or view.root.get("ImageType") or [])
    told["ImageType"] = [str(word) for word in words]
    if orientation := floats(view.get("ImageOrientationPatient", "PlaneOrientationSequence"), 6):
        told["ImageOrientationPatientDICOM"] = [_short(each) for each in orientation]
    direction = str(view.get("InPlanePhaseEncodingDirection", "MRFOVGeometrySequence") or "")
    told["InPlanePhaseEncodingDirectionDICOM"] = PHASE_ENCODING.get(direction, "")
    return {field: value for field, value in told.items() if value}


def _manufacturer(told: str) -> str:
    return next((name for name in MANUFACTURERS if told.lower().startswith(name.lower())), told)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, str) or not hasattr(value, "__iter__") else "\\".join(map(str, value))


def _short(value: float) -> int | float:
    """Six digits, as dcm2niix writes, and whole numbers without a point."""
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded

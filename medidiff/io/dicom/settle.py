"""Tags that DICOM wants in an MR image or wants to agree with each other, where the source is silent or careless."""

from pydicom import DataElement, Dataset

__all__ = ["settle"]

EMPTY_UNLESS_KNOWN = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("Manufacturer", "PatientPosition", "PositionReferenceIndicator"),
    *("ScanOptions", "MRAcquisitionType", "RepetitionTime", "EchoTime", "EchoTrainLength"),
)
"""Tags that must be there even where nobody knows their value (type 2)."""

ANATOMY = ("SCT", "SRT", "SNM3")
"""Schemes that anatomic regions are coded in."""


def settle(common: Dataset) -> None:
    """Fill in what must be there and make agree what must agree; nothing is claimed that the source does not imply."""
    for keyword in EMPTY_UNLESS_KNOWN:
        if keyword not in common:
            setattr(common, keyword, None)
    for keyword, unknown in (("ScanningSequence", "RM"), ("SequenceVariant", "NONE")):
        if not common.get(keyword):
            setattr(common, keyword, unknown)
    _inversion(common)
    _body_part(common)
    if "CG" in (common.get("ScanOptions") or ()):
        common.setdefault("TriggerTime", None)


def _inversion(common: Dataset) -> None:
    """Who waits for an inversion inverts; who does not invert, does not wait."""
    told = common.ScanningSequence
    sequence = [told] if isinstance(told, str) else list(told)
    if common.get("InversionTime") and "IR" not in sequence:
        common["ScanningSequence"] = DataElement("ScanningSequence", "CS", [*sequence, "IR"])
    elif "IR" in sequence:
        common.setdefault("InversionTime", None)
    else:
        common.pop("InversionTime", None)


def _body_part(common: Dataset) -> None:
    """A body part that is not told might be one of a pair, so the side is left open."""
    region = common.get("AnatomicRegionSequence") or [Dataset()]
    if region[0].get("CodingSchemeDesignator") not in ANATOMY:
        common.pop("AnatomicRegionSequence", None)
    if not any(common.get(keyword) for keyword in ("BodyPartExamined", "AnatomicRegionSequence", "Laterality")):
        common.Laterality = None

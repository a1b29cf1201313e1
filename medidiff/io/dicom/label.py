"""What a derived object says about how it was made: codes, equipment, descriptions, references."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from medidiff import __version__
from medidiff.io.dicom.parent import Parent, Slice

__all__ = ["COMMENT", "TOOL", "derivation", "described", "equipment", "is_ours", "reference", "series_description"]

TOOL = "medidiff"
COMMENT = "Research use only. Not a medical device; not for diagnosis or treatment."
LONG_STRING = 64
"""Characters that DICOM allows in a description."""


def model_of(facts: Mapping[str, Any]) -> str:
    """Name and version of the model, or what there is of them."""
    model = facts.get("model") or {}
    return " ".join(str(model[key]) for key in ("name", "version") if model.get(key))


def series_description(source: str, facts: Mapping[str, Any], product: str) -> str:
    """Cut the source's own description so that what was done to it, by which model, still fits.

    >>> series_description("T2 tse tra", {"model": {"name": "sr-brain", "version": "0.2.0"}}, "enhanced")
    'T2 tse tra enhanced medidiff sr-brain 0.2.0 RESEARCH USE'
    """
    names = [str(facts[key]) for key in ("name",) if facts.get(key)]
    end = " ".join([*names, product, TOOL, model_of(facts), "RESEARCH USE"])
    end = " ".join(end.split())[-LONG_STRING:]
    return f"{' '.join(source.split())[: max(0, LONG_STRING - len(end) - 1)]} {end}".strip()


def described(facts: Mapping[str, Any]) -> str:
    """Tool, model, options and seed in one line of at most 1024 characters."""
    model, options = facts.get("model") or {}, facts.get("options") or {}
    told = [f"{TOOL} {__version__}", f"model {model_of(facts) or 'none'}"]
    told += [f"sha256 {model['sha256']}"] if model.get("sha256") else []
    told += [f"seed {facts['seed']}"] if facts.get("seed") is not None else []
    told += [f"{key} {value}" for key, value in sorted(options.items()) if isinstance(value, str | int | float)]
    return f"{'; '.join(told)}. "[: 1024 - len(COMMENT)].replace("\\", "/") + COMMENT


def derivation(facts: Mapping[str, Any]) -> Dataset:
    """Tags that say that and how the pixels were derived."""
    told = Dataset()
    told.DerivationDescription = described(facts)
    told.DerivationCodeSequence = [coded(codes.DCM.SpatialResampling)]
    told.ContributingEquipmentSequence = [equipment(facts)]
    told.ImageComments = COMMENT
    return told


def equipment(facts: Mapping[str, Any]) -> Dataset:
    """Name this program as what processed the images; the scanner stays their equipment."""
    item = Dataset()
    item.Manufacturer = TOOL
    item.ManufacturerModelName = (model_of(facts) or TOOL)[:LONG_STRING]
    item.SoftwareVersions = __version__
    item.ContributionDescription = f"super-resolution by a diffusion model. {COMMENT}"
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.ProcessingEquipment)]
    return item


def is_ours(header: Dataset) -> bool:
    """Whether an object says that this program made it."""
    items = header.get("ContributingEquipmentSequence") or []
    return any(item.get("Manufacturer") == TOOL for item in items)


def reference(parent: Parent, slices: Sequence[Slice], series: str) -> Dataset:
    """Refer to source slices: as the images that were processed, and by the series in which to find them."""
    told, objects = Dataset(), {piece.instance: piece for piece in slices}
    told.SourceImageSequence = [_image(piece, slices) for piece in objects.values()]
    listed = Dataset()
    listed.SeriesInstanceUID = series
    listed.ReferencedInstanceSequence = [_object(piece) for piece in objects.values()]
    told.ReferencedSeriesSequence = [listed]
    return told


def coded(code: Code) -> Dataset:
    """Write a code as DICOM does."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _object(piece: Slice) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = piece.kind, piece.instance
    return item


def _image(piece: Slice, slices: Iterable[Slice]) -> Dataset:
    item = _object(piece)
    frames = [other.frame for other in slices if other.instance == piece.instance and other.frame is not None]
    if frames:
        item.ReferencedFrameNumber = frames
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.SourceImageForImageProcessingOperation)]
    return item

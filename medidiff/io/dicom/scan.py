"""Headers of many objects sorted into series and volumes, whatever their files are called."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.tag import Tag

from medidiff.errors import InputError
from medidiff.io.dicom.frame import FRAME_TAGS, Frame, frames_of, number
from medidiff.io.dicom.privacy import TELLING, cleaned, described, discreet, hashed, patient_of
from medidiff.io.dicom.refusal import IMAGE_CLASSES, component_refusal, frame_words, object_refusal, words_refusal
from medidiff.io.dicom.series import Series, Stray
from medidiff.io.dicom.split import split
from medidiff.io.dicom.vendors import VENDOR_TAGS
from medidiff.io.source import Archives, Source

__all__ = ["scan"]

OBJECT_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "InstanceNumber",
    "Modality",
    "Manufacturer",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "DimensionOrganizationType",
    "TotalPixelMatrixRows",
    "DirectoryRecordSequence",
    "SpecificCharacterSet",
)

WANTED: list[Any] = [*map(Tag, (*OBJECT_TAGS, *FRAME_TAGS, *TELLING)), *map(Tag, VENDOR_TAGS)]


@dataclass(frozen=True, eq=False)
class _Object:
    """One object's header, without pixels and without what is not needed to sort it."""

    source: Source
    header: Dataset
    frames: tuple[Frame, ...]
    refusal: str


def scan(sources: Iterable[Source]) -> tuple[list[Series], list[Stray]]:
    """Read the headers of objects, and sort these into series.

    Parameters
    ----------
    sources
        Where they lie, in any order.

    Returns
    -------
    series, strays
        Sorted by study, number and identifier; and what could not be read, with the reason. An object that is there
        twice (same unique identifier, instance number and position) is counted once.
    """
    strays: list[Stray] = []
    groups: dict[tuple[str, str, str], list[_Object]] = defaultdict(list)
    with Archives() as archives, discreet("headers cannot be sorted into series"):
        for source in sources:
            try:
                found = _read(source, archives)
            except InputError as error:
                strays.append(Stray(source, str(error)))
                continue
            except Exception as error:  # pydicom raises whatever a damaged header leads to
                strays.append(Stray(source, f"header cannot be understood ({type(error).__name__})"))
                continue
            groups[_key(found)].append(found)
        series = [_series(key, groups[key]) for key in sorted(groups)]
    return sorted(series, key=lambda each: (each.study, each.number or 0, each.code)), strays


def _read(source: Source, archives: Archives) -> _Object:
    with archives.open(source) as stream:
        header = dcmread(stream, force=True, stop_before_pixels=True, specific_tags=WANTED)
    for _ in header:
        pass  # pydicom understands an element when it is asked for; what cannot be understood must fail here, alone
    if not (header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")):
        raise InputError("not DICOM, or without a kind of object")
    header.setdefault("SOPClassUID", header.file_meta.get("MediaStorageSOPClassUID"))
    refusal = cleaned(object_refusal(header), header)
    frames = tuple(_told(frame, header, refusal) for frame in frames_of(header, source)) if _is_image(header) else ()
    for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        if keyword in header:
            delattr(header, keyword)
    return _Object(source, header, frames, refusal)


def _is_image(header: Dataset) -> bool:
    return header.get("SOPClassUID") in IMAGE_CLASSES


def _told(frame: Frame, header: Dataset, refusal: str) -> Frame:
    """Note on a frame why it is not enhanced: for its object, its own type, or the part of the signal that it is."""
    own = (header.get("PerFrameFunctionalGroupsSequence") or [Dataset()])[frame.index :][:1]
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    words = frame_words(own[0], shared) if own else ()
    told = refusal or cleaned(words_refusal(words), header) or component_refusal(frame.traits["component"])
    return replace(frame, traits={**frame.traits, "refusal": told or None})


def _key(found: _Object) -> tuple[str, str, str]:
    """Study, series and kind of object: twins of one series, classic and enhanced, are two series here."""
    header = found.header
    return (
        str(header.get("StudyInstanceUID") or ""),
        str(header.get("SeriesInstanceUID") or ""),
        str(header.SOPClassUID),
    )


def _series(key: tuple[str, str, str], objects: Sequence[_Object]) -> Series:
    study, uid, kind = key
    objects = sorted(objects, key=lambda each: (number(each.header.get("InstanceNumber")) or 0, each.source))
    unique = list({_identity(each): each for each in reversed(objects)}.values())[::-1]
    header = unique[0].header
    refusals = {each.refusal for each in unique}
    series = Series(
        study=hashed(study),
        code=hashed(f"{uid} {kind}"),
        number=None if (told := number(header.get("SeriesNumber"))) is None else int(told),
        description=described(header),
        modality=cleaned(str(header.get("Modality") or ""), header),
        manufacturer=str(header.get("Manufacturer") or ""),
        kind=IMAGE_CLASSES.get(header.SOPClassUID, ""),
        objects=len(unique),
        copies=len(objects) - len(unique),
        refusal=refusals.pop() if len(refusals) == 1 else "",
        uid=uid,
        study_uid=study,
        patient=patient_of(header),
        sources=tuple(each.source for each in objects),
    )
    return series.with_stacks(split([frame for each in unique for frame in each.frames]))


def _identity(found: _Object) -> tuple[Any, ...]:
    """What two copies of an object share; objects without an identifier are never copies of each other."""
    header = found.header
    uid = str(header.get("SOPInstanceUID") or found.source)
    return uid, str(header.get("InstanceNumber")), str(header.get("ImagePositionPatient"))

"""The tags of an enhanced multi-frame MR object under the names that they have in classic ones."""

from collections.abc import Iterator
from typing import Any

from pydicom import Dataset

__all__ = ["flattened", "groups_of", "in_groups"]

BY_GROUP: dict[str, dict[str, str]] = {
    "MRTimingAndRelatedParametersSequence": {
        "RepetitionTime": "RepetitionTime",
        "FlipAngle": "FlipAngle",
        "EchoTrainLength": "EchoTrainLength",
    },
    "MREchoSequence": {"EffectiveEchoTime": "EchoTime"},
    "MRModifierSequence": {"InversionTimes": "InversionTime"},
    "MRAveragesSequence": {"NumberOfAverages": "NumberOfAverages"},
    "MRImagingModifierSequence": {"PixelBandwidth": "PixelBandwidth", "TransmitterFrequency": "ImagingFrequency"},
    "MRFOVGeometrySequence": {
        "PercentSampling": "PercentSampling",
        "PercentPhaseFieldOfView": "PercentPhaseFieldOfView",
    },
    "MRReceiveCoilSequence": {"ReceiveCoilName": "ReceiveCoilName"},
    "MRTransmitCoilSequence": {"TransmitCoilName": "TransmitCoilName"},
    "MRDiffusionSequence": {"DiffusionBValue": "DiffusionBValue"},
    "FrameAnatomySequence": {"AnatomicRegionSequence": "AnatomicRegionSequence"},
}
"""Classic names of what stands in functional groups (PS3.3 C.8.13.5)."""

AT_THE_TOP = {"ResonantNucleus": "ImagedNucleus", "PulseSequenceName": "SequenceName"}

UNASSIGNED = ("UnassignedSharedConvertedAttributesSequence", "UnassignedPerFrameConvertedAttributesSequence")
"""Where a converter put classic tags for which it knew no better place."""


def groups_of(source: Dataset, frame: int) -> Iterator[Dataset]:
    """Functional groups of a frame (1 is the first), its own before the shared ones."""
    yield from (source.get("PerFrameFunctionalGroupsSequence") or [])[frame - 1 : frame]
    yield from (source.get("SharedFunctionalGroupsSequence") or [])[:1]


def in_groups(source: Dataset, frame: int, group: str, keyword: str) -> Any:
    """Value of a tag in a functional group of a frame; None if it is not there."""
    for groups in groups_of(source, frame):
        items = groups.get(group) or []
        if items and items[0].get(keyword) not in (None, ""):
            return items[0][keyword].value
    return None


def flattened(source: Dataset, frame: int) -> Dataset:
    """Classic tags of one frame; the pixels and functional groups stay behind."""
    flat = Dataset()
    flat.update({e.tag: e for e in source if e.VR not in ("SQ", "OB", "OW", "OF") and not e.tag.is_private})
    for groups in groups_of(source, frame):
        for name in UNASSIGNED:
            for item in (groups.get(name) or [])[:1]:
                flat.update({e.tag: e for e in item if e.tag not in flat and not e.tag.is_private})
    for group, names in BY_GROUP.items():
        for keyword, classic in names.items():
            _set(flat, classic, in_groups(source, frame, group, keyword))
    for keyword, classic in AT_THE_TOP.items():
        _set(flat, classic, source.get(keyword))
    _set(flat, "InPlanePhaseEncodingDirection", _phase_direction(source, frame))
    _set(flat, "ScanningSequence", _scanning_sequence(source, frame))
    _set(flat, "SequenceVariant", _sequence_variant(source, frame))
    return flat


def _set(flat: Dataset, keyword: str, value: Any) -> None:
    """Add what is known and not there yet, as the plainer of two numbers where a list was allowed."""
    if value in (None, "", []) or flat.get(keyword) not in (None, ""):
        return
    if keyword == "InversionTime" and not isinstance(value, int | float):
        value = value[0]
    setattr(flat, keyword, f"{value:.10g}" if isinstance(value, float) and keyword != "DiffusionBValue" else value)


def _phase_direction(source: Dataset, frame: int) -> str | None:
    told = in_groups(source, frame, "MRFOVGeometrySequence", "InPlanePhaseEncodingDirection")
    return {"ROW": "ROW", "COLUMN": "COL"}.get(str(told))


def _scanning_sequence(source: Dataset, frame: int) -> list[str]:
    """Translate the echo sequence; research mode where nothing is said."""
    echo = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}.get(source.get("EchoPulseSequence", ""), [])
    inverted = in_groups(source, frame, "MRModifierSequence", "InversionRecovery") == "YES"
    planar = source.get("EchoPlanarPulseSequence") == "YES"
    return echo + ["IR"] * inverted + ["EP"] * planar


def _sequence_variant(source: Dataset, frame: int) -> list[str]:
    segmented = source.get("SegmentedKSpaceTraversal") in ("PARTIAL", "FULL")
    steady = source.get("SteadyStatePulseSequence") not in (None, "", "NONE")
    spoiled = in_groups(source, frame, "MRModifierSequence", "Spoiling") in ("RF", "GRADIENT", "RF_AND_GRADIENT")
    return ["SK"] * segmented + ["SS"] * steady + ["SP"] * spoiled

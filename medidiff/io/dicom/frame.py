"""One slice: where it is, what it is, and how its stored values become signal.

Classic objects hold one, enhanced and legacy-converted ones many; from here on they are the same thing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.tag import Tag

from medidiff.errors import InputError
from medidiff.io.dicom.vendors import component_of, diffusion_of, scale_slope_of
from medidiff.io.source import Source

__all__ = ["FRAME_TAGS", "Frame", "View", "floats", "frames_of", "number"]

FRAME_TAGS = (
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "SliceThickness",
    "SpacingBetweenSlices",
    "TriggerTime",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionIndexSequence",
    "ComplexImageComponent",
)
"""What is read of an object for its frames, besides what says what kind of object it is."""

POSITION_DIMENSIONS = {Tag("StackID"), Tag("InStackPositionNumber"), Tag("ImagePositionPatient"), Tag("SliceLocation")}
"""Dimensions of an enhanced object that say where a frame is, not which volume it belongs to."""


MOST_FRAMES = 200_000
"""An object that claims more is refused."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice of one object.

    Parameters
    ----------
    source, index, of
        The object, the frame in it, from 0, and how many it has.
    instance
        Number of the object in its series.
    shape
        Rows and columns.
    position, orientation, pixel_spacing
        As in DICOM: LPS+ mm of the first pixel; direction cosines along a row and along a column; mm between rows
        and between columns. None where the object does not say.
    thickness, between
        Slice thickness and spacing between slices that the header states, mm.
    slope, inter
        Signal = ``slope * stored + inter``.
    traits
        What tells volumes of one series apart: those that always do, then those that do where positions repeat.
    """

    source: Source
    index: int
    of: int
    instance: int
    shape: tuple[int, int]
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    thickness: float | None
    between: float | None
    slope: float
    inter: float
    traits: dict[str, Any] = field(default_factory=dict)


class View:
    """What an object says of one frame: its own functional groups first, then the shared ones, then the object."""

    def __init__(self, root: Dataset, shared: Dataset, frame: Dataset) -> None:
        self.root, self.shared, self.frame = root, shared, frame

    def get(self, keyword: str, macro: str = "") -> Any:
        """Return the value of an element, looked for in the functional group ``macro``, or None."""
        for holder in (self.frame, self.shared):
            group = holder.get(macro) if macro else None
            if group and keyword in group[0]:
                return group[0].get(keyword)
        return self.root.get(keyword)


def frames_of(header: Dataset, source: Source) -> Iterator[Frame]:
    """Yield the frames of an object in stored order."""
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    count = int(number(header.get("NumberOfFrames")) or 1)
    if count > MOST_FRAMES:
        raise InputError("header claims too many frames", found=str(count), needed=f"at most {MOST_FRAMES}")
    own = header.get("PerFrameFunctionalGroupsSequence") or [Dataset()] * count
    dimensions = _dimensions(header)
    for index, frame in enumerate(own):
        yield _frame(View(header, shared, frame), dimensions, source, (index, len(own)))


def floats(value: Any, count: int) -> tuple[float, ...] | None:
    """Read ``count`` finite numbers, None if that is not what is there."""
    try:
        numbers = tuple(float(each) for each in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(abs(each) < 1e9 for each in numbers) else None


def number(value: Any) -> float | None:
    """Read one finite number, None if there is none."""
    return read[0] if (read := floats([value], 1)) else None


def _frame(view: View, dimensions: Sequence[tuple[int, str]], source: Source, place: tuple[int, int]) -> Frame:
    slope, inter = _scale(view)
    return Frame(
        source=source,
        index=place[0],
        of=place[1],
        instance=int(number(view.root.get("InstanceNumber")) or 0),
        shape=(int(view.root.get("Rows") or 0), int(view.root.get("Columns") or 0)),
        position=floats(view.get("ImagePositionPatient", "PlanePositionSequence"), 3),
        orientation=floats(view.get("ImageOrientationPatient", "PlaneOrientationSequence"), 6),
        pixel_spacing=floats(view.get("PixelSpacing", "PixelMeasuresSequence"), 2),
        thickness=number(view.get("SliceThickness", "PixelMeasuresSequence")),
        between=number(view.get("SpacingBetweenSlices", "PixelMeasuresSequence")),
        slope=slope,
        inter=inter,
        traits=_traits(view, dimensions),
    )


def _scale(view: View) -> tuple[float, float]:
    """Rescale to what is displayed, and for Philips further to what is proportional to signal in every series."""
    slope = number(view.get("RescaleSlope", "PixelValueTransformationSequence"))
    inter = number(view.get("RescaleIntercept", "PixelValueTransformationSequence")) or 0.0
    slope = 1.0 if slope is None else slope
    private = scale_slope_of(view.root, view.frame)
    if private and slope:
        return 1.0 / private, inter / (slope * private)
    return slope, inter


def _traits(view: View, dimensions: Sequence[tuple[int, str]]) -> dict[str, Any]:
    b_value, direction = diffusion_of(view.root, view.frame, view.shared)
    content = "FrameContentSequence"
    time = view.get("TemporalPositionIndex", content) or view.root.get("TemporalPositionIdentifier")
    return {
        "stack": view.get("StackID", content) if view.frame else None,
        "component": component_of(view.root, view.frame, view.shared),
        "echo": _rounded(_echo_time(view), 2),
        "b": _rounded(b_value, 1),
        "direction": direction and tuple(round(each, 3) + 0.0 for each in direction),
        "time": time,
        "dimension": _other_dimensions(view, dimensions),
        "trigger": number(view.get("NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"))
        or number(view.root.get("TriggerTime")),
        "inversion": number(view.get("InversionTime", "MRModifierSequence")),
        "flip": number(view.get("FlipAngle", "MRTimingAndRelatedParametersSequence")),
        "acquisition": view.get("FrameAcquisitionNumber", content) or view.root.get("AcquisitionNumber"),
    }


def _echo_time(view: View) -> float | None:
    """Echo time in ms, of a frame if it has its own."""
    told = number(view.get("EffectiveEchoTime", "MREchoSequence"))
    return number(view.root.get("EchoTime")) if told is None else told


def _dimensions(header: Dataset) -> list[tuple[int, str]]:
    """Return place and kind of the dimensions that tell volumes apart."""
    told = enumerate(header.get("DimensionIndexSequence") or [])
    return [(place, str(item.get("DimensionIndexPointer"))) for place, item in told if _tells_apart(item)]


def _tells_apart(item: Dataset) -> bool:
    pointer = item.get("DimensionIndexPointer")
    return pointer is not None and pointer not in POSITION_DIMENSIONS


def _other_dimensions(view: View, dimensions: Sequence[tuple[int, str]]) -> tuple[int, ...] | None:
    values = view.get("DimensionIndexValues", "FrameContentSequence")
    if not dimensions or values is None:
        return None
    values = [values] if isinstance(values, int) else list(values)
    return tuple(int(values[place]) for place, _ in dimensions if place < len(values))


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

"""Synthetic DICOM series of any orientation, order, layout and vendor's habits, made from volumes that are known.

Every slice is a `Dataset` in memory, so that a test can spoil what it likes before the series is written.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

ROOT = "1.2.826.0.1.3680043.10.1338."
"""Of the identifiers here; a test's series get numbers below it."""

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)

PATIENT = {"PatientName": "Doe^Jane", "PatientID": "HOSP-4711", "PatientBirthDate": "19570429", "PatientSex": "F"}


@dataclass
class Plan:
    """How a series is acquired; ``values`` is ``(column, row, slice)`` along ascending positions."""

    values: Any
    orientation: tuple[float, ...] = AXIAL
    origin: tuple[float, ...] = (-20.0, -30.0, -40.0)
    spacing: tuple[float, float, float] = (1.0, 1.25, 4.0)
    bits: int = 16
    signed: bool = False
    slope: float = 1.0
    inter: float = 0.0
    number: int = 3
    tags: dict[str, Any] = field(default_factory=dict)

    @property
    def normal(self):
        return np.cross(self.orientation[:3], self.orientation[3:])

    def position(self, k):
        """LPS mm of the first pixel of slice ``k``, which may be fractional."""
        return np.array(self.origin) + k * self.spacing[2] * self.normal

    def patient_position(self, i, j, k):
        """LPS mm of the voxel in column ``i``, row ``j``, slice ``k``: PS3.3 equation C.7.6.2.1-1."""
        along_row, along_column = np.reshape(self.orientation, (2, 3))
        return self.position(k) + i * self.spacing[0] * along_row + j * self.spacing[1] * along_column


def values(shape=(8, 7, 5), seed=0, low=0, high=4000):
    """Whole numbers, each voxel its own."""
    return np.random.default_rng(seed).integers(low, high, shape)


def uid(*numbers):
    return UID(ROOT + ".".join(str(number) for number in numbers))


def slices(plan, instance=1, **tags):
    """The classic objects of a series, in ascending order, numbered from ``instance``."""
    return [_slice(plan, k, instance + k, tags) for k in range(plan.values.shape[2])]


def _slice(plan, k, instance, tags):
    ds = _dataset(MRImageStorage, plan, uid(plan.number, 1, instance))
    ds.InstanceNumber = instance
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    ds.ImagePositionPatient = [f"{each:.8g}" for each in plan.position(k)]
    ds.ImageOrientationPatient = [f"{each:.10f}" for each in plan.orientation]
    ds.PixelSpacing = [plan.spacing[1], plan.spacing[0]]
    ds.SliceThickness = plan.spacing[2]
    ds.SpacingBetweenSlices = plan.spacing[2]
    ds.RescaleSlope, ds.RescaleIntercept = plan.slope, plan.inter
    ds.EchoTime, ds.RepetitionTime, ds.FlipAngle = 90, 4000, 90
    _pixels(ds, plan, plan.values[..., k].T)
    return changed(ds, **{**plan.tags, **tags})


def enhanced(plans, kind=EnhancedMRImageStorage, **tags):
    """One multi-frame object of volumes; each plan's ``tags`` may hold ``echo``, ``b``, ``time`` and ``component``."""
    first = plans[0]
    ds = _dataset(kind, first, uid(first.number, 2, 1))
    ds.InstanceNumber = 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    frames = [(plan, k) for plan in plans for k in range(plan.values.shape[2])]
    ds.NumberOfFrames = len(frames)
    measures = item(PixelSpacing=[first.spacing[1], first.spacing[0]], SliceThickness=first.spacing[2])
    shared = item(
        PixelMeasuresSequence=[measures],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[f"{each:.10f}" for each in first.orientation])],
        MRTimingAndRelatedParametersSequence=[item(RepetitionTime=4000, FlipAngle=90)],
    )
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_functional_groups(plan, k) for plan, k in frames])
    _pixels(ds, first, np.stack([plan.values[..., k].T for plan, k in frames]))
    return changed(ds, **tags)


def _functional_groups(plan, k):
    told = {"echo": 90.0, "component": "MAGNITUDE", "time": 1, **plan.tags}
    groups = item(
        PlanePositionSequence=[item(ImagePositionPatient=[f"{each:.8g}" for each in plan.position(k)])],
        PixelValueTransformationSequence=[item(RescaleSlope=plan.slope, RescaleIntercept=plan.inter, RescaleType="US")],
        FrameContentSequence=[item(TemporalPositionIndex=told["time"], StackID="1", InStackPositionNumber=k + 1)],
        MREchoSequence=[item(EffectiveEchoTime=told["echo"])],
        MRImageFrameTypeSequence=[
            item(FrameType=["ORIGINAL", "PRIMARY", "T2", "NONE"], ComplexImageComponent=told["component"])
        ],
    )
    if "b" in told:
        groups.MRDiffusionSequence = Sequence([item(DiffusionBValue=float(told["b"]), DiffusionDirectionality="NONE")])
    return groups


def _dataset(kind, plan, instance_uid):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = kind, instance_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(1), uid(1, plan.number)
    ds.FrameOfReferenceUID = uid(1, 99)
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "MR", "SIEMENS", "Prisma"
    ds.MagneticFieldStrength = 3
    ds.StudyDate, ds.SeriesNumber, ds.SeriesDescription = "20240229", plan.number, "t2_tse_tra"
    return changed(ds, **PATIENT)


def _pixels(ds, plan, stored):
    allocated = 8 if plan.bits <= 8 else 16
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, plan.bits, plan.bits - 1
    ds.PixelRepresentation = int(plan.signed)
    ds.PixelData = stored.astype(f"<{'i' if plan.signed else 'u'}{allocated // 8}").tobytes()
    ds["PixelData"].VR = "OB" if allocated == 8 else "OW"


def item(**elements):
    """A dataset with these elements; lists of datasets become sequences."""
    return changed(Dataset(), **elements)


def changed(ds, **elements):
    """Set elements by keyword; None removes one."""
    for keyword, value in elements.items():
        if value is None:
            del ds[Tag(keyword)]
        else:
            nested = isinstance(value, list) and value and isinstance(value[0], Dataset)
            setattr(ds, keyword, Sequence(value) if nested else value)
    return ds


def private(ds, group, creator, **elements):
    """Add private elements: ``private(ds, 0x2005, "Philips MR Imaging DD 001", FL_0E=1.5)``."""
    block = ds.private_block(group, creator, create=True)
    for name, value in elements.items():
        vr, offset = name.split("_")
        block.add_new(int(offset, 16), vr, value)
    return ds


def write(datasets, folder, syntax=ExplicitVRLittleEndian, order=None, names="IM{:05d}"):
    """Write objects, compressed if the syntax is, in another ``order`` than they have; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    order = list(range(len(datasets))) if order is None else list(order)
    return [save(datasets[k], folder / names.format(place), syntax) for place, k in enumerate(order)]


def save(ds, path, syntax=ExplicitVRLittleEndian):
    """Write one object under any name."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    whole = FileDataset("", ds, file_meta=meta, preamble=b"\0" * 128)
    if UID(syntax).is_compressed and not UID(syntax).is_deflated:
        whole.compress(syntax, generate_instance_uid=False)
    meta.TransferSyntaxUID = syntax
    dcmwrite(path, whole, enforce_file_format=True)
    return path

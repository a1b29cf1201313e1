"""Made-up MR series: classic and enhanced, any orientation, and the orders in which scanners number slices."""

import numpy as np
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from medidiff.volume import Geometry, Volume
from tests.strategies import rotation

LPS = np.diag([-1.0, -1.0, 1.0])
NAME = "Planted^Patient^Name"

STACKS = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "oblique": tuple(map(tuple, (rotation(0.3, 0.0, 0.1) @ np.eye(3))[:, :2].T)),
    "double oblique": tuple(map(tuple, (rotation(0.4, -0.5, 0.2) @ np.eye(3))[:, [1, 2]].T)),
}
"""LPS directions along a row and down a column."""


def grid(stack="axial", *, ascending=True, shape=(12, 10, 6), spacing=(1.25, 1.5, 5.0), origin=(-20.0, 31.5, -7.25)):
    """``(column, row, slice)`` in RAS+ mm; slices run along the normal of rows and columns or against it."""
    along, down = (np.array(direction, dtype=float) for direction in STACKS[stack])
    across = np.cross(along, down) * (1 if ascending else -1)
    affine = np.eye(4)
    affine[:3, :3] = LPS @ np.stack([along, down, across], axis=1) * np.array(spacing)
    affine[:3, 3] = LPS @ np.array(origin)
    return Geometry(shape, affine)


def classic(geometry, *, order=None, **tags):
    """Headers of a classic series, one a slice, in the order of the grid; ``order`` is that of their numbers."""
    count = geometry.shape[2]
    numbers = order or list(range(1, count + 1))
    return [_classic_slice(geometry, k, numbers[k], tags) for k in range(count)]


def enhanced(geometry, **tags):
    """The header of one enhanced multi-frame object."""
    header = _common(geometry, EnhancedMRImageStorage, "1.2.3.4.5.6.1000")
    header.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    header.NumberOfFrames = geometry.shape[2]
    header.PulseSequenceName, header.EchoPulseSequence, header.ResonantNucleus = "*tse2d1", "SPIN", "1H"
    header.AcquisitionDateTime, header.MRAcquisitionType = "20240517101500", "2D"
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=_orientation(geometry))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=_pixel_spacing(geometry), SliceThickness="4")]
    shared.MRTimingAndRelatedParametersSequence = [_item(RepetitionTime="3000", FlipAngle="150", EchoTrainLength=9)]
    shared.FrameAnatomySequence = [_item(FrameLaterality="U")]
    header.SharedFunctionalGroupsSequence = [shared]
    header.PerFrameFunctionalGroupsSequence = [_frame(geometry, k) for k in range(geometry.shape[2])]
    return _told(header, tags)


def blob(geometry, rng=None):
    """A bright, lopsided ball on a dark ground with values from 0 to about 1000, so that no flip goes unseen."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    off = geometry.world(index) - geometry.world([0.4 * n for n in geometry.shape])
    values = 900 * np.exp(-((off / 9.0) ** 2).sum(-1)) + off[..., 0].clip(0) + 0.5 * off[..., 1].clip(0)
    noise = 0 if rng is None else rng.uniform(0, 5, geometry.shape)
    return Volume((values + noise).astype(np.float32), geometry)


def _classic_slice(geometry, k, number, tags):
    header = _common(geometry, MRImageStorage, f"1.2.3.4.5.6.{number}")
    header.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    header.InstanceNumber = number
    header.ScanningSequence, header.SequenceVariant, header.ScanOptions = "SE", "SK", ""
    header.MRAcquisitionType, header.EchoTrainLength = "2D", 9
    header.RepetitionTime, header.EchoTime, header.FlipAngle = "3000", "90", "150"
    header.InPlanePhaseEncodingDirection = "ROW"
    header.AcquisitionTime = f"1015{number % 60:02d}"
    header.ImageOrientationPatient, header.PixelSpacing = _orientation(geometry), _pixel_spacing(geometry)
    header.ImagePositionPatient, header.SliceThickness = _position(geometry, k), "4"
    header.RescaleSlope, header.RescaleIntercept = "2.5", "0"
    header.add_new(0x00291010, "OB", b"private")
    header.add_new(0x60003000, "OW", b"\0\0")
    return _told(header, tags)


def _frame(geometry, k):
    frame = Dataset()
    frame.PlanePositionSequence = [_item(ImagePositionPatient=_position(geometry, k))]
    frame.MREchoSequence = [_item(EffectiveEchoTime=90.0)]
    return frame


def _common(geometry, kind, instance):
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = kind, instance
    header.SpecificCharacterSet = "ISO_IR 100"
    header.PatientName, header.PatientID, header.PatientBirthDate, header.PatientSex = NAME, "ID-42", "19700102", "F"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.5"
    header.FrameOfReferenceUID, header.PositionReferenceIndicator = "1.2.3.4.9", ""
    header.StudyDate, header.StudyTime, header.StudyID, header.AccessionNumber = "20240517", "100000", "S1", "A1"
    header.ContentDate, header.ContentTime = "20240517", "101500.25"
    header.ReferringPhysicianName = "Referrer^R"
    header.Modality, header.Manufacturer, header.PatientPosition = "MR", "ACME", "HFS"
    header.SeriesNumber, header.SeriesDescription, header.BodyPartExamined = 7, "T2 tse tra", "BRAIN"
    header.MagneticFieldStrength = "3"
    header.Rows, header.Columns = geometry.shape[1], geometry.shape[0]
    return header


def _told(header, tags):
    for keyword, value in tags.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    return header


def _item(**tags):
    return _told(Dataset(), tags)


def _decimals(values):
    return [format_number_as_ds(float(round(x, 9)) + 0.0) for x in values]


def _orientation(geometry):
    return _decimals((LPS @ geometry.directions)[:, :2].T.ravel())


def _position(geometry, k):
    return _decimals(LPS @ geometry.world((0, 0, k)))


def _pixel_spacing(geometry):
    return _decimals([geometry.spacing[1], geometry.spacing[0]])

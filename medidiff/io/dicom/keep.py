"""Which tags a derived object takes over from its source: a list of what is known to stay true, and nothing else.

What is private, drawn over the image, or true of one slice, one pixel format or one export only is never on it.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy

from pydicom import Dataset

__all__ = ["IN_PLANE", "PATIENT", "SERIES", "STUDY", "kept", "loss"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PATIENT = _words("""
SpecificCharacterSet TimezoneOffsetFromUTC
PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID OtherPatientIDsSequence
PatientBirthDate PatientBirthTime PatientSex OtherPatientNames EthnicGroup PatientComments QualityControlSubject
PatientSpeciesDescription PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence
BreedRegistrationSequence ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization PatientSexNeutered
PatientIdentityRemoved DeidentificationMethod DeidentificationMethodCodeSequence
PatientAge PatientSize PatientWeight MedicalAlerts Allergies SmokingStatus PregnancyStatus LastMenstrualDate
AdditionalPatientHistory Occupation AdmissionID
ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID ClinicalTrialSiteName
ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialTimePointID ClinicalTrialTimePointDescription
ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolEthicsCommitteeApprovalNumber
""")

STUDY = _words("""
StudyInstanceUID StudyID StudyDate StudyTime StudyDescription AccessionNumber IssuerOfAccessionNumberSequence
ReferringPhysicianName ConsultingPhysicianName PhysiciansOfRecord NameOfPhysiciansReadingStudy
ProcedureCodeSequence ReasonForPerformedProcedureCodeSequence
AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence LongitudinalTemporalInformationModified
""")

SERIES = _words("""
Modality SeriesDate SeriesTime ContentDate ContentTime AcquisitionDate AcquisitionTime AcquisitionDateTime
AcquisitionNumber ProtocolName BodyPartExamined AnatomicRegionSequence Laterality ImageLaterality PatientPosition
PerformingPhysicianName OperatorsName
FrameOfReferenceUID PositionReferenceIndicator
Manufacturer ManufacturerModelName DeviceSerialNumber SoftwareVersions StationName
InstitutionName InstitutionAddress InstitutionalDepartmentName
ContrastBolusAgent ContrastBolusAgentSequence ContrastBolusRoute ContrastBolusVolume
ScanningSequence SequenceVariant ScanOptions MRAcquisitionType SequenceName AngioFlag
RepetitionTime EchoTime InversionTime TriggerTime EchoNumbers EchoTrainLength FlipAngle VariableFlipAngleFlag
MagneticFieldStrength ImagingFrequency ImagedNucleus NumberOfAverages PixelBandwidth SAR dBdt
ReceiveCoilName TransmitCoilName DiffusionBValue DiffusionGradientOrientation
BurnedInAnnotation RecognizableVisualFeatures
""")

IN_PLANE = _words("""
AcquisitionMatrix InPlanePhaseEncodingDirection NumberOfPhaseEncodingSteps PercentSampling PercentPhaseFieldOfView
""")
"""True only while rows and columns run as they did in the source."""

LOSS = _words("LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod")


def kept(sources: Sequence[Dataset], keywords: Iterable[str]) -> Dataset:
    """Copy the tags that all sources agree on; what differs between slices is true of none of the new ones.

    Private tags inside kept sequences are left out.
    """
    first, kept_tags = sources[0], Dataset()
    for keyword in keywords:
        if keyword in first and all(other.get(keyword) == first[keyword].value for other in sources[1:]):
            kept_tags.add(deepcopy(first[keyword]))
    kept_tags.remove_private_tags()
    return kept_tags


def loss(sources: Iterable[Dataset]) -> Dataset:
    """Copy what is told of lossy compression: once any source went through it, so has what is made from them."""
    lossy = next((source for source in sources if source.get("LossyImageCompression") == "01"), None)
    return Dataset() if lossy is None else kept([lossy], LOSS)

"""In which format a result is written, and whether this installation can.

Asked once for each case before the work starts, so that an installation without the extra says so before hours of work.
This module needs no pydicom; those in `medidiff.io.dicom` do.
"""

from importlib.util import find_spec

from medidiff.errors import ResourceError, UsageError

__all__ = ["FORMATS", "formats_for", "needs_dicom"]

FORMATS = ("nifti", "dicom", "both", "same")


def needs_dicom() -> None:
    """Make sure that the libraries for DICOM are there.

    Raises
    ------
    ResourceError
        If they are not, with the command that installs them.
    """
    lacking = [name for name in ("pydicom", "highdicom") if find_spec(name) is None]
    if lacking:
        raise ResourceError(f"DICOM needs {' and '.join(lacking)}", hint="pip install 'medidiff[dicom]'")


def formats_for(choice: str, *, from_dicom: bool, has_template: bool = False, where: str = "") -> tuple[str, ...]:
    """Tell in which formats a case is written.

    Parameters
    ----------
    choice
        One of `FORMATS`.
    from_dicom
        Whether the input is DICOM.
    has_template
        Whether ``--dicom-template`` was given.
    where
        Which input it is, for the message.

    Returns
    -------
    tuple of str
        ``"nifti"``, ``"dicom"`` or both.

    Raises
    ------
    UsageError
        If DICOM is asked for and there is no patient to whom it would belong.

    >>> formats_for("same", from_dicom=False)
    ('nifti',)
    """
    if choice not in FORMATS:
        raise UsageError("no such format", where="--format", found=choice, needed=", ".join(FORMATS))
    chosen = {"both": ("nifti", "dicom"), "same": ("dicom",) if from_dicom else ("nifti",)}.get(choice, (choice,))
    if "dicom" in chosen and not (from_dicom or has_template):
        hint = "name the series it was made from with --dicom-template SERIES, or say --format nifti"
        raise UsageError("a NIfTI file has no patient, so no DICOM can be written of it", where=where, hint=hint)
    return chosen

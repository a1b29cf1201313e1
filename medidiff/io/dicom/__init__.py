"""DICOM in and out; needs ``pip install 'medidiff[dicom]'``."""

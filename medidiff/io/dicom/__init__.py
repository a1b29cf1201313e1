"""DICOM in: headers sorted into series and volumes, and volumes read.

``scan``
    Headers sorted into ``series``, by what they say and never by file names.
``frame``, ``vendors``
    What an object says of each of its slices.
``split``
    Which slices make one volume: echoes, times, diffusion weightings, phase and magnitude.
``arrange``
    Slices in their places, or refused with the places named.
``refusal``
    What kind of image it is, and which kinds are not enhanced.
``pixels``
    Voxels, with the headers that a derived series is made from.
``codestream``
    Sizes that compressed frames claim, held against those of the header.
``bids``, ``privacy``
    What is told of an image, and what is not.

Needs the extra ``medidiff[dicom]``; nothing outside imports this package before there is DICOM to read.
"""

from medidiff.io.dicom.pixels import Origin, read_stack
from medidiff.io.dicom.scan import scan
from medidiff.io.dicom.series import Series, Stack, Stray

__all__ = ["Origin", "Series", "Stack", "Stray", "read_stack", "scan"]

"""Scan folders and read what is in them."""

from medidiff.io.dicom import read_stack, scan
from medidiff.io.source import dicom_in


def scanned(folder):
    """The series in a folder and what could not be read."""
    return scan([source for path in sorted(folder.rglob("*")) if path.is_file() for source in dicom_in(path)])


def stacks(folder):
    """The volumes of the only series in a folder, by name."""
    (series,), strays = scanned(folder)
    assert not strays
    return {stack.name: stack for stack in series.stacks}


def only(folder):
    """The only volume of the only series in a folder."""
    (stack,) = stacks(folder).values()
    return stack


def volume(folder, **options):
    return read_stack(only(folder), **options)

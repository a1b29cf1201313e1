"""The error tree: every error says what, where, what was found and needed, and what to do.

``MedidiffError``
    ``InputError``      a file or an array cannot be used
    ``GeometryError``   two grids do not fit, or a grid makes no sense
    ``AlreadySharp``    nothing to enhance: the input is at the target spacing
    ``UsageError``      options contradict each other
    ``ModelError``      weights or card are missing, damaged or of another task
    ``ResourceError``   not enough memory, or a device that is not there
    ``OutputError``     a result cannot be written
"""

__all__ = [
    "AlreadySharp",
    "GeometryError",
    "InputError",
    "MedidiffError",
    "ModelError",
    "OutputError",
    "ResourceError",
    "UsageError",
]


class MedidiffError(Exception):
    """A failure that a person can act on, told in one line.

    Parameters
    ----------
    what
        What went wrong, in the field's terms.
    where
        The file, option or array it happened in.
    found, needed
        What was there and what would have been right.
    hint
        What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", found: str = "", needed: str = "", hint: str = "") -> None:
        self.what, self.where, self.found, self.needed, self.hint = what, where, found, needed, hint
        super().__init__(self._line())

    def _line(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        facts = [f"found {self.found}" if self.found else "", f"needed {self.needed}" if self.needed else ""]
        told = ", ".join(fact for fact in facts if fact)
        line = f"{line} ({told})" if told else line
        line = f"{line}; {self.hint}" if self.hint else line
        return " ".join(line.split())


class InputError(MedidiffError):
    """A file or an array that cannot be used."""


class GeometryError(MedidiffError):
    """Grids that do not fit together, or a grid that makes no sense."""


class AlreadySharp(MedidiffError):  # noqa: N818 - not a failure: the case is passed by
    """The input is already at the target spacing, so there is nothing to infer."""


class UsageError(MedidiffError):
    """Options that contradict each other or lie outside their range."""


class ModelError(MedidiffError):
    """A model that is missing, damaged or made for another task."""


class ResourceError(MedidiffError):
    """Too little memory, or a device that is not there."""


class OutputError(MedidiffError):
    """A result that cannot be written."""

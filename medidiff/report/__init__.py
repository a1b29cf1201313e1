"""Results to look at; needs the extra ``report``."""

from medidiff.report.figures import montage

__all__ = ["montage"]

"""Results to look at; needs the extra ``report``.

``figures``, ``pictures``
    Planes cut along the axes of the world, and PNG as text.
``scene``, ``charts``
    What a page shows of a case, and of all.
``pages``, ``evaluation_pages``, ``run_pages``
    Pages that need nothing but themselves: of ``evaluate``, and of ``enhance`` and ``reconstruct``.
"""

from medidiff.report.figures import montage

__all__ = ["montage"]

"""medidiff: MRI enhancement by 3D diffusion that agrees with what the scanner measured.

The map, bottom up; a layer imports only from below::

    errors      what went wrong, where, and what to do
    volume      Geometry and Volume: images that know where they are
    kspace      KSpace: what coils measured of them
    io          NIfTI and sidecars, in and out; what is in this folder
    physics     how a scanner measures: slice profiles, and the exact data-consistency solve
    diffusion   the network, the noise schedule, the samplers
    tiles       overlapping tiles blended inside each denoiser call
    metrics     scores with a stated region and data range
    posterior   denoiser + operator -> denoiser that agrees with the measurement
    models      weights and cards that ship with the package
    tasks       super_resolve() and what else is done with a volume
    training    pairs made by the same operators; one loop; recipes
    evaluation  evaluate(): pairing, scores, comparisons, baselines
    batch       plan, run, resume
    report      figures and pages
    cli         click

The names below are loaded when first used, so ``import medidiff`` is light: no torch, no numpy.

>>> import medidiff
>>> medidiff.Geometry((4, 4, 2), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]).extent
(4.0, 4.0, 6.0)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medidiff.errors import MedidiffError
    from medidiff.evaluation import evaluate
    from medidiff.io.kspace import read_kspace
    from medidiff.io.nifti import read_nifti, write_nifti
    from medidiff.kspace import KSpace
    from medidiff.models import load_model
    from medidiff.tasks import (
        Adapting,
        Result,
        adapt_model,
        reconstruct,
        simulate_kspace,
        simulate_thick_slices,
        super_resolve,
    )
    from medidiff.volume import Geometry, Volume

__version__ = "0.1.0"

__all__ = [
    "Adapting",
    "Geometry",
    "KSpace",
    "MedidiffError",
    "Result",
    "Volume",
    "__version__",
    "adapt_model",
    "evaluate",
    "load_model",
    "read_kspace",
    "read_nifti",
    "reconstruct",
    "simulate_kspace",
    "simulate_thick_slices",
    "super_resolve",
    "write_nifti",
]

_HOMES = {
    "Adapting": "medidiff.tasks",
    "Geometry": "medidiff.volume",
    "KSpace": "medidiff.kspace",
    "MedidiffError": "medidiff.errors",
    "Result": "medidiff.tasks",
    "Volume": "medidiff.volume",
    "adapt_model": "medidiff.tasks",
    "evaluate": "medidiff.evaluation",
    "load_model": "medidiff.models",
    "read_kspace": "medidiff.io.kspace",
    "read_nifti": "medidiff.io.nifti",
    "reconstruct": "medidiff.tasks",
    "simulate_kspace": "medidiff.tasks",
    "simulate_thick_slices": "medidiff.tasks",
    "super_resolve": "medidiff.tasks",
    "write_nifti": "medidiff.io.nifti",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

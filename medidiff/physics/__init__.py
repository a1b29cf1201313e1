"""Physics: how a scanner measures, and how to agree with what it measured.

``linop``
    `LinearOperator`, and their composition.
``resolution``, ``solve``, ``noise``, ``blur``
    Slice profiles, the exact solve for them, the noise of an image, and a Gaussian blur.
``fourier``, ``sense``, ``wavelet``
    Fourier transform, sampling, sensitivities and wavelets as operators.
``iterate``
    Conjugate gradients with a discrepancy stop, and FISTA, for any operator.
``agreement``
    A proposal pulled to the measurement, as far as its noise allows.
``receive``, ``espirit``, ``coils``
    Whitening, cropping, coil compression; sensitivity maps, and the choice among them.
``masks``, ``antenna``
    Sampling masks, coils and phase to simulate with.
"""

from medidiff.physics.agreement import Agreement
from medidiff.physics.fourier import Fourier
from medidiff.physics.iterate import conjugate_gradients, fista
from medidiff.physics.linop import Composition, LinearOperator
from medidiff.physics.resolution import PROFILES, SliceProfile
from medidiff.physics.sense import Sampling, Sensitivities, encoding
from medidiff.physics.solve import consistent, project, relative_residual

__all__ = [
    "PROFILES",
    "Agreement",
    "Composition",
    "Fourier",
    "LinearOperator",
    "Sampling",
    "Sensitivities",
    "SliceProfile",
    "conjugate_gradients",
    "consistent",
    "encoding",
    "fista",
    "project",
    "relative_residual",
]

"""Thick slices made from a sharp volume, by the operator that super-resolution inverts."""

import numpy as np
import torch

from medidiff.errors import UsageError
from medidiff.physics import SliceProfile
from medidiff.tasks.grid import slice_axis
from medidiff.volume import Volume

__all__ = ["simulate_thick_slices"]


def simulate_thick_slices(
    volume: Volume,
    *,
    spacing: float,
    slice_thickness: float | None = None,
    axis: str = "auto",
    profile: str = "gaussian",
    noise: float = 0.0,
    seed: int = 0,
) -> Volume:
    """Measure a volume again with thicker slices.

    Parameters
    ----------
    volume
        ``(x, y, z)``, the sharp image.
    spacing
        Distance between slice centres, mm; the field of view is kept, so it is rounded to a whole number of slices.
    slice_thickness
        Full width at half maximum, mm; by default the spacing.
    axis
        x, y or z; auto takes the axis closest to head-foot, as axial slices have.
    profile
        gaussian or rect.
    noise
        Standard deviation of white Gaussian noise, in the volume's units.
    seed
        Of the noise.

    Returns
    -------
    Volume
        With ``meta["sidecar"]`` stating what was done.

    Raises
    ------
    UsageError
        If the spacing is finer than the volume's, or thickness or noise make no sense.
    """
    index = (
        int(np.argmax(np.abs(volume.geometry.directions[2]))) if axis == "auto" else slice_axis(volume.geometry, axis)
    )
    wanted = list(volume.geometry.spacing)
    if not spacing > wanted[index]:
        raise UsageError(
            "slices must be coarser than the image", found=f"{spacing} mm", needed=f"> {wanted[index]:.3g} mm"
        )
    if not (np.isfinite(noise) and noise >= 0):
        raise UsageError("noise must be 0 or more", found=str(noise))
    wanted[index] = spacing
    coarse = volume.geometry.refined(wanted)
    thickness = list(coarse.spacing)
    thickness[index] = coarse.spacing[index] if slice_thickness is None else slice_thickness
    operator = SliceProfile(
        volume.geometry, coarse, thickness=(thickness[0], thickness[1], thickness[2]), profile=profile
    )
    array = operator.forward(torch.from_numpy(np.array(volume.array, order="C"))).numpy()
    if noise:
        array = array + noise * np.random.default_rng(seed).standard_normal(array.shape).astype(np.float32)
    sidecar = {
        "SliceThickness": thickness[index],
        "SpacingBetweenSlices": coarse.spacing[index],
        "MedidiffSliceProfile": profile,
        "MedidiffNoiseSD": noise,
        "MedidiffSimulated": True,
        "MedidiffNotice": "research use only",
    }
    return Volume(array, coarse, {**volume.meta, "sidecar": sidecar})

"""Images from undersampled k-space."""

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor
from torch.nn.functional import interpolate

from medidiff import __version__
from medidiff.errors import UsageError
from medidiff.kspace import KSpace
from medidiff.models import Model
from medidiff.physics.determined import determined
from medidiff.physics.espirit import CROP, KERNEL
from medidiff.physics.fourier import middle
from medidiff.physics.receive import resized
from medidiff.tasks.belief import believable, calibrated
from medidiff.tasks.device import choose_device, forget_peak_memory, peak_memory_mb
from medidiff.tasks.measurement import Measurement, measure
from medidiff.tasks.methods import METHODS, Estimate, Settings, zero_filled
from medidiff.tasks.planes import plane_order
from medidiff.tasks.provenance import NOTICE
from medidiff.tasks.refinement import Asked, brightness, prior_of
from medidiff.tasks.result import Result
from medidiff.volume import Volume

__all__ = ["reconstruct"]

AVERAGED = 3
"""Voxels along each edge of a plane over which the variance of samples is averaged."""


def reconstruct(
    kspace: KSpace,
    method: str = "diffusion",
    *,
    iterations: int | None = None,
    weight: float = Settings.weight,
    coils: int = 12,
    kernel: int = KERNEL,
    crop: float = CROP,
    noise: float | None = None,
    seed: int = 0,
    device: str = "auto",
    complex_image: bool = False,
    model: Model | str | Path = "recon-brain",
    passes: int | None = None,
    steps: int | None = None,
    samples: int = 1,
    detail: float = 0.0,
    precision: str = "auto",
    progress: Callable[[float], None] = lambda share: None,
) -> Result:
    """Make an image of what coils measured.

    Fully sampled data are transformed, whatever the method: nothing is to be inferred. Where no sensitivity maps
    predict what was left out, or maps let wavelets or a network invent what no sample tells of, coils are taken one by
    one, so that no method returns less than the zero-filled image.

    Parameters
    ----------
    kspace
        ``(coil, x, y, z)``: a stack of slices or a volume.
    method
        A key of `medidiff.tasks.methods.METHODS`: zero-filled, cg-sense, l1-wavelet or diffusion, whose shipped model
        knows brains alone.
    iterations
        At most; by default the method's own number.
    weight
        Of l1-wavelet, relative to the brightness of the zero-filled image.
    coils
        Virtual coils to compress to, if there are more.
    kernel, crop
        Of ESPIRiT: edge of its blocks, and eigenvalue below which there is no map.
    noise
        Standard deviation of a complex sample; by default measured.
    seed
        Of the samples by which maps are judged, and of shifts of the wavelets.
    device
        auto, cpu, cuda or cuda:N.
    complex_image
        Return complex values; their phase is that of the principal coil.
    model, passes, precision
        Of diffusion: name or folder of a model or one already loaded; evaluations for the mean, beside two of a trial
        by which the share of wavelets is found; auto, fp32, bf16, fp16.
    samples, steps, detail
        Of diffusion: with 2 samples or more their standard deviation is the uncertainty; evaluations for each;
        0 gives the mean, 1 the first sample.
    progress
        Called with the share of the evaluations that are done.

    Returns
    -------
    Result
        Magnitude, float32 (or complex64), in the scale of a root sum of squares of the coils' images, on the grid of
        the field of view that the header asks for. ``residual_before`` is that of the zero-filled image. From
        diffusion, with ``inferred``.

    Raises
    ------
    UsageError
        If the method is unknown or a figure makes no sense.
    ModelError
        If the model cannot be loaded.
    InputError
        If the measurement cannot be used.
    """
    _check(method, iterations=iterations, weight=weight, coils=coils, kernel=kernel, crop=crop)
    began, where = time.perf_counter(), choose_device(device)
    forget_peak_memory(where)
    prior = None
    if method == "diffusion":
        asked = Asked(passes, steps, samples, detail, seed, precision)
        prior = prior_of(model, asked, device=where, progress=progress)
    calibrate = method != "zero-filled" or complex_image
    measurement = measure(
        kspace, coils=coils, kernel=kernel, crop=crop, noise=noise, seed=seed, device=where, calibrate=calibrate
    )
    solve = zero_filled if measurement.full else METHODS[method]
    settings = Settings(iterations, weight, seed, prior, detail)
    measurement, estimate = believable(calibrated(measurement, seed), lambda measured: solve(measured, settings))
    images = _combined(measurement, estimate) if complex_image else estimate.images
    volume = _volume(kspace, images, complex_image)
    before, after, told = _residuals(measurement, estimate)
    inferred = None if prior is None else _inferred(kspace, measurement)
    options = {"method": method, "iterations": estimate.iterations, "seed": seed}
    options |= {"weight": weight} if method == "l1-wavelet" else {}
    options |= {} if prior is None else prior.told() | {"detail": detail}
    options |= estimate.told
    provenance = {
        "notice": NOTICE,
        **options,
        "kspace": measurement.told | {"format": kspace.meta.get("format"), "keep": kspace.keep},
        "geometry": {"input": kspace.geometry.as_dict(), "output": volume.geometry.as_dict()},
        "geometry_known": bool(kspace.meta.get("geometry_known", True)),
        "data_residual": told,
        "warnings": [*_warnings(kspace, measurement, method), *estimate.warnings],
        "seconds": round(time.perf_counter() - began, 3),
        "device": str(where),
        "peak_memory_mb": round(peak_memory_mb(where)),
        "versions": _versions(),
    }
    return Result(volume, _uncertainty(kspace, measurement, estimate), before, after, provenance, inferred)


def _check(method: str, *, iterations: int | None, **figures: float) -> None:
    if method not in METHODS:
        raise UsageError("unknown method", found=method, needed=" or ".join(METHODS))
    if iterations is not None and iterations < 1:
        raise UsageError("iterations must be 1 or more", found=str(iterations))
    least = {"weight": 0, "coils": 1, "kernel": 2, "crop": 0}
    for name, value in figures.items():
        if not (np.isfinite(value) and value >= least[name]):
            raise UsageError(f"{name} must be {least[name]} or more", found=str(value))


def _combined(measurement: Measurement, estimate: Estimate) -> Tensor:
    """``(1, x, y, z)`` complex: the first set's image, or the magnitude of all with the phase of the strongest."""
    images = estimate.images
    if len(images) == 1:
        return images
    if estimate.coilwise and measurement.maps.maps is not None:
        return measurement.operator.adjoint(measurement.y)[:1]
    strongest = int(images.abs().square().sum((-3, -2, -1)).argmax())
    return torch.polar(torch.linalg.vector_norm(images, dim=0), images[strongest].angle())[None]


def _volume(kspace: KSpace, images: Tensor, complex_image: bool) -> Volume:
    """Cut to the field of view to keep, interpolate to the matrix, and take the magnitude unless complex."""
    keep, matrix = tuple(kspace.keep or images.shape[-3:]), tuple(kspace.matrix or images.shape[-3:])
    kept = resized(images[middle(images.shape[-3:], keep)], matrix)
    geometry = kspace.geometry.cropped(keep).interpolated(matrix)
    array = kept[0] if complex_image else torch.linalg.vector_norm(kept, dim=0)
    meta = {"xform_code": int(kspace.meta.get("geometry_known", True))}
    return Volume(array.cpu().numpy(), geometry, meta)


def _uncertainty(kspace: KSpace, measurement: Measurement, estimate: Estimate) -> Volume | None:
    """Standard deviation of the samples' magnitudes, if there are two or more.

    Its variance is averaged over the neighbours in plane, because samples are few.
    """
    if estimate.samples is None or len(estimate.samples) < 2:
        return None
    drawn = [_volume(kspace, images, complex_image=False) for images in estimate.samples]
    variance = np.stack([one.array for one in drawn]).var(0, ddof=1)
    inplane = plane_order(measurement)[:2]
    spread = np.sqrt(uniform_filter(variance, [AVERAGED if axis in inplane else 1 for axis in range(3)]))
    return Volume(spread.astype(np.float32), drawn[0].geometry, drawn[0].meta)


def _inferred(kspace: KSpace, measurement: Measurement) -> Volume:
    """What the measurement leaves open of each voxel; 0 where there is no map, for there nothing is inferred."""
    operator, y = measurement.operator, measurement.y
    start = operator.adjoint(y)
    known = determined(operator, y, noise=measurement.noise, brightness=brightness(start), axes=measurement.encoded)
    seen = torch.ones_like(known) if measurement.maps.maps is None else measurement.maps.maps.abs().amax(1)
    left = ((1 - known) * (seen > 0))[0]
    array = left[middle(left.shape, tuple(kspace.keep or left.shape))]
    matrix = tuple(kspace.matrix or array.shape)
    fine = interpolate(array[None, None], size=matrix, mode="trilinear")[0, 0] if matrix != array.shape else array
    geometry = kspace.geometry.cropped(tuple(array.shape)).interpolated(matrix)
    return Volume(fine.cpu().numpy(), geometry, {"xform_code": int(kspace.meta.get("geometry_known", True))})


def _residuals(measurement: Measurement, estimate: Estimate) -> tuple[float, float, dict[str, Any]]:
    """``||A x - y|| / ||y||`` of the zero-filled image and of the result, and the latter over the noise."""
    size = float(torch.linalg.vector_norm(measurement.y))
    before = measurement.residual(measurement.operator.adjoint(measurement.y)) / size
    images = estimate.images
    model = measurement.coilwise if estimate.coilwise else measurement.operator
    left = float(torch.linalg.vector_norm(model.forward(images) - measurement.y))
    over = left / measurement.allowed if measurement.allowed > 0 else None
    return before, left / size, {"over_noise": over}


def _warnings(kspace: KSpace, measurement: Measurement, method: str) -> list[str]:
    warnings = list(kspace.meta.get("warnings", ()))
    if measurement.full and method != "zero-filled":
        warnings.append("fully sampled: nothing is inferred, and the image is the plain transform")
    elif measurement.maps.maps is None and len(measurement.y) > 1 and method != "zero-filled":
        warnings.append(f"no sensitivity maps are used: {measurement.maps.kind}")
    return warnings


def _versions() -> dict[str, str]:
    return {"medidiff": __version__, "python": platform.python_version(), "torch": version("torch")}

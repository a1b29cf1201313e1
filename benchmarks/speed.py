"""Seconds, TFLOP/s and memory of inference, beside the stock path: ``python -m benchmarks.speed --device cuda``.

On a GPU: one network evaluation over 256 x 256 x 192 voxels, tiled as the model card says. On a CPU: the whole of
`medidiff.super_resolve` at its default setting, to an output of 200 x 200 x 150. The stock path is what MONAI's
tutorials do with the same network: `DDPMScheduler` with 1000 steps, each a `SlidingWindowInferer` in fp32. A few of
its steps are timed and multiplied.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.schedulers import DDPMScheduler
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from medidiff.diffusion import ConditionalUNet
from medidiff.errors import ModelError
from medidiff.models import Condition, Model, build_network, condition_on, denoiser_of, load_model
from medidiff.physics import SliceProfile
from medidiff.tasks import super_resolve
from medidiff.tasks.device import choose_device, choose_precision, peak_memory_mb
from medidiff.volume import Geometry, Volume

SHAPES = {"cuda": (256, 256, 192), "cpu": (200, 200, 150)}
STOCK_STEPS, STOCK_TIMED = 1000, {"cuda": 5, "cpu": 1}
TILES_AT_ONCE = 4
THICK = 5
"""Slice spacing over the target's, about."""

UNTRAINED: dict[str, Any] = {
    "name": "untrained", "version": "0", "task": "super-resolution", "kind": "diffusion", "tile": 96, "overlap": 16,
    "network": {"channels": [32, 64, 96, 128], "blocks": [1, 1, 1, 1], "block_size": 2}, "sampling_steps": 8,
    "valid": {
        "target_spacing_mm": [0.7, 1.35], "slice_spacing_mm": [2, 7], "isotropic_spacing_mm": [1.5, 2.5],
        "contrasts": ["T1w"],
    },
    "sha256": "",
}  # fmt: skip
"""Stands in for a model that is not there: it takes the same time whatever its weights are."""


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Print what was measured and return it by name."""
    options = _parser().parse_args(arguments)
    device = choose_device(options.device)
    torch.manual_seed(0)
    model = _model(options.model)
    model.network.to(device)
    shape = options.shape or SHAPES[device.type]
    precision = choose_precision(options.precision, device)
    times = "x".join(map(str, shape))
    print(f"{model.label}, {_parameters(model) / 1e6:.1f} M parameters, {_hardware(device)}, {precision}, {times}")
    volume = _thick(shape)
    condition = _condition(volume, device)
    measured = _network if device.type == "cuda" else _whole
    if options.compile:
        model = Model(cast(ConditionalUNet, torch.compile(model.network)), model.card)
    ours = measured(model, volume, condition, precision)
    stock = _stock(model, condition, options.stock_steps or STOCK_TIMED[device.type])
    told = {**ours, **stock, "stock / ours": stock["stock, s"] / ours["seconds"]}
    _tell(told)
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--model", default="sr-brain", help="name or folder; untrained if sr-brain is not there")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16; the stock path is always fp32")
    parser.add_argument("--shape", type=_shape, help="X,Y,Z of the output instead of the default")
    parser.add_argument("--compile", action="store_true", help="time the network as torch.compile makes it")
    parser.add_argument("--stock-steps", type=int, help="steps of the stock path to time (GPU 5, CPU 1)")
    return parser


def _shape(text: str) -> tuple[int, int, int]:
    x, y, z = (int(n) for n in text.split(","))
    return x, y, z


def _model(name: str) -> Model:
    try:
        return load_model(name)
    except ModelError as error:
        if name != "sr-brain":
            raise
        print(f"{error}: timing an untrained network")
        return Model(build_network(UNTRAINED).eval().requires_grad_(False), UNTRAINED)


def _thick(shape: tuple[int, int, int]) -> Volume:
    """Smooth noise in a ball, in slices of 5 mm, that is enhanced to ``shape`` at 1 mm."""
    coarse = Geometry(shape, np.eye(4)).reshaped((shape[0], shape[1], shape[2] // THICK))
    texture = gaussian_filter(np.random.default_rng(0).normal(size=coarse.shape), 1.0)
    apart = [np.linspace(-1, 1, n) ** 2 for n in coarse.shape]
    ball = apart[0][:, None, None] + apart[1][:, None] + apart[2] < 0.8
    return Volume(np.where(ball, 300 + 300 * texture, 0), coarse)


def _condition(volume: Volume, device: torch.device) -> Condition:
    operator = SliceProfile(volume.geometry.refined(1.0), volume.geometry, thickness=volume.geometry.spacing)
    return condition_on(torch.from_numpy(volume.array)[None, None].to(device) / 600, operator)


def _network(model: Model, volume: Volume, condition: Condition, precision: str) -> dict[str, float]:
    """Time one evaluation of the network over the volume: the best of three after a warm-up."""
    del volume
    device = condition.maps.device
    denoiser = denoiser_of(model, condition, precision=precision, batch=TILES_AT_ONCE)
    noisy, t = torch.randn_like(condition.base), torch.ones(1, device=device)
    with FlopCounterMode(display=False) as counter:
        denoiser(noisy, t)
    _restart_memory(device)
    seconds = min(_seconds(lambda: denoiser(noisy, t), device) for _ in range(3))
    return _figures("one evaluation", seconds, counter.get_total_flops(), device)


def _whole(model: Model, volume: Volume, condition: Condition, precision: str) -> dict[str, float]:
    """Time the task from volume to volume, once."""
    device = condition.maps.device
    with FlopCounterMode(display=False) as counter:
        seconds = _seconds(
            lambda: super_resolve(volume, model, spacing=1.0, device=str(device), precision=precision), device
        )
    return _figures("the whole task", seconds, counter.get_total_flops(), device)


def _figures(what: str, seconds: float, flops: int, device: torch.device) -> dict[str, float]:
    print(f"ours: {what}")
    return {
        "seconds": seconds,
        "TFLOP": flops / 1e12,
        "TFLOP/s": flops / 1e12 / seconds,
        "peak memory, GB": peak_memory_mb(device) * 2**20 / 1e9,
    }


@torch.inference_mode()
def _stock(model: Model, condition: Condition, steps: int) -> dict[str, float]:
    """Time steps of the stock path after one that is not counted, and multiply."""
    device = condition.maps.device
    edge = model.card["tile"]
    inferer = SlidingWindowInferer((edge, edge, edge), sw_batch_size=1, mode="gaussian")
    scheduler = DDPMScheduler(num_train_timesteps=STOCK_STEPS)

    def step(noisy: Tensor, t: int) -> Tensor:
        when = torch.full((1,), t / STOCK_STEPS, device=device)

        def network(tiles: Tensor) -> Tensor:
            many = tiles.shape[0]
            numbers = condition.numbers.expand(many, -1)
            answer: Tensor = model.network(tiles[:, :1], tiles[:, 1:], numbers, when.expand(many))
            return answer

        answer = inferer(torch.cat([noisy, condition.maps], 1), network)
        following: Tensor = scheduler.step(answer, t, noisy)[0]
        return following

    noisy = torch.randn_like(condition.base)
    if device.type == "cuda":
        step(noisy, STOCK_STEPS - 1)
    _restart_memory(device)
    each = [_seconds(lambda t=t: step(noisy, t), device) for t in range(STOCK_STEPS - 1, STOCK_STEPS - 1 - steps, -1)]  # type: ignore[misc]
    print(f"stock: {STOCK_STEPS} DDPM steps, SlidingWindowInferer, fp32; {steps} timed and multiplied")
    return {"stock step, s": float(np.mean(each)), "stock, s": STOCK_STEPS * float(np.mean(each))}


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    started = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _restart_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def _parameters(model: Model) -> int:
    return sum(weights.numel() for weights in model.network.parameters())


def _tell(figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        print(f"  {name:<16} {value:10.4g}")


if __name__ == "__main__":
    main()

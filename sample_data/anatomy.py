"""A head from mathematics: folded cortex, deep grey matter, ventricles, cerebellum, skull and scalp.

Nothing here comes from a person. Shapes are written in an adult's measures and shrunk by ``SCALE``, so that the
example files stay small; gyri and cortex are given in true millimetres.

How the cortex is folded. Each hemisphere is a smooth solid. On its surface a narrow-band random field is drawn; its
zero lines are a labyrinth like that of sulci. From each line a sheet descends along the surface normal, bending on
its way, to a depth that varies slowly. What lies within ``SULCUS`` of a sheet or of the outside is fluid, the next
``CORTEX`` are grey matter, the rest is white: the ribbon follows every fold with constant thickness.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from shapes import Axes, Field, Lattice, Mask, ellipsoid, mirror, random_field, tube, union

__all__ = ["TISSUES", "make_anatomy"]

TISSUES = (
    "air", "fat", "skin", "muscle", "bone", "marrow", "csf", "grey", "white", "nuclei", "pallidum", "cerebellar", "eye",
)  # fmt: skip
"""What a label stands for: its place in this list."""

GYRUS = 8.8
"""Distance between neighbouring sulci, true mm."""
CORTEX = 1.9
"""Thickness of the cortical ribbon, true mm."""
SULCUS = 0.45
"""Half width of a sulcus, true mm."""
DEPTH = 14.0
"""Mean depth of a sulcus, true mm."""

Labels = NDArray[np.uint8]


def make_anatomy(lattice: Lattice, seed: int) -> Labels:
    """Label each lattice point with its tissue; the same lattice and seed give the same head."""
    rng = np.random.default_rng(seed)
    axes = lattice.axes()
    labels = np.zeros(lattice.shape, np.uint8)
    _paint_head(labels, axes, lattice, rng)
    _paint_cerebrum(labels, axes, lattice, rng)
    _paint_cerebellum(labels, axes, lattice, rng)
    _paint_deep_structures(labels, axes)
    return labels


def _paint(labels: Labels, where: Mask, tissue: str) -> None:
    labels[where] = TISSUES.index(tissue)


def _cerebrum(axes: Axes) -> tuple[Field, Field]:
    """Both hemispheres without their temporal lobes, and those."""
    pair = mirror(axes)
    main = ellipsoid(pair, (19, -7, 14), (49 - 0.08 * (axes[1] + 7).clip(0, None), 85, 58))
    main = -union(-main, axes[2] + 18 + 0.12 * axes[1], 10)
    temporal = tube(pair, (40, 36, -22, 13), (48, 8, -20, 18), (45, -34, -8, 20))
    return main, union(temporal, tube(pair, (22, 4, -20, 8), (25, -34, -8, 9)), 8)


def _cerebellum(axes: Axes) -> Field:
    vermis = ellipsoid(axes, (0, -57, -32), (14, 26, 24))
    return union(ellipsoid(mirror(axes), (28, -57, -37), (30, 31, 22)), vermis, 6)


def _cranium(axes: Axes) -> Field:
    """Inner surface of the skull: it fits the brain, bridging its clefts."""
    vault = union(*_cerebrum(axes), 8)
    vertex = -union(-ellipsoid(axes, (0, -7, 16), (62, 85, 57)), axes[2] + 10, 10)
    vault = union(union(vault, vertex, 15), _cerebellum(axes), 16)
    brainstem = tube(axes, (0, -22, -8, 15), (0, -24, -36, 14), (0, -34, -66, 7))
    return union(vault, brainstem, 8) - 1


def _paint_head(labels: Labels, axes: Axes, lattice: Lattice, rng: np.random.Generator) -> None:
    """Scalp, face and neck; skull; the fluid around the brain."""
    uneven, patches = random_field(lattice, 30, rng), random_field(lattice, 8, rng)
    cranium = _cranium(axes) + 0.6 * uneven
    below = np.clip((-12 - axes[2]) / 30, 0, 1)
    bone = cranium - 6 - 1.2 * uneven - 3 * below
    face = union(ellipsoid(axes, (0, 46, -48), (56, 46, 66)), ellipsoid(axes, (0, 88, -40), (9, 16, 18)), 12)
    neck = tube(axes, (0, -32, -50, 56), (0, -38, -140, 52))
    head = union(union(cranium - 13, face, 18), neck, 15)
    _paint(labels, head < 0, "skin")
    _paint(labels, head < -2.2, "fat")
    deep = (head < -6 - 1.5 * uneven) | ((np.abs(axes[0]) > 58) & (head < -4) & (axes[2] < 30) & (axes[2] > -40))
    _paint(labels, deep, "muscle")
    _paint(labels, deep & (axes[2] < 0) & (patches > 0.9), "fat")
    _paint(labels, bone < 0, "bone")
    _paint(labels, (bone < -2.2) & (cranium > 2.0) & (patches > -0.9), "marrow")
    _paint_face(labels, axes, patches)
    _paint(labels, cranium < 0, "csf")


def _paint_face(labels: Labels, axes: Axes, patches: Field) -> None:
    """Eyes in their orbits, nose and sinuses, mastoid cells, spine."""
    pair = mirror(axes)
    orbit = tube(pair, (33, 66, -22, 17), (20, 40, -18, 8))
    _paint(labels, orbit < 2, "bone")
    _paint(labels, orbit < 0, "fat")
    _paint(labels, tube(pair, (32, 60, -21, 2.2), (14, 30, -14, 2.2)) < 0, "muscle")
    _paint(labels, ellipsoid(pair, (33, 70, -22), (12.5, 12.5, 12.5)) < 0, "eye")
    sinuses = np.minimum(ellipsoid(pair, (6, 62, -46), (4.5, 26, 20)), ellipsoid(pair, (27, 54, -50), (13, 15, 16)))
    sinuses = np.minimum(sinuses, ellipsoid(pair, (9, 80, 4), (11, 5, 9))) + 0.8 * patches
    _paint(labels, sinuses < 2, "bone")
    _paint(labels, sinuses < 0, "air")
    mastoid = ellipsoid(pair, (58, -30, -40), (11, 16, 17))
    _paint(labels, mastoid < 0, "bone")
    _paint(labels, (mastoid < -2) & (patches > 0.2), "air")
    spine = tube(axes, (0, -6, -66, 11), (0, -12, -140, 12))
    _paint(labels, spine < 0, "bone")
    _paint(labels, spine < -2.5, "marrow")
    _paint(labels, tube(axes, (0, -30, -56, 11), (0, -36, -140, 10)) < 0, "csf")


def _paint_cerebrum(labels: Labels, axes: Axes, lattice: Lattice, rng: np.random.Generator) -> None:
    main, temporal = _cerebrum(axes)
    solid = -union(-np.minimum(main, temporal), mirror(axes)[0] - np.float32(0.9), 4)
    solid = solid + 0.7 * random_field(lattice, 22, rng)
    sylvian = (np.abs(axes[0]) > 27) & (axes[1] > -34) & _changes_sign(main - temporal)
    _paint_folded(labels, solid < 0, sylvian, lattice, rng)


def _paint_folded(labels: Labels, solid: Mask, fissures: Mask, lattice: Lattice, rng: np.random.Generator) -> None:
    """Fold the surface of ``solid`` into gyri with sulci between them, and add the given fissures."""
    box = tuple(slice(max(s.start - 2, 0), s.stop + 2) for s in ndimage.find_objects(solid.astype(np.uint8))[0])
    field, extent = random_field(lattice, 2 * GYRUS, rng, 0.2)[box], random_field(lattice, 45, rng)[box]
    bends = [2.6 * random_field(lattice, 13, rng)[box] for _ in range(3)]
    inside, thickness = solid[box], CORTEX * (1 + 0.12 * random_field(lattice, 25, rng)[box])
    sheets, depth = _sulcal_sheets(inside, field, extent, bends, lattice.step)
    apart = ndimage.distance_transform_edt(inside & ~(sheets | (fissures[box] & inside))) * lattice.step
    apart = ndimage.gaussian_filter(apart.astype(np.float32), 0.6)
    fluid = SULCUS * (1 + 0.9 * np.exp(-depth / 2.5))
    view = labels[box]
    _paint(view, inside, "white")
    _paint(view, inside & (apart < fluid + thickness), "grey")
    _paint(view, inside & (apart < fluid), "csf")


def _sulcal_sheets(inside: Mask, field: Field, extent: Field, bends: list[Field], step: float) -> tuple[Mask, Field]:
    """Extrude the zero lines of ``field`` on the surface inwards; also give the depth of each point, mm."""
    distance, nearest = ndimage.distance_transform_edt(inside, return_indices=True)
    depth = (distance * step).astype(np.float32)
    bent = [
        np.clip(np.rint(n + b * np.minimum(depth / DEPTH, 1) / step), 0, size - 1).astype(np.int32)
        for n, b, size in zip(nearest, bends, inside.shape, strict=True)
    ]
    steady = np.ones_like(inside)  # neighbours whose nearest surface points are far apart: not one sheet
    for place in nearest:
        for axis in range(3):
            steady &= np.abs(np.diff(place, axis=axis, append=np.take(place, [-1], axis))) * step < 4
    deep = DEPTH * (1 + 0.22 * extent[tuple(nearest)])
    return _changes_sign(field[tuple(bent)]) & steady & (depth < deep) & inside, depth


def _changes_sign(field: Field) -> Mask:
    """Whether the field crosses zero between a point and its next neighbour on any axis."""
    positive = field > 0
    crossing = np.zeros_like(positive)
    for axis in range(3):
        crossing |= np.diff(positive, axis=axis, append=np.take(positive, [-1], axis))
    return crossing


def _paint_cerebellum(labels: Labels, axes: Axes, lattice: Lattice, rng: np.random.Generator) -> None:
    """Folia that fan out from the fourth ventricle, as the arbor vitae does."""
    solid = _cerebellum(axes) < 0
    angle = np.arctan2(axes[2] + 36, -(axes[1] + 38)) + 0.10 * random_field(lattice, 12, rng)
    folia = _changes_sign(np.asarray(np.sin(13 * angle), np.float32) + np.zeros(lattice.shape, np.float32))
    inwards = ndimage.distance_transform_edt(solid) * lattice.step
    apart = ndimage.distance_transform_edt(solid & ~(folia & (inwards < 7.5))) * lattice.step
    apart = ndimage.gaussian_filter(apart.astype(np.float32), 0.6)
    _paint(labels, solid, "white")
    _paint(labels, solid & (apart < 1.6), "cerebellar")
    _paint(labels, solid & (apart < 0.35), "csf")


def _paint_deep_structures(labels: Labels, axes: Axes) -> None:
    """Commissures, brainstem, ventricles and nuclei; later ones lie over earlier ones."""
    pair = mirror(axes)
    _paint(labels, tube(axes, (0, -36, -68, 5.5), (0, -36, -140, 5)) < 0, "white")
    _paint(labels, tube(axes, (0, -22, -8, 13), (0, -24, -36, 13), (0, -34, -66, 7)) < 0, "white")
    _paint(labels, tube(pair, (6, -10, -2, 9), (22, 2, 4, 14), (24, -16, 10, 12)) < 0, "white")
    _paint(labels, tube(pair, (6, -30, -34, 7), (20, -46, -36, 6)) < 0, "white")
    plate = (np.maximum(pair[0] - 15, 0), pair[1], pair[2])
    arch = (0, 30, 4, 3.5), (0, 26, 15, 4.0), (0, 6, 24, 3.0), (0, -18, 24, 3.0), (0, -36, 14, 4.5)
    _paint(labels, tube(plate, *arch) < 0, "white")
    _paint(labels, ellipsoid(pair, (28, 2, 0), (6.5, 19, 11)) < 0, "nuclei")
    _paint(labels, ellipsoid(pair, (20.5, -2, -2), (4.5, 11, 7.5)) < 0, "pallidum")
    _paint(labels, tube(pair, (14, 28, 2, 6.5), (17, 12, 15, 5), (21, -16, 20, 3), (25, -30, 12, 2.5)) < 0, "nuclei")
    _paint(labels, ellipsoid(pair, (11, -17, 5), (9, 15, 9.5)) < 0, "nuclei")
    _paint(labels, tube(pair, (27, -8, -22, 5), (27, -30, -12, 4)) < 0, "nuclei")
    front = (7, 32, 4, 4.5), (8, 22, 11, 5.0), (10, 0, 17, 4.5)
    back = (15, -28, 16, 5.5), (25, -44, 6, 6.5), (22, -66, 2, 2.5)
    _paint(labels, tube(pair, *front, *back) < 0, "csf")
    _paint(labels, tube(pair, (26, -42, 4, 5), (34, -22, -14, 2.5), (32, -4, -20, 2.0)) < 0, "csf")
    _paint(labels, (np.abs(axes[0]) < 1.0) & (ellipsoid(axes, (0, 4, 8), (4, 22, 8)) < 0), "white")
    _paint(labels, ellipsoid(axes, (0, -8, -1), (2.2, 15, 11)) < 0, "csf")
    _paint(labels, tube(axes, (0, -27, -6, 1.5), (0, -38, -28, 1.5)) < 0, "csf")
    _paint(labels, ellipsoid(axes, (0, -42, -36), (7, 4.5, 10)) < 0, "csf")

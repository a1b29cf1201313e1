"""Hypothesis strategies for what scanners make: grids of any axis order, sign, obliquity, spacing and (odd) size."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medidiff.volume import Geometry, Volume

AXIS_ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]

spacings = st.tuples(*[st.floats(0.4, 8.0)] * 3)
"""mm between voxel centres, each axis on its own."""

seeds = st.integers(0, 2**32 - 1)


def shapes(smallest=1, largest=24):
    """``(x, y, z)``, odd and even, as thin as ``smallest``."""
    return st.tuples(*[st.integers(smallest, largest)] * 3)


@st.composite
def directions(draw, oblique=True):
    """``(3, 3)``: three unit axes in any order and sign, turned by any angle when ``oblique``."""
    axes = np.eye(3)[:, draw(st.sampled_from(AXIS_ORDERS))]
    signs = draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    angles = draw(st.tuples(*[st.floats(-np.pi / 3, np.pi / 3)] * 3)) if oblique and draw(st.booleans()) else (0, 0, 0)
    return rotation(*angles) @ (axes * signs)


def rotation(a, b, c):
    """``(3, 3)``: turns by ``a``, ``b``, ``c`` radians about x, y, z, one after the other."""
    turns = []
    for axis, angle in enumerate((a, b, c)):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        turns.append(turn)
    return turns[2] @ turns[1] @ turns[0]


@st.composite
def affines(draw, oblique=True):
    """``(4, 4)`` voxel index to RAS+ mm."""
    affine = np.eye(4)
    affine[:3, :3] = draw(directions(oblique)) * np.array(draw(spacings))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-200.0, 200.0)] * 3))
    return affine


@st.composite
def geometries(draw, smallest=1, largest=24, oblique=True):
    """Grids of any axis order and sign, oblique or not, with anisotropic spacing and odd sizes."""
    return Geometry(draw(shapes(smallest, largest)), draw(affines(oblique)))


@st.composite
def thick_and_fine(draw, largest=12):
    """Two parallel grids over one field of view, ``(thick, fine)``: the thick one's slices lie along any axis.

    The ratio need not be an integer; in-plane spacing may be coarser than the fine grid's, too.
    """
    thick = draw(geometries(2, largest))
    axis = draw(st.integers(0, 2))
    factors = [draw(st.floats(1.0, 2.0)) for _ in range(3)]
    factors[axis] = draw(st.floats(1.5, 6.0))
    return thick, thick.refined(np.array(thick.spacing) / factors)


@st.composite
def volumes(draw, smallest=1, largest=12, elements=None):
    """Volumes on such grids with finite float32 values."""
    geometry = draw(geometries(smallest, largest))
    values = elements if elements is not None else st.floats(-1000, 1000, width=32)
    return Volume(draw(arrays(np.float32, geometry.shape, elements=values)), geometry)

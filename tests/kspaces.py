"""The same k-space in every form that is read."""

import h5py
import ismrmrd
import numpy as np

from medidiff.io.kspace import write_arrays
from medidiff.io.kspace.bart import write_cfl
from medidiff.kspace import KSpace
from tests.physics.heads import grid, lines, measured

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
  <experimentalConditions><H1resonanceFrequency_Hz>123000000</H1resonanceFrequency_Hz></experimentalConditions>
  <encoding>
    <encodedSpace><matrixSize><x>{x}</x><y>{y}</y><z>{z}</z></matrixSize>
      <fieldOfView_mm><x>{fx}</x><y>{fy}</y><z>{fz}</z></fieldOfView_mm></encodedSpace>
    <reconSpace><matrixSize><x>{rx}</x><y>{ry}</y><z>{z}</z></matrixSize>
      <fieldOfView_mm><x>{gx}</x><y>{fy}</y><z>{fz}</z></fieldOfView_mm></reconSpace>
    <encodingLimits>
      <kspace_encoding_step_1><minimum>0</minimum><maximum>{ly}</maximum><center>{cy}</center></kspace_encoding_step_1>
    </encodingLimits>
    <trajectory>{trajectory}</trajectory>
  </encoding>
</ismrmrdHeader>
"""


def kspace(shape=(48, 40, 2), *, mask=None, noise=0.0, number=4, **more):
    """A stack of slices of a head, undersampled twofold along y."""
    _, _, y = measured(shape, number=number, noise=noise)
    mask = lines(shape[1]) if mask is None else mask
    geometry = grid(shape)
    return KSpace((y * mask).numpy(), geometry, (0, 1), np.broadcast_to(mask.numpy(), shape), **more)


def header(shape, *, spacing=4.0, matrix=None, oversampled=1, slices=True, centre=None, trajectory="cartesian"):
    """An ISMRMRD header of a stack of slices."""
    x, y, z = shape
    rx, ry = matrix or (x // oversampled, y)
    told = {"x": x, "y": y, "z": 1 if slices else z, "rx": rx, "ry": ry, "ly": y - 1}
    told |= {
        "fx": x * spacing,
        "fy": y * spacing,
        "fz": spacing * (1 if slices else z),
        "gx": x * spacing / oversampled,
    }
    return HEADER.format(**told, cy=y // 2 if centre is None else centre, trajectory=trajectory)


def as_npy(kspace, path):
    np.save(path, kspace.data)


def as_cfl(kspace, path):
    write_cfl(kspace.data.transpose(1, 2, 3, 0), path)


def as_fastmri(kspace, path, *, mask=True, told=None):
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace.data.transpose(3, 0, 1, 2)
        if mask:
            file["mask"] = np.broadcast_to(kspace.sampled, kspace.data.shape[1:])[0, :, 0].astype(np.uint8)
        if told is not None:
            file["ismrmrd_header"] = told
        file.attrs["acquisition"] = "AXT2"
        file.attrs["patient_id"] = "Jane Doe"


def acquisition(samples, *, y=0, z=0, slices=0, average=0, flag=None, first=0, centre=None, position=(0, 0, 0)):
    """One readout ``(coil, sample)``; the positions are those of RAS+ turned to LPS+."""
    told = ismrmrd.Acquisition.from_array(np.ascontiguousarray(samples, dtype=np.complex64))
    told.idx.kspace_encode_step_1, told.idx.kspace_encode_step_2 = y, z
    told.idx.slice, told.idx.average = slices, average
    told.center_sample = samples.shape[1] // 2 - first if centre is None else centre
    told.position[:] = position
    told.read_dir[:], told.phase_dir[:], told.slice_dir[:] = (-1, 0, 0), (0, -1, 0), (0, 0, 1)
    if flag:
        told.setFlag(flag)
    return told


def as_mrd(kspace, path, *, told=None, averages=1, extra=()):
    """Every measured line as an acquisition, each slice where the geometry says."""
    shape = kspace.data.shape[1:]
    mask = np.broadcast_to(kspace.sampled, shape)
    centre = [shape[0] // 2, shape[1] // 2]
    dataset = ismrmrd.Dataset(str(path), "dataset")
    dataset.write_xml_header((told or header(shape)).encode())
    for each in extra:
        dataset.append_acquisition(each)
    for z in range(shape[2]):
        position = np.array([-1, -1, 1]) * kspace.geometry.world([*centre, z])
        for y in np.flatnonzero(mask[0, :, z]):
            for average in range(averages):
                samples = kspace.data[:, :, y, z]
                dataset.append_acquisition(acquisition(samples, y=y, slices=z, average=average, position=position))
    dataset.close()


FORMS = {".npy": as_npy, ".npz": write_arrays, ".cfl": as_cfl, ".h5": as_fastmri, ".mrd": as_mrd}

"""Files that no one can enhance, each made by a function of a path, with words its refusal must contain."""

import gzip

import nibabel as nib
import numpy as np

HEADER_BYTES = 352


def good(path, shape=(6, 7, 4), spacing=(1.0, 1.0, 3.0), dtype=np.int16, seed=0):
    """Write a small NIfTI file with thick slices, and return its path."""
    values = np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, np.diag([*spacing, 1.0])), path)
    return path


def stored(path):
    """Open a NIfTI file with nibabel, the oracle."""
    return nib.load(path)


def empty_file(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("subject,age\nsub-01,34\n")


def truncated_gzip(path):
    good(path, (24, 24, 12))
    path.write_bytes(path.read_bytes()[:-200])


def cut_in_the_header(path):
    good(path)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:100]))


def fewer_voxels_than_claimed(path):
    good(path)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-50]))


def checksum_wrong(path):
    good(path)
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF
    path.write_bytes(bytes(data))


def edited_header(path, **fields):
    """Write a good file whose header fields are then overwritten, unchecked."""
    good(path)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(raw)))


def zero_size_axis(path):
    edited_header(path, dim=[3, 6, 0, 4, 1, 1, 1, 1])


def no_dimensions(path):
    edited_header(path, dim=[0, 6, 7, 4, 1, 1, 1, 1])


def enormous(path):
    edited_header(path, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])


def singular_affine(path):
    edited_header(path, srow_z=[0, 0, 0, 0], sform_code=1)


def nan_affine(path):
    edited_header(path, srow_z=[0, 0, np.nan, 0], sform_code=1)


def unknown_datatype(path):
    edited_header(path, datatype=77)


def header_of_a_pair(path):
    edited_header(path, magic=b"ni1")


def analyze(path):
    edited_header(path, magic=b"")


def constant(path):
    nib.save(nib.Nifti1Image(np.zeros((6, 7, 4), np.int16), np.diag([1, 1, 3, 1])), path)


def one_slice(path):
    good(path, (6, 7, 1))


def flat(path):
    good(path, (6, 7))


def four_dimensions(path):
    good(path, (6, 7, 4, 2))


def complex_values(path):
    nib.save(nib.Nifti1Image(np.ones((6, 7, 4), np.complex64), np.diag([1, 1, 3, 1])), path)


def nans(path):
    values = np.ones((6, 7, 4), np.float32)
    values[1, 2, 3], values[2, 2, 3] = np.nan, np.inf
    nib.save(nib.Nifti1Image(values, np.diag([1, 1, 3, 1])), path)


BAD_FILES = {
    empty_file: "empty",
    text: "not a NIfTI file (found text",
    truncated_gzip: "cut short or damaged",
    cut_in_the_header: "cut short or damaged",
    fewer_voxels_than_claimed: "3 of 4 slices",
    checksum_wrong: "cut short or damaged",
    zero_size_axis: "axis 1 has no voxels",
    no_dimensions: "0 dimensions",
    enormous: "too many voxels (found 30000x30000x30000",
    singular_affine: "affine is singular",
    nan_affine: "affine",
    unknown_datatype: "damaged",
    header_of_a_pair: ".hdr/.img pair",
    analyze: "ANALYZE",
    constant: "0 in every voxel",
    one_slice: "only one slice",
    flat: "not 3D",
    four_dimensions: "4D",
    complex_values: "complex",
    nans: "1 NaN and 1 Inf, the first at (1, 2, 3)",
}

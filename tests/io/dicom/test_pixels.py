"""Stored values become signal: types, bits, scaling, and every way of compression that there is a decoder for."""

import struct

import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from medidiff.errors import InputError
from medidiff.io.dicom import read_stack
from tests.dicoms import Plan, changed, enhanced, private, save, slices, values, write
from tests.io.dicom.reading import stacks, volume


@pytest.mark.parametrize(
    ("bits", "signed", "low", "high"),
    [
        (8, False, 0, 256),
        (12, False, 0, 4096),
        (16, False, 0, 65536),
        (12, True, -2048, 2048),
        (16, True, -32768, 32768),
    ],
)
def test_stored_types(bits, signed, low, high, tmp_path):
    plan = Plan(values(low=low, high=high), bits=bits, signed=signed)
    write(slices(plan), tmp_path)
    np.testing.assert_array_equal(volume(tmp_path).array, plan.values)


def test_each_slice_has_its_own_scale(tmp_path):
    plan = Plan(values())
    objects = slices(plan)
    for place, ds in enumerate(objects):
        changed(ds, RescaleSlope=1 + place / 4, RescaleIntercept=-place)
    write(objects, tmp_path)
    expected = plan.values * (1 + np.arange(5) / 4) - np.arange(5)
    np.testing.assert_allclose(volume(tmp_path).array, expected, rtol=1e-6)


def test_philips_scaling_makes_series_comparable(tmp_path):
    plan = Plan(values(), slope=2.5, inter=-10)
    write([private(ds, 0x2005, "Philips MR Imaging DD 001", FL_0E=0.02) for ds in slices(plan)], tmp_path)
    expected = (plan.values * 2.5 - 10) / (2.5 * 0.02)
    np.testing.assert_allclose(volume(tmp_path).array, expected, rtol=1e-5)


def test_bits_above_those_stored_are_an_overlay_and_no_signal(tmp_path):
    plan = Plan(values(high=4096), bits=12)
    objects = slices(plan)
    for ds in objects:
        stored = np.frombuffer(ds.PixelData, "<u2").copy()
        stored[::3] |= 0xF000
        ds.PixelData = stored.tobytes()
    write(objects, tmp_path)
    np.testing.assert_array_equal(volume(tmp_path).array, plan.values)


SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEGLSLossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("signed", [False, True])
def test_transfer_syntaxes(syntax, signed, tmp_path):
    plan = Plan(values((40, 36, 3), low=-2000 if signed else 0, high=2000), signed=signed)
    write(slices(plan), tmp_path, syntax)
    np.testing.assert_array_equal(volume(tmp_path).array, plan.values)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless], ids=lambda s: s.name)
def test_frames_of_compressed_enhanced_objects(syntax, tmp_path):
    plan = Plan(values((40, 36, 3)))
    write([enhanced([plan])], tmp_path, syntax)
    np.testing.assert_array_equal(volume(tmp_path).array, plan.values)


def test_big_endian(tmp_path):
    plan = Plan(values())
    for ds in slices(plan):
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds["PixelData"].VR = "OW"
        save(ds, tmp_path / f"{ds.InstanceNumber}", ExplicitVRBigEndian)
    np.testing.assert_array_equal(volume(tmp_path).array, plan.values)


LARGER = {
    JPEG2000Lossless: (b"\xff\x4f\xff\x51", 8, ">2L", (60000, 50000)),
    JPEGLSLossless: (b"\xff\xf7", 5, ">2H", (50000, 60000)),
}
"""Where the size stands in a code stream: marker, bytes after it, layout, and a size that takes gigabytes."""


@pytest.mark.parametrize("layout", ["classic", "enhanced"])
@pytest.mark.parametrize("syntax", LARGER, ids=lambda syntax: syntax.name)
def test_a_code_stream_that_claims_another_size_is_refused_before_it_is_decoded(syntax, layout, tmp_path, monkeypatch):
    plan = Plan(values((40, 36, 3)))
    paths = write(slices(plan) if layout == "classic" else [enhanced([plan])], tmp_path, syntax)
    marker, after, kind, size = LARGER[syntax]
    data = bytearray(paths[0].read_bytes())
    struct.pack_into(kind, data, data.rindex(marker) + after, *size)
    paths[0].write_bytes(bytes(data))
    monkeypatch.setattr("medidiff.io.dicom.pixels.iter_pixels", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(InputError, match=r"declared size .found 60000x50000, needed 40x36"):
        volume(tmp_path)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=lambda syntax: syntax.name)
def test_few_frames_of_a_compressed_object_with_many(syntax, tmp_path):
    plans = [Plan(values((40, 36, 3), n), tags={"echo": 10.0 * n}) for n in range(1, 6)]
    write([enhanced(plans)], tmp_path, syntax)
    for plan, stack in zip(plans, stacks(tmp_path).values(), strict=True):
        np.testing.assert_array_equal(read_stack(stack).array, plan.values)


def test_loss_by_compression_is_told(tmp_path):
    objects = slices(Plan(values()))
    changed(objects[1], LossyImageCompression="01")
    write(objects, tmp_path)
    assert volume(tmp_path).meta["warnings"][0].startswith("1 of 5 slices were compressed with loss")


def cut_short(objects):
    objects[2].PixelData = objects[2].PixelData[:20]


def without_pixels(objects):
    del objects[2].PixelData


def high_bits(objects):
    changed(objects[2], HighBit=15, BitsStored=12)


def odd_bits(objects):
    changed(objects[2], BitsAllocated=24)


@pytest.mark.parametrize(
    ("spoil", "words"),
    {
        cut_short: "cut short or damaged",
        without_pixels: ".",
        high_bits: "lowest bits",
        odd_bits: "unusual pixels",
    }.items(),
)
def test_pixels_that_cannot_be_used_are_told_in_one_line(spoil, words, tmp_path):
    objects = slices(Plan(values()))
    spoil(objects)
    write(objects, tmp_path)
    with pytest.raises(InputError, match=words) as refused:
        volume(tmp_path)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_a_missing_decoder_is_named_with_what_brings_it(tmp_path, monkeypatch):
    from pydicom.pixels.decoders.base import JPEGLSLosslessDecoder

    write(slices(Plan(values((40, 36, 3)))), tmp_path, JPEGLSLossless)
    monkeypatch.setattr(JPEGLSLosslessDecoder, "_available", {})
    with pytest.raises(InputError, match=r"JPEG-LS Lossless.*pip install 'medidiff\[dicom\]'"):
        volume(tmp_path)


def test_each_object_is_opened_once_to_read_its_pixels(tmp_path, monkeypatch):
    from medidiff.io import source

    write(slices(Plan(values())), tmp_path)
    opened = []

    whole = source.Archives.open

    def counting(self, what):
        opened.append(what)
        return whole(self, what)

    monkeypatch.setattr(source.Archives, "open", counting)
    volume(tmp_path)
    assert len(opened) == 2 * 5  # once for the headers, once for the pixels

"""Objects in files, gzip, deflate and zip are opened within bounds; nothing leads out of an archive."""

import gzip
import os
import stat
import zipfile

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medidiff.errors import InputError
from medidiff.io import unpack
from medidiff.io.discover import discover
from medidiff.io.source import Archives, Source, dicom_in, digest
from tests.dicoms import Plan, save, slices, values, write
from tests.io.dicom.reading import only, volume


@pytest.fixture
def path(tmp_path):
    return write(slices(Plan(values()))[:1], tmp_path)[0]


def content(what):
    with Archives() as archives, archives.open(what) as stream:
        return stream.read()


def zipped(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_content_decides_what_is_dicom(path, tmp_path):
    plain = path.read_bytes()
    (tmp_path / "scan.nii").write_bytes(plain)
    (tmp_path / "scan.jpg").write_bytes(gzip.compress(plain))
    (tmp_path / "old").write_bytes(plain[132:])
    (tmp_path / "text.dcm").write_text("DICM")
    found = {each.name: len(dicom_in(each)) for each in tmp_path.iterdir()}
    assert found == {path.name: 1, "scan.nii": 1, "scan.jpg": 1, "old": 1, "text.dcm": 0}


def test_gzip_and_zip_give_the_same_bytes(path, tmp_path):
    plain = path.read_bytes()
    (tmp_path / "a.gz").write_bytes(gzip.compress(plain))
    archive = zipped(tmp_path / "a.zip", {"sub/IM1": plain, "readme.txt": b"text", "sub/IM2": gzip.compress(plain)})
    sources = [*dicom_in(path), *dicom_in(tmp_path / "a.gz"), *dicom_in(archive)]
    assert [each.member for each in sources] == ["", "", "sub/IM1"]
    assert {content(each) for each in sources} == {plain}


def test_a_series_in_an_archive_is_read_like_one_in_a_folder(tmp_path):
    plan = Plan(values())
    paths = write(slices(plan), tmp_path / "in")
    (tmp_path / "zip").mkdir()
    zipped(tmp_path / "zip" / "study.zip", {f"x/{each.name}": each.read_bytes() for each in paths})
    assert (volume(tmp_path / "zip").array == plan.values).all()
    assert digest(only(tmp_path / "zip").sources) == digest(only(tmp_path / "in").sources)


def test_the_digest_depends_on_every_byte_and_on_nothing_else(tmp_path):
    paths = write(slices(Plan(values())), tmp_path)
    sources = [Source(each) for each in paths]
    before = digest(sources)
    assert digest(sources[::-1]) == before
    data = bytearray(paths[0].read_bytes())
    data[-1] ^= 1
    paths[0].write_bytes(bytes(data) + b"")
    os.utime(paths[0], ns=(1, 1))
    assert digest(sources) != before


def test_deflated_objects_that_grow_too_much_are_refused_before_they_are_read(tmp_path, monkeypatch):
    (ds,) = slices(Plan(values((8, 7, 1))))
    ds.add_new(0x00420011, "OB", bytes(2**20))
    path = save(ds, tmp_path / "bomb", DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(unpack, "FREE_BYTES", 2**18)
    monkeypatch.setattr(unpack, "HIGHEST_RATIO", 20)
    with pytest.raises(InputError, match="unpacks to more than it may"):
        content(Source(path))


def test_gzipped_objects_that_grow_too_much_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(128) + b"DICM" + bytes(2**20)))
    monkeypatch.setattr(unpack, "FREE_BYTES", 2**18)
    with pytest.raises(InputError, match="unpacks to more than it may"):
        content(Source(path))


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


DANGEROUS = {
    "an entry whose name leads out of it": [{name: b"x"} for name in ("../../x", "/etc/x", "C:/x", "a/../../x")],
    "a link in it": [{link("a"): b"/etc/passwd"}],
    "an entry that unpacks to more than it may": [{"bomb": bytes(2**20)}],
    "too many entries": [{str(n): b"" for n in range(12)}],
}


@pytest.mark.parametrize(
    ("reason", "entries"), [(reason, each) for reason, several in DANGEROUS.items() for each in several]
)
def test_dangerous_archives_are_refused_whole(reason, entries, path, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 2**18)
    monkeypatch.setattr(unpack, "MOST_ENTRIES", 10)
    archive = zipped(tmp_path / "a.zip", {"IM1": path.read_bytes(), **entries})
    with pytest.raises(InputError, match=reason):
        dicom_in(archive)
    path.unlink()
    found, skipped = discover([tmp_path])
    assert not found
    assert reason in skipped[0].reason
    assert skipped[0].path.name.startswith("file-"), "archives are called after patients"


def test_an_archive_whose_total_is_too_large_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MOST_ARCHIVE_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to too much"):
        dicom_in(zipped(tmp_path / "a.zip", {"IM1": path.read_bytes()}))


def cut(data):
    return data[: len(data) // 2]


def flipped(data):
    return data[:200] + bytes([data[200] ^ 0xFF]) + data[201:]


@pytest.mark.parametrize("spoil", [cut, flipped])
@pytest.mark.parametrize("pack", ["zip", "gzip"])
def test_damaged_packing_is_told_in_a_line_without_names(spoil, pack, path, tmp_path):
    packed = tmp_path / "DOE_JANE"
    if pack == "zip":
        zipped(packed, {"DOE/IM1": path.read_bytes()})
    else:
        packed.write_bytes(gzip.compress(path.read_bytes()))
    packed.write_bytes(spoil(packed.read_bytes()))
    with pytest.raises(InputError, match=r"damaged|cannot be read") as refused:
        content((dicom_in(packed) or [Source(packed)])[0])
    assert "DOE" not in str(refused.value)


def test_a_deflated_stream_that_ends_early_is_not_read_as_whole(tmp_path):
    (ds,) = slices(Plan(values((8, 7, 1))))
    path = save(ds, tmp_path / "a", DeflatedExplicitVRLittleEndian)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="cut short"):
        content(Source(path))

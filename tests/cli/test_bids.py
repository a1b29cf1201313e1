"""A BIDS dataset in, a valid derivative of it out."""

import json
import shutil
import subprocess

import pytest

from medidiff.io import read_header
from medidiff.io.bids import find_bids, inherited
from tests.bad_files import good
from tests.batch.running import RECORDS, names

PLACES = (
    "sub-01/anat/sub-01_T2w",
    "sub-01/anat/sub-01_acq-thick_T1w",
    "sub-02/ses-a/anat/sub-02_ses-a_FLAIR",
    "sub-02/ses-b/anat/sub-02_ses-b_FLAIR",
)


def described(folder, **told):
    folder.mkdir(parents=True, exist_ok=True)
    told = {"Name": "thick", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"} | told
    (folder / "dataset_description.json").write_text(json.dumps(told))
    (folder / "README").write_text("Synthetic images, for tests alone, of nobody at all.\n" * 3)


@pytest.fixture
def dataset(tmp_path):
    """Two people, one of them seen twice."""
    root = tmp_path / "raw"
    described(root)
    for seed, place in enumerate(PLACES):
        good(root / f"{place}.nii.gz", (12, 12, 6), seed=seed)
    good(root / "sub-01/anat/sub-01_part-phase_T2w.nii.gz", (12, 12, 6))
    (root / "T1w.json").write_text('{"SliceThickness": 3, "EchoTime": 0.01}')
    return root


def enhance(cli, dataset, out, *options):
    return cli("enhance", "-i", dataset, "-o", out, "--bids", *options)


def derived(place, res="iso", desc="medidiff"):
    stem, suffix = place.rsplit("_", 1)
    return f"{stem}_res-{res}_desc-{desc}_{suffix}"


def test_every_image_becomes_one_of_the_derivative(cli, calls, dataset, tmp_path):
    result = enhance(cli, dataset, tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(tmp_path / "out" / f"{derived(place)}.nii.gz") for place in PLACES]
    images = [name for name in names(tmp_path / "out") if name not in RECORDS]
    expected = {f"{derived(place)}{end}" for place in PLACES for end in (".nii.gz", ".json")}
    assert set(images) == expected | {"dataset_description.json", ".bidsignore", "README"}
    assert "1 left out" in result.stderr


def test_sidecars_name_their_sources_and_the_description_where_these_are(cli, calls, dataset, tmp_path):
    out = dataset / "derivatives" / "medidiff"
    enhance(cli, dataset, out)
    sidecar = json.loads((out / f"{derived(PLACES[2])}.json").read_text())
    assert sidecar["Sources"] == [f"bids:raw:{PLACES[2]}.nii.gz"]
    assert sidecar["SkullStripped"] is False
    assert sidecar["Resolution"]
    told = json.loads((out / "dataset_description.json").read_text())
    assert told["DatasetType"] == "derivative"
    assert told["GeneratedBy"][0]["Name"] == "medidiff"
    assert told["DatasetLinks"] == {"raw": "../.."}
    assert (out / told["DatasetLinks"]["raw"] / f"{PLACES[2]}.nii.gz").exists()


def test_labels_choose_participants_and_sessions(cli, calls, dataset, tmp_path):
    one = enhance(cli, dataset, tmp_path / "one", "--participant-label", "01").stdout
    assert one.count("\n") == 2
    visit = enhance(cli, dataset, tmp_path / "b", "--participant-label", "sub-02", "--session-label", "b").stdout
    assert derived(PLACES[3]) in visit
    assert visit.count("\n") == 1
    nobody = enhance(cli, dataset, tmp_path / "none", "--participant-label", "99")
    assert nobody.exit_code == 2
    assert "no such participant" in nobody.stderr
    assert enhance(cli, dataset, tmp_path / "none", "--session-label", "z").exit_code == 3


@pytest.mark.parametrize(("option", "label"), [("1.2", "1p2mm"), ("1,1,2", "1x1x2mm")])
def test_the_resolution_is_in_the_name(option, label, cli, calls, dataset, tmp_path):
    result = enhance(cli, dataset, tmp_path / "out", "--participant-label", "01", "--spacing", option)
    assert f"res-{label}_" in result.stdout


def test_an_uncertainty_has_a_description_of_its_own(cli, calls, dataset, tmp_path):
    enhance(cli, dataset, tmp_path / "out", "--participant-label", "01", "--samples", 2)
    assert (tmp_path / "out" / f"{derived(PLACES[1], desc='medidiffsd')}.nii.gz").exists()


def test_metadata_are_inherited_from_above(cli, calls, dataset, tmp_path):
    (dataset / "sub-01" / "sub-01_acq-thick_T1w.json").write_text('{"SliceThickness": 4}')
    assert inherited(dataset / f"{PLACES[1]}.nii.gz") == (
        dataset / "T1w.json",
        dataset / "sub-01" / "sub-01_acq-thick_T1w.json",
    )
    enhance(cli, dataset, tmp_path / "out", "--participant-label", "01")
    first = next(call["volume"] for call in calls if "volume" in call and "T1w" in call["volume"].meta["source"])
    assert first.meta["sidecar"] == {"SliceThickness": 4, "EchoTime": 0.01}


def test_inherited_metadata_that_change_make_a_case_new(cli, calls, dataset, tmp_path):
    enhance(cli, dataset, tmp_path / "out")
    (dataset / "T1w.json").write_text('{"SliceThickness": 2}')
    assert "1 done, 3 done before" in enhance(cli, dataset, tmp_path / "out").stderr


def test_what_is_no_dataset_is_refused(cli, calls, tmp_path):
    good(tmp_path / "in" / "a.nii.gz")
    result = enhance(cli, tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 2
    assert "not a BIDS dataset" in result.stderr


def test_another_dataset_is_not_written_over(cli, calls, dataset, tmp_path):
    described(tmp_path / "out")
    result = enhance(cli, dataset, tmp_path / "out")
    assert result.exit_code == 2
    assert "is another dataset" in result.stderr


def test_a_derivative_holds_no_dicom(cli, calls, dataset, tmp_path):
    assert "a BIDS derivative holds NIfTI" in enhance(cli, dataset, tmp_path / "out", "--format", "dicom").stderr


def test_a_dataset_is_found_in_order(dataset):
    found, skipped = find_bids([dataset])
    assert [item.stem.as_posix() for item in found] == list(PLACES)
    assert [item.path.name for item in skipped] == ["sub-01_part-phase_T2w.nii.gz"]


def test_two_files_of_one_name_are_one_image(dataset):
    good(dataset / f"{PLACES[0]}.nii")
    found, skipped = find_bids([dataset])
    assert len(found) == len(PLACES)
    assert "another image has its name" in skipped[0].reason


def test_a_case_that_was_made_is_known_again(cli, calls, dataset, tmp_path):
    enhance(cli, dataset, tmp_path / "out")
    assert "4 done before" in enhance(cli, dataset, tmp_path / "out").stderr
    assert read_header(tmp_path / "out" / f"{derived(PLACES[1])}.nii.gz").shape == (12, 12, 12)


def test_the_validator_finds_no_error_in_a_derivative(cli, calls, dataset, tmp_path):
    validator = shutil.which("bids-validator-deno")
    if not validator:
        pytest.skip("no bids-validator-deno: pip install bids-validator-deno")
    enhance(cli, dataset, tmp_path / "out", "--samples", 2)
    told = subprocess.run([validator, tmp_path / "out", "--json"], capture_output=True, text=True, check=False).stdout
    assert [issue for issue in json.loads(told)["issues"]["issues"] if issue["severity"] == "error"] == []


def test_the_older_validator_finds_no_error_in_a_dataset_with_a_derivative(cli, calls, dataset):
    """It knows the names of derivatives only where they lie in ``derivatives/``."""
    validator = shutil.which("bids-validator")
    if not validator:
        pytest.skip("no bids-validator: npm install -g bids-validator")
    enhance(cli, dataset, dataset / "derivatives" / "medidiff", "--samples", 2)
    told = subprocess.run([validator, dataset, "--json"], capture_output=True, text=True, check=False).stdout
    assert json.loads(told)["issues"]["errors"] == []

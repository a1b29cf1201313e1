"""Draw each scan of ``scans/``, its enhancement and the truth side by side: ``python make_montage.py FOLDER``."""

import sys
from pathlib import Path

from medidiff import Volume, read_nifti
from medidiff.report.figures import montage

HERE = Path(__file__).parent


def main(folder: Path) -> None:
    """Write ``montage.png`` beside the enhanced volumes in ``folder``."""
    volumes: dict[str, Volume] = {}
    for scan in sorted((HERE / "scans").glob("*.nii.gz")):
        name = scan.name.removesuffix(".nii.gz")
        enhanced = folder / f"{name}_enhanced.nii.gz"
        if enhanced.exists():
            label = name.split("acq-")[-1].replace("_", " ")
            volumes[f"{label}: scan"] = read_nifti(scan)
            volumes[f"{label}: enhanced"] = read_nifti(enhanced)
            volumes[f"{label}: truth"] = read_nifti(HERE / "references" / scan.name)
    if not volumes:
        sys.exit(f"no *_enhanced.nii.gz in {folder}: run medidiff enhance first")
    montage(volumes, folder / "montage.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo-output"))

"""``python -m medidiff.cli`` is ``medidiff``."""

from medidiff.cli import main

main(prog_name="medidiff")

"""The command line: parse and print only; everything heavy is imported inside the commands."""

import click

from medidiff import __version__
from medidiff.cli import adapt, enhance, evaluate, info, inspect, reconstruct, simulate, status, train
from medidiff.cli.guard import Guarded

__all__ = ["main"]

EXAMPLES = """\b
Examples:
  medidiff enhance -i scans/ -o enhanced/
  medidiff reconstruct -i rawdata/ -o images/
  medidiff inspect scans/
  medidiff enhance --help
"""


@click.group(
    cls=Guarded, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="medidiff")
def main() -> None:
    """MRI enhancement by 3D diffusion that agrees with what the scanner measured.

    Research use only: not a medical device.
    """


for module in (enhance, reconstruct, status, evaluate, simulate, adapt, train, inspect, info):
    main.add_command(module.command)

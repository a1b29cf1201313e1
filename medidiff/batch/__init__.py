"""Many scans: plan, run, resume, record.

``case``
    `Case`, `Manifest`, `Record`: the nouns.
``plan``
    Which input becomes which output.
``run``
    One case after the other; none can stop the rest.
``store``
    The files of a finished case.
``ledger``
    ``run.json`` and ``cases.csv``.
"""

from medidiff.batch.case import RESEARCH_ONLY, Case, Manifest, Record, Status
from medidiff.batch.plan import plan
from medidiff.batch.run import Reader, Watcher, Work, run
from medidiff.batch.store import finished

__all__ = [
    "RESEARCH_ONLY",
    "Case",
    "Manifest",
    "Reader",
    "Record",
    "Status",
    "Watcher",
    "Work",
    "finished",
    "plan",
    "run",
]

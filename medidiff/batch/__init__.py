"""Many scans: plan, run, resume, record.

``case``, ``fault``, ``task``
    The nouns: `Case`, `Manifest`, `Record`; why one failed; what is done with each.
``plan``
    Which input becomes which output.
``run``
    Every case recorded, none able to stop the rest.
``attempt``
    One case, from its input to its files.
``inline``, ``processes``, ``cluster``
    The engines: in this process, a worker for each device, on a Dask cluster.
``worker``, ``reader``, ``child``, ``channel``
    Processes that may crash or hang, and how they are talked to.
``store``, ``objects``
    The files of a finished case.
``books``, ``journal``, ``ledger``, ``log``, ``private``
    Records: ``manifest.jsonl``, ``run.json`` and ``cases.csv``, ``log.jsonl``, ``private.json``.
``lock``, ``standing``
    One run at a time; how one stands, told from its manifest.
"""

from medidiff.batch.case import RESEARCH_ONLY, Case, Manifest, Part, Record, Status
from medidiff.batch.inline import inline
from medidiff.batch.plan import plan
from medidiff.batch.processes import processes
from medidiff.batch.run import Way, run
from medidiff.batch.store import finished
from medidiff.batch.task import Engine, Job, Reader, Task, Teller, Terms, Work

__all__ = [
    "RESEARCH_ONLY",
    "Case",
    "Engine",
    "Job",
    "Manifest",
    "Part",
    "Reader",
    "Record",
    "Status",
    "Task",
    "Teller",
    "Terms",
    "Way",
    "Work",
    "finished",
    "inline",
    "plan",
    "processes",
    "run",
]

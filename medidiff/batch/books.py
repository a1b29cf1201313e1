"""All the records of a run together: manifest, log, ``cases.csv``, ``run.json`` and ``private.json``."""

from collections.abc import Mapping, Sequence
from typing import Any

from medidiff.batch.case import Case, Manifest, Record
from medidiff.batch.journal import Journal
from medidiff.batch.ledger import Ledger
from medidiff.batch.log import Log
from medidiff.batch.private import write_private
from medidiff.io.atomic import make_folder

__all__ = ["Books"]


class Books:
    """Keeps them; complete up to the last case whatever happens.

    Parameters
    ----------
    manifest
        The plan, written at once.
    settings
        How it is run.

    Raises
    ------
    OutputError
        If they cannot be written.
    """

    def __init__(self, manifest: Manifest, settings: Mapping[str, Any]) -> None:
        self._manifest, self._settings = manifest, settings
        self._open()

    def _open(self) -> None:
        make_folder(self._manifest.output)
        write_private(self._manifest)
        self._journal = Journal(self._manifest, self._settings)
        self._ledger = Ledger(self._manifest, self._settings)
        self._log = Log(self._manifest)

    @property
    def earlier(self) -> Mapping[str, Mapping[str, Any]]:
        """How cases failed in an earlier run."""
        return self._journal.earlier

    @property
    def gone(self) -> bool:
        """Whether somebody removed the folder."""
        return self._journal.gone

    def started(self, case: Case) -> None:
        """Note that a case is in hand."""
        self._log.started(case)
        self._journal.started(case)

    def ended(self, record: Record) -> None:
        """Note what came of a case."""
        self._log.ended(record)
        self._ledger.add(record)
        self._journal.ended(record)

    def noted(self, *, trouble: bool) -> None:
        """Note that there was something; what it was may name a file."""
        self._log.add("trouble" if trouble else "note")

    def close(self, outcome: str, records: Sequence[Record], *, anew: bool = False) -> None:
        """Complete them, all of them ``anew`` if they were removed.

        Raises
        ------
        OutputError
            If that cannot be.
        """
        if anew:
            self._open()
            for record in records:
                self._journal.ended(record)
        self._log.add("end", outcome=outcome)
        self._ledger.close(outcome, records)
        self._journal.close(outcome, records)

"""Stores an instance on disk and in the database, before the sender gets success."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from oarflow.node.database import Database, faults, receiving
from oarflow.node.database.receiving import Arrival, Origin, Standing
from oarflow.node.settings import NodeSettings
from oarflow.node.storage.dataset import Contents, inspect
from oarflow.node.storage.spool import Spool, same_content, series_folder, split
from oarflow.node.storage.statuses import NotStored, StoreStatus

LOGGER = logging.getLogger(__name__)

MEGABYTE = 1 << 20


class Receiver:
    """Stores instances from senders and pulls. It may be called from many threads."""

    def __init__(self, settings: NodeSettings, database: Database) -> None:
        self._series = settings.series
        self._max_inflated = settings.listener.max_inflated_mb * MEGABYTE
        self._database = database
        self._turn = threading.Lock()
        self.spool = Spool(settings.storage.root, settings.storage.min_free_mb * MEGABYTE)

    def receive(
        self,
        origin: Origin,
        data: bytes,
        transfer_syntax_uid: str,
        sop_class_uid: str,
        sop_instance_uid: str,
    ) -> Standing:
        """Store an instance safely on disk and in the database. Raises NotStored.

        data: the data set as sent. The UIDs are those of the request.
        """
        self._check_room(len(data))
        contents = inspect(data, transfer_syntax_uid, self._max_inflated)
        header = contents.header
        if (header.sop_class_uid, header.sop_instance_uid) != (sop_class_uid, sop_instance_uid):
            raise NotStored(
                StoreStatus.DOES_NOT_MATCH, "data set and request name different instances"
            )
        try:
            path = self.spool.place(origin, contents)
            if path.is_file() and self._again(origin, contents, path, data):
                return Standing.IDENTICAL
            self.spool.keep(path, origin, contents, data)
            return self._journal(origin, contents, path, data)
        except SQLAlchemyError as error:
            raise NotStored(StoreStatus.OUT_OF_RESOURCES, faults.in_words(error)) from error

    def _check_room(self, size: int) -> None:
        try:
            self.spool.check_room(size)
        except OSError as error:
            raise NotStored(StoreStatus.OUT_OF_RESOURCES, "the disk does not answer") from error

    def _again(self, origin: Origin, contents: Contents, path: Path, data: bytes) -> bool:
        """Whether the node has the same content already. If so, record that it arrived again.

        path: the place of the instance. A stored file in another encoding is kept.
        """
        header = contents.header
        folder = series_folder(origin.calling_ae, contents)
        with self._database.read() as session:
            before = receiving.known(session, folder, header.sop_instance_uid)
        for kept in before:
            file = self.spool.root / kept.path
            if kept.deleted_at is not None or not file.is_file():
                continue
            if kept.sha256 == contents.sha256 or same_content(
                file, data, header.transfer_syntax_uid
            ):
                with self._database.write() as session:
                    receiving.came_again(session, kept.series_id)
                if all(self.spool.root / one.path != path for one in before):
                    path.unlink(missing_ok=True)
                return True
        return False

    def _journal(self, origin: Origin, contents: Contents, path: Path, data: bytes) -> Standing:
        """Enter a file on disk into the database."""
        arrival = self._arrival(origin, contents, path, len(data))
        contoured = contents.header.modality in self._series.modalities
        if self._again(origin, contents, path, data):
            return Standing.IDENTICAL
        for last in (False, True):
            try:
                # One at a time: SQLite's writers wait for each other by sleeping.
                with self._turn, self._database.write() as session:
                    standing, series_id = receiving.journal(session, arrival, contoured)
                break
            except IntegrityError:  # another process added the study or series meanwhile
                if last:
                    raise
        if standing is Standing.CONFLICT:
            LOGGER.warning("series %d: a SOP Instance UID arrived with other content", series_id)
        return standing

    def _arrival(self, origin: Origin, contents: Contents, path: Path, size: int) -> Arrival:
        header = contents.header
        return Arrival(
            origin=origin,
            study_uid=header.study_uid,
            series_uid=header.series_uid,
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            sha256=contents.sha256,
            size=size,
            path=self.spool.relative(path),
            folder=series_folder(origin.calling_ae, contents),
            modality=header.modality[:16],
            texts=contents.texts,
            expected=header.images_in_acquisition if self._series.expect_images else None,
        )

    def recover(self) -> int:
        """Enter files into the database that a crash left without a row. Returns how many.

        Call it before anything is received. Raises OSError, SQLAlchemyError.
        """
        self.spool.open()
        with self._database.read() as session:
            journalled = receiving.paths(session)
        lost = [one for one in self.spool.stored() if self.spool.relative(one) not in journalled]
        for path in lost:
            self._recover(path)
        return len(lost)

    def _recover(self, path: Path) -> None:
        try:
            origin, transfer_syntax_uid, data = split(path)
            contents = inspect(data, transfer_syntax_uid, self._max_inflated)
        except (NotStored, OSError, ValueError):
            LOGGER.error("a file in the spool is not an instance; it is set aside")
            with contextlib.suppress(OSError):
                path.rename(path.with_suffix(".damaged"))
            return
        self._journal(origin, contents, path, data)

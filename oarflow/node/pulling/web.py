"""QIDO-RS and WADO-RS (PS3.18), by dicomweb-client."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmwrite
from requests.auth import AuthBase

from oarflow.errors import ConfigurationError
from oarflow.node.database.receiving import Origin
from oarflow.node.pulling.query import FoundSeries, PullCounts, PullFailed, Query, StoreInstance
from oarflow.node.settings import DicomWeb
from oarflow.node.storage.spool import split_bytes
from oarflow.node.storage.statuses import NotStored

LOGGER = logging.getLogger(__name__)

AS_STORED = (("application/dicom", "*"),)
TIMEOUT_SECONDS = 60.0


class WebPacs:
    """A PACS by DICOMweb.

    name: stands for the calling AE title of its instances. seconds: how long it may be silent.
    """

    def __init__(
        self, name: str, settings: DicomWeb, ae_title: str, seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._origin = Origin(name[:16], ae_title)
        session = requests.Session()
        session.verify = True if settings.ca is None else str(settings.ca)
        if settings.certificate is not None:
            session.cert = (str(settings.certificate), str(settings.key))
        authorization = _authorization(settings)
        if authorization is not None:
            session.auth = _HeaderAuth(authorization)
        self._client: Any = DICOMwebClient(settings.url, session=session, timeout=seconds)

    def echo(self) -> None:
        """Search for one study. Raises PullFailed."""
        try:
            self._client.search_for_studies(limit=1)
        except (requests.RequestException, ValueError) as error:
            raise PullFailed(_why(error)) from error

    def find(self, query: Query) -> list[FoundSeries]:
        """Find series of the query's modalities. Raises PullFailed."""
        try:
            studies = [query.study_uid] if query.names_one else self._studies(query)
            return [
                found
                for study_uid in studies
                for modality in query.modalities
                for found in self._series(study_uid, modality)
            ]
        except (requests.RequestException, ValueError) as error:
            raise PullFailed(_why(error)) from error

    def _studies(self, query: Query) -> list[str]:
        asked = {
            "AccessionNumber": query.accession_number,
            "StudyDate": query.date,
            "StudyInstanceUID": query.study_uid,
        }
        filters = {key: value for key, value in asked.items() if value}
        answers = self._client.search_for_studies(search_filters=filters, get_remaining=True)
        return [str(_dataset(answer).StudyInstanceUID) for answer in answers]

    def _series(self, study_uid: str, modality: str) -> Iterator[FoundSeries]:
        for answer in self._client.search_for_series(
            study_uid,
            search_filters={"Modality": modality},
            fields=["NumberOfSeriesRelatedInstances"],
            get_remaining=True,
        ):
            one = _dataset(answer)
            if str(one.get("Modality", modality)) == modality:
                count = one.get("NumberOfSeriesRelatedInstances")
                yield FoundSeries(
                    study_uid, str(one.SeriesInstanceUID), int(count) if count else None
                )

    def fetch(self, found: FoundSeries, take: StoreInstance) -> PullCounts:
        """Fetch a series. Raises PullFailed."""
        taken = PullCounts()
        try:
            for dataset in self._client.iter_series(
                found.study_uid, found.series_uid, media_types=AS_STORED
            ):
                self._take(dataset, take, taken)
        except (requests.RequestException, ValueError) as error:
            raise PullFailed(_why(error)) from error
        return taken

    def _take(self, dataset: Dataset, take: StoreInstance, taken: PullCounts) -> None:
        stream = BytesIO()
        dcmwrite(stream, dataset, enforce_file_format=True)
        _, syntax, data = split_bytes(stream.getvalue())
        try:
            take(self._origin, data, syntax, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID))
            taken.instances += 1
        except NotStored as refusal:
            LOGGER.warning("refused an instance (%04X): %s", refusal.status, refusal)
            taken.refused += 1


class _HeaderAuth(AuthBase):
    """Sets the Authorization header, which requests would otherwise replace from .netrc."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _authorization(settings: DicomWeb) -> str | None:
    """The Authorization header. Raises ConfigurationError (TOKEN, PASSWORD)."""
    try:
        return settings.authorization()
    except OSError as error:
        code = "PASSWORD" if settings.token is None else "TOKEN"
        raise ConfigurationError(code, f"{error.filename}: {error.strerror}") from error


def _dataset(answer: dict[str, Any]) -> Dataset:
    return Dataset.from_json(answer)


def _why(error: Exception) -> str:
    """The error without the query's URL, which may hold identifiers."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the DICOMweb service answers {response.status_code}"
    return f"the DICOMweb service does not answer ({type(error).__name__})"

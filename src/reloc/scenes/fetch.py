"""Fetching one file over HTTP: resumable, bounded, checked for its size."""

import hashlib
import http.client
import json
import time
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib import error, parse, request

from reloc.errors import DownloadError, OptionError
from reloc.files import write_text
from reloc.progress import Progress, silent
from reloc.untrusted import parsed_json

MAX_BYTES = 64 << 30
_CHUNK = 1 << 20
_PATIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to try.

    Attributes:
        timeout: seconds without a byte before a connection counts as dead.
        retries: how often to try again after a failure that may pass.
        pause: seconds before the first retry; doubles each time, up to half a minute.
    """

    timeout: float = 30.0
    retries: int = 5
    pause: float = 1.0


@dataclass(frozen=True)
class Fetched:
    """A file that arrived: its size and its sha256 in hex."""

    size: int
    sha256: str


class _Interrupted(Exception):
    """A failure that may pass."""


def fetch(
    url: str,
    target: Path,
    *,
    progress: Progress = silent,
    retry_policy: RetryPolicy = RetryPolicy(),
    max_bytes: int = MAX_BYTES,
) -> Fetched:
    """Downloads a file; what an earlier attempt left in ``target.part`` is continued.

    A partial file is continued only if the server confirms that the file is still the same one
    (by ETag or Last-Modified); otherwise it starts again.

    Args:
        url: an http or https address.
        target: where the file goes; replaced when the download is complete.
        progress: called with stage "download", in MiB.
        retry_policy: timeouts and retries.
        max_bytes: a larger file is refused.

    Raises:
        OptionError: the address is not http or https.
        DownloadError: the server refuses, answers with a web page, or stops too often.
        OSError: the target cannot be written.
    """
    if parse.urlsplit(url).scheme not in ("http", "https"):
        raise OptionError(f"{url}: only http and https addresses can be fetched")
    partial = _Partial(url, target)
    for attempt in range(retry_policy.retries + 1):
        if attempt:
            time.sleep(min(retry_policy.pause * 2 ** (attempt - 1), 30.0))
        try:
            _attempt(url, partial, progress, retry_policy.timeout, max_bytes)
            break
        except _Interrupted as stop:
            reason = str(stop)
    else:
        kept = partial.file.stat().st_size if partial.file.exists() else 0
        raise DownloadError(
            f"{url}: gave up after {retry_policy.retries + 1} attempts ({reason}); {kept >> 20} "
            "MiB are kept, run the same command again to go on from there"
        )
    partial.finish()
    return measured(target)


def measured(file: Path) -> Fetched:
    """Size and checksum of a file that is there."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return Fetched(size=file.stat().st_size, sha256=sha256)


class _Partial:
    """The file so far, and beside it what the server said about the whole."""

    def __init__(self, url: str, target: Path) -> None:
        self._url = url
        self._target = target
        self.file = target.with_name(target.name + ".part")
        self._about = target.with_name(target.name + ".part.json")

    def start(self) -> tuple[int, str | None]:
        """How many bytes are there, and the validator that they belong to; 0 and None if none."""
        try:
            about = parsed_json(self._about.read_text(encoding="utf-8"))
            if about["url"] == self._url and isinstance(about["validator"], str):
                return self.file.stat().st_size, about["validator"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return 0, None

    def remember(self, validator: str | None) -> None:
        write_text(self._about, json.dumps({"url": self._url, "validator": validator}))

    def discard(self) -> None:
        self.file.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def finish(self) -> None:
        self.file.replace(self._target)
        self._about.unlink(missing_ok=True)


def _attempt(
    url: str, partial: _Partial, progress: Progress, timeout: float, max_bytes: int
) -> None:
    have, validator = partial.start()
    headers = {"User-Agent": "reloc", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    try:
        with _opener().open(request.Request(url, headers=headers), timeout=timeout) as response:
            resumed = response.status == 206 and have > 0 and _starts_at(response.headers, have)
            if response.status not in (200, 206) or (response.status == 206 and not resumed):
                partial.discard()
                raise _Interrupted(f"unexpected answer, status {response.status}")
            if response.headers.get_content_type() == "text/html":
                raise DownloadError(
                    f"{url}: the server answers with a web page, not a file; open the address in a "
                    "browser, the data may have moved"
                )
            if not resumed:
                have = 0
                partial.remember(_validator(response.headers))
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if length.isdigit() else None
            if total is not None and total > max_bytes:
                raise DownloadError(f"{url}: {total} bytes are over the limit of {max_bytes}")
            with partial.file.open("ab" if resumed else "wb") as file:
                size = _copy(response, file, have, total, progress, max_bytes, url)
    except error.HTTPError as answer:
        if answer.code == 416:
            if answer.headers.get("Content-Range", "") == f"bytes */{have}":
                return  # nothing is left to send: the partial file is the whole
            partial.discard()
            raise _Interrupted("the file changed on the server") from answer
        if answer.code in _PATIENT_STATUSES:
            raise _Interrupted(f"status {answer.code}") from answer
        raise DownloadError(
            f"{url}: the server answers {answer.code} {answer.reason}; the data may have moved"
        ) from answer
    except error.URLError as failure:
        raise _Interrupted(str(failure.reason)) from failure
    except (http.client.HTTPException, ConnectionError, TimeoutError) as failure:
        raise _Interrupted(str(failure) or type(failure).__name__) from failure
    if total is not None and size != total:
        raise _Interrupted(f"the connection ended after {size} of {total} bytes")


def _copy(
    source: IO[bytes],
    file: IO[bytes],
    have: int,
    total: int | None,
    progress: Progress,
    max_bytes: int,
    url: str,
) -> int:
    """Appends what the server sends; returns the size of the file then."""
    while chunk := _read(source):
        have += len(chunk)
        if have > max_bytes:
            raise DownloadError(f"{url}: sends more than the limit of {max_bytes} bytes")
        file.write(chunk)
        progress("download", have >> 20, (total or have) >> 20)
    return have


def _read(source: IO[bytes]) -> bytes:
    """The next bytes; apart from ``write``, whose failures no retry mends."""
    try:
        return source.read(_CHUNK)
    except (OSError, http.client.HTTPException) as failure:
        raise _Interrupted(str(failure) or type(failure).__name__) from failure


def _opener() -> request.OpenerDirector:
    """Opens addresses without the handlers that would follow a redirect to a file or to FTP."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _validator(headers: Message) -> str | None:
    """What identifies this version of the file; a weak ETag does not promise equal bytes."""
    etag = headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return headers.get("Last-Modified")


def _starts_at(headers: Message, offset: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {offset}-")

"""Files out of a multipart form, from memory to memory.

Starlette's own form reader spools to the disk above a megabyte; this one never does.
"""

import re
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ._problems import Refusal

FIELD = "files"


@dataclass
class Upload:
    """A file as it was sent: its name, for the answer alone, and its bytes."""

    name: str | None
    data: bytes


def parse_multipart(content_type, body, max_files):
    """Take the files out of a form.

    Parameters
    ----------
    content_type : str
        The header, with its boundary.
    body : bytes-like
        The whole body.
    max_files : int
        Most files.

    Returns
    -------
    uploads : list of Upload
        At least one, in order.

    Raises
    ------
    Refusal
        If the form is broken, holds other fields, no file or too many.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Refusal(400, "The Content-Type multipart/form-data has no boundary.")
    form = _Form(max_files)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(bytes(body))
    except FormParserError:
        raise Refusal(400, "The body is not a well-formed multipart form.") from None
    if not form.ended:
        raise Refusal(400, "The multipart form ends in the middle.")
    if not form.uploads:
        raise Refusal(422, f"The form has no file; send pictures as {FIELD!r}.")
    return form.uploads


def file_name(name):
    """Make a label of a file name, and refuse one that wants to be a path.

    Parameters
    ----------
    name : str
        As the client wrote it.

    Returns
    -------
    label : str or None
        The last part of the name, None for an empty one.
    """
    parts = re.split(r"[/\\]", name)
    if ".." in parts or (len(parts) > 1 and not parts[0]) or ":" in parts[0]:
        raise Refusal(400, f"The file name {name[:80]!r} is a path; send a plain name.")
    if not name.isprintable():
        raise Refusal(400, f"The file name {name[:80]!r} has control characters.")
    return parts[-1][:200] or None


class _Form:
    """Callbacks of the parser, which tells of a form piece by piece."""

    def __init__(self, max_files):
        self._max_files = max_files
        self.uploads = []
        self.ended = False

    def callbacks(self):
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self):
        if len(self.uploads) == self._max_files:
            raise Refusal(
                422,
                f"The form has more than the {self._max_files} files that are taken.",
            )
        self._headers, self._key, self._text, self._chunks = {}, b"", b"", []

    def _field(self, data, start, end):
        self._key += data[start:end]

    def _value(self, data, start, end):
        self._text += data[start:end]

    def _header_end(self):
        self._headers[self._key.lower()] = self._text
        self._key = self._text = b""

    def _headers_finished(self):
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        # Without a file name the part is a text field, whatever it is called.
        if field != FIELD or b"filename" not in options:
            raise Refusal(
                422,
                f"The form field {field[:80]!r} is not a file of {FIELD!r}; send "
                f"pictures as files in the field {FIELD!r}.",
            )
        self._name = file_name(options[b"filename"].decode("utf-8", "replace"))

    def _data(self, data, start, end):
        self._chunks.append(data[start:end])

    def _part_end(self):
        self.uploads.append(Upload(self._name, b"".join(self._chunks)))

    def _end(self):
        self.ended = True

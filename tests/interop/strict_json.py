"""A strict JSON reader and writer (RFC 8259).

The protocol carries one JSON message per line (guide, section 3.3).  The
standard library's ``json`` module is not used because it is too lenient for
a reference: it accepts ``NaN`` and ``Infinity``, silently keeps the last of
two equal keys, accepts a lone surrogate, guesses UTF-16 and UTF-32, and
recurses on its input.

This reader

* takes bytes and accepts UTF-8 only, without a byte order mark;
* accepts exactly the grammar of RFC 8259, and nothing after the value;
* refuses two equal keys in one object, compared after their escapes are
  resolved, because RFC 8259 leaves the meaning of such an object open;
* refuses an escape that names half of a surrogate pair alone, because such a
  string is not Unicode text and could never be written again as UTF-8;
* keeps every number as the text it was written with, so that neither
  ``9007199254740993`` nor ``0.1`` nor ``1.0`` is ever rounded or respelled;
* keeps its own stack instead of calling itself, and bounds its depth.

JSON values become Python values as follows: object to ``dict`` (in the order
of the text), array to ``list``, string to ``str``, number to ``Number``,
``true`` and ``false`` to ``bool``, ``null`` to ``None``.
"""

import re

# Containers may be nested this deep; ``[]`` alone has depth 1.  RFC 8259,
# section 9, allows an implementation to set such a limit.
MAX_DEPTH = 128


class JsonError(ValueError):
    """The bytes are not a JSON text that this reader accepts."""


class Number:
    """A JSON number, kept as the text it was written with."""

    __slots__ = ("text",)

    def __init__(self, text):
        if not _NUMBER.fullmatch(text):
            raise ValueError("this is not a JSON number")
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return f"Number({self.text!r})"


# RFC 8259, section 2: these four characters, and no other, are white space.
_WHITESPACE = re.compile(r"[ \t\n\r]*")

# RFC 8259, section 6.  ``[0-9]`` is spelled out because ``\d`` would also
# match the digits of other scripts.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

# RFC 8259, section 7: everything but the quotation mark, the backslash and
# the control characters U+0000 to U+001F may stand for itself in a string.
_PLAIN_CHARACTERS = re.compile(r'[^"\\\x00-\x1f]*')

_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")

_SHORT_ESCAPES = {
    '"': '"', "\\": "\\", "/": "/", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}

_LITERALS = (("true", True), ("false", False), ("null", None))


def parse(data, max_depth=MAX_DEPTH):
    """Return the value of the JSON text ``data`` (bytes), or raise JsonError."""
    if data.startswith(b"\xef\xbb\xbf"):
        # RFC 8259, section 8.1: a byte order mark must not be added.
        raise JsonError("a byte order mark stands before the text")
    try:
        # The strict decoder refuses overlong forms, surrogates and code
        # points above U+10FFFF, as RFC 3629 demands.
        text = bytes(data).decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise JsonError(f"invalid UTF-8 at byte {error.start}") from None
    return _Reader(text, max_depth).read_document()


class _Reader:
    """Reads one text; ``_position`` is the index of the next character."""

    def __init__(self, text, max_depth):
        self._text = text
        self._position = 0
        self._max_depth = max_depth

    # -- The structure of the text -------------------------------------------

    def read_document(self):
        # ``open_containers`` holds the arrays and objects that have begun and
        # not ended, outermost first.  ``open_keys`` runs beside it: for an
        # object it holds the key whose value is being read, for an array None.
        open_containers = []
        open_keys = []

        while True:
            # At this point of the text, a value is due.
            self._skip_whitespace()
            character = self._peek()

            if character in ("[", "{"):
                if len(open_containers) == self._max_depth:
                    raise self._error("the text is nested too deep")
                self._position += 1
                self._skip_whitespace()
                value = [] if character == "[" else {}
                if self._peek() == _closing(value):
                    self._position += 1  # The container is empty and complete.
                else:
                    open_containers.append(value)
                    open_keys.append(self._read_key(value))
                    continue
            else:
                value = self._read_scalar(character)

            # A value is complete.  Put it in its place, and do the same with
            # every container that ends right after it.
            while True:
                if not open_containers:
                    self._skip_whitespace()
                    if self._position != len(self._text):
                        raise self._error("something follows the value")
                    return value

                container = open_containers[-1]
                if isinstance(container, dict):
                    container[open_keys[-1]] = value
                else:
                    container.append(value)

                self._skip_whitespace()
                character = self._peek()
                if character == ",":
                    self._position += 1
                    open_keys[-1] = self._read_key(container)
                    break  # The next value of this container is due.
                if character != _closing(container):
                    raise self._error("a comma or the end of a container is missing")
                self._position += 1
                value = open_containers.pop()
                open_keys.pop()

    def _read_key(self, container):
        """Read ``"key" :`` in an object; an array has no keys to read."""
        if not isinstance(container, dict):
            return None
        self._skip_whitespace()
        if self._peek() != '"':
            raise self._error("a key in quotation marks is missing")
        key = self._read_string()
        if key in container:
            raise self._error("an object has the same key twice")
        self._skip_whitespace()
        if self._peek() != ":":
            raise self._error("the colon after a key is missing")
        self._position += 1
        return key

    # -- Strings, numbers and literals ---------------------------------------

    def _read_scalar(self, character):
        # What may follow a number or a literal needs no check here: only
        # white space, a comma, a closing bracket or the end is accepted next,
        # so ``01``, ``1.``, ``1e`` and ``trueish`` are refused by the caller.
        if character == '"':
            return self._read_string()
        match = _NUMBER.match(self._text, self._position)
        if match:
            self._position = match.end()
            return Number(match.group())
        for literal, value in _LITERALS:
            if self._text.startswith(literal, self._position):
                self._position += len(literal)
                return value
        raise self._error("a value is missing")

    def _read_string(self):
        self._position += 1  # The opening quotation mark.
        pieces = []
        while True:
            match = _PLAIN_CHARACTERS.match(self._text, self._position)
            pieces.append(match.group())
            self._position = match.end()
            character = self._peek()
            if character == '"':
                self._position += 1
                return "".join(pieces)
            if character == "\\":
                pieces.append(self._read_escape())
            elif character == "":
                raise self._error("a string does not end")
            else:
                raise self._error("a string holds a raw control character")

    def _read_escape(self):
        self._position += 1  # The backslash.
        character = self._peek()
        self._position += 1
        if character in _SHORT_ESCAPES:
            return _SHORT_ESCAPES[character]
        if character != "u":
            raise self._error("a string holds an unknown escape")

        unit = self._read_hex4()
        if 0xDC00 <= unit <= 0xDFFF:
            raise self._error("the second half of a surrogate pair stands alone")
        if not 0xD800 <= unit <= 0xDBFF:
            return chr(unit)

        # RFC 8259, section 7: a character outside the Basic Multilingual
        # Plane is written as two escapes, a UTF-16 surrogate pair.
        if not self._text.startswith("\\u", self._position):
            raise self._error("the first half of a surrogate pair stands alone")
        self._position += 2
        second = self._read_hex4()
        if not 0xDC00 <= second <= 0xDFFF:
            raise self._error("the first half of a surrogate pair stands alone")
        return chr(0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00))

    def _read_hex4(self):
        match = _HEX4.match(self._text, self._position)
        if not match:
            raise self._error("an escape lacks its four hexadecimal digits")
        self._position = match.end()
        return int(match.group(), 16)

    # -- Small tools ----------------------------------------------------------

    def _peek(self):
        """The next character, or the empty string at the end of the text."""
        return self._text[self._position:self._position + 1]

    def _skip_whitespace(self):
        self._position = _WHITESPACE.match(self._text, self._position).end()

    def _error(self, sentence):
        return JsonError(f"{sentence} (at character {self._position})")


def _closing(container):
    return "}" if isinstance(container, dict) else "]"


# -- The writer ---------------------------------------------------------------

# The characters that must be escaped (RFC 8259, section 7).  The line feed is
# among them, so a written value never holds one: it fits on one line, as the
# frames of the protocol demand (guide, section 3.1).
_MUST_ESCAPE = re.compile(r'["\\\x00-\x1f]')

_WRITTEN_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f",
    "\n": "\\n", "\r": "\\r", "\t": "\\t",
}


class _Verbatim(str):
    """Text that the writer has already put into its final form."""


def write(value):
    """Return ``value`` as one compact JSON text in UTF-8 (bytes).

    Besides everything that ``parse`` returns, a Python ``int`` is accepted.
    A ``float`` is not: its text would be a matter of rounding.
    """
    written = []
    # What is still to be written, the next thing last.  A list instead of
    # recursion keeps the depth of a value from mattering.
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, _Verbatim):
            written.append(item)
        elif isinstance(item, str):
            written.append(_quote(item))
        elif isinstance(item, Number):
            written.append(item.text)
        # ``bool`` is a kind of ``int`` in Python, so it must be asked first.
        elif item is None or isinstance(item, bool):
            written.append({None: "null", True: "true", False: "false"}[item])
        elif isinstance(item, int):
            written.append(str(item))
        elif isinstance(item, list):
            parts = [_Verbatim("[")]
            for index, element in enumerate(item):
                if index:
                    parts.append(_Verbatim(","))
                parts.append(element)
            parts.append(_Verbatim("]"))
            pending.extend(reversed(parts))
        elif isinstance(item, dict):
            parts = [_Verbatim("{")]
            for index, (key, element) in enumerate(item.items()):
                if not isinstance(key, str):
                    raise TypeError("the keys of a JSON object must be strings")
                comma = "," if index else ""
                parts.append(_Verbatim(comma + _quote(key) + ":"))
                parts.append(element)
            parts.append(_Verbatim("}"))
            pending.extend(reversed(parts))
        else:
            raise TypeError(f"{type(item).__name__} cannot be written as JSON")
    return "".join(written).encode("utf-8", "strict")


def _quote(text):
    return '"' + _MUST_ESCAPE.sub(_escape, text) + '"'


def _escape(match):
    character = match.group()
    return _WRITTEN_ESCAPES.get(character) or f"\\u{ord(character):04x}"

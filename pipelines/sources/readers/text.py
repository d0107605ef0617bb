"""Text of any encoding as UTF-8, strictly: a byte that does not belong is an error, never a guess.

Here: decompression, byte order marks, declared encodings, and those that can be told for certain.
Not here: what the text means (delimited.py).
"""

from __future__ import annotations

import codecs
import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import charset_normalizer

from pipelines.errors import SourceError
from pipelines.sources.notices import notice

BLOCK_BYTES = 8 * 1024 * 1024

# Exports in text compress 3 to 20 times. A file far beyond that is an accident or an attack that
# would fill the disk; small ones cannot do harm, whatever their ratio.
MOST_EXPANSION = 200
HARMLESS_BYTES = 1024**3

# The longer marks first: UTF-32-LE begins like UTF-16-LE.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Names under which the same text is declared: GB18030 contains the others, and what calls itself
# GB2312 in practice uses characters of its successors.
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "utf-8-sig": "utf-8"}

_SAMPLE_BYTES = 64 * 1024
# What Chinese text has in GB18030, and text of other encodings that is valid GB18030 has not.
# Big5, Shift-JIS and Western text read as rare characters; in Chinese text, nearly all are among
# the 6,763 of GB2312. Those are sorted by their sound: a fifth of the usual ones begin with
# x, y or z, which is where Korean (EUC-KR) has no syllable and Japanese (EUC-JP) no common
# character. Words of one byte a letter (Cyrillic, Greek, Arabic) are of odd length as often as
# even, and an odd one is not valid: twenty different characters are too many for chance.
# Thai has no spaces, but ten bytes without a letter, which Chinese text of that length needs.
_LEAST_COMMON_SHARE = 0.9
# Of different characters, those that begin with x, y or z: in Chinese, and in what is none.
_XYZ_SHARE, _XYZ_SHARE_ELSEWHERE = 0.2, 0.01
_LEAST_CHARACTERS = 20
_FIRST_HAN, _FIRST_X, _LAST_Z = b"\xb0\xa1", b"\xd0\xa1", b"\xd7\xf9"
# Suggestions are of what programs on Windows write, of the Latin ones the more common first.
_LATIN = ("cp1252", "cp1250")
_SUGGESTED = (
    *_LATIN,
    *("cp1251", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("gb18030", "big5", "shift_jis", "euc_jp", "cp949"),
)
_LEAST_NUL_SHARE = 0.2


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a file become text: a codec, after a byte order mark of some bytes."""

    codec: str
    mark: int = 0


def find_encoding(path: Path, declared: str | None, label: str) -> Encoding:
    """The encoding of a file: its byte order mark, else as declared, else what is certain.

    Certain are UTF-8, UTF-16 without its mark, and Chinese in GB18030.

    Args:
        path: the file, plain or gzip.
        declared: what the mapping file says.
        label: the file's name in messages.

    Raises:
        SourceError: the declared encoding is unknown, or none is declared and it cannot be told for
            certain.
    """
    head = next(raw_blocks(path, label), b"")
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return Encoding(codec, len(mark))
    if declared:
        try:
            name = codecs.lookup(declared).name
        except LookupError:
            raise SourceError(
                f'{label}: the mapping declares encoding = "{declared}", which is unknown. Use '
                "utf-8, gb18030, big5, utf-16, cp1252 or another name that Python knows."
            ) from None
        return Encoding(_SUPERSETS.get(name, name))
    if codec_without_mark := _utf16_by_its_nuls(head[:_SAMPLE_BYTES]):
        return Encoding(codec_without_mark)
    try:
        for _ in _decode(raw_blocks(path, label), "utf-8"):
            pass
    except _UndecodableError as found:
        if _is_chinese(found.sample):
            notice(
                path,
                f"{label} is not UTF-8 (byte offset {found.offset:,}) and is read as gb18030; set "
                'encoding = "gb18030" in mapping.toml to be sure',
            )
            return Encoding("gb18030")
        suggestion = _suggestion(path, label, found)
        perhaps = f', perhaps encoding = "{suggestion}"' if suggestion else ' (encoding = "...")'
        raise SourceError(
            f"{label}: expected UTF-8 or a declared encoding, found "
            f"{_place(path, label, found, 'utf-8')}. Add to the section of its table in "
            f"mapping.toml the encoding of the program that wrote it{perhaps}, and look whether "
            "names read right; or correct what is damaged and save the file as UTF-8."
        ) from None
    return Encoding("utf-8")


def utf8_blocks(path: Path, encoding: Encoding, label: str) -> Iterator[bytes]:
    """The text of a file as UTF-8, block by block; a character may be cut between two blocks.

    Raises:
        SourceError: the file is damaged, or holds a byte that is not in the encoding.
    """
    blocks = raw_blocks(path, label)
    head = next(blocks, b"")[encoding.mark :]
    try:
        yield from _decode(chain([head], blocks), encoding.codec, encoding.mark)
    except _UndecodableError as found:
        suggestion = _suggestion(path, label, found)
        remedy = (
            f'declare the right one, perhaps encoding = "{suggestion}",'
            if suggestion
            else "correct the declared encoding"
        )
        raise SourceError(
            f"{label}: expected {encoding.codec}, found "
            f"{_place(path, label, found, encoding.codec)}. Either save the file again as "
            f"{encoding.codec}, or {remedy} for it in mapping.toml."
        ) from None


def raw_blocks(path: Path, label: str) -> Iterator[bytes]:
    """The bytes of a file, decompressed where its name ends in .gz.

    Raises:
        SourceError: the file is cut off, not gzip, or grows beyond all measure.
    """
    most = max(HARMLESS_BYTES, path.stat().st_size * MOST_EXPANSION)
    size = 0
    try:
        with (
            path.open("rb") as file,
            gzip.open(file) if path.suffix.lower() == ".gz" else nullcontext(file) as stream,
        ):
            while block := stream.read(BLOCK_BYTES):
                size += len(block)
                if size > most:
                    raise SourceError(
                        f"{label}: expected a compressed export, found {most:,} bytes and more in "
                        f"a file of {path.stat().st_size:,}. Decompress it yourself if it is real."
                    )
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(
            f"{label}: expected a complete gzip file, found: {error}. Export or copy it again."
        ) from None


class _UndecodableError(Exception):
    """A byte that is not in the encoding: where, which, and the lines around it."""

    def __init__(self, offset: int, byte: int, sample: bytes) -> None:
        super().__init__(offset)
        self.offset = offset
        self.byte = byte
        self.sample = sample


def _decode(blocks: Iterator[bytes], codec: str, offset: int = 0) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    pending = b""
    to_come = chain(blocks, [b""])
    for block in to_come:
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            # The byte may be the last of its block: what follows tells what the text is.
            data = pending + block + next(to_come, b"")
            start = data.rfind(b"\n", 0, error.start) + 1
            raise _UndecodableError(
                offset - len(pending) + error.start,
                data[error.start],
                data[start : start + _SAMPLE_BYTES],
            ) from None
        offset += len(block)
        pending = decoder.getstate()[0]
        yield block if codec == "utf-8" else text.encode()


def _place(path: Path, label: str, found: _UndecodableError, codec: str) -> str:
    """Where a file is not in its encoding, and how much of it."""
    byte = f"byte 0x{found.byte:02x} at offset {found.offset:,}"
    lines = faulty = first = 0
    for some in _lines(path, label):
        if not _decodes(b"\n".join(some), codec):
            wrong = [n for n, line in enumerate(some, lines + 1) if not _decodes(line, codec)]
            first = first or next(iter(wrong), 0)
            faulty += len(wrong)
        lines += len(some)
    # a line feed of two or four bytes, or one that depends on what stands before it
    if codec.startswith(("utf-16", "utf-32")) or not faulty:
        return f"{byte}, which does not belong there"
    are = "is" if faulty == 1 else "are"
    return f"{byte}, line {first:,}: {faulty:,} of {lines:,} lines {are} not {codec.upper()}"


def _lines(path: Path, label: str) -> Iterator[list[bytes]]:
    """The lines of a file, some at a time, of any encoding that has ASCII's line feed."""
    rest = b""
    for block in raw_blocks(path, label):
        *some, rest = (rest + block).split(b"\n")
        yield some
    if rest:
        yield [rest]


def _is_chinese(sample: bytes) -> bool:
    """Whether a text is Chinese in GB18030 and cannot be anything else."""
    lines = _whole_lines(sample)
    if not _decodes(lines, "gb18030") or _decodes(lines, "cp874"):
        return False
    foreign = {c for c in lines.decode("gb18030") if not c.isascii()}
    common = [code for c in foreign if (code := c.encode("gb2312", "ignore"))]
    han = [code for code in common if code >= _FIRST_HAN]
    xyz = sum(_FIRST_X <= code <= _LAST_Z for code in han)
    return (
        len(han) >= _LEAST_CHARACTERS
        and len(common) >= _LEAST_COMMON_SHARE * len(foreign)
        and _sounds_chinese(xyz, len(han))
    )


def _sounds_chinese(xyz: int, characters: int) -> bool:
    """Whether so many of the characters are likelier in Chinese than elsewhere (binomial)."""
    others = characters - xyz
    return xyz * math.log(_XYZ_SHARE / _XYZ_SHARE_ELSEWHERE) > others * math.log(
        (1 - _XYZ_SHARE_ELSEWHERE) / (1 - _XYZ_SHARE)
    )


def _suggestion(path: Path, label: str, found: _UndecodableError) -> str | None:
    """The likeliest encoding of a file, in which all of it can be read: named, never used."""
    codec = _likeliest(found.sample)
    try:
        for _ in _decode(raw_blocks(path, label), codec or "utf-8"):
            pass
    except _UndecodableError:
        return None
    return codec


def _likeliest(sample: bytes) -> str | None:
    lines = _whole_lines(sample)
    if _is_chinese(sample):
        return "gb18030"
    best = charset_normalizer.from_bytes(lines, cp_isolation=list(_SUGGESTED)).best()
    if best is None:
        return None
    if best.encoding not in _LATIN:
        return best.encoding
    # They agree in most letters; where one has a letter, the other may have a sign.
    return next((codec for codec in _LATIN if _keeps_words_whole(lines, codec)), best.encoding)


def _keeps_words_whole(data: bytes, codec: str) -> bool:
    if not _decodes(data, codec):
        return False
    text = data.decode(codec)
    return not any(
        before.isalpha() and after.isalpha() and not (sign.isascii() or sign.isalpha())
        for before, sign, after in zip(text, text[1:], text[2:], strict=False)
    )


def _decodes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _whole_lines(sample: bytes) -> bytes:
    return sample[: sample.rfind(b"\n") + 1] or sample


def _utf16_by_its_nuls(head: bytes) -> str | None:
    """Every other byte of Latin text, and of any table's digits and separators, is a NUL."""
    if head.count(b"\0") < _LEAST_NUL_SHARE * max(len(head), 1):
        return None
    return "utf-16-le" if head[1::2].count(b"\0") > head[::2].count(b"\0") else "utf-16-be"

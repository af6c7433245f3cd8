"""Texts as hashed features, the same on every machine: nothing here depends on Python's own salted hashes.

`ngrams` are the features of the weights that the package brings. `spark_terms` are those of a Spark ML pipeline of
Tokenizer and HashingTF, so that what was trained there can be scored here.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TEXTS_AT_ONCE = 1_024
_KNOWN_WORDS = 500_000

_TAG = re.compile(r"</?[a-z][^<>]{0,200}>")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[!?]")
_JAVA_SPACE = re.compile("[ \t\n\x0b\f\r]")


@dataclass(frozen=True)
class Features:
    """Buckets of texts: those of text i stand at `starts[i]` to `starts[i + 1]`, in ascending order within a text."""

    starts: npt.NDArray[np.int64]
    buckets: npt.NDArray[np.int64]

    @property
    def texts(self) -> npt.NDArray[np.int64]:
        """The number of the text that each bucket belongs to."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def words(text: str) -> list[str]:
    """The words of a text in lower case, with `!` and `?` as words of their own, without HTML tags."""
    return _WORD.findall(_TAG.sub(" ", text.lower()).replace("’", "'"))


def ngrams(texts: Sequence[str], buckets: int) -> Features:
    """The words and pairs of neighbouring words that occur in each text, each once; `buckets` is a power of two."""
    hashes, of_text = _hashed(texts, words, _word_hash)
    shift = np.uint32(32 - (buckets.bit_length() - 1))
    single = (hashes * _SPREAD) >> shift
    neighbours = of_text[1:] == of_text[:-1]
    pair = (hashes[:-1] * _FIRST) ^ (hashes[1:] * _SECOND + np.uint32(1))
    pair = ((pair ^ (pair >> np.uint32(15))) * _SPREAD) >> shift
    at = np.concatenate([of_text, of_text[1:][neighbours]])
    found = np.concatenate([single, pair[neighbours]]).astype(np.int64)
    return _sorted(len(texts), buckets, np.unique(at * buckets + found))


def spark_terms(texts: Sequence[str], buckets: int) -> Features:
    """The terms of each text as Spark's Tokenizer and HashingTF see them, a term as often as it occurs."""
    hashes, of_text = _hashed(texts, spark_tokens, spark_hash)
    signed = hashes.view(np.int32).astype(np.int64)
    return _sorted(len(texts), buckets, np.sort(of_text * buckets + signed % buckets))


def spark_tokens(text: str) -> list[str]:
    """The text in lower case, cut at every single blank as Spark's Tokenizer does: `good.` is a token, and so is ``."""
    tokens = _JAVA_SPACE.split(text.lower())
    if len(tokens) == 1:
        return tokens
    while tokens and not tokens[-1]:  # Java drops what is empty at the end
        tokens.pop()
    return tokens


def spark_hash(token: str) -> int:
    """MurmurHash3 (x86, 32 bits) of the UTF-8 text with Spark's seed, as an unsigned number."""
    data = token.encode("utf-8", "replace")
    length, h = len(data), 42
    for start in range(0, length - length % 4, 4):
        h = _murmur_step(h, int.from_bytes(data[start : start + 4], "little"))
        h = (((h << 13) | (h >> 19)) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if length % 4:
        h = _murmur_step(h, int.from_bytes(data[length - length % 4 :], "little"))
    h ^= length
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return h ^ (h >> 16)


def joined(parts: Sequence[Features]) -> Features:
    """The features of several groups of texts, one group behind the other."""
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Features(np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([part.buckets for part in parts]))


def in_groups(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in groups that numpy handles within a processor's caches."""
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        yield texts[start : start + TEXTS_AT_ONCE]


_SPREAD, _FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


def _word_hash(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "replace"))


def _murmur_step(h: int, block: int) -> int:
    k = (block * 0xCC9E2D51) & 0xFFFFFFFF
    k = (((k << 15) | (k >> 17)) * 0x1B873593) & 0xFFFFFFFF
    return h ^ k


class _Hashes(dict[str, int]):
    """Hashes that were computed once, up to a bound: a stream of texts brings new words for ever."""

    def __init__(self, function: Callable[[str], int]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN_WORDS:
            self.clear()
        value = self._function(word)
        self[word] = value
        return value


_CACHES: dict[Callable[[str], int], _Hashes] = {_word_hash: _Hashes(_word_hash), spark_hash: _Hashes(spark_hash)}


def _hashed(
    texts: Sequence[str], cut: Callable[[str], list[str]], function: Callable[[str], int]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """The hash of every word, and the number of the text that it belongs to."""
    known = _CACHES[function]
    found: list[int] = []
    lengths = np.zeros(len(texts), np.int64)
    for number, text in enumerate(texts):
        of_text = cut(text)
        lengths[number] = len(of_text)
        found.extend(map(known.__getitem__, of_text))
    return np.array(found, np.uint32), np.repeat(np.arange(len(texts)), lengths)


def _sorted(count: int, buckets: int, keys: npt.NDArray[np.int64]) -> Features:
    return Features(np.searchsorted(keys, np.arange(count + 1) * buckets), keys % buckets)

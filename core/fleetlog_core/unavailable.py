"""A part of the server that can't do its work now, and what it lacks in words that any client may read."""

from __future__ import annotations

import errno

_WORDS = {
    errno.ENOSPC: "its disk is full",
    errno.EDQUOT: "its disk quota is used up",
    errno.EFBIG: "a file of it has reached the largest size allowed",
    errno.EMFILE: "it has too many open files",
    errno.ENFILE: "its machine has too many open files",
    errno.ENOMEM: "its memory is used up",
    errno.EAGAIN: "it can start no more threads",
    errno.EIO: "its disk fails",
    errno.EROFS: "its disk is read-only",
    errno.EACCES: "it may not use its files",
    errno.EPERM: "it may not use its files",
}


class PartUnavailable(Exception):
    """The base of LogUnavailable, WarehouseUnavailable and ObjectStoreUnavailable: the same call may succeed later.

    The message is for whoever runs the server: it may hold paths and statements. `shortage` is for clients: what is
    lacking, in words of this module alone; empty when that is not known.
    """

    def __init__(self, *args: object, shortage: str = "") -> None:
        super().__init__(*args)
        self.shortage = shortage


def shortage_of(error: BaseException) -> str:
    """What the machine lacks by an error of the system; empty when the error does not say."""
    if isinstance(error, MemoryError):
        return _WORDS[errno.ENOMEM]
    if isinstance(error, OSError) and error.errno is not None:
        return words_of_errno(error.errno)
    if isinstance(error, RuntimeError) and "new thread" in str(error):
        return _WORDS[errno.EAGAIN]
    return ""


def words_of_errno(number: int) -> str:
    """What the machine lacks by an error number of the system; empty for numbers that are of no shortage."""
    return _WORDS.get(number, "")

"""Addresses as settings hold them: taken apart safely, and never with a password in them.

A password that holds `/`, `?` or `#` ends the host too early for a parser, so that it stands in a place where nobody
looks for one; an address that cannot be read whole is therefore refused, and shown without its inner parts.
"""

import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

_SECRET_OPTION = re.compile(
    r"password|passwd|pass(code|phrase)?$|pwd|secret|token$|access.?key|account.?key|api.?key", re.IGNORECASE
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/?#@\[\]]*)(:(?P<port>[0-9]{1,5})?)?")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[\w.-]*(:[0-9]{1,5})?(/[\w.,=-]*)*")
_SECRET_IN_TEXT = re.compile(r"://[^/@\s]*:[^/@\s]*@")

PASSWORD_ELSEWHERE = "a password does not belong in the address"  # noqa: S105 - a message about one


def parts_of(address: str, *, user: bool = True, several_hosts: bool = False) -> SplitResult:
    """The parts of an address. `ValueError` says why it is none, without showing it: a password, also one that stands
    in an odd place, a user where `user` is false, a host or port that is none."""
    try:
        parts = urlsplit(address)
        secret = bool(parts.password) or any(
            _SECRET_OPTION.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)
        )
    except ValueError:
        raise ValueError("its host cannot be read; special characters are written as %40 for @, %2F for /") from None
    if secret:
        raise ValueError(PASSWORD_ELSEWHERE)
    login, _, hosts = parts.netloc.rpartition("@")
    if login and not user:
        raise ValueError(f"{PASSWORD_ELSEWHERE}, nor does a user")
    for host in hosts.split(",") if several_hosts else [hosts]:
        found = _HOST.fullmatch(host)
        if found is None or int(found["port"] or 0) > 65_535:
            raise ValueError(f"its host or port cannot be read; {PASSWORD_ELSEWHERE}")
    if parts.scheme and parts.scheme not in {"s3", "file"} and "@" in parts.path + parts.query + parts.fragment:
        raise ValueError(f"an @ stands behind its host, where it is written %40; {PASSWORD_ELSEWHERE}")
    return parts


def shown_address(text: str) -> str:
    """The text as an error message may show it: an address that could hold a secret shows only its scheme."""
    if _PLAIN.fullmatch(text) or not re.search(r"[@?#]|:.*[/\[]", text):
        return repr(text)
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+-]*://", text)
    return f"{scheme[0]}... (the rest is not shown)" if scheme else "(not shown)"


def holds_secret(name: str, value: str) -> bool:
    """Whether an option of a program looks like a secret by its name, or by an address with a password as its value.

    The names are those that Spark itself hides on its pages, and some more.
    """
    return bool(_SECRET_OPTION.search(name) or _SECRET_IN_TEXT.search(value))

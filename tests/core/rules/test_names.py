from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
from fleetlog_core import limits
from fleetlog_core.rules.names import (
    check_experiment_name,
    check_key,
    check_keys,
    check_namespace,
    check_run_name,
    check_text,
    check_user,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.refusals import reason_of, refused

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300) | st.text(
    st.sampled_from("ab/.\\%\n\0 -_…\ud800"), max_size=12
)
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@pytest.mark.parametrize(
    "key", ["loss", "train/loss", "a.b", "..a", "a/..b", "ключ", "10%", "a b", "🙂" * 250, "\\", "`"]
)
def test_keys_are_taken(key: str) -> None:
    check_key(key, "key")


@pytest.mark.parametrize(
    ("key", "reason", "told"),
    [
        ("", "KEY_EMPTY", "1 to 250 characters"),
        ("k" * 251, "KEY_TOO_LONG", "251 characters, at most 250"),
        ("k" * 10_000, "KEY_TOO_LONG", "10,000 characters"),
        ("a//b", "KEY_INVALID", "'a//b'"),
        ("/a", "KEY_INVALID", "'/a'"),
        ("a/", "KEY_INVALID", "'a/'"),
        ("../x", "KEY_INVALID", "'../x'"),
        ("a/../x", "KEY_INVALID", "'a/../x'"),
        ("./x", "KEY_INVALID", "'./x'"),
        (".", "KEY_INVALID", "'.'"),
        ("..", "KEY_INVALID", "'..'"),
        ("a\nb", "KEY_INVALID", r"'a\nb'"),
        ("a\0b", "KEY_INVALID", r"'a\x00b'"),
        ("\x1b[31m", "KEY_INVALID", r"'\x1b[31m'"),
        ("a\u2028b", "KEY_INVALID", r"\u2028"),
        ("a\ud800b", "KEY_INVALID", r"\ud800"),
    ],
)
def test_keys_are_refused(key: str, reason: str, told: str) -> None:
    refused(lambda: check_key(key, "metrics"), reason, "metrics", told)


HIDDEN = {
    "pay\u202e001": "U+202E RIGHT-TO-LEFT OVERRIDE",
    "lo\u200bss": "U+200B ZERO WIDTH SPACE",
    "\ufeffloss": "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    "loss\U000e0041": "U+E0041 TAG LATIN CAPITAL LETTER A",
    "\u2066loss\u2069": "U+2066 LEFT-TO-RIGHT ISOLATE",
    "lo\u200dss": "U+200D ZERO WIDTH JOINER",
}


@pytest.mark.parametrize("text", HIDDEN)
def test_what_is_found_by_its_name_has_no_hidden_character(text: str) -> None:
    refused(lambda: check_key(text, "metrics"), "KEY_INVALID", "metrics", ascii(text), HIDDEN[text], "leave it out")
    refused(lambda: check_experiment_name(text), "NAME_INVALID", "name", ascii(text), HIDDEN[text])


@pytest.mark.parametrize("text", ["می\u200cخواهم", "👩\u200d🔬", "❤\ufe0f"])
def test_scripts_and_emoji_keep_their_joiners(text: str) -> None:
    check_key(text, "key")
    check_experiment_name(text)


def test_a_key_of_before_that_has_one_can_be_deleted_and_a_display_name_may_have_one() -> None:
    check_key("pay\u202e001", "keys[0]", written=False)
    check_run_name("pay\u202e001", "name")
    check_user("pay\u202e001", "user")
    # What was passed over once is still refused where it is written.
    refused(lambda: check_key("pay\u202e001", "metrics"), "KEY_INVALID", "metrics")


@given(ANY_TEXT)
def test_a_key_that_is_taken_can_stand_in_a_path_and_a_line(key: str) -> None:
    if reason := reason_of(lambda: check_key(key, "key")):
        assert reason in ("KEY_EMPTY", "KEY_TOO_LONG", "KEY_INVALID")
        return
    assert 1 <= len(key) <= limits.KEY_CHARACTERS
    assert not CONTROL.search(key)
    assert key not in (".", "..")
    assert "/" not in key or not {"", ".", ".."} & set(key.split("/"))
    key.encode()


def test_of_many_keys_the_wrong_one_is_named_however_often_the_others_were_right() -> None:
    for _ in range(2):
        check_keys(["loss", "lr"], "keys[{}]".format)
        refused(lambda: check_keys(["loss", "a//b"], "keys[{}]".format), "KEY_INVALID", "keys[1]")


@pytest.mark.parametrize("name", ["default", "a", "0", "team-a_1", "a" * 64])
def test_namespaces_are_taken(name: str) -> None:
    assert check_namespace(name) == name


def test_no_namespace_is_the_default() -> None:
    assert check_namespace("") == "default"


@pytest.mark.parametrize(
    "name", ["A", "-a", "_a", "a b", "a/b", "../x", "a\n", "a" * 65, "é", "٣", "a.b", "a\0", "' OR 1=1 --", "\ud800"]
)
def test_namespaces_are_refused(name: str) -> None:
    refused(lambda: check_namespace(name, "frame.namespace"), "INVALID_NAMESPACE", "frame.namespace", "1 to 64 of a-z")


@given(ANY_TEXT)
def test_a_namespace_that_is_taken_is_plain(name: str) -> None:
    if reason := reason_of(lambda: check_namespace(name)):
        assert reason == "INVALID_NAMESPACE"
        return
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", check_namespace(name), re.ASCII)


NAMES: list[tuple[Callable[[str, str], None], int]] = [
    (check_run_name, limits.RUN_NAME_CHARACTERS),
    (check_user, limits.USER_CHARACTERS),
    (check_experiment_name, limits.EXPERIMENT_NAME_CHARACTERS),
]


@pytest.mark.parametrize(("check", "limit"), NAMES)
def test_names_of_things(check: Callable[[str, str], None], limit: int) -> None:
    check("x" * limit, "name")
    check("<script>../'; DROP TABLE runs", "name")
    refused(
        lambda: check("x" * (limit + 1), "name"), "NAME_TOO_LONG", "name", f"{limit + 1} characters", f"most {limit}"
    )
    refused(lambda: check("x" * 1_000_000, "name"), "NAME_TOO_LONG", "name", "1,000,000 characters", "…")
    for bad in ("a\nb", "a\0", "a\x7f", "a\x85", "a\u2029", "a\udfff"):
        refused(partial(check, bad, "name"), "NAME_INVALID", "name", ascii(bad))


def test_only_experiments_need_a_name() -> None:
    check_run_name("", "name")
    check_user("", "user")
    for empty in ("", " ", "\t \n"):
        refused(partial(check_experiment_name, empty), "NAME_EMPTY", "name", "1 to 500")


@given(ANY_TEXT)
def test_a_name_that_is_taken_fits_one_line(name: str) -> None:
    for check, limit in NAMES:
        if reason := reason_of(partial(check, name, "name")):
            assert reason in ("NAME_TOO_LONG", "NAME_INVALID", "NAME_EMPTY")
        else:
            assert len(name) <= limit
            assert not CONTROL.search(name)


@pytest.mark.parametrize("text", ["", "a\nb\0", "x" * 16_384, "é" * 8_192, "🙂" * 4_096])
def test_texts_are_taken(text: str) -> None:
    check_text(text, "text")


@pytest.mark.parametrize("text", ["x" * 16_385, "é" * 8_193, "🙂" * 4_097, "\ud800" * 6_000, "\n" * 1_000_000])
def test_texts_are_counted_in_bytes(text: str) -> None:
    refused(lambda: check_text(text, "tags['k']"), "TEXT_TOO_LONG", "tags['k']", "16,384 bytes", "…")

"""Tokens of pages that nobody gave out."""

from __future__ import annotations

import base64

import pytest
from fleetlog.mlflow_plugin.page_tokens import page_start
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchUtils

DEEP = "[" * 100_000


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_token_that_was_given_out_is_read() -> None:
    assert page_start(None) == page_start("") == 0
    assert page_start(SearchUtils.create_page_token(30)) == 30


@pytest.mark.parametrize(
    "token",
    ["x", "\u202e", "a\x00", encoded("[]"), encoded("{}"), encoded('{"offset": -1}'), encoded('{"offset": "x"}'),
     encoded('{"offset": [1]}'), encoded('{"offset": Infinity}'), encoded(DEEP),
     base64.b64encode(b"\xff\xfe").decode()],
    ids=lambda token: ascii(token[:20]),
)  # fmt: skip
def test_a_token_that_is_none_is_refused_whatever_it_holds(token: str) -> None:
    with pytest.raises(MlflowException) as refused:
        page_start(token)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"

from __future__ import annotations

import pytest
from fleetlog._values.model_uris import ModelAddress, model_address, run_address
from fleetlog.errors import InvalidArgument


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("models:/gpt2/3", ModelAddress("gpt2", version=3)),
        ("models:/gpt2/Production", ModelAddress("gpt2", stage="Production")),
        ("models:/gpt2/staging", ModelAddress("gpt2", stage="Staging")),
        ("models:/gpt2/latest", ModelAddress("gpt2")),
        ("models:/gpt2@champion", ModelAddress("gpt2", alias="champion")),
        ("models:/a@b@c", ModelAddress("a@b", alias="c")),
        ("models:/a@b/2", ModelAddress("a@b", version=2)),
        ("models:///with space/1", ModelAddress("with space", version=1)),
    ],
)
def test_an_address_names_a_model_and_which_version(uri: str, address: ModelAddress) -> None:
    assert model_address(uri) == address


@pytest.mark.parametrize(
    "uri",
    [
        "", "gpt2", "models:/", "models:/gpt2", "models:/gpt2/", "models:/gpt2/0", "models:/gpt2/-1", "models:/gpt2@",
        "models:/@a", "models:/gpt2/1/2", "models:/../../etc/passwd", "models:/gpt2/²", "runs:/x/y", "models:gpt2/1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_forms_there_are(uri: str) -> None:
    with pytest.raises(InvalidArgument, match="models:/NAME@ALIAS") as refused:
        model_address(uri)
    assert refused.value.reason == "MODEL_URI_INVALID"


def test_a_source_may_name_a_run_and_a_path() -> None:
    run = "0190a3b4c5d67e8f9a0b1c2d3e4f5061"
    assert run_address(f"runs:/{run}/a/b") == (run, "a/b")
    assert run_address(f"runs:/{run}") == (run, "")
    assert run_address("s3://bucket/x") == ("", "")
    with pytest.raises(InvalidArgument):
        run_address("runs:/../x")

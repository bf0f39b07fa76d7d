"""Secrets never leave the machine by what a run records of itself."""

from __future__ import annotations

import pytest
from fleetlog._capture.masking import MASK, is_secret_name, masked, masked_arguments, without_credentials

TOKENS = [
    "ghp_" + "a1B2" * 9,
    "gho_" + "a1B2" * 9,
    "github_pat_" + "A1b2_" * 8,
    "glpat-" + "x" * 20,
    "sk-" + "abcd1234" * 5,
    "sk-ant-api03-" + "abcd1234" * 5,
    "sk-proj-" + "abcd1234" * 5,
    "AKIA" + "ABCD" * 4,
    "ASIA" + "ABCD" * 4,
    "hf_" + "abCD" * 8,
    "xoxb-" + "1234567890-abc",
    "AIza" + "a" * 35,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "--x={}", "a {} b", '"{}"', "key: {},", "https://host/{}?x=1", "\n+{}\n"])
def test_tokens_of_known_shapes_are_masked_wherever_they_stand(token: str, around: str) -> None:
    shown = masked(around.format(token))
    assert token not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pass@host/x", "https://***@host/x"),
        ("https://token@host/x", "https://***@host/x"),
        ("postgres://me:p%40ss@db:5432/x", "postgres://***@db:5432/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("ssh://git:pass@host/x", "ssh://git:***@host/x"),
        ('password = "hunter22"', 'password = "***"'),
        ("'api_key': 'abcdefgh'", "'api_key': '***'"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+123", "AWS_SECRET_ACCESS_KEY=***"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx",
         "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nx"),
    ],
)  # fmt: skip
def test_passwords_and_keys_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "step 100 loss 0.25 lr=2e-5",
        "2f1e3d4c5b6a79880123456789abcdef01234567",
        "https://host/path?x=1",
        "mail me@example.org",
        "max_tokens = '4096'",
        "tokenizer: 'gpt2-large'",
        "git@github.com:me/repo.git",
        "HOME=/home/me",
        "task-force sketch risk-averse",
        "a @ b at http://localhost:7460",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_values_of_options_that_are_named_so_are_masked_in_a_command() -> None:
    command = ["train.py", "--lr", "0.1", "--api-key", "abc", "--token=abc", "db.password=abc", "--tokenizer", "gpt2"]
    assert masked_arguments(command) == [
        "train.py", "--lr", "0.1", "--api-key", "***", "--token=***", "db.password=***", "--tokenizer", "gpt2",
    ]  # fmt: skip
    assert masked_arguments(["--password", "--verbose", "x"]) == ["--password", "--verbose", "x"]


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "PGPASSWORD", "my-secret"])
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["CUDA_VISIBLE_DEVICES", "max_tokens", "tokenizer", "token_id", "PWDX", "keys"])
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:ghp_x@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://oauth2@gitlab.com/a/b", "https://gitlab.com/a/b"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("ssh://git:pw@host/a", "ssh://git:***@host/a"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("", ""),
    ],
)
def test_a_remote_is_told_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize("word", ["x", "a-", "a.b", "A_"])
def test_a_million_characters_without_a_secret_are_read_once(word: str) -> None:
    """By the square of their number they would take hours."""
    text = word * (500_000 // len(word)) + "=:"
    assert masked(text) == text

"""What may be asked of webhooks."""

from __future__ import annotations

import pytest
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.webhooks import check_webhook_name, check_webhook_url, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "240.0.0.1",
    ],
)  # fmt: skip
def test_an_address_of_a_network_of_ones_own_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "http://example.com/x", "ftp://example.com", "https://", "https:///x", "https://user:hunter2@example.com",
        "https://user@example.com", "https://127.0.0.1/x", "https://[::1]/x", "https://localhost/x",
        "https://LOCALHOST./x", "https://a.localhost/x", "https://169.254.169.254/latest", "https://example.com/a b",
        "https://example.com/\r\nhost: x", "https://example.com:0/", "https://example.com:99999/", "https://[::1",
        "https://example.com/é", "https://example.com/#x", "https://example.com\\@10.0.0.1/", "http://user:hunter2@example.com",
    ],
)  # fmt: skip
def test_a_url_that_is_no_public_https_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_webhook_url(url, allow_http=False, allow_private=False)
    assert refused.value.reason == "URL_INVALID"
    assert "hunter2" not in refused.value.message


def test_a_server_may_allow_http_and_its_own_network() -> None:
    assert check_webhook_url("http://127.0.0.1:8080/x", allow_http=True, allow_private=True).port == 8080
    assert check_webhook_url("https://example.com/x?y=%20", allow_http=False, allow_private=False).query == "y=%20"


def test_a_url_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_webhook_url("https://x/" + "a" * 2_048, allow_http=False, allow_private=False)
    assert refused.value.reason == "URL_TOO_LONG"


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a" * 64, "é", "a\n"])
def test_a_name_of_other_characters_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        check_webhook_name(name)

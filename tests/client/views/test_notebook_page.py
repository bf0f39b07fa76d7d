"""The examples of docs/notebook.md, against a server with a web UI."""

from __future__ import annotations

import re
from pathlib import Path

import fleetlog
import pytest

PAGE = (Path(__file__).parents[3] / "docs/notebook.md").read_text(encoding="utf-8")
NAMESPACE = "notebook"


def test_the_examples_show_runs_with_curves_and_links(
    embedded_target: str, embedded_web: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETLOG_TARGET", embedded_target)
    monkeypatch.setenv("FLEETLOG_NAMESPACE", NAMESPACE)
    with fleetlog.start_run("speedrun", "baseline", params={"lr": 0.1}) as run:
        shown = run._repr_html_()
        for step in range(5):
            run.log({"val_loss": 4.0 - step}, step=step)
    run.flush(level="applied")
    page = f"http://127.0.0.1:{embedded_web}/n/{NAMESPACE}/runs/{run.id}"
    assert f'href="{page}"' in shown
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "docs/notebook.md", "exec"), names)
    client = names["client"]
    assert isinstance(client, fleetlog.Client)
    assert client.run_url(run) == page
    lists = [
        client.search_runs(experiments="speedrun", order_by="metrics.val_loss", limit=5)._repr_html_(),
        client.search_runs(experiments="speedrun", limit=None)._repr_html_(),
    ]
    for html in [str(names["html"]), *lists, client.select(minimize="metrics.val_loss")._repr_html_()]:
        assert f'href="{page}"' in html
        assert "baseline" in html
    assert all("<polyline" in html for html in lists)

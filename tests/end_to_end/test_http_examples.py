"""The examples of docs/http.md are run as they stand, but for the address."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import fleetlog
import pytest

from tests.servers import REQUIRED

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
ADDRESS = "http://localhost:7461"


def example(language: str, web: int) -> str:
    """All blocks of the page in the language, one after another."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    text = "\n".join(blocks)
    assert ADDRESS in text
    return text.replace(ADDRESS, f"http://127.0.0.1:{web}")


def ran(command: list[str], text: str, suffix: str, folder: Path) -> str:
    """What the program prints. It ends well."""
    file = folder / f"example.{suffix}"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([*command, file.name], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_curl_logs_a_run_a_metric_and_a_file_and_searches(
    embedded_target: str, embedded_web: int, scratch: Path
) -> None:
    out = ran(["bash", "-euo", "pipefail"], example("bash", embedded_web), "sh", scratch)
    answers, place = [], 0
    while out[place] == "{":
        answer, place = json.JSONDecoder().raw_decode(out, place)
        answers.append(answer)
    started, filed, found = answers
    assert started["runId"] == filed["runId"] == found["runs"][0]["runId"]
    assert out[place:] == "it went well\n"
    client = fleetlog.Client(embedded_target)
    run = client.get_run(started["runId"])
    assert (run.name, run.state, run.metrics["loss"]) == ("from curl", "FINISHED", 0.7)
    assert dict(run.params) == {"lr": 0.001, "layers": 12, "optimizer": "adam"}


def test_javascript_logs_and_reads_a_series(embedded_target: str, embedded_web: int, scratch: Path) -> None:
    if shutil.which("node"):
        command = ["node"]
    elif shutil.which("deno"):
        command = ["deno", "run", "--quiet", "--allow-net=127.0.0.1"]
    else:
        assert not REQUIRED, "neither node nor deno is here"
        pytest.skip("neither node nor deno is here")
    out = ran(command, example("js", embedded_web), "mjs", scratch)
    assert out.startswith("loss [ 1, 0.5, 0.33"), out

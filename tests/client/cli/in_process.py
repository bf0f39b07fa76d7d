"""The command line in the test's own process: a command costs no start of Python. Its output is a pipe."""

from __future__ import annotations

import contextlib
import io
import sys

import fleetlog_deploy.cli  # noqa: F401
import pytest
from fleetlog.cli.app import run_app

from tests.client.cli.terminal import Answer


def said(target: str, *arguments: str) -> Answer:
    """What a command said, and its exit code."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setenv("FLEETLOG_TARGET", target)
        patch.setattr(sys, "argv", ["fleetlog", *arguments])
        code = run_app()
        out.flush()
        err.flush()
    texts = [stream.buffer.getvalue().decode() for stream in (out, err) if isinstance(stream.buffer, io.BytesIO)]
    return Answer(code, *texts)

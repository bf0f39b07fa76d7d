"""Builds the web UI: TypeScript and styles into query/fleetlog_query/web/static, which the wheel has and git has not.

python web/build.py            needs deno, which is on PyPI: pip install 'fleetlog[ui]'
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
STATIC = ROOT.parent / "query" / "fleetlog_query" / "web" / "static"
STYLES = ("base.css", "runs.css", "run.css", "models.css", "select.css")
MOST_BYTES = 150_000
"""Maximum of the bundle, compressed; a page that needs longer to arrive is not first seen within its budget."""


def main() -> int:
    """Build; the exit code."""
    deno = find_deno()
    if deno is None:
        print("web: deno is missing: pip install 'fleetlog[ui]', and `make ui` again", file=sys.stderr)
        return 1
    build(deno, STATIC)
    size = sum(len(gzip.compress(path.read_bytes(), 9)) for path in STATIC.iterdir())
    print(f"web: {size / 1000:.0f} kB compressed, in {STATIC}")
    if size > MOST_BYTES:
        print(f"web: that is more than {MOST_BYTES / 1000:.0f} kB", file=sys.stderr)
        return 1
    return 0


def find_deno() -> str | None:
    """The tool beside this interpreter, or on the path; None where there is none."""
    beside = Path(sys.executable).parent / "deno"
    return str(beside) if beside.exists() else shutil.which("deno")


def build(deno: str, static: Path) -> None:
    """Write the files of the page into a folder that has nothing else. CalledProcessError when the code is wrong."""
    made = static.with_name(f"{static.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    script = made / "app.js"
    subprocess.run(
        [deno, "bundle", "--quiet", "--frozen", "--minify", "--platform", "browser", "-o", script, "src/main.tsx"],
        check=True,
        cwd=ROOT,
    )
    (made / "app.css").write_text("".join((ROOT / "style" / name).read_text() for name in STYLES))
    for name in ("index.html", "icon.svg"):
        shutil.copyfile(ROOT / name, made / name)
    shutil.rmtree(static, ignore_errors=True)
    made.rename(static)


if __name__ == "__main__":
    raise SystemExit(main())

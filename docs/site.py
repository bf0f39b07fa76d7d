"""Hook of MkDocs (mkdocs.yml): pages of the site that stand elsewhere in the repository, and links between all of them.

Links are written as they work in the repository. Here they become links between pages; what they name that is no page,
such as a source file, stays as its text. A link that names nothing fails the build.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "deploy/README.md": "deploy.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/HISTORY.md": "benchmarks_history.md",
}
"""Files of the repository outside docs/, and what they are on the site."""
REFERENCE = "reference.md"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the reference of all that `fleetlog` offers."""
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    files.append(File.generated(config, REFERENCE, content=reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are between pages of the site."""
    uri = page.file.src_uri
    standing = next((path for path, other in PAGES.items() if other == uri), f"docs/{uri}")
    return _LINK.sub(lambda link: _relinked(link, standing, uri), markdown)


def _relinked(link: re.Match[str], standing: str, uri: str) -> str:
    text, target, anchor = link[1], link[2], link[3] or ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(standing), target))
    if not (ROOT / path).exists():
        raise PluginError(f"{standing}: {target} is not there")
    if (ROOT / path).is_dir() and f"{path}/README.md" in PAGES:
        path = f"{path}/README.md"
    elif path == "docs/decisions":
        path = "docs/decisions/README.md"
    found = PAGES.get(path) or (path.removeprefix("docs/") if re.fullmatch(r"docs/.*\.md", path) else None)
    return text if found is None else f"[{text}]({posixpath.relpath(found, posixpath.dirname(uri) or '.')}{anchor})"


def reference() -> str:
    """One heading for each name of `fleetlog.__all__`, the entry points first."""
    tree = ast.parse((ROOT / "client/fleetlog/__init__.py").read_text(encoding="utf-8"))
    names: list[str] = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    first = [name for name in ("start_run", "Run", "Client", "flush") if name in names]
    others = sorted(set(names) - set(first))
    return "# Reference\n\n" + "\n\n".join(f"::: fleetlog.{name}" for name in (*first, *others)) + "\n"

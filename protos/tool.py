"""Generates fleetlog_proto and the messages of the web UI from the .proto files, and checks the contract.

    python protos/tool.py generate     writes protos/python/fleetlog_proto, web/contract, and OpenAPI of the contract
                                       (openapi.py)
    python protos/tool.py check        fails when the generated code is stale, when buf lint complains, or when
                                       the contract broke since the last tag

protoc writes `from fleetlog.v1 import …`, after the proto package. The import package is fleetlog_proto, because
`fleetlog` is what users import; so the imports of the generated code are rewritten.

The TypeScript in web/contract is made by protoc-gen-es, which deno takes from the npm registry. It has the messages of
google.rpc that the contract names, too.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
GENERATED = ROOT / "python" / "fleetlog_proto"
GENERATED_TYPESCRIPT = ROOT.parent / "web" / "contract"
PROTOC_GEN_ES = "npm:@bufbuild/protoc-gen-es@2.17.0"
OPENAPI = ROOT.parent / "query" / "fleetlog_query" / "web" / "openapi.json"


def main(verb: str) -> int:
    if verb == "generate":
        shutil.rmtree(GENERATED, ignore_errors=True)
        generate(ROOT, GENERATED)
        shutil.rmtree(GENERATED_TYPESCRIPT, ignore_errors=True)
        generate_typescript(ROOT, GENERATED_TYPESCRIPT)
        openapi(ROOT, OPENAPI)
        return 0
    if verb == "check":
        return check()
    print(__doc__, file=sys.stderr)
    return 2


def generate(sources: Path, package: Path) -> None:
    """Compile the protos under `sources` into the import package at `package`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        protoc(
            sources,
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--mypy_out={out}",
            f"--mypy_grpc_out={out}",
        )
        target = package / "v1"
        target.mkdir(parents=True)
        (package / "__init__.py").write_text('"""Generated from protos/. Never edited."""\n')
        (target / "__init__.py").write_text("")
        (package / "py.typed").write_text("")
        for file in sorted((out / "fleetlog" / "v1").iterdir()):
            text = file.read_text()
            text = re.sub(r"\bfleetlog\.v1 import (\w+_pb2)", r"fleetlog_proto.v1 import \1", text)
            text = text.replace("import fleetlog.v1", "import fleetlog_proto.v1")
            (target / file.name).write_text(text)


def generate_typescript(sources: Path, target: Path) -> None:
    """Compile the protos under `sources` into the TypeScript modules at `target`."""
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        # protoc starts a plugin without arguments, so that deno needs a program of its own.
        plugin = Path(folder) / "protoc-gen-es"
        deno = Path(sys.executable).parent / "deno"
        plugin.write_text(
            f'#!/bin/sh\nexec "{deno}" run --quiet --no-lock --allow-env --allow-read {PROTOC_GEN_ES} "$@"\n'
        )
        plugin.chmod(0o755)
        protoc(
            sources,
            f"--plugin=protoc-gen-es={plugin}",
            f"--es_out={target}",
            "--es_opt=target=ts,import_extension=ts",
            "google/rpc/status.proto",
        )


def openapi(sources: Path, target: Path) -> None:
    """Write what openapi.py makes of the protos under `sources`."""
    with tempfile.TemporaryDirectory() as folder:
        told = image(sources, Path(folder) / "image.binpb")
        subprocess.run([sys.executable, str(ROOT / "openapi.py"), str(told), str(target)], check=True)


def protoc(sources: Path, *options: str) -> None:
    spec = find_spec("google.rpc")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("googleapis-common-protos is not installed: pip install -e '.[dev]'")
    google = Path(next(iter(spec.submodule_search_locations))).parents[1]
    files = sorted(str(path.relative_to(sources)) for path in (sources / "fleetlog").rglob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{sources}", f"-I{google}", *options, *files],
        check=True,
        cwd=sources,
        # protoc looks for protoc-gen-mypy on the path; it is beside this interpreter.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"},
    )


def image(sources: Path, target: Path) -> Path:
    protoc(sources, "--include_imports", "--include_source_info", f"--descriptor_set_out={target}")
    return target


def check() -> int:
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        generate(ROOT, scratch / "fleetlog_proto")
        if differs(scratch / "fleetlog_proto", GENERATED):
            print("protos/python is stale: run `make protos` and commit it", file=sys.stderr)
            failures += 1
        generate_typescript(ROOT, scratch / "contract")
        if differs(scratch / "contract", GENERATED_TYPESCRIPT):
            print("web/contract is stale: run `make protos` and commit it", file=sys.stderr)
            failures += 1
        openapi(ROOT, scratch / "openapi.json")
        if not OPENAPI.is_file() or not filecmp.cmp(scratch / "openapi.json", OPENAPI, shallow=False):
            print(f"{OPENAPI.relative_to(ROOT.parent)} is stale: run `make protos` and commit it", file=sys.stderr)
            failures += 1
        today = image(ROOT, scratch / "today.binpb")
        failures += buf("lint", str(today))
        tag = last_tag()
        if tag:
            before = scratch / "before"
            before.mkdir()
            archive = subprocess.run(
                ["git", "archive", tag, "protos/fleetlog"], check=True, capture_output=True, cwd=ROOT.parent
            )
            subprocess.run(["tar", "-x", "-C", str(before)], input=archive.stdout, check=True)
            failures += buf("breaking", str(today), "--against", str(image(before / "protos", scratch / "tag.binpb")))
    return 1 if failures else 0


def differs(left: Path, right: Path) -> bool:
    if not right.is_dir():
        return True
    names = {str(p.relative_to(left)) for p in left.rglob("*") if p.is_file()}
    others = {str(p.relative_to(right)) for p in right.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    return names != others or any(not filecmp.cmp(left / n, right / n, shallow=False) for n in names)


def buf(verb: str, *arguments: str) -> int:
    command = Path(sys.executable).parent / "buf"
    done = subprocess.run([str(command), verb, *arguments, "--config", str(ROOT / "buf.yaml")], check=False)
    return int(done.returncode != 0)


def last_tag() -> str:
    done = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], check=False, capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) == 2 else ""))

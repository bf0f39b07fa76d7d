"""Configs of Hydra and OmegaConf as params: log_config(cfg, run), in a function under @hydra.main."""

from __future__ import annotations

import sys
from typing import Any

from omegaconf import OmegaConf

from fleetlog import Run
from fleetlog._capture.masking import MASK, is_secret_name, masked


def log_config(config: Any, run: Run, *, prefix: str = "") -> None:
    """Log a config: its leaves as params, such as optimizer.lr, and the whole as config.yaml.

    References are resolved; what is missing (???) is left out. Values of keys such as `password` and `api_token` are
    masked. Under Hydra the run gets tags: hydra.job, hydra.overrides, hydra.folder.

    Args:
        config: A config of OmegaConf.
        run: The run.
        prefix: Before each key, with a dot between.

    """
    plain = _without_secrets(OmegaConf.to_container(config, resolve=True, throw_on_missing=False))
    run.log_params({prefix: plain} if prefix else plain)
    run.log_text(OmegaConf.to_yaml(OmegaConf.create(plain)), "config.yaml")
    run.set_tags(_hydra_tags())


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {
            key: _without_secrets(one, str(key)) for key, one in value.items() if one != "???"
        }  # fmt: skip
    if isinstance(value, list):
        return [_without_secrets(one, name) for one in value]
    if isinstance(value, str):
        return MASK if value and is_secret_name(name) else masked(value)
    return value


def _hydra_tags() -> dict[str, str]:
    """What Hydra says of the job; nothing when it does not run."""
    if "hydra.core.hydra_config" not in sys.modules:
        return {}
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return {}
    hydra = HydraConfig.get()
    overrides = [masked(one) for one in hydra.overrides.task if not is_secret_name(one.partition("=")[0])]
    return {
        "hydra.job": hydra.job.name,
        "hydra.overrides": " ".join(overrides),
        "hydra.folder": hydra.runtime.output_dir,
    }

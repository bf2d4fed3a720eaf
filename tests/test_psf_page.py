"""The page on PSFs is what the models say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from deconlab.psf import PRESETS, registry


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_the_page_is_current_and_names_every_model_and_preset() -> None:
    script = Path(__file__).parents[1] / "docs" / "make_psf_page.py"
    spec = importlib.util.spec_from_file_location("make_psf_page", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(), "a PSF model changed: run python docs/make_psf_page.py --pictures"
    for name, cls in registry.all().items():
        assert text.count(f"\n### {name}\n") == 1
        assert all(f"https://doi.org/{doi}" in text for doi in cls.references)
    for name, preset in PRESETS.items():
        [row] = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert all(key in row for key in preset.values)
    assert all((module.DATA / picture).exists() for picture in ("models.png", "confocal.png"))

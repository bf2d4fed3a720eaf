"""The methods' page is what the methods say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from deconlab.methods import registry


def test_the_page_is_current_and_names_every_method() -> None:
    script = Path(__file__).parents[1] / "docs" / "make_methods_page.py"
    spec = importlib.util.spec_from_file_location("make_methods_page", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.PAGE.read_text(encoding="utf-8")
    assert text == module.page(), "a method changed: run python docs/make_methods_page.py"
    for name, cls in registry.all().items():
        assert text.count(f"\n### {name}\n") == 1
        assert all(f"https://doi.org/{doi}" in text for doi in cls.references)

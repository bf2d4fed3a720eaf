"""The worked example of CONTRIBUTING.md is a method that passes the contracts."""

import importlib
import re
from pathlib import Path

import deconlab.methods
from deconlab.methods import registry
from deconlab.testing import check_method


def test_the_worked_example_is_found_and_keeps_the_contracts(tmp_path, monkeypatch):
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    source = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    (tmp_path / "relaxed_richardson_lucy.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(deconlab.methods, "__path__", [*deconlab.methods.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    assert "relaxed-richardson-lucy" in registry.names()
    cls = registry.get("relaxed-richardson-lucy")
    assert registry.name_of(cls) == "relaxed-richardson-lucy"
    check_method(cls)
    registry._loaded.pop("relaxed-richardson-lucy")

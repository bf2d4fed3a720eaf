"""Flags generated from declarations: complete, typed, bounded, and without clashes in any combination."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner

from deconlab import api, functionals, methods, psf, schema
from deconlab.cli import main
from deconlab.cli._generated import run_flags
from deconlab.cli.flags import gather, options, peek
from deconlab.functionals import Prior
from deconlab.psf._modality import DEFAULT
from deconlab.units import Doc, Ge, Gt, Le, Um

PAIRS = [(name, prior) for name, cls in methods.registry.all().items() for prior in methods.admissible_priors(cls)]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("method", "prior"), PAIRS)
def test_no_flag_is_declared_twice_in_any_combination(method: str, prior: str) -> None:
    for model in psf.registry.names():
        context = click.Context(main)
        command = main.get_command(context, "run")
        assert command is not None
        found = [
            *command.params,
            *run_flags(["--method", method, "--prior", prior, "--psf-model", model]),
        ]
        names = Counter(name for flag in found for name in (*flag.opts, *flag.secondary_opts))
        assert [name for name, times in names.items() if times > 1] == []
        variables = Counter(flag.name for flag in found)
        assert [name for name, times in variables.items() if times > 1] == []


def test_every_prior_and_data_term_of_the_registry_is_reachable() -> None:
    reachable = set(
        itertools.chain.from_iterable(methods.admissible_priors(cls) for cls in methods.registry.all().values())
    )
    declared = {name for name, cls in functionals.registry.all().items() if issubclass(cls, Prior)}
    assert reachable == declared


@pytest.mark.parametrize(("method", "prior"), PAIRS)
def test_help_lists_every_declared_parameter_with_unit_bounds_and_default(method: str, prior: str) -> None:
    entries = re.split(r"\n  (?=-)", run("run", "--method", method, "--prior", prior, "--help"))
    cls = methods.registry.get(method)
    declaring = api.parts(cls, functionals.registry.get(prior))
    if issubclass(cls, methods.DirectMethod):
        declaring = {part: declaring[part] for part in ("method", "prior", "counts")}  # there is nothing to stop
    for part, owner in [*declaring.items(), ("psf", psf.registry.get(DEFAULT))]:
        for parameter in schema.parameters(owner):
            [shown] = [squeezed(entry) for entry in entries if re.match(rf"{parameter.flag}\s", entry)]
            assert squeezed(parameter.help).lower() in shown.lower()
            assert f"[{parameter.unit}" in shown
            assert squeezed(parameter.bounds) in shown
            if parameter.default not in (schema.REQUIRED, None, True, False) and part in ("method", "prior", "counts"):
                value = parameter.default if isinstance(parameter.default, str) else f"{parameter.default:g}"
                assert f"default:{value}" in shown


def squeezed(text: str) -> str:
    """Without white space, since help texts are wrapped, at hyphens too."""
    return "".join(text.split())


def test_help_stands_under_headings() -> None:
    text = run("run", "--method", "tikhonov-miller", "--help")
    headings = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Input", "Method", "Prior", "PSF", "Camera", "Stopping", "Output", "Computing", "General"]
    assert text.index("Prior:") < text.index("--weight ") < text.index("PSF:") < text.index("--na")


def test_flags_are_those_of_the_psf_model_that_is_named() -> None:
    assert "--fwhm-um" not in run("run", "--help")
    text = run("run", "--psf-model=gaussian", "--help")
    assert "--fwhm-um" in text
    assert "--emission-nm" not in text


@dataclass(frozen=True)
class Sample:
    step: Annotated[float, Gt(0), Le(2), Doc("how far")] = 1.0
    count: Annotated[int, Ge(1), Doc("how many")] = 3
    level: Annotated[float | Literal["auto"], Ge(0), Doc("how high")] = 0.0
    edges: Annotated[Literal["taper", "window"], Doc("how it ends")] = "taper"
    smooth: Annotated[bool, Doc("whether smooth")] = True
    shift_um: Annotated[tuple[Um, Um], Doc("how far aside")] = (0.0, 0.5)
    depth_um: Annotated[Um | None, Doc("how deep")] = None


def parse(*arguments: str) -> dict[str, object]:
    command = click.Command("sample", params=list(options(Sample, "Method")))
    return {k: v for k, v in command.make_context("sample", list(arguments)).params.items() if v is not None}


def test_values_are_read_by_their_declaration_and_defaults_left_to_it() -> None:
    assert parse() == {}
    assert parse("--step", "0.5", "--count", "7", "--level", "auto", "--edges", "window", "--no-smooth") == {
        "step": 0.5, "count": 7, "level": "auto", "edges": "window", "smooth": False,
    }  # fmt: skip
    assert parse("--shift-um", "1", "-2", "--level", "3") == {"shift_um": (1.0, -2.0), "level": 3.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--step", "0"), "--step must be > 0 and <= 2, not 0.0"),
        (("--step", "nan"), "--step must be > 0 and <= 2, not nan"),
        (("--step", "far"), "--step must be a number, not 'far'"),
        (("--count", "2.5"), "--count must be a whole number, not '2.5'"),
        (("--count", "0"), "--count must be >= 1, not 0"),
        (("--level", "low"), "--level must be a number or auto, not 'low'"),
        (("--edges", "cut"), "--edges must be one of taper, window, not 'cut'"),
        (("--depth-um", "deep"), "--depth-um must be a number in µm, not 'deep'"),
        (("--setp", "1"), "No such option"),
    ],
)
def test_a_bad_value_names_flag_rule_and_value(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(click.UsageError) as raised:
        parse(*arguments)
    assert message in raised.value.format_message()


def test_peek_reads_a_flag_before_the_parser() -> None:
    assert peek(["a.tif", "--method", "wiener"], "--method") == "wiener"
    assert peek(["--method=wiener", "--method=landweber"], "--method") == "landweber"
    assert peek(["a.tif", "--", "--method", "wiener"], "--method") is None
    assert peek(["--method"], "--method") is None


def test_gather_joins_the_numbers_of_one_option() -> None:
    flags = ("--voxel-um",)
    assert gather(["--voxel-um", "0.2", "0.1", "0.1", "a.tif"], flags) == ["--voxel-um", "0.2,0.1,0.1", "a.tif"]
    assert gather(["--voxel-um", "1", "2", "3", "4"], flags) == ["--voxel-um", "1,2,3", "4"]
    assert gather(["--voxel-um", "a.tif"], flags) == ["--voxel-um", "a.tif"]
    assert gather(["--voxel-um"], flags) == ["--voxel-um"]


def test_methods_lists_every_method_and_describes_each() -> None:
    listing = run("methods")
    for name, cls in methods.registry.all().items():
        assert name in listing
        text = run("methods", name)
        for doi in cls.references:
            assert f"https://doi.org/{doi}" in text
        for parameter in schema.parameters(cls):
            assert parameter.flag in text
        assert methods.claims(cls).fidelity.__name__ in text


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(main, ["methods", "richardson-lusy"])
    assert result.exit_code == 1
    assert "Unknown method 'richardson-lusy'. Did you mean 'richardson-lucy'?" in result.output
    result = CliRunner().invoke(main, ["run", "a.tif", "--method", "weiner"])
    assert result.exit_code == 2
    assert "Did you mean 'wiener'?" in result.output
    result = CliRunner().invoke(main, ["run", "a.tif", "--prior", "laplacian"])
    assert result.exit_code == 2
    assert "richardson-lucy cannot use the prior 'laplacian': there is zero alone." in result.output

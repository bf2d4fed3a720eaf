"""Camera units and the background's estimate."""

import pytest
import torch

from deconlab.counts import Counts, estimated_background


def test_electrons_and_back():
    counts = Counts(offset=100, gain=2.0, background=10)
    adu = torch.tensor([100.0, 120.0, 300.0])
    electrons = counts.electrons(adu)
    assert torch.equal(electrons, torch.tensor([0.0, 10.0, 100.0]))
    assert torch.equal(counts.image_units(electrons), adu - 100)
    assert counts.background_electrons(electrons) == 5.0


@pytest.mark.parametrize(("shape", "tolerance"), [((16, 64, 64), 0.06), ((128, 128), 0.12)])
def test_an_even_background_is_found(shape, tolerance):
    torch.manual_seed(0)
    image = torch.full(shape, 20.0)
    image[..., : shape[-1] // 3] = 400.0  # a third of the image is bright
    image = torch.poisson(image)
    assert estimated_background(image) == pytest.approx(20.0, rel=tolerance)


def test_masked_voxels_do_not_count_as_dark():
    torch.manual_seed(0)
    image = torch.poisson(torch.full((64, 64), 50.0))
    weights = torch.ones_like(image)
    image[:32], weights[:32] = 0.0, 0.0
    assert Counts(background="auto").background_electrons(image, weights) == pytest.approx(50.0, rel=0.1)
    assert Counts(background="auto").background_electrons(image) == 0.0


def test_negative_offsets_of_the_estimate_are_zero():
    assert estimated_background(torch.full((8, 8), -3.0)) == 0.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gain": 0}, r"Counts: gain must be > 0 ADU/e⁻, not 0"),
        ({"gain": float("nan")}, r"gain must be > 0"),
        ({"read_noise": -1}, r"read_noise must be >= 0 e⁻, not -1"),
        ({"background": -5}, r"background must be >= 0, not -5"),
    ],
)
def test_impossible_values(given, message):
    with pytest.raises(ValueError, match=message):
        Counts(**given)


def test_a_word_that_is_none():
    with pytest.raises(TypeError, match=r"background must be a number or 'auto', not 'automatic'"):
        Counts(background="automatic")

"""What an integrator may choose."""

import pytest

from rtl.shared.options import PLAIN, Options, OptionsError


def test_the_plain_chip_has_no_parity():
    assert Options() == PLAIN and not PLAIN.parity
    assert Options(protection="parity").parity


@pytest.mark.parametrize("pins", [(-1, 0), (0, 1025)])
def test_pins_have_a_limit(pins):
    Options(ram_pins=(0, 1024))
    with pytest.raises(OptionsError, match="of ram_pins must be 0 to 1024 for each block RAM, not"):
        Options(ram_pins=pins)


def test_what_there_is_not_is_refused_with_what_there_is():
    with pytest.raises(OptionsError, match="must be one of none, parity, not 'ecc'"):
        Options(protection="ecc")  # type: ignore[arg-type]

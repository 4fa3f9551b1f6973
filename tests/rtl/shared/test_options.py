"""What an integrator may choose."""

import pytest

from rtl.shared.options import PLAIN, Options, OptionsError


def test_the_plain_chip_has_no_parity():
    assert Options() == PLAIN and not PLAIN.parity
    assert Options(protection="parity").parity


def test_what_there_is_not_is_refused_with_what_there_is():
    with pytest.raises(OptionsError, match="must be one of none, parity, not 'ecc'"):
        Options(protection="ecc")  # type: ignore[arg-type]

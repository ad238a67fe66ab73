"""What may be chosen about training a whole network on one scene."""

import pytest

from reloc.errors import OptionError
from reloc.methods.dsacstar import DsacStarOptions


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"width": 8193},
        {"width": 8192, "blocks": 4},
        {"width": 4096, "short_side": 1440},
        {"blocks": 65},
        {"short_side": 31},
    ],
)
def test_networks_that_no_map_may_hold_are_refused(change):
    with pytest.raises(OptionError) as caught:
        DsacStarOptions(**change)
    assert next(iter(change)).replace("_", "-") in str(caught.value)

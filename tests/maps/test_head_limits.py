"""How large a head may be: options refuse what the reader of a map would."""

import numpy as np
import pytest

from reloc.errors import MapError, OptionError
from reloc.heads import MlpHead
from reloc.maps import Region, SceneMap, head_limits
from reloc.maps.head_limits import check_mlp_options


@pytest.mark.parametrize(("width", "allowed"), [(16, True), (32, False)])
def test_options_refuse_what_the_reader_of_a_map_does(tmp_path, monkeypatch, width, allowed):
    monkeypatch.setattr(head_limits, "MAX_ACTIVATIONS", 60**2 * 16)
    region = Region(MlpHead(channels=6, width=width, blocks=1), np.zeros(3))
    path = tmp_path / "map.safetensors"
    SceneMap((region,), "own-1", 480, 1.0, "unknown", ()).save(path)
    if allowed:
        check_mlp_options(width=width, blocks=1, short_side=480, least_side=64)
        assert SceneMap.load(path).short_side == 480
        return
    with pytest.raises(OptionError, match="too large"):
        check_mlp_options(width=width, blocks=1, short_side=480, least_side=64)
    with pytest.raises(MapError, match="too large"):
        SceneMap.load(path)

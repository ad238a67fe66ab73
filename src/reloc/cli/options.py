"""The options that verbs share."""

from pathlib import Path
from typing import Annotated

import tyro

# How tyro reads the arguments of every verb.
CONFIG = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)

ImageFolder = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="DIR",
        help="Folder of the scene's images, where it is not the one that the layout has.",
    ),
]

"""The option that says where the images of a scene are, of all verbs that open one."""

from pathlib import Path
from typing import Annotated

import tyro

ImageFolder = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="DIR",
        help="Folder of the scene's images, where it is not the one that the layout has.",
    ),
]

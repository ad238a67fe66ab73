"""The options of ``reloc map`` that say how: the method, its settings, and what goes with which."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from reloc.cli.arguments import Duration, Omittable
from reloc.cli.options import File, given
from reloc.errors import OptionError
from reloc.landmarks.building import LandmarkOptions
from reloc.methods.ace import preset_options
from reloc.methods.ace.options import Preset
from reloc.methods.dsacstar import DsacStarOptions, Supervision
from reloc.methods.mapping_plan import MethodOptions
from reloc.methods.ridge import DRAFT, RidgeOptions
from reloc.methods.ridge.options import Targets


@dataclass(frozen=True)
class MapOptions:
    """How the place is mapped.

    Attributes:
        method: mlp trains a head in minutes; ridge fits one in closed form, in seconds;
            dsacstar trains the whole network, for days unless steps or time-limit say less. By
            default mlp, but ridge for a draft without options of a training.
        targets: What ridge fits to: the viewing rays of the poses alone, or depth images too.
        supervision: What dsacstar learns from: poses alone (rgb); depth images or the points of a
            COLMAP model too (depth); depth images only, for queries with depth (rgbd).
        steps: Of dsacstar, an image each; by default 1,100,000.
        learning_rate: Of dsacstar before it trains for the pose; by default 1e-4.
        preset: How much work to put in at most; draft is seconds on a laptop, standard minutes.
            Mapping to the same file again improves a draft and keeps its landmarks.
        until: What photos that are held back have to reach, such as '2cm 1deg' (half of them),
            or 95% (within 25 cm or 3 % of the extent, and 5 degrees), '95% 2cm 1deg' or, without
            metres, '0.5%extent'. By default mapping goes on as long as they gain by it.
        time_limit: To be done in, as 5m, 1h30m or seconds; plans the work to end within it on this
            machine. The map may be good before. By default the preset bounds the work.
        heads: Part the place among so many heads; auto lets what is seen of it decide.
        width: Of the heads' hidden layers; by default as wide as 4 MB allow, 480 for one head.
        blocks: Residual blocks of the head, three layers each; by default 2.
        seed: Of everything random; the same seed gives the same map on a CPU.
        buffer_gb: Memory for features in GB; what does not fit goes to a temporary file. By
            default 2, and 8 with the preset full.
        resume: Go on with a mapping that was interrupted.
        landmarks: Keep so many points of the place that make poses exact, 50 bytes each; 0
            keeps none. From their descriptors something of the photos can be made out.
        film: Film the mapping, then the queries: .mp4, .gif, or a new folder of pictures.
        growth: Keep how the map grew in this file, some 10 MB, for `reloc film`.

    Raises:
        OptionError: options that the method does not take.
    """

    method: Literal["auto", "mlp", "ridge", "dsacstar"] = "auto"
    targets: Targets = "rays"
    supervision: Supervision = "rgb"
    steps: Omittable[int] = None
    learning_rate: Omittable[float] = None
    preset: Preset = "standard"
    until: Omittable[str] = None
    time_limit: Duration = None
    heads: Literal["auto"] | int = "auto"
    width: Omittable[int] = None
    blocks: Omittable[int] = None
    seed: int = 0
    buffer_gb: Omittable[float] = None
    resume: bool = False
    landmarks: int = LandmarkOptions.count
    film: Annotated[Omittable[Path], tyro.conf.arg(metavar="FILM")] = None
    growth: File = None

    def __post_init__(self) -> None:
        self.landmark_options()
        several, watched, method = self.heads not in ("auto", 1), self.watched, self.chosen_method
        if method == "ridge":
            if self.resume or self.time_limit is not None or several:
                raise OptionError(
                    "ridge takes seconds and one head: leave out resume, time-limit and heads"
                )
            if self.until is not None:
                raise OptionError("ridge takes the same seconds for any map: leave out until")
            if watched:
                raise OptionError("ridge has no training to watch; film its map with `reloc film`")
        if method == "mlp" and self.targets != "rays":
            raise OptionError(f"targets {self.targets} is for --method ridge")
        if method == "dsacstar":
            if self.until is not None:
                raise OptionError("dsacstar has a schedule of its own: leave out until")
            if several or watched:
                raise OptionError(
                    "dsacstar trains one head and is not filmed: leave out heads, film and growth"
                )
        elif self.supervision != "rgb" or self.steps is not None or self.learning_rate is not None:
            raise OptionError("supervision, steps and learning-rate are for --method dsacstar")

    def landmark_options(self) -> LandmarkOptions:
        """How landmarks are made. Raises OptionError for an impossible number."""
        return LandmarkOptions(count=self.landmarks)

    @property
    def chosen_method(self) -> Literal["mlp", "ridge", "dsacstar"]:
        """The method, where ``auto`` leaves it open too."""
        if self.method != "auto":
            return self.method
        trained = (self.until, self.time_limit, self.width, self.blocks, self.buffer_gb, self.steps)
        fitted = self.preset == "draft" and self.heads == "auto" and not self.resume
        fitted &= not self.watched and all(option is None for option in trained)
        return "ridge" if fitted else "mlp"

    @property
    def watched(self) -> bool:
        """Whether the training is recorded."""
        return self.film is not None or self.growth is not None

    def of_method(self) -> MethodOptions:
        """The options of the chosen method. Raises OptionError for an impossible value."""
        mlp = preset_options(
            self.preset,
            time_limit=self.time_limit,
            until=self.until,
            heads=None if self.heads == "auto" else self.heads,
            seed=self.seed,
            **given(width=self.width, blocks=self.blocks, buffer_gb=self.buffer_gb),
        )
        if self.chosen_method == "ridge":
            fit = DRAFT if self.preset == "draft" else RidgeOptions()
            return replace(fit, targets=self.targets, seed=self.seed)
        if self.chosen_method == "dsacstar":
            return DsacStarOptions(
                supervision=self.supervision,
                time_limit=self.time_limit,
                seed=self.seed,
                **given(
                    width=self.width,
                    blocks=self.blocks,
                    steps=self.steps,
                    learning_rate=self.learning_rate,
                ),
            )
        return mlp

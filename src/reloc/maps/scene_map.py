"""The map of a place: a head with all that it takes to use it, in one small file."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from reloc.errors import CameraError, MapError
from reloc.files import atomic_file
from reloc.geometry import Camera
from reloc.heads.mlp import MlpHead

Array = NDArray[np.float64]

FORMAT = "reloc-map-1"
MAX_BYTES = 256 * 1024 * 1024
# Mapping cameras serve pictures and plans; a sample of this many shows any place.
MAX_CAMERAS = 1000
# A map cannot make its reader blow up images without end.
MAX_SHORT_SIDE = 8192


@dataclass(frozen=True)
class MappingCamera:
    """A mapping frame as the map remembers it: its name, pose (4, 4) and camera."""

    name: str
    world_from_cam: Array
    camera: Camera


@dataclass(frozen=True)
class SceneMap:
    """A map of one place.

    Attributes:
        head: the regressor; its coordinates are relative to ``origin``.
        origin: (3,) float64 mean of the mapping camera centres, world frame.
        backbone: fingerprint of the backbone whose features the head understands.
        short_side: images are resampled to this short side in pixels before the backbone.
        extent: largest side of the mapping camera centres' bounding box, scene units.
        unit: ``metre`` or ``unknown``.
        cameras: the mapping frames, at most ``MAX_CAMERAS``, evenly spaced.
        info: how the map was made (scene, options, seconds, steps, loss); JSON types only.
    """

    head: MlpHead
    origin: Array
    backbone: str
    short_side: int
    extent: float
    unit: Literal["metre", "unknown"]
    cameras: tuple[MappingCamera, ...]
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """Typical depth of the scene, in scene units."""
        return float(self.head.scale)

    @property
    def seconds(self) -> float | None:
        """Wall time of mapping, None if the map does not tell."""
        stages = self.info.get("seconds")
        values = stages.values() if isinstance(stages, dict) else ()
        known = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
        return float(sum(known)) if known else None

    def query_camera(self) -> Camera | None:
        """The camera to assume for a query: that of the mapping frames if all share one."""
        first = self.cameras[0].camera if self.cameras else None
        return first if all(c.camera == first for c in self.cameras) else None

    def save(self, path: Path) -> None:
        """Writes the map atomically, weights in fp16.

        Raises:
            OutputError: the file cannot be written.
        """
        tensors = {
            f"head.{name}": tensor.detach().to("cpu", torch.float16).contiguous()
            for name, tensor in self.head.named_parameters()
        }
        tensors["origin"] = torch.from_numpy(np.asarray(self.origin, np.float64).copy())
        tensors["cameras"] = torch.from_numpy(
            np.array([c.world_from_cam[:3] for c in self.cameras], np.float32).reshape(-1, 3, 4)
        )
        distinct = list(dict.fromkeys(c.camera for c in self.cameras))
        header = {
            "backbone": self.backbone,
            "short_side": self.short_side,
            "extent": self.extent,
            "scale": self.scale,
            "unit": self.unit,
            "head": {
                "kind": "mlp",
                "channels": self.head.channels,
                "width": self.head.width,
                "blocks": self.head.blocks,
            },
            "camera_models": [[c.model, c.width, c.height, list(c.params)] for c in distinct],
            "camera_of_frame": [distinct.index(c.camera) for c in self.cameras],
            "frame_names": [c.name for c in self.cameras],
            "info": dict(self.info),
        }
        metadata = {"format": FORMAT, "reloc": json.dumps(header, allow_nan=False)}
        content = save(tensors, metadata=metadata)
        with atomic_file(Path(path)) as file:
            file.write(content)

    @classmethod
    def load(cls, path: Path) -> "SceneMap":
        """Reads a map.

        Raises:
            MapError: no such file, damaged, of another version, or with impossible contents.
        """
        path = Path(path)
        if not path.is_file():
            raise MapError(f"{path}: no such map; make one with `reloc map SCENE {path.name}`")
        if path.stat().st_size > MAX_BYTES:
            raise MapError(f"{path}: over {MAX_BYTES >> 20} MiB, too large to be a map")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    found = metadata.get("format", "no reloc map")
                    raise MapError(f"{path}: is {found}; this version reads {FORMAT}")
                header = json.loads(metadata["reloc"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            return cls._assembled(header, tensors)
        except (
            SafetensorError,
            OSError,
            KeyError,
            IndexError,
            TypeError,
            ValueError,
            OverflowError,
            AttributeError,
            RuntimeError,
            RecursionError,
            CameraError,
        ) as error:
            raise MapError(
                f"{path}: the map file is damaged or no map ({type(error).__name__}); copy or "
                "make it again"
            ) from error

    @classmethod
    def _assembled(cls, header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> "SceneMap":
        """Builds the map; anything that does not fit raises one of the errors load() catches."""
        shape = header["head"]
        channels, width, blocks = (int(shape[k]) for k in ("channels", "width", "blocks"))
        if shape["kind"] != "mlp" or not (
            0 < channels <= 4096 and 0 < width <= 8192 and 0 <= blocks <= 64
        ):
            raise ValueError("impossible head")
        scale, extent = float(header["scale"]), float(header["extent"])
        short_side = int(header["short_side"])
        if not 8 <= short_side <= MAX_SHORT_SIDE:
            raise ValueError("impossible image size")
        # The file itself bounds the head: its tensors must add up before any is allocated.
        expected = channels * width + width * width * (3 * blocks + 1)
        held = sum(t.numel() for name, t in tensors.items() if name.startswith("head."))
        if (
            not (scale > 0 and extent >= 0 and np.isfinite([scale, extent]).all())
            or held < expected
        ):
            raise ValueError("impossible scale or missing weights")
        head = MlpHead(channels=channels, width=width, blocks=blocks, scale=scale)
        weights = {n.removeprefix("head."): t for n, t in tensors.items() if n.startswith("head.")}
        if any(not torch.isfinite(t).all() for t in tensors.values()):
            raise ValueError("weights that are not finite")
        head.load_state_dict({**{n: t.float() for n, t in weights.items()}, "scale": head.scale})
        origin = tensors["origin"].double().numpy()
        poses = tensors["cameras"].double().numpy()
        if origin.shape != (3,) or poses.ndim != 3 or poses.shape[1:] != (3, 4):
            raise ValueError("impossible poses")
        models = [Camera(m, int(w), int(h), tuple(p)) for m, w, h, p in header["camera_models"]]
        bottom = np.array([[0.0, 0.0, 0.0, 1.0]])
        cameras = tuple(
            MappingCamera(str(name), np.vstack([pose, bottom]), models[int(index)])
            for name, pose, index in zip(
                header["frame_names"], poses, header["camera_of_frame"], strict=True
            )
        )
        return cls(
            head=head.requires_grad_(False).eval(),
            origin=origin,
            backbone=str(header["backbone"]),
            short_side=short_side,
            extent=extent,
            unit="metre" if header["unit"] == "metre" else "unknown",
            cameras=cameras,
            info=dict(header["info"]),
        )

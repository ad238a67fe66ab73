"""What is killed: every verb that writes, on a toy of a place.

Only `map-many` is left out: Ray, which it starts, has processes of its own.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from reloc.backbone.meta import adapter_trainer
from reloc.backbone.meta.adapter_trainer import MetaOptions
from reloc.backbone.pretrain.contrast import Contrast
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.cli import download, mapping_options, meta_train, pretrain
from reloc.cli.main import main
from reloc.geometry import look_at
from reloc.library.library import MapLibrary, is_library
from reloc.methods.ace import PRESETS, MappingOptions
from reloc.methods.ace.trainer import HeadsTrainer
from reloc.methods.dsacstar import DsacStarOptions
from reloc.methods.dsacstar.network_trainer import SceneNetworkTrainer
from reloc.methods.refine.pose_trainer import PoseTrainer
from reloc.methods.ridge import RidgeOptions
from reloc.scenes.datasets import Addresses, dataset
from reloc.synthetic import TrainingViews, write_views
from reloc.training import loop

CHECKPOINT_SECONDS = 0.3
CHECKPOINT_STEPS = 2
TRAINED = (
    (HeadsTrainer, "step"),
    (PoseTrainer, "step"),
    (SceneNetworkTrainer, "step"),
    (Contrast, "loss"),
    (adapter_trainer, "backward_episode"),
)
OLD = b"the old content"


@dataclass(frozen=True)
class Case:
    """A command, to be run in a folder of its own.

    Attributes:
        name: of it in the table.
        arguments: ``{in}`` is the folder of inputs, ``{out}`` that of outputs.
        outputs: names of what it writes there. Files are there before, with ``OLD`` in them.
        trains: whether it has a checkpoint, from which ``--resume`` goes on.
        begins_with: outputs of this case are there before.
        pieces: whether its folder is filled piece by piece, each of them whole.
        by_steps: whether checkpoints come every so many steps, not seconds.
    """

    name: str
    arguments: str
    outputs: tuple[str, ...]
    trains: bool = False
    begins_with: str | None = None
    pieces: bool = False
    by_steps: bool = False


_MAP = "map {in}/scene {out}/m.safetensors --method mlp --preset draft --device cpu --quiet"
_RIDGE = _MAP.replace("--method mlp --preset draft", "--method ridge")
_QUERIES = "{in}/scene/test/rgb"
CASES = (
    Case("map", _MAP, ("m.safetensors",), trains=True),
    Case("map --method ridge", _RIDGE, ("m.safetensors",)),
    Case(
        "map --method dsacstar",
        _MAP.replace("--method mlp --preset draft", "--method dsacstar --steps 8 --width 32"),
        ("m.safetensors",),
        trains=True,
    ),
    Case(
        "refine",
        "refine {in}/m.safetensors {in}/scene {out}/r.safetensors --steps 10 --views 5 "
        "--hypotheses 4 --device cpu --quiet",
        ("r.safetensors",),
        trains=True,
    ),
    Case(
        "heads --add",
        "heads {out}/m.safetensors --add {in}/m.safetensors",
        ("m.safetensors",),
        begins_with="map",
    ),
    Case("compress", "compress {in}/m.safetensors {out}/c.safetensors --quiet", ("c.safetensors",)),
    Case("convert", "convert {in}/scene {out}/folder --to colmap --quiet", ("folder",)),
    Case("export --to ply", "export {in}/k.safetensors {in}/scene {out}/p.ply --quiet", ("p.ply",)),
    Case(
        "export --to colmap",
        "export {in}/k.safetensors {in}/scene {out}/folder --to colmap --quiet",
        ("folder",),
    ),
    Case(
        "export --to tum",
        "export {in}/k.safetensors {in}/scene {out}/folder --to tum --quiet",
        ("folder",),
    ),
    Case("library add", "library add {out}/library {in}/m.safetensors", ("library",), pieces=True),
    Case(
        "library remove",
        "library remove {out}/library m",
        ("library",),
        begins_with="library add",
        pieces=True,
    ),
    *(
        Case(
            f"localize --format {form}",
            f"localize {{in}}/m.safetensors {_QUERIES} --out {{out}}/poses{suffix} "
            f"--format {form} --quiet",
            (f"poses{suffix}",),
        )
        for form, suffix in (("json", ".json"), ("tum", ".txt"), ("colmap", ""), ("ace", ".txt"))
    ),
    Case(
        "eval --json --report",
        "eval {in}/m.safetensors {in}/scene --json {out}/e.json --report {out}/report --quiet",
        ("e.json", "report"),
        pieces=True,
    ),
    Case("view", "view {in}/m.safetensors {out}/v.html --scene {in}/scene --quiet", ("v.html",)),
    Case(
        "film",
        "film {in}/m.safetensors {in}/scene {out}/f.mp4 --height 90 --quiet",
        ("f.mp4",),
    ),
    Case(
        "synthesize",
        "synthesize {out}/folder --mapping 2 --queries 1 --width 64 --height 48 --quiet",
        ("folder",),
    ),
    Case(
        "pretrain",
        "pretrain {out}/folder --photos {in}/scene/train/rgb --mix photos=1 --steps 9 --size 64 "
        "--pairs 2 --device cpu --quiet",
        ("folder/backbone.safetensors",),
        trains=True,
        by_steps=True,
    ),
    Case(
        "meta-train",
        "meta-train {out}/folder --rooms 2 --rooms-folder {in}/rooms --steps 7 --quiet",
        ("folder/adapter.safetensors",),
        trains=True,
        by_steps=True,
    ),
    Case(
        "download",
        "download wayspots bears --to {out}/sets --accept-licence --quiet",
        ("sets/wayspots/bears",),
    ),
)


def toy_main(arguments: list[str]) -> int:
    """The command line, with trainings of a second that have many checkpoints."""
    torch.set_num_threads(1)
    loop.CHECKPOINT_SECONDS = CHECKPOINT_SECONDS
    PRESETS["draft"] = MappingOptions(
        views=12, steps=60, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
    )
    vars(mapping_options).update(
        DsacStarOptions=partial(DsacStarOptions, short_side=120),
        RidgeOptions=partial(RidgeOptions, short_side=240, anchors=1024, features=8000),
    )

    def small(**given: Any) -> PretrainOptions:
        return PretrainOptions(**given, width=8, channels=8, checkpoint_every=CHECKPOINT_STEPS)

    vars(pretrain).update(PretrainOptions=small)
    vars(meta_train).update(MetaOptions=partial(MetaOptions, checkpoint_every=CHECKPOINT_STEPS))
    return main(arguments)


def inputs(folder: Path, cases: Sequence[Case]) -> Sequence[str]:
    """Commands that make what the cases work on."""
    size = "--mapping 7 --queries 3 --width 176 --height 132"
    scene = f"synthesize {folder}/scene {size} --quiet"
    made = {
        "m.safetensors": _MAP.replace("{in}", str(folder)).replace("{out}", str(folder)),
        # That knows some points of the place.
        "k.safetensors": _RIDGE.replace("{in}", str(folder)).replace("{out}/m.", f"{folder}/k."),
    }
    wanted = [made[name] for name in made if any(f"{{in}}/{name}" in c.arguments for c in cases)]
    return [scene, *wanted]


def write_rooms(folder: Path) -> None:
    """Two rooms of twelve views of 64 pixels, such as `meta-train` keeps."""
    rng = np.random.default_rng(0)
    for room in range(2):
        poses = [look_at((np.cos(n), np.sin(n), 0.1 * n), (0, 0, 0)) for n in range(12)]
        views = TrainingViews(
            images=rng.integers(0, 256, (12, 64, 64), dtype=np.uint8),
            depths=rng.uniform(1, 2, (12, 64, 64)).astype(np.float32),
            intrinsics=np.tile([60.0, 60.0, 32.0, 32.0], (12, 1)),
            world_from_cam=np.stack(poses),
            pairs=np.zeros((0, 2), np.int64),
            overlaps=np.zeros(0, np.float32),
        )
        write_views(folder / f"room-{room:06d}-12.npz", views)


@contextmanager
def served(scene: Path, folder: Path) -> Iterator[None]:
    """Lets `download` take a server of this machine for that of a dataset, which holds a scene."""
    folder.mkdir()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name in dataset("wayspots").scenes:
            opened.add(scene, arcname=f"wayspots_{name}")
    (folder / "wayspots.tar.gz").write_bytes(buffer.getvalue())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        addresses = Addresses(wayspots=f"http://127.0.0.1:{server.server_port}")
        vars(download).update(dataset_called=lambda name: dataset(name, addresses))
        yield
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def content(path: Path) -> Any:
    """What stands at a path, without the times that it took; None for nothing.

    Raises:
        Exception: something that cannot be read.
    """
    if not path.exists():
        return None
    if is_library(path):
        shelf = MapLibrary(path)
        return {e.name: _digests(shelf.load(e.name).head.state_dict()) for e in shelf.entries()}
    if path.is_dir():
        return {
            str(file.relative_to(path)): content(file)
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.name.startswith(".reloc-")
        }
    whole = path.read_bytes()
    if whole == OLD:
        return "old"
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("reloc", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        return header.get("frame_names"), _digests(tensors)
    if path.suffix == ".json":
        return _timeless(json.loads(whole))
    if path.suffix in (".html", ".css", ".js"):
        # Pages tell and draw times among other figures.
        assert path.suffix != ".html" or whole.rstrip().endswith(b"</html>")
        whole = re.sub(rb"<svg.*?</svg>|[0-9.]+", b"", whole, flags=re.DOTALL)
    return sha256(whole).hexdigest()


def _digests(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    return {name: sha256(tensor.numpy().tobytes()).hexdigest() for name, tensor in tensors.items()}


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if not re.search("seconds|time|_ms", k)}
    return [_timeless(item) for item in value] if isinstance(value, list) else value

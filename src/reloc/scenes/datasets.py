"""The public datasets of visual relocalization: where they are, what they hold, on what terms."""

from dataclasses import dataclass

from reloc.errors import OptionError

_SEVEN = ("chess", "fire", "heads", "office", "pumpkin", "redkitchen", "stairs")
_TWELVE = {
    "apt1": ("kitchen", "living"),
    "apt2": ("bed", "kitchen", "living", "luke"),
    "office1": ("gates362", "gates381", "lounge", "manolis"),
    "office2": ("5a", "5b"),
}
_CAMBRIDGE = {
    "KingsCollege": 251342,
    "OldHospital": 251340,
    "ShopFacade": 251336,
    "StMarysChurch": 251294,
    "GreatCourt": 251291,
}
_WAYSPOTS = (
    *("bears", "cubes", "inscription", "lawn", "map"),
    *("squarebench", "statue", "tendrils", "therock", "wintersign"),
)


@dataclass(frozen=True)
class Addresses:
    """Where the archives lie; folders without a slash at the end.

    The pose sets are those of one commit, so that they stay what they are.
    """

    seven_scenes: str = (
        "https://download.microsoft.com/download/2/8/5/28564B23-0828-408F-8631-23B1EFF1DAC8"
    )
    twelve_scenes: str = "https://graphics.stanford.edu/projects/reloc/data"
    cambridge: str = "https://www.repository.cam.ac.uk/bitstream/handle/1810"
    wayspots: str = "https://storage.googleapis.com/niantic-lon-static/research/ace"
    sfm_poses: str = (
        "https://raw.githubusercontent.com/tsattler/visloc_pseudo_gt_limitations"
        "/637e4d4443c9ce5e8c694d047114496dd006b1fa/pgt/sfm"
    )


@dataclass(frozen=True)
class Archive:
    """A file to fetch, and the scenes in it."""

    url: str
    scenes: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A public dataset.

    Attributes:
        name: what the command line calls it.
        title: what its authors call it.
        page: where it is described, with its licence.
        licence: the terms in a sentence; the page decides.
        archives: what to fetch.
        marker: a path by which a folder of the dataset is known to be a scene.
        sfm_poses: folder of a second pose set, ``<scene>_{train,test}.txt``; None if there is none.
    """

    name: str
    title: str
    page: str
    licence: str
    archives: tuple[Archive, ...]
    marker: str
    sfm_poses: str | None = None

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of all scenes, in the order of the archives."""
        return tuple(scene for archive in self.archives for scene in archive.scenes)

    def archives_of(self, scene: str | None) -> tuple[Archive, ...]:
        """The archives that hold a scene, or all for None; upper and lower case are the same.

        Raises:
            OptionError: the dataset has no such scene.
        """
        if scene is None:
            return self.archives
        for archive in self.archives:
            if scene.lower() in (name.lower() for name in archive.scenes):
                return (archive,)
        raise OptionError(
            f"{self.name} has no scene {scene!r}; its scenes are {', '.join(self.scenes)}"
        )


DATASETS: tuple[str, ...] = ("7scenes", "12scenes", "cambridge", "wayspots")


def dataset(name: str, addresses: Addresses = Addresses()) -> Dataset:
    """A dataset by name.

    Raises:
        OptionError: none of ``DATASETS`` is called so.
    """
    match name:
        case "7scenes":
            return Dataset(
                name=name,
                title="RGB-D Dataset 7-Scenes (Microsoft Research)",
                page="https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/",
                licence="Microsoft Research licence: non-commercial use only",
                archives=tuple(
                    Archive(f"{addresses.seven_scenes}/{scene}.zip", (scene,)) for scene in _SEVEN
                ),
                marker="TrainSplit.txt",
                sfm_poses=f"{addresses.sfm_poses}/7scenes",
            )
        case "12scenes":
            return Dataset(
                name=name,
                title="12-Scenes, Learning to Navigate the Energy Landscape (Stanford)",
                page="https://graphics.stanford.edu/projects/reloc/",
                licence="Creative Commons BY-NC-SA 4.0: non-commercial use, share alike",
                archives=tuple(
                    Archive(
                        f"{addresses.twelve_scenes}/{place}.zip",
                        tuple(f"{place}_{room}" for room in rooms),
                    )
                    for place, rooms in _TWELVE.items()
                ),
                marker="info.txt",
                sfm_poses=f"{addresses.sfm_poses}/12scenes",
            )
        case "cambridge":
            return Dataset(
                name=name,
                title="Cambridge Landmarks (University of Cambridge)",
                page="https://www.repository.cam.ac.uk/handle/1810/251342",
                licence="Creative Commons BY-NC-SA 2.0 UK: non-commercial use, share alike",
                archives=tuple(
                    Archive(f"{addresses.cambridge}/{number}/{scene}.zip", (scene,))
                    for scene, number in _CAMBRIDGE.items()
                ),
                marker="dataset_train.txt",
            )
        case "wayspots":
            return Dataset(
                name=name,
                title="Wayspots, ten scenes of Map-free Relocalisation (Niantic)",
                page="https://research.nianticlabs.com/mapfree-reloc-benchmark/dataset",
                licence="Niantic's dataset licence: non-commercial research only",
                archives=(Archive(f"{addresses.wayspots}/wayspots.tar.gz", _WAYSPOTS),),
                marker="train/rgb",
            )
        case _:
            raise OptionError(f"no dataset is called {name!r}; known are {', '.join(DATASETS)}")

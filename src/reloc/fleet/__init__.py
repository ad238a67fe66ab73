"""Many scenes to many maps, on one machine or a cluster, whatever dies on the way."""

from reloc.fleet.crew import CrewOptions, Running
from reloc.fleet.driver import FleetView, map_fleet
from reloc.fleet.jobs import Failure, JobTable, Tally
from reloc.fleet.manifest import MapJob, read_manifest

__all__ = [
    "CrewOptions",
    "Failure",
    "FleetView",
    "JobTable",
    "MapJob",
    "Running",
    "Tally",
    "map_fleet",
    "read_manifest",
]

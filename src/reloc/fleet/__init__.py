"""Many scenes to many maps, on one machine or a cluster, whatever dies on the way."""

from reloc.fleet.driver import FleetView, map_fleet
from reloc.fleet.jobs import Failure, JobTable, Tally
from reloc.fleet.manifest import MapJob, read_manifest
from reloc.fleet.worker_pool import Running, WorkerPoolOptions

__all__ = [
    "Failure",
    "FleetView",
    "JobTable",
    "MapJob",
    "Running",
    "Tally",
    "WorkerPoolOptions",
    "map_fleet",
    "read_manifest",
]

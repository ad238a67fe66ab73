"""The film of a mapping: a place growing out of a network, then the queries coming in."""

from reloc.view.film.recording import Recorder, Recording
from reloc.view.film.script import film_frames
from reloc.view.film.training_history import read_training_history, write_training_history
from reloc.view.film.video import check_film_path, write_film

__all__ = [
    "Recorder",
    "Recording",
    "check_film_path",
    "film_frames",
    "read_training_history",
    "write_film",
    "write_training_history",
]

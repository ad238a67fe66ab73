"""What can go wrong with what a user hands in.

Every message is one line that names the file, says what is wrong with it and what to do.
The command line prints it and exits with status 2; besides these it catches only what the
operating system refuses.
"""


class RelocError(Exception):
    """Base of all errors that bad input can cause."""


class SceneError(RelocError):
    """A scene that cannot be read or used as asked."""


class ImageError(RelocError):
    """An image that cannot be decoded or does not fit its camera."""


class CameraError(RelocError):
    """Intrinsics that are missing or make no sense."""


class MapError(RelocError):
    """A map file that is damaged, foreign or made for another backbone."""


class OptionError(RelocError):
    """Options that contradict each other or the machine."""


class OutputError(RelocError):
    """A result that could not be written."""


class DownloadError(RelocError):
    """A file that could not be fetched, or an archive that is damaged or not to be trusted."""


class EvaluationError(RelocError):
    """A file of figures that is damaged, or none that `reloc eval` wrote."""


class PluginError(RelocError):
    """A backbone, head or reader of another package that cannot be loaded."""

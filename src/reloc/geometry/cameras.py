"""Cameras: COLMAP's models, pixels to viewing rays and back.

Pixel centres are at +0.5. A *ray* is the point (x, y) where a viewing ray meets the plane z = 1 of
the camera frame, so a ray of any model times an ideal pinhole's focal length is an undistorted
pixel. All mapping and localization works on rays; distortion never leaves this file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.errors import CameraError

Array = NDArray[np.float64]

# Sizes are whole numbers, so a proportional resize still differs a little by axis.
ASPECT_TOLERANCE = 0.01


def same_aspect(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether two sizes (width, height) are of one shape, but for rounding to whole pixels."""
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1) < ASPECT_TOLERANCE


def _squared_length(points: Array) -> Array:
    """Of points (N, 2), as a column; NumPy's sums along an axis of two are many times slower."""
    return points[:, :1] ** 2 + points[:, 1:] ** 2


def both(conditions: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where both of (..., 2) hold; NumPy's ``all`` along such an axis is many times slower."""
    return conditions[..., 0] & conditions[..., 1]


def _radial(uv: Array, k: ArrayLike) -> Array:
    """1 + k1 r^2 + k2 r^4 + ... of points (N, 2), as a column."""
    r2 = _squared_length(uv)
    factor, power = np.ones_like(r2), np.ones_like(r2)
    for coefficient in np.asarray(k, dtype=np.float64):
        power = power * r2
        factor = factor + coefficient * power
    return factor


def _tangential(uv: Array, p1: float, p2: float) -> Array:
    u, v = uv[:, 0], uv[:, 1]
    r2 = u**2 + v**2
    return np.stack(
        [2 * p1 * u * v + p2 * (r2 + 2 * u**2), 2 * p2 * u * v + p1 * (r2 + 2 * v**2)], axis=1
    )


def _opencv(uv: Array, k: Array) -> Array:
    return uv * _radial(uv, k[:2]) + _tangential(uv, k[2], k[3])


def _full_opencv(uv: Array, k: Array) -> Array:
    factor = _radial(uv, k[[0, 1, 4]]) / _radial(uv, k[5:8])
    return uv * factor + _tangential(uv, k[2], k[3])


def _equidistant(uv: Array) -> Array:
    """Points on the plane z = 1 to the equidistant fisheye plane, where the radius is the angle."""
    r = np.sqrt(_squared_length(uv))
    return uv * np.where(r > 1e-8, np.arctan(r) / np.maximum(r, 1e-8), 1.0)


def _fisheye(theta: Array, k: Array) -> Array:
    return theta * _radial(theta, k)


def _thin_prism_fisheye(theta: Array, k: Array) -> Array:
    r2 = _squared_length(theta)
    prism = r2 * np.array([[k[6], k[7]]])
    return theta * _radial(theta, k[[0, 1, 4, 5]]) + _tangential(theta, k[2], k[3]) + prism


def _fov(uv: Array, k: Array) -> Array:
    omega = k[0]
    r = np.maximum(np.sqrt(_squared_length(uv)), 1e-8)
    if abs(omega) < 1e-6:
        return uv
    return uv * np.arctan(2 * r * np.tan(omega / 2)) / (omega * r)


@dataclass(frozen=True)
class _Model:
    focals: int  # 1: f, cx, cy, ...  2: fx, fy, cx, cy, ...
    distortion: int  # how many coefficients follow
    distort: Callable[[Array, Array], Array] | None
    equidistant: bool = False  # distort takes points of the equidistant plane


# Names, parameter order and formulas of COLMAP's src/colmap/sensor/models.h.
_MODELS = {
    "SIMPLE_PINHOLE": _Model(1, 0, None),
    "PINHOLE": _Model(2, 0, None),
    "SIMPLE_RADIAL": _Model(1, 1, lambda uv, k: uv * _radial(uv, k)),
    "RADIAL": _Model(1, 2, lambda uv, k: uv * _radial(uv, k)),
    "OPENCV": _Model(2, 4, _opencv),
    "OPENCV_FISHEYE": _Model(2, 4, _fisheye, equidistant=True),
    "FULL_OPENCV": _Model(2, 8, _full_opencv),
    "FOV": _Model(2, 1, _fov),
    "SIMPLE_RADIAL_FISHEYE": _Model(1, 1, _fisheye, equidistant=True),
    "RADIAL_FISHEYE": _Model(1, 2, _fisheye, equidistant=True),
    "THIN_PRISM_FISHEYE": _Model(2, 8, _thin_prism_fisheye, equidistant=True),
}

CAMERA_MODELS: tuple[str, ...] = tuple(_MODELS)


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one camera: a COLMAP model, the image size, the parameters in COLMAP's order.

    Attributes:
        model: one of ``CAMERA_MODELS``.
        width: image width in pixels.
        height: image height in pixels.
        params: focal length(s), principal point, distortion coefficients; pixels where they have
            a unit.

    Raises:
        CameraError: unknown model, wrong number of parameters, or values no camera has.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", tuple(float(p) for p in self.params))
        if self.model not in _MODELS:
            raise CameraError(
                f"unknown camera model {self.model[:40]!r}; known are {', '.join(CAMERA_MODELS)}"
            )
        model = _MODELS[self.model]
        expected = model.focals + 2 + model.distortion
        if len(self.params) != expected:
            raise CameraError(
                f"camera model {self.model} takes {expected} parameters, got {len(self.params)}"
            )
        if not np.isfinite(self.params).all():
            raise CameraError(f"camera parameters are not finite: {self.params}")
        if self.width < 1 or self.height < 1 or max(self.width, self.height) > 100_000:
            size = f"{str(self.width)[:20]}x{str(self.height)[:20]}"
            raise CameraError(f"camera has an impossible image size {size}")
        if min(self.fx, self.fy) <= 0:
            raise CameraError(f"camera has a focal length that is not positive: {self.params}")

    @classmethod
    def pinhole(
        cls,
        *,
        width: int,
        height: int,
        fx: float,
        fy: float | None = None,
        cx: float | None = None,
        cy: float | None = None,
    ) -> Self:
        """An ideal camera; what is not given is square pixels and the image's centre."""
        return cls(
            "PINHOLE",
            width,
            height,
            (
                fx,
                fx if fy is None else fy,
                width / 2 if cx is None else cx,
                height / 2 if cy is None else cy,
            ),
        )

    @property
    def fx(self) -> float:
        """Focal length along x, in pixels."""
        return self.params[0]

    @property
    def fy(self) -> float:
        """Focal length along y, in pixels."""
        return self.params[_MODELS[self.model].focals - 1]

    @property
    def cx(self) -> float:
        """Principal point along x, in pixels."""
        return self.params[_MODELS[self.model].focals]

    @property
    def cy(self) -> float:
        """Principal point along y, in pixels."""
        return self.params[_MODELS[self.model].focals + 1]

    @property
    def focal(self) -> float:
        """Geometric mean of the focal lengths, in pixels."""
        return float(np.sqrt(self.fx * self.fy))

    @property
    def distortion(self) -> tuple[float, ...]:
        """The parameters after the pinhole ones, in COLMAP's order; empty for a pinhole camera."""
        return self.params[_MODELS[self.model].focals + 2 :]

    def matrix(self) -> Array:
        """The pinhole part as a (3, 3) calibration matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def resized(self, width: int, height: int) -> Self:
        """The camera of the same image resampled to another size, each axis by its own factor."""
        sx, sy = width / self.width, height / self.height
        model = self.model
        head: tuple[float, ...]
        if _MODELS[model].focals == 2:
            head = (self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)
        elif same_aspect((width, height), (self.width, self.height)):
            head = (self.fx * np.sqrt(sx * sy), self.cx * sx, self.cy * sy)
        else:
            raise CameraError(
                f"a {model} camera of {self.width}x{self.height} cannot become {width}x{height}: "
                "it has one focal length and the aspect ratio differs"
            )
        return type(self)(model, width, height, (*head, *self.distortion))

    def project(self, points_cam: ArrayLike) -> Array:
        """Pixels (N, 2) of points (N, 3) in the camera frame; NaN for those with z <= 0."""
        points = np.asarray(points_cam, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            rays = np.where(points[:, 2:] > 0, points[:, :2] / points[:, 2:], np.nan)
        return self.pixels(rays)

    def pixels(self, rays: ArrayLike) -> Array:
        """Pixels (N, 2) of rays (N, 2)."""
        uv = self._distorted(np.asarray(rays, dtype=np.float64))
        return uv * (self.fx, self.fy) + (self.cx, self.cy)

    def rays(self, pixels: ArrayLike) -> Array:
        """Rays (N, 2) of pixels (N, 2): undistorted points on the plane z = 1.

        Newton's method on the distortion, which converges wherever the model is one-to-one. Pixels
        outside of that (far corners of a wide lens, whose polynomial folds back) give NaN.
        """
        pixels = np.asarray(pixels, dtype=np.float64)
        target = (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
        model = _MODELS[self.model]
        if model.distort is None:
            return target
        uv = target.copy()
        # The fisheye models compress: start where the undistorted equidistant lens has the point.
        if model.equidistant:
            theta = np.sqrt(_squared_length(target))
            uv *= np.tan(np.minimum(theta, 1.5)) / np.maximum(theta, 1e-9)
        for _ in range(25):
            delta, _ = _newton_step(self._distorted, uv, target)
            uv = uv - delta
            if np.nanmax(np.abs(delta), initial=0.0) < 1e-12:
                break
        good = self._solved(uv, target)
        if not good.all():
            # A start where the lens bends otherwise than at the point throws the method far away,
            # such as one beyond the point of a fisheye, where the angle hardly grows any more.
            lost = ~good
            uv[lost] = self._followed(target[lost])
            good[lost] = self._solved(uv[lost], target[lost])
        return np.where(good[:, None], uv, np.nan)

    def _solved(self, uv: Array, target: Array) -> NDArray[np.bool_]:
        """Which rays (N, 2) are those of distorted points (N, 2)."""
        with np.errstate(invalid="ignore", over="ignore"):
            good = both(np.abs(self._distorted(uv) - target) < 1e-6)
            # A polynomial has other roots behind its fold.
            good &= self._before_fold(uv)
        return good

    def _followed(self, target: Array) -> Array:
        """Rays (N, 2) of distorted points (N, 2), followed from the axis; NaN where there is none.

        On the plane of the model's own formula, where a lens is most nearly linear. Gives up where
        the image turns inside out.
        """
        points = np.full_like(target, np.nan)
        on_the_way, reached = np.arange(len(target)), np.zeros_like(target)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            for share in np.linspace(0.0, 1.0, 33)[1:]:
                aim = share * target[on_the_way]
                # Just before the fold it takes many steps to arrive.
                for _ in range(25 if share == 1 else 4):
                    delta, det = _newton_step(self._bent, reached, aim)
                    reached = reached - delta
                on_the_way, reached = on_the_way[det > 0], reached[det > 0]
            points[on_the_way] = reached
            if not _MODELS[self.model].equidistant:
                return points
            angle = np.sqrt(_squared_length(points))
            rays = points * np.tan(angle) / np.maximum(angle, 1e-9)
            return np.where(angle < np.pi / 2, rays, np.nan)

    def ray_bounds(self) -> tuple[Array, Array]:
        """Smallest and largest ray (2,) along the border of the image.

        Beyond it the polynomial of a lens may fold back into the image, so points have to be cut
        off here before ``pixels`` can tell whether the camera sees them, as ``sees`` does.
        """
        x, y = np.linspace(0, self.width, 33), np.linspace(0, self.height, 33)
        border = np.concatenate(
            [np.stack([x, np.full_like(x, side)], axis=1) for side in (0, self.height)]
            + [np.stack([np.full_like(y, side), y], axis=1) for side in (0, self.width)]
        )
        rays = self.rays(border)
        rays = rays[np.isfinite(rays).all(axis=1)]
        if not len(rays):
            return np.full(2, -np.inf), np.full(2, np.inf)
        return rays.min(axis=0), rays.max(axis=0)

    def sees(self, rays: ArrayLike) -> NDArray[np.bool_]:
        """Which rays (N, 2) fall into the image, on this side of where the lens folds back."""
        rays = np.asarray(rays, dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            pixels = self.pixels(rays)
            seen = both((pixels >= 0) & (pixels <= (self.width, self.height)))
            if _MODELS[self.model].distort is not None:
                seen[seen] = self._before_fold(rays[seen])
        return seen

    def is_one_to_one(self, rays: Array) -> bool:
        """Whether none of the rays (N, 2) lies where the lens folds back or beyond."""
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(self._before_fold(rays).all())

    def _before_fold(self, rays: Array) -> NDArray[np.bool_]:
        """Which rays (N, 2) the axis reaches without the image turning inside out on the way."""
        on_the_way = np.linspace(1.0, 0.0, 6, endpoint=False)[:, None, None] * rays
        det = _slopes(self._distorted, on_the_way.reshape(-1, 2))[2].reshape(6, -1)
        return np.asarray((det > 0).all(axis=0))

    def _distorted(self, uv: Array) -> Array:
        return self._bent(_equidistant(uv) if _MODELS[self.model].equidistant else uv)

    def _bent(self, points: Array) -> Array:
        """What the lens makes of points (N, 2) of the plane that its formula is written for."""
        distort = _MODELS[self.model].distort
        return points if distort is None else distort(points, np.asarray(self.distortion))


def _newton_step(
    distort: Callable[[Array], Array], points: Array, target: Array
) -> tuple[Array, Array]:
    """How far (N, 2) points are from those that become the target, and the determinant (N,)."""
    error = distort(points) - target
    du, dv, det = _slopes(distort, points)
    safe = np.where(np.abs(det) > 1e-12, det, np.nan)
    delta = np.stack(
        [
            (dv[:, 1] * error[:, 0] - dv[:, 0] * error[:, 1]) / safe,
            (du[:, 0] * error[:, 1] - du[:, 1] * error[:, 0]) / safe,
        ],
        axis=1,
    )
    return delta, det


def _slopes(distort: Callable[[Array], Array], points: Array) -> tuple[Array, Array, Array]:
    """Derivatives (N, 2) of a distortion by u and by v, and their determinant (N,)."""
    step = 1e-6
    du = (distort(points + (step, 0)) - distort(points - (step, 0))) / (2 * step)
    dv = (distort(points + (0, step)) - distort(points - (0, step))) / (2 * step)
    return du, dv, du[:, 0] * dv[:, 1] - du[:, 1] * dv[:, 0]

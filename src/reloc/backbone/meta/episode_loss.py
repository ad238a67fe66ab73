"""The loss of an episode and its exact gradient, with the memory of one image.

A head is fitted to support images in closed form, and its error on query images is what the
network is trained for. The fit sees the support images through sums alone: with responses R_i
(n, K) of image i to K anchors and coordinates Y_i,

    G = sum_i R_i' R_i,   B = sum_i R_i' Y_i,   P = (G + lambda I)^-1 (B + lambda Y_anchors).

So the sums are taken without a graph; the loss of the queries, taken one at a time, is
differentiated back to G and B; then every support image is computed once more and the gradients of
the two small matrices are pushed through it alone. The anchors are features too: what reaches them
from everywhere goes back, at the end, through the images they were taken from. Nothing is
approximated, and several processes only add up sums and gradients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from reloc.devices import float64_device


@dataclass(frozen=True)
class Rows:
    """What an episode takes of one image.

    Attributes:
        inputs: (n, D) of the trained network.
        coordinates: (n, 3) known scene coordinates.
        pixels: (n,) pixels that a unit of length measures at the coordinate: focal over depth.
        anchors: numbers of the rows that are anchors; none in query images.
    """

    inputs: Tensor
    coordinates: Tensor
    pixels: Tensor
    anchors: Tensor


class EpisodeImage(Protocol):
    """An image of an episode, loaded when it is needed: the same rows every time."""

    def __call__(self) -> Rows:
        """Loads the image's rows."""


@dataclass(frozen=True)
class Episode:
    """Images that a head is fitted to, and others that it is judged by."""

    support: Sequence[EpisodeImage]
    queries: Sequence[EpisodeImage]


@dataclass(frozen=True)
class EpisodeFitOptions:
    """The head that is fitted in an episode.

    Attributes:
        neighbours: anchors that respond to a feature.
        temperature: of the responses.
        ridge: lambda.
        error_scale: pixels at which the outer loss, log(1 + (e / scale)^2) / 2, bends.
    """

    neighbours: int = 8
    temperature: float = 0.06
    ridge: float = 0.1
    error_scale: float = 10.0


Reduce = Callable[[Tensor], None]


def alone(tensor: Tensor) -> None:
    """Adds up a tensor over all processes, of which there is one."""


def dense_responses(features: Tensor, anchors: Tensor, options: EpisodeFitOptions) -> Tensor:
    """Responses (n, K) of features (n, C) to anchors (K, C) of unit length; see ``RidgeHead``."""
    cosines = functional.normalize(features, dim=1) @ anchors.T
    nearest = cosines.topk(min(options.neighbours, len(anchors)), dim=1)
    weights = torch.softmax(nearest.values / options.temperature, dim=1)
    return torch.zeros_like(cosines).scatter(1, nearest.indices, weights)


def fitted_points(gram: Tensor, moment: Tensor, prior: Tensor, *, ridge: float) -> Tensor:
    """Points (K, 3) from the sums G (K, K) and B (K, 3); ``prior`` (K, 3) is where they default."""
    system = gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return torch.cholesky_solve(moment + ridge * prior, torch.linalg.cholesky(system))


def query_loss(predictions: Tensor, rows: Rows, options: EpisodeFitOptions) -> Tensor:
    """Sum over the rows of the bounded error in pixels, where the predictions are."""
    coordinates, pixels = (x.to(predictions.device) for x in (rows.coordinates, rows.pixels))
    errors = (predictions - coordinates).square().sum(dim=1) * pixels.square()
    return 0.5 * torch.log1p(errors / options.error_scale**2).sum()


def backward_episode(
    network: nn.Module,
    episode: Episode,
    options: EpisodeFitOptions,
    *,
    rank: int = 0,
    world: int = 1,
    reduce: Reduce = alone,
) -> Tensor:
    """Adds the gradient of an episode to the network's parameters and returns its loss.

    Args:
        network: from inputs (n, D) to features (n, C).
        episode: the same in every process.
        options: of the fit and the loss.
        rank: number of this process; it computes every ``world``-th image.
        world: processes.
        reduce: adds a tensor up over all processes, in place.
    """
    support = list(episode.support[rank::world])
    mine = list(episode.queries[rank::world])
    anchors, prior, owned = _anchors(network, episode.support, rank, world, reduce)
    anchors.requires_grad_()
    exact = float64_device(anchors.device)
    count = torch.zeros((), dtype=torch.float64, device=exact)

    gram = torch.zeros(len(anchors), len(anchors), dtype=torch.float64, device=exact)
    moment = torch.zeros(len(anchors), 3, dtype=torch.float64, device=exact)
    with torch.no_grad():
        for image in support:
            added = _sums(network, image(), anchors, options)
            gram += added[0]
            moment += added[1]
    reduce(gram)
    reduce(moment)
    gram.requires_grad_()
    moment.requires_grad_()
    points = fitted_points(gram, moment, _exactly(prior), ridge=options.ridge)

    # Queries see the fit through the points alone, which are a leaf to them.
    leaf = points.detach().requires_grad_()
    with torch.no_grad():
        for image in mine:
            count += len(image().coordinates)
    reduce(count)
    total = torch.zeros((), dtype=torch.float64, device=exact)
    for image in mine:
        rows = image()
        responses = dense_responses(network(rows.inputs), anchors, options)
        loss = query_loss(_exactly(responses) @ leaf, rows, options) / count
        loss.backward()
        total += loss.detach()
    reduce(total)
    pull = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    reduce(pull)
    points.backward(pull)
    assert gram.grad is not None and moment.grad is not None

    for image in support:
        added = _sums(network, image(), anchors, options)
        ((added[0] * gram.grad).sum() + (added[1] * moment.grad).sum()).backward()
    assert anchors.grad is not None
    reduce(anchors.grad)
    for image, where in zip(support, owned, strict=True):
        rows = image()
        if len(rows.anchors):
            features = functional.normalize(network(rows.inputs[rows.anchors]), dim=1)
            (features * anchors.grad[where]).sum().backward()
    for parameter in network.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        reduce(parameter.grad)
    return total


@torch.no_grad()
def _anchors(
    network: nn.Module,
    support: Sequence[EpisodeImage],
    rank: int,
    world: int,
    reduce: Reduce,
) -> tuple[Tensor, Tensor, list[slice]]:
    """Anchors (K, C), their coordinates (K, 3), and which rows this process's images own."""
    features: list[Tensor] = []
    coordinates: list[Tensor] = []
    owned: list[slice] = []
    start = 0
    for number, image in enumerate(support):
        rows = image()
        end = start + len(rows.anchors)
        coordinates.append(rows.coordinates[rows.anchors])
        unit = functional.normalize(network(rows.inputs[rows.anchors]), dim=1)
        if number % world == rank:
            owned.append(slice(start, end))
        else:
            unit = torch.zeros_like(unit)
        features.append(unit)
        start = end
    anchors = torch.cat(features)
    reduce(anchors)
    return anchors, torch.cat(coordinates), owned


def _sums(
    network: nn.Module, rows: Rows, anchors: Tensor, options: EpisodeFitOptions
) -> tuple[Tensor, Tensor]:
    """R'R and R'Y of one image, in float64."""
    responses = _exactly(dense_responses(network(rows.inputs), anchors, options))
    return responses.T @ responses, responses.T @ _exactly(rows.coordinates)


def _exactly(tensor: Tensor) -> Tensor:
    """In float64, on the host if the device has none."""
    return tensor.to(float64_device(tensor.device)).double()


def episode_loss(network: nn.Module, episode: Episode, options: EpisodeFitOptions) -> Tensor:
    """The loss of an episode with one graph over all its images: the plain reference.

    Its gradient is that of ``backward_episode``; its memory grows with the number of images.
    """
    images = [image() for image in episode.support]
    features = [network(rows.inputs) for rows in images]
    pairs = list(zip(features, images, strict=True))
    anchors = functional.normalize(torch.cat([f[rows.anchors] for f, rows in pairs]), dim=1)
    prior = _exactly(torch.cat([rows.coordinates[rows.anchors] for rows in images]))
    gram = moment = torch.zeros((), dtype=torch.float64)
    for f, rows in pairs:
        responses = _exactly(dense_responses(f, anchors, options))
        gram = gram + responses.T @ responses
        moment = moment + responses.T @ _exactly(rows.coordinates)
    points = fitted_points(gram, moment, prior, ridge=options.ridge)
    losses, count = [], 0
    for image in episode.queries:
        rows = image()
        responses = dense_responses(network(rows.inputs), anchors, options)
        losses.append(query_loss(_exactly(responses) @ points, rows, options))
        count += len(rows.coordinates)
    return torch.stack(losses).sum() / count

"""Training one head as it is written in papers: what the joint training is held against."""

import math

import torch

from reloc.methods.ace.loss import curriculum, mapping_loss
from reloc.methods.ace.optimizer import orthogonalized
from reloc.training import BEFORE_DECAY, stable_then_falling


class PlainMuon:
    """Muon for a list of matrices, one after the other."""

    def __init__(self, matrices, *, momentum, weight_decay=0.01):
        self.matrices, self.momentum, self.weight_decay = matrices, momentum, weight_decay
        self.velocity = [torch.zeros_like(matrix) for matrix in matrices]
        self.direction = [torch.zeros_like(matrix) for matrix in matrices]

    @torch.no_grad()
    def step(self, *, rate, renew):
        for i, matrix in enumerate(self.matrices):
            velocity = self.velocity[i]
            velocity.mul_(self.momentum).add_(matrix.grad, alpha=1 - self.momentum)
            if renew:
                ahead = self.momentum * velocity + (1 - self.momentum) * matrix.grad
                self.direction[i] = orthogonalized(ahead[None])[0].float()
            rows, columns = matrix.shape
            matrix.mul_(1 - rate * self.weight_decay)
            matrix.sub_(rate * max(1.0, rows / columns) ** 0.5 * self.direction[i])


class PlainTrainer:
    """Trains one head, an ``nn.Module``, on rows of the buffer that it is given for each step."""

    def __init__(self, head, buffer, options, *, amp):
        self.head, self.buffer, self.options, self.amp = head, buffer, options, amp
        matrices = [p for n, p in head.named_parameters() if p.ndim == 2 and "point" not in n]
        others = [p for n, p in head.named_parameters() if p.ndim != 2 or "point" in n]
        self.muon = PlainMuon(matrices, momentum=options.momentum)
        self.adam = torch.optim.AdamW(others, lr=options.point_learning_rate, weight_decay=0.01)
        self.average = [p.detach().clone() for p in head.parameters()]
        self.median = None
        self.steps = 0

    def step(self, fraction, rows):
        options, buffer = self.options, self.buffer
        rate = stable_then_falling(fraction, steps=self.steps, warmup=options.warmup)
        falling = max(0.0, (fraction - BEFORE_DECAY) / (1 - BEFORE_DECAY))
        at = options.stable + (1 - options.stable) * falling
        start = max(options.clamp_start, options.clamp_follow * (self.median or 0.0))
        seen = buffer.seen[rows]
        with torch.autocast("cpu", self.amp, enabled=self.amp != torch.float32):
            coordinates = self.head(buffer.features[rows].to(self.amp))
        terms = mapping_loss(
            coordinates,
            seen[:, :2],
            seen[:, 2],
            buffer.cam_from_world[buffer.frames[rows].long()],
            inverse_depths=seen[:, 3],
            clamp=curriculum(at, start=start, end=options.clamp_end),
            scale=self.head.scale,
        )
        self.head.zero_grad()
        terms.loss.backward()
        self.muon.step(rate=options.learning_rate * rate, renew=self.steps % 2 == 0)
        self.adam.param_groups[0]["lr"] = options.point_learning_rate * rate
        self.adam.step()
        median = terms.errors.median().item()
        self.median = median if self.median is None else 0.9 * self.median + 0.1 * median
        self.steps += 1
        if self.steps % 4 == 0:
            share = min(1.0, 40 / (self.steps + 10))
            for mean, latest in zip(self.average, self.head.parameters(), strict=True):
                mean.lerp_(latest.detach(), share)
        return terms.loss.item(), self.median, math.fsum(terms.errors < 10) / len(terms.errors)

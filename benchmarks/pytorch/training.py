"""Training of the published network in plain PyTorch, to compare with ours.

It has the paper's losses, `.backward()`, and, like ours, Adam with clipped
gradients and a moving average of the weights.  A Dataset decodes JPEG files in
a DataLoader's workers, the usual way.  Of our augmentation it has only
mirroring.
"""

import numpy as np
import torch
from PIL import Image
from skimage import color
from torch.nn import functional, utils
from torch.optim import swa_utils
from torch.utils import data

from benchmarks.common import pictures
from benchmarks.common.stages import CLIP_NORM, EMA_MOMENTUM, LEARNING_RATE
from benchmarks.pytorch import networks as torch_networks

WORKERS = 2
KL_WEIGHT, MAHALANOBIS_WEIGHT, GRADIENT_WEIGHT = 0.32, 0.1, 1e-3
VARIANCE = 0.1  # variance of the mixture's components


class Photographs(data.Dataset):
    """JPEG files -> L / 50 - 1 [1, c, c] and ab / 128 [2, c, c].

    Args:
        paths: list of paths.
        canvas: int. Side in pixels.
    """

    def __init__(self, paths, canvas):
        self.paths, self.canvas = paths, canvas

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        picture = Image.open(self.paths[index]).convert("RGB")
        picture = picture.resize([self.canvas] * 2, Image.Resampling.BILINEAR)
        lab = color.rgb2lab(np.asarray(picture)).astype(np.float32)
        if torch.rand(()) < 0.5:
            lab = lab[:, ::-1].copy()
        lab = torch.from_numpy(lab).permute(2, 0, 1)
        return lab[:1] / 50 - 1, lab[1:] / 128


def loader(paths, canvas, batch_size):
    """Makes a loader of one epoch of batches."""
    return data.DataLoader(
        Photographs(paths, canvas), batch_size, shuffle=True,
        num_workers=WORKERS, drop_last=True)


class Stage:
    """One stage's train step.

    Args:
        options: `results.Options`.
        stage: "vae", or "mdn" on the frozen VAE's posteriors.
        layout: torch.contiguous_format or torch.channels_last.
    """

    def __init__(self, options, stage, layout):
        self.layout = layout
        self.vae, self.mixture = (
            network.to(memory_format=layout)
            for network in torch_networks.build(options))
        self.trained = self.vae
        if stage == "mdn":
            self.vae.eval()
            self.trained = self.mixture
        self.loss = self._vae_loss if stage == "vae" else self._mixture_loss
        statistics = pictures.statistics(
            pictures.canvas(options), options.seed)
        self.components, self.stddev, self.ab_weights = (
            torch.tensor(statistics[name], device=torch_networks.DEVICE)
            for name in ("components", "stddev", "ab_weights"))
        self.optimizer = torch.optim.Adam(
            self.trained.parameters(), lr=LEARNING_RATE)
        self.average = swa_utils.AveragedModel(
            self.trained,
            multi_avg_fn=swa_utils.get_ema_multi_avg_fn(EMA_MOMENTUM))

    def step(self, luminance, ab):
        """Runs one step; returns the loss as float."""
        luminance, ab = (
            tensor.to(torch_networks.DEVICE, memory_format=self.layout)
            for tensor in (luminance, ab))
        self.optimizer.zero_grad()
        loss = self.loss(luminance, ab)
        loss.backward()
        utils.clip_grad_norm_(self.trained.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.average.update_parameters(self.trained)
        return loss.item()

    def train(self, batches):
        """Runs steps over a loader."""
        for luminance, ab in batches:
            self.step(luminance, ab)

    def _vae_loss(self, luminance, ab):
        ab_hat, loc, log_variance = self.vae(luminance, ab)
        kl = 0.5 * (loc**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return (histogram(ab, ab_hat, self.ab_weights)
                + MAHALANOBIS_WEIGHT * mahalanobis(
                    ab, ab_hat, self.components, self.stddev)
                + GRADIENT_WEIGHT * gradient(ab, ab_hat)
                + KL_WEIGHT * kl).mean()

    def _mixture_loss(self, luminance, ab):
        with torch.no_grad():
            loc, log_variance = self.vae.encoder(ab)
            z = loc + torch.exp(0.5 * log_variance) * torch.randn_like(loc)
        return nearest(*self.mixture(luminance), z).mean()


# --- The paper's losses, one number per picture ---------------------------


def histogram(ab, ab_hat, ab_weights):
    """Squared error, weighted by the rarity of the true colour: two
    [B, 2, c, c] and a table [bins, bins] -> [B]."""
    bins = len(ab_weights)
    index = torch.floor(ab * 128 / 10 + bins / 2).clamp(0, bins - 1).long()
    weights = ab_weights[index[:, 0], index[:, 1]]
    return (weights * ((ab - ab_hat) ** 2).sum(1)).sum((1, 2))


def mahalanobis(ab, ab_hat, components, stddev):
    """Squared error in units of the data's spread, with principal components
    [P, c * c * 2]."""
    error = (ab - ab_hat).permute(0, 2, 3, 1).flatten(1)
    squared = (error @ components.T) ** 2
    residual = ((error**2).sum(1) - squared.sum(1)).clamp(min=0)
    return (squared / stddev**2).sum(1) + residual / stddev[-1] ** 2


def gradient(ab, ab_hat):
    """Squared error of horizontal and vertical differences."""
    error = ab - ab_hat
    return (((error[:, :, 1:] - error[:, :, :-1]) ** 2).sum((1, 2, 3))
            + ((error[..., 1:] - error[..., :-1]) ** 2).sum((1, 2, 3)))


def nearest(logits, locs, z):
    """Bound by the closest component: [B, K], [B, K, d], [B, d] -> [B]."""
    distance, index = ((z[:, None] - locs) ** 2).sum(2).min(dim=1)
    log_weights = functional.log_softmax(logits, dim=1)
    return (distance / (2 * VARIANCE)
            - log_weights.gather(1, index[:, None])[:, 0])

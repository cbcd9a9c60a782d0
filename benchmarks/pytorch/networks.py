"""The published network in plain PyTorch, for comparison with ours.

The module has the skip VAE and the mixture network of Deshpande et al. (2017),
with the layers listed in `tfdivcolor.models.paper`, in usual PyTorch style:
`nn.Sequential`, channels first, symmetric padding.  TensorFlow pads strided
convolutions more on the far side, PyTorch on the near side.  So with our
weights these networks are mirror images of ours, in both directions and with
their kernels.  `copy_weights` mirrors the weights, and `turned(pictures)`
mirrors inputs and outputs.
"""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.common import pictures, stages

# Like TensorFlow: on a GPU if there is one, and with TensorFlow's precision.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.set_float32_matmul_precision("high")

ENCODER_WIDTHS = (128, 256, 512, 1024)
DECODER_WIDTHS = (1024, 512, 256, 128)
FEATURE_WIDTHS = (64, 128, 256, 512)
MIXTURE_WIDTHS = (384, 320, 288, 256, 128)
# The same epsilon and momentum as in our Keras networks.
NORM = {"eps": 1e-3, "momentum": 0.05}


def block(inputs, outputs, size, stride=1):
    """Convolution without bias, batch norm, ReLU."""
    if size == 4 and stride == 1:  # symmetric padding would change the size
        first = [nn.ZeroPad2d((2, 1, 2, 1)),
                 nn.Conv2d(inputs, outputs, size, bias=False)]
    else:
        first = [nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2,
                           bias=False)]
    return nn.Sequential(
        *first, nn.BatchNorm2d(outputs, **NORM), nn.ReLU(inplace=True))


class Encoder(nn.Module):
    """q(z | C): ab [B, 2, c, c] -> loc, log variance [B, d]."""

    def __init__(self, canvas=64, latent_dim=64, widths=ENCODER_WIDTHS):
        super().__init__()
        inputs = (2, *widths)
        self.blocks = nn.Sequential(*(
            block(inputs[i], widths[i], 4 if i == len(widths) - 1 else 5, 2)
            for i in range(len(widths))))
        self.dense = nn.Linear(
            widths[-1] * (canvas // 16) ** 2, 2 * latent_dim)

    def forward(self, ab):
        packed = self.dense(self.blocks(ab).flatten(1))
        loc, log_variance = packed.chunk(2, dim=1)
        return loc, log_variance.clamp(-20.0, 10.0)


class GreyEncoder(nn.Module):
    """L [B, 1, c, c] -> list of skips; code [B, d, c / 16, c / 16]."""

    def __init__(self, latent_dim=64, widths=ENCODER_WIDTHS[:3]):
        super().__init__()
        inputs = (1, *widths)
        self.blocks = nn.ModuleList(
            block(inputs[i], widths[i], 5, 2) for i in range(len(widths)))
        self.code = nn.Conv2d(widths[-1], latent_dim, 4, 2, 1)

    def forward(self, luminance):
        skips, x = [], luminance
        for one in self.blocks:
            x = one(x)
            skips.append(x)
        return skips, self.code(x)


class Decoder(nn.Module):
    """z [B, d] and the grey encoder's outputs -> ab [B, 2, c, c]."""

    def __init__(self, latent_dim=64, widths=DECODER_WIDTHS):
        super().__init__()
        self.blocks = nn.ModuleList([block(latent_dim, widths[0], 4)])
        for before, after in zip(widths, widths[1:]):
            # The grey encoder's channels are the decoder's in reverse.
            self.blocks.append(block(before + after, after, 5))
        self.last = nn.Conv2d(widths[-1], 2, 5, padding=2)

    def forward(self, z, skips, code):
        x = self.blocks[0](z[:, :, None, None] * code)
        for one, skip in zip(self.blocks[1:], reversed(skips)):
            x = one(torch.cat([_double(x), skip], dim=1))
        return torch.tanh(self.last(_double(x)))


def _double(x):
    return functional.interpolate(
        x, scale_factor=2, mode="bilinear", align_corners=False)


class SkipVAE(nn.Module):
    """The VAE with grey skips; canvas c, latent size d.

    Args:
        canvas: int. Side in pixels.
        latent_dim: int.
        widths: four ints. Channels of the encoder's stages.
    """

    def __init__(self, canvas=64, latent_dim=64, widths=ENCODER_WIDTHS):
        super().__init__()
        self.encoder = Encoder(canvas, latent_dim, widths)
        self.grey_encoder = GreyEncoder(latent_dim, widths[:3])
        self.decoder = Decoder(latent_dim, widths[::-1])

    def forward(self, luminance, ab):
        """Autoencodes.

        Args:
            luminance: [B, 1, c, c], L / 50 - 1.
            ab: [B, 2, c, c], ab / 128.

        Returns:
            ab_hat [B, 2, c, c]; loc, log variance [B, d].
        """
        loc, log_variance = self.encoder(ab)
        z = loc
        if self.training:
            z = loc + torch.exp(0.5 * log_variance) * torch.randn_like(loc)
        return self.decoder(z, *self.grey_encoder(luminance)), loc, (
            log_variance)

    def decode(self, z, luminance):
        """Decodes S latents of each picture.

        Args:
            z: [B, S, d].
            luminance: [B, 1, c, c], L / 50 - 1.

        Returns:
            [B * S, 2, c, c], ab / 128.
        """
        samples = z.shape[1]
        skips, code = self.grey_encoder(luminance)
        skips = [skip.repeat_interleave(samples, 0) for skip in skips]
        return self.decoder(
            z.flatten(0, 1), skips, code.repeat_interleave(samples, 0))


class Mixture(nn.Module):
    """P(z | G): L [B, 1, c, c] -> logits [B, K], locs [B, K, d].

    Args:
        canvas: int. Side in pixels.
        latent_dim: int.
        num_components: int K.
        feature_widths: four ints.
        widths: five ints.
        hidden: int.
    """

    def __init__(self, canvas=64, latent_dim=64, num_components=8,
                 feature_widths=FEATURE_WIDTHS, widths=MIXTURE_WIDTHS,
                 hidden=4096):
        super().__init__()
        self.num_components, self.latent_dim = num_components, latent_dim
        inputs = (1, *feature_widths)
        self.features = nn.Sequential(*(
            block(inputs[i], feature_widths[i], 5 if i == 0 else 3, 2 - i % 2)
            for i in range(4)))
        inputs = (feature_widths[-1], *widths)
        self.blocks = nn.Sequential(*(
            block(inputs[i], widths[i], 5, 2 if i == 3 else 1)
            for i in range(5)))
        self.hidden = nn.Linear(widths[-1] * (canvas // 8) ** 2, hidden)
        self.packed = nn.Linear(hidden, num_components * (1 + latent_dim))

    def forward(self, luminance):
        x = self.blocks(self.features(luminance)).flatten(1)
        packed = self.packed(functional.relu(self.hidden(x)))
        logits = packed[:, :self.num_components]
        return logits, packed[:, self.num_components:].reshape(
            -1, self.num_components, self.latent_dim)


def build(options):
    """Makes networks of the published sizes, or small ones if quick.

    Returns:
        `SkipVAE`, `Mixture`.
    """
    side = pictures.canvas(options)
    vae, mixture = {}, {}
    if options.quick:
        small = stages.SMALL_PAPER
        vae = {"widths": small["widths"]}
        mixture = {"feature_widths": small["feature_widths"],
                   "widths": small["mixture_widths"],
                   "hidden": small["hidden"]}
    return (SkipVAE(side, **vae).to(DEVICE),
            Mixture(side, **mixture).to(DEVICE))


@torch.no_grad()
def sample(vae, mixture, luminance, num_samples):
    """Decodes the means of the heaviest components, the paper's results.

    Args:
        vae, mixture: networks in eval mode.
        luminance: [B, 1, c, c], L / 50 - 1.
        num_samples: int S, at most K.

    Returns:
        [B * S, 2, c, c], ab / 128.
    """
    logits, locs = mixture(luminance)
    order = logits.topk(num_samples, dim=1).indices
    z = locs.gather(1, order[:, :, None].expand(-1, -1, locs.shape[2]))
    return vae.decode(z, luminance)


def parameters(module):
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


# --- The same weights -----------------------------------------------------


def copy_weights(colorizer, vae, mixture):
    """Copies the weights of a `paper_skip` Colorizer, mirrored.

    Args:
        colorizer: `Colorizer` of that preset, with the same sizes.
        vae: `SkipVAE`.
        mixture: `Mixture`.
    """
    ours = colorizer.vae
    side = ours.canvas // 16
    _copy(vae.encoder, ours.posterior.network.layers, side)
    _copy(vae.grey_encoder, ours.grey_encoder.network.layers)
    decoder = ours.decoder
    _copy(vae.decoder, [
        layer for pair in zip(decoder.convolutions, decoder.norms)
        for layer in pair] + [decoder.output_convolution])
    _copy(mixture, [*colorizer.mdn.features.network.layers,
                    *colorizer.mdn.head.network.layers], 2 * side)


def _copy(module, layers, side=None):
    """Copies weights of Keras layers to modules in the same order.

    The first dense layer reads a flattened picture with sides of `side` pixels.
    """
    modules = [one for one in module.modules()
               if isinstance(one, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    for one, layer in zip(
            modules, [layer for layer in layers if layer.weights],
            strict=True):
        values = [torch.tensor(value) for value in layer.get_weights()]
        if isinstance(one, nn.BatchNorm2d):
            targets = [one.weight, one.bias, one.running_mean,
                       one.running_var]
        else:
            targets = [one.weight, one.bias][:len(values)]
            if isinstance(one, nn.Conv2d):  # [H, W, in, out]
                values[0] = values[0].permute(3, 2, 0, 1).flip(2, 3)
            elif side:
                kernel = values[0].reshape(side, side, -1, one.out_features)
                values[0] = kernel.flip(0, 1).permute(3, 2, 0, 1).flatten(1)
                side = None
            else:
                values[0] = values[0].T
        with torch.no_grad():
            for target, value in zip(targets, values, strict=True):
                target.copy_(value)


def turned(pictures):
    """Brings pictures to PyTorch's axes and mirrors them.

    Args:
        pictures: NumPy array [B, c, c, channels].

    Returns:
        tensor [B, channels, c, c].
    """
    pictures = torch.tensor(pictures, device=DEVICE).permute(0, 3, 1, 2)
    return pictures.flip(2, 3).contiguous()


def turned_back(pictures):
    """The inverse of `turned`; returns a NumPy array."""
    return pictures.detach().flip(2, 3).permute(0, 2, 3, 1).cpu().numpy()

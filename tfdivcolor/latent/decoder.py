"""The interface of a VAE's decoder, for sampling, hints and energy score."""

from typing import Any, Protocol, runtime_checkable

from tfdivcolor.utils.types import Tensor


class Decoder(Protocol):
    """p(C | z, G): latents -> colour fields.

    `grey` is the output of the VAE's grey encoder for the pictures. Each pair
    of grey encoder and decoder has its own kind (`regions.RegionGrey`, or the
    paper's feature map).

    Attributes:
        canvas: int c. Side of the fields in pixels.
        latent_dim: int D.
        latent_is_palette: bool. Whether z is a list of colours, (a, b) after
            (a, b), each for one part of the field.
    """

    canvas: int
    latent_dim: int
    latent_is_palette: bool

    def __call__(self, z: Tensor, grey: Any,
                 training: bool = False) -> Tensor:
        """Decodes float32 [B, S, D] to float32 [B, S, c, c, 2], ab / 128."""
        ...

    def sensitivity(self, grey: Any) -> Tensor:
        """float32 [B, D] or [1, D]. Movement of the field for a unit step in
        each latent dimension, root mean square in ab / 128."""
        ...


@runtime_checkable
class LinearDecoder(Protocol):
    """A `Decoder` with a field linear in z, except for a small refinement."""

    def slope(self, grey: Any, weights: Tensor) -> Tensor:
        """Derivatives of weighted means of the field by the latents.

        Args:
            grey: as in `Decoder`.
            weights: float32 [N, c * c]. Weights of the pixels of the canvas.

        Returns:
            float32 [B, N, 2, D]. Change of the means, ab / 128, for a unit
            step in z.
        """
        ...


@runtime_checkable
class MeasuringDecoder(Protocol):
    """A `Decoder` that measures distances of fields without painting them.

    The energy score needs such a decoder.
    """

    def coordinates(self, z: Tensor, ab_norm: Tensor, grey: Any
                    ) -> tuple[Tensor, Tensor, Tensor]:
        """Maps latents and a true field to points with the same distances.

        Args:
            z: float32 [B, S, D].
            ab_norm: float32 [B, c, c, 2]. The true field, ab / 128.
            grey: as in `Decoder`.

        Returns:
            draws: float32 [B, S, D]. Points of the latents.
            truth: float32 [B, D]. The point nearest to the true field.
            distance: float32 [B]. Squared distance of that point to the field.
        """
        ...

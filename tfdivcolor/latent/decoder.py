"""What a VAE's decoder offers: to everyone, to hints, to the energy score."""

from typing import Any, Protocol, runtime_checkable

from tfdivcolor.utils.types import Tensor


class Decoder(Protocol):
    """p(C | z, G): latents -> colour fields.

    `grey` is what the VAE's grey encoder found in the pictures: whatever that
    encoder and this decoder have agreed on (`regions.RegionGrey`, or the
    paper's feature map).

    Attributes:
        canvas: int c. Pixels a side of the fields.
        latent_dim: int D.
        latent_is_palette: bool. Whether z is a list of colours, (a, b) after
            (a, b), each of one part of the field.
    """

    canvas: int
    latent_dim: int
    latent_is_palette: bool

    def __call__(self, z: Tensor, grey: Any,
                 training: bool = False) -> Tensor:
        """float32 [B, S, D], grey -> float32 [B, S, c, c, 2], ab / 128."""
        ...

    def sensitivity(self, grey: Any) -> Tensor:
        """float32 [B, D] or [1, D]. How far a unit step in each latent
        dimension moves the field, root mean square in ab / 128."""
        ...


@runtime_checkable
class LinearDecoder(Protocol):
    """A `Decoder` whose field is linear in z, but for a small refinement."""

    def slope(self, grey: Any, weights: Tensor) -> Tensor:
        """How weighted means of the field move with the latents.

        Args:
            grey: as in `Decoder`.
            weights: float32 [N, c * c]. Weights of the canvas's pixels.

        Returns:
            float32 [B, N, 2, D]. Change of the means, ab / 128, for a unit
            step in z.
        """
        ...


@runtime_checkable
class MeasuringDecoder(Protocol):
    """A `Decoder` that tells how far fields are apart without painting them.

    The energy score needs it.
    """

    def coordinates(self, z: Tensor, ab_norm: Tensor, grey: Any
                    ) -> tuple[Tensor, Tensor, Tensor]:
        """Latents and a true field as points with the fields' distances.

        Args:
            z: float32 [B, S, D].
            ab_norm: float32 [B, c, c, 2]. The true field, ab / 128.
            grey: as in `Decoder`.

        Returns:
            draws: float32 [B, S, D]. The latents' points.
            truth: float32 [B, D]. The nearest point to the true field.
            distance: float32 [B]. Squared distance of that one to the field.
        """
        ...

"""Whether an image shows what not everybody wants to see: the safety checker of Stable Diffusion.

Letters: B batch, S side of the image, E width of the embedding, N concepts, M special ones.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.contracts import ImageEncoderConfig
from darkroom.models.vision import ImageEncoder

# An image near a special concept is judged more strictly by so much (the published checker).
_STRICTER = 0.01
_DECIMALS = 3


class SafetyChecker(nn.Module):
    """CLIP's image tower, and the embeddings of concepts that an image may be too near to.

    The network that was published with Stable Diffusion 1 (Rando et al. 2210.04610 found out what
    its concepts are).  It errs in both directions.
    """

    def __init__(self, config: ImageEncoderConfig, concepts: int, special: int) -> None:
        super().__init__()
        self.image_encoder = ImageEncoder(config)
        self.concepts = nn.Parameter(torch.zeros(concepts, config.embedding))
        self.limits = nn.Parameter(torch.zeros(concepts))
        self.special_concepts = nn.Parameter(torch.zeros(special, config.embedding))
        self.special_limits = nn.Parameter(torch.zeros(special))

    def forward(self, x: Tensor) -> Tensor:
        """Whether images [B, 3, S, S], normalised for CLIP, are unsafe: bool [B]."""
        embedding = F.normalize(self.image_encoder(x))  # [B, E]
        special = _nearness(embedding, self.special_concepts) - self.special_limits  # [B, M]
        stricter = _STRICTER * (_rounded(special) > 0).any(dim=1, keepdim=True)
        scores = _nearness(embedding, self.concepts) - self.limits + stricter  # [B, N]
        return (_rounded(scores) > 0).any(dim=1)


def _nearness(embedding: Tensor, concepts: Tensor) -> Tensor:
    """Cosine of the angles between embeddings of length 1 and concepts."""
    return embedding @ F.normalize(concepts).T


def _rounded(scores: Tensor) -> Tensor:
    return scores.round(decimals=_DECIMALS)

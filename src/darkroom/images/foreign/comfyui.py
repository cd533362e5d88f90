"""ComfyUI's `prompt`: the graph of nodes that made the image, as JSON.

    {"3": {"class_type": "KSampler", "inputs": {"seed": 7, "model": ["4", 0], …}}, …}

An input is a value, or a link: the name of a node and which of its outputs.  The last sampler's
inputs lead back to prompts, model and size.  Nodes are known by what they take rather than by
their class, of which there are thousands.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from darkroom.contracts import Enlarger
from darkroom.images.foreign.recipe import (
    ForeignRecipe,
    as_real,
    as_whole,
    bounded,
    damaged,
    parse_object,
)

_MAX_NODES = 20_000
_MAX_BETWEEN = 100  # of which each may lead far
_LEAST_DENOISE = 0.01
# The inputs that lead from one node to the next, and those that hold what is looked for.
_PRIMITIVES = ("value", "Value", "int", "float", "number", "string", "text")
_CONDITIONINGS = ("guider", "conditioning", "conditioning_1", "conditioning_to")
_TEXTS = ("populated_text", "text", "text_g", "string", "value")
_MODELS = ("ckpt_name", "unet_name", "model", "guider")
_GUIDERS = {"CFGGuider", "BasicGuider"}  # they hand on what a plain sampler takes itself
_LATENTS = ("latent_image", "samples", "latent", "pixels", "image", "images")


@dataclass(frozen=True)
class _Node:
    """One node.  `inputs`: values and links as they stand."""

    name: str
    kind: str
    inputs: Mapping[str, object]

    def link(self, *names: str) -> str | None:
        """The node to which the first of these inputs that is a link leads."""
        links = (_linked(self.inputs.get(name)) for name in names)
        return next((link for link in links if link is not None), None)


@dataclass(frozen=True)
class _Traced:
    """What lies at the end of a chain of links, and the nodes on the way, its holder the last."""

    value: object
    nodes: Sequence[_Node]

    @property
    def text(self) -> str | None:
        return self.value if isinstance(self.value, str) else None

    @property
    def between(self) -> list[str]:
        """The kinds of the nodes between the first and the holder."""
        return [node.kind for node in self.nodes[1:-1] if node.kind not in _GUIDERS]


class _Graph:
    """The nodes by name, and the ways through them.  A ring ends where it closes."""

    def __init__(self, values: Mapping[str, object]) -> None:
        if len(values) > _MAX_NODES:
            raise damaged("comfyui", f"it has more than {_MAX_NODES:,} nodes")
        self.nodes: dict[str, _Node] = {}
        for name, value in values.items():
            if isinstance(value, dict) and isinstance(kind := value.get("class_type"), str):
                inputs = value.get("inputs")
                self.nodes[name] = _Node(name, kind, inputs if isinstance(inputs, dict) else {})

    def trace(self, node: _Node, *names: str) -> _Traced:
        """Follow the first of these inputs that a node has, from node to node, to a value."""
        passed: dict[str, _Node] = {}
        at: _Node | None = node
        while at is not None and at.name not in passed:
            passed[at.name] = at
            wanted = names if at is node else (*names, *_PRIMITIVES)
            given = next((at.inputs[name] for name in wanted if name in at.inputs), None)
            link = _linked(given)
            if link is None:
                return _Traced(given, tuple(passed.values()))
            at = self.nodes.get(link)
        return _Traced(None, tuple(passed.values()))

    def back(self, node: _Node, *names: str) -> Iterator[_Node]:
        """The nodes before this one, along the first of these inputs that is a link."""
        seen = {node.name}
        link = node.link(*names)
        while link is not None and link in self.nodes and link not in seen:
            seen.add(link)
            yield (at := self.nodes[link])
            link = at.link(*names)

    def last_samplers(self) -> list[_Node]:
        """The samplers that no other one continues."""
        samplers = [node for node in self.nodes.values() if _samples(node)]
        queue = deque(samplers)
        continued: set[str] = set()
        while queue:
            for link in map(_linked, queue.popleft().inputs.values()):
                if link in self.nodes and link not in continued:
                    continued.add(link)
                    queue.append(self.nodes[link])
        return [node for node in samplers if node.name not in continued]


@dataclass(frozen=True)
class _Sampling:
    """What one sampler was told."""

    seed: int | None
    steps: int | None
    guidance: float | None
    sampler: str | None
    schedule: str | None
    eta: float | None
    denoise: float | None


def looks_like(value: object) -> bool:
    """Whether a JSON value is such a graph."""
    return isinstance(value, dict) and any(
        isinstance(node, dict) and "class_type" in node for node in value.values()
    )


def read(text: str) -> ForeignRecipe:
    """The recipe in the text of a graph.

    Raises:
        ImageError: it is no graph, or nothing in it samples.
    """
    graph = _Graph(parse_object(text, "comfyui"))
    found = graph.last_samplers()
    if not found:
        raise damaged("comfyui", "no node in it samples")
    rest = {} if len(found) == 1 else {"Samplers": f"{len(found)}; the first is told here"}
    way = [found[0], *graph.back(found[0], *_LATENTS)]
    samplers = [node for node in way if _samples(node)]
    first, start = samplers[-1], way[-1]
    place = way.index(first)
    made, again = _sampling(graph, first), _sampling(graph, found[0])
    width, height = (as_whole(graph.trace(start, side).value) for side in ("width", "height"))
    encoded = any(node.link("pixels") for node in way[place + 1 :])
    times, enlarger = _enlargement(graph, way[1:place][:_MAX_BETWEEN], width)
    if len(samplers) > 2 or (len(samplers) == 2 and times is None):
        rest["Samplers in a row"] = f"{len(samplers)}; the first is told here"
        times = None
    images = as_whole(graph.trace(start, "batch_size").value)
    if images is not None and images > 1:
        rest["Images drawn at once"] = str(images)
    model = graph.trace(first, *_MODELS)
    positive, clip_skip = _prompt(graph, first, "positive", rest)
    negative, _ = _prompt(graph, first, "negative", rest)
    rest |= _on_the_way(graph, model)
    return ForeignRecipe(
        tool="comfyui",
        prompt=positive,
        negative=negative,
        model=model.text,
        strength=made.denoise if encoded else None,
        steps=_whole_schedule(made) if encoded else made.steps,
        sampler=made.sampler,
        schedule=made.schedule,
        guidance=made.guidance,
        eta=made.eta,
        width=width,
        height=height,
        seed=made.seed,
        rescale=_rescale(model),
        prompt_syntax="comfyui",
        clip_skip=clip_skip,
        noise="cpu",
        hires=times,
        hires_strength=None if times is None else again.denoise,
        hires_steps=None if times is None else again.steps,
        hires_enlarger=None if times is None else enlarger,
        rest=bounded(rest),
    )


def _linked(value: object) -> str | None:
    """The node that a link names: `["4", 0]`."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
        return str(value[0])
    return None


def _samples(node: _Node) -> bool:
    """Whether a node turns a noisy latent into another, with two prompts or a guider."""
    inputs = node.inputs.keys()
    return "latent_image" in inputs and ("guider" in inputs or {"positive", "negative"} <= inputs)


def _sampling(graph: _Graph, node: _Node) -> _Sampling:
    """The numbers of a sampler, its own or those of the nodes that it is put together from."""

    def value(*names: str) -> object:
        return graph.trace(node, *names).value

    sigmas = graph.trace(node, "scheduler", "sigmas")
    solver = graph.trace(node, "sampler_name", "sampler")
    return _Sampling(
        seed=as_whole(value("seed", "noise_seed", "noise")),
        steps=as_whole(value("steps", "sigmas")),
        guidance=as_real(value("cfg", "guider")),
        # A node for one schedule or one sampler bears its name: KarrasScheduler, SamplerLMS.
        schedule=sigmas.text or _named(sigmas, node, "Scheduler"),
        sampler=solver.text or _named(solver, node, "Sampler"),
        eta=as_real(value("eta", "sampler")),
        denoise=as_real(value("denoise", "sigmas")),
    )


def _whole_schedule(made: _Sampling) -> int | None:
    """ComfyUI counts the steps that run, we those of the schedule of which they are a part."""
    if made.steps is None or made.denoise is None or not _LEAST_DENOISE <= made.denoise <= 1:
        return made.steps
    return int(made.steps / made.denoise)


def _named(traced: _Traced, sampler: _Node, role: str) -> str | None:
    last = traced.nodes[-1]
    return None if last is sampler else last.kind.replace(role, "")


def _prompt(
    graph: _Graph, sampler: _Node, which: str, rest: dict[str, str]
) -> tuple[str | None, int | None]:
    """The text of the positive or negative prompt, and the layers skipped when it was read."""
    traced = graph.trace(sampler, which, *_CONDITIONINGS, *_TEXTS)
    if any(node.kind == "ConditioningZeroOut" for node in traced.nodes):
        return "", None
    reader = next((node for node in reversed(traced.nodes) if node.link("clip")), None)
    if between := [kind for kind in traced.between if reader is None or kind != reader.kind]:
        rest[f"Between {which} prompt and sampler"] = ", ".join(between)
    skipped = None
    if reader is not None:
        skipped = as_whole(graph.trace(reader, "stop_at_clip_layer", "clip").value)
    return traced.text, None if skipped is None or skipped >= 0 else -skipped


def _enlargement(
    graph: _Graph, between: Sequence[_Node], width: int | None
) -> tuple[float | None, Enlarger | None]:
    """How much larger the second pass is, and how the image between the two was enlarged."""
    for node in between:
        times = as_real(graph.trace(node, "scale_by", "upscale_by").value)
        wide = as_whole(graph.trace(node, "width").value)
        if times is None and wide is not None and width:
            times = wide / width
        if times is not None and times > 1:
            way = node.inputs.get("upscale_method")
            latent = node.link("samples") is not None
            return times, "latent" if latent else "lanczos" if way == "lanczos" else None
    return None, None


def _on_the_way(graph: _Graph, model: _Traced) -> dict[str, str]:
    """What stands between the checkpoint and the sampler."""
    told = {}
    for node in model.nodes[1:-1][:_MAX_BETWEEN]:
        name = graph.trace(node, "lora_name").text
        weight = as_real(graph.trace(node, "strength_model").value)
        if name is not None:
            told[f"LoRA {name}"] = "1" if weight is None else f"{weight:g}"
        elif node.kind not in _GUIDERS | {"RescaleCFG"}:
            told[node.kind] = "between model and sampler"
    return told


def _rescale(model: _Traced) -> float | None:
    values = [n.inputs.get("multiplier") for n in model.nodes if n.kind == "RescaleCFG"]
    return as_real(values[0]) if values else None

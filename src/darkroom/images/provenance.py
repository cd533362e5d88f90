"""The statement, in every image, that a machine made it.

An XMP packet (ISO 16684-1) with the properties that the IPTC Photo Metadata Standard 2025.1 has
for generated images: digital source type, AI system and its version, and an identifier.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat
from xml.sax.saxutils import escape

_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_DARKROOM = "urn:darkroom:xmp:1"

GENERATED = "trainedAlgorithmicMedia"
EDITED = "compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Where an image comes from.

    `source`: a term of IPTC's digital source types, `GENERATED` or `EDITED` for ours.
    `created`: ISO 8601.  `identifier`: unique to this image.  In a mark of another program's
    image, what is not said is empty.
    """

    source: str
    system: str
    system_version: str
    created: str
    identifier: str

    @property
    def by_machine(self) -> bool:
        """Whether the source type says that a trained model made the image or a part of it."""
        return self.source in {GENERATED, EDITED}


def new_mark(system_version: str, *, edited: bool = False) -> Mark:
    """A mark for an image made now.  `edited`: it began as a picture that the user brought."""
    return Mark(
        source=EDITED if edited else GENERATED,
        system="Darkroom",
        system_version=system_version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        identifier=str(uuid.uuid4()),
    )


def to_xmp(mark: Mark, recipe: str = "") -> bytes:
    """The XMP packet of a mark; `recipe` is carried along where a format has no place for text."""
    values = {
        "Iptc4xmpExt:DigitalSourceType": _VOCABULARY + mark.source,
        "Iptc4xmpExt:AISystemUsed": mark.system,
        "Iptc4xmpExt:AISystemVersionUsed": mark.system_version,
        "Iptc4xmpExt:DigImageGUID": mark.identifier,
        "xmp:CreateDate": mark.created,
        "xmp:CreatorTool": f"{mark.system} {mark.system_version}".strip(),
        "darkroom:recipe": recipe,
    }
    properties = "\n".join(
        f"   <{name}>{escape(value)}</{name}>" for name, value in values.items() if value
    )
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{_RDF}">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" xmlns:xmp="{_XMP}"
    xmlns:darkroom="{_DARKROOM}">
{properties}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


def from_xmp(packet: bytes) -> Mark | None:
    """The mark in any program's XMP packet; None where it has no source type or is damaged."""
    found = _properties(packet)
    source = found.get(f"{_IPTC} DigitalSourceType", "").rstrip("/")
    if not source:
        return None
    return Mark(
        source=source.rpartition("/")[2],
        system=found.get(f"{_IPTC} AISystemUsed", "") or found.get(f"{_XMP} CreatorTool", ""),
        system_version=found.get(f"{_IPTC} AISystemVersionUsed", ""),
        created=found.get(f"{_XMP} CreateDate", ""),
        identifier=found.get(f"{_IPTC} DigImageGUID", ""),
    )


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What a packet carries beside the mark: our recipe, and the comment of other programs."""

    recipe: str | None
    comment: str | None


def texts_in(packet: bytes) -> Texts:
    """The recipe that `to_xmp` put into a packet, and EXIF's user comment."""
    found = _properties(packet)
    return Texts(recipe=found.get(f"{_DARKROOM} recipe"), comment=found.get(f"{_EXIF} UserComment"))


def _properties(packet: bytes) -> dict[str, str]:
    """Simple properties by namespace and name, whether written as elements or as attributes.

    Of a list the last entry counts.  Empty for damaged XML and for XML that defines entities,
    which a packet never needs.
    """
    found: dict[str, str] = {}
    texts: list[str] = []
    within: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        texts.clear()
        if not name.startswith(_RDF):
            within.append(name)
        found.update(attributes)
        if resource := attributes.get(f"{_RDF} resource"):
            found[name] = resource

    def end(name: str) -> None:
        text = "".join(texts).strip()
        texts.clear()
        if text and within:
            found[within[-1]] = text
        if not name.startswith(_RDF):
            within.pop()

    def refuse(*_: object) -> None:
        raise ValueError("a packet with a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(packet.strip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, ValueError, LookupError):
        return {}
    return found

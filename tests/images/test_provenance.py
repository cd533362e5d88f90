"""The mark: ours, other programs', and packets that are none."""

import uuid
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.images import provenance
from darkroom.images.provenance import Mark

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def test_a_new_mark_says_all_that_is_asked() -> None:
    mark = provenance.new_mark("0.1.0")
    assert mark.source == "trainedAlgorithmicMedia"
    assert (mark.system, mark.system_version) == ("Darkroom", "0.1.0")
    assert datetime.fromisoformat(mark.created).utcoffset() is not None
    assert uuid.UUID(mark.identifier).version == 4
    assert provenance.new_mark("0.1.0").identifier != mark.identifier
    edited = provenance.new_mark("0.1.0", edited=True)
    assert edited.source == "compositeWithTrainedAlgorithmicMedia"


def test_the_packet_is_rdf_with_the_published_names() -> None:
    mark = provenance.new_mark("0.1.0 <&>")
    description = ET.fromstring(provenance.to_xmp(mark)).find(f".//{{{RDF}}}Description")
    assert description is not None
    found = {entry.tag: entry.text for entry in description}
    assert found[f"{{{IPTC}}}DigitalSourceType"] == VOCABULARY + "trainedAlgorithmicMedia"
    assert found[f"{{{IPTC}}}AISystemUsed"] == "Darkroom"
    assert found[f"{{{IPTC}}}AISystemVersionUsed"] == "0.1.0 <&>"
    assert found[f"{{{IPTC}}}DigImageGUID"] == mark.identifier
    assert found["{http://ns.adobe.com/xap/1.0/}CreateDate"] == mark.created


def test_a_mark_goes_there_and_back() -> None:
    mark = provenance.new_mark("0.1.0", edited=True)
    assert provenance.from_xmp(provenance.to_xmp(mark)) == mark
    assert provenance.texts_in(provenance.to_xmp(mark)).recipe is None
    recipe = '{"prompt": "a < b & \\"c\\" ]]> \\u0000"}'
    assert provenance.texts_in(provenance.to_xmp(mark, recipe)).recipe == recipe


def packet(inside: str, attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description xmlns:i="{IPTC}" {attributes}>{inside}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


@pytest.mark.parametrize(
    "data",
    [
        packet(f"<i:DigitalSourceType>{VOCABULARY}trainedAlgorithmicMedia</i:DigitalSourceType>"),
        packet(f'<i:DigitalSourceType rdf:resource="{VOCABULARY}trainedAlgorithmicMedia"/>'),
        packet("", f'i:DigitalSourceType="{VOCABULARY}trainedAlgorithmicMedia"'),
        packet("", f'i:DigitalSourceType="{VOCABULARY}trainedAlgorithmicMedia/"') + b"\0",
    ],
    ids=["element", "resource", "attribute", "trailing bytes"],
)
def test_other_programs_write_it_in_three_ways(data: bytes) -> None:
    mark = provenance.from_xmp(data)
    assert mark is not None
    assert mark == Mark(
        source="trainedAlgorithmicMedia", system="", system_version="", created="", identifier=""
    )
    assert mark.by_machine
    assert not replace(mark, source="digitalCapture").by_machine


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    + packet(f"<i:DigitalSourceType>{VOCABULARY}x&b;</i:DigitalSourceType>")
)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"<", b"<a>", b"not xml", b"\xff\xfe\0", packet(""), BOMB, b"<a>" * 200_000],
    ids=["empty", "nul", "cut", "open", "text", "bytes", "no mark", "entities", "deep"],
)
def test_a_packet_without_a_mark(data: bytes) -> None:
    assert provenance.from_xmp(data) is None
    assert provenance.texts_in(data).recipe is None


@given(st.binary())
def test_any_bytes_can_be_asked(data: bytes) -> None:
    assert provenance.from_xmp(data) is None

"""What was made from what, through everything that the page does to an image in between."""

from tests.server.conftest import House
from tests.server.test_rest import png, recipe


def test_a_drawing_over_an_image_keeps_its_parents(house: House) -> None:
    house.submit()
    original = house.develop(png("navy"), recipe())
    taken = house.client.post(f"/api/images/{original}/input").json()["id"]
    drawn = house.client.post("/api/uploads", params={"over": taken}, content=png("teal"))
    assert drawn.status_code == 201, drawn.text
    house.submit()
    painted = house.develop(png("olive"), recipe(input_sha256=drawn.json()["id"]))
    seen = house.client.get(f"/api/images/{painted}").json()
    assert [parent["id"] for parent in seen["parents"]] == [original]
    seen = house.client.get(f"/api/images/{original}").json()
    assert [child["id"] for child in seen["children"]] == [painted]


def test_an_upload_drawn_over_nothing_that_is_here_is_an_upload(house: House) -> None:
    for over, status in ("0" * 64, 201), ("../x", 422):
        answer = house.client.post("/api/uploads", params={"over": over}, content=png())
        assert answer.status_code == status

"""The words of Mini's world, as the judge understands them: objects, colours, shapes, styles.

A table of its own, keyed by the names that Unicode gives the characters: the judge shares nothing
with the training but what the words mean.
"""

import hashlib
from collections.abc import Mapping

# Words of a prompt to the Unicode names of what they mean.
OBJECTS: Mapping[str, str] = {
    "hamster": "HAMSTER FACE",
    "fox": "FOX FACE",
    "cat": "CAT FACE",
    "dog": "DOG FACE",
    "panda": "PANDA FACE",
    "tiger": "TIGER FACE",
    "lion": "LION FACE",
    "frog": "FROG FACE",
    "rabbit": "RABBIT FACE",
    "bear": "BEAR FACE",
    "koala": "KOALA",
    "pig": "PIG FACE",
    "cow": "COW FACE",
    "monkey": "MONKEY FACE",
    "penguin": "PENGUIN",
    "owl": "OWL",
    "bird": "BIRD",
    "fish": "FISH",
    "octopus": "OCTOPUS",
    "turtle": "TURTLE",
    "butterfly": "BUTTERFLY",
    "ladybug": "LADY BEETLE",
    "whale": "SPOUTING WHALE",
    "unicorn": "UNICORN FACE",
    "apple": "RED APPLE",
    "banana": "BANANA",
    "strawberry": "STRAWBERRY",
    "pineapple": "PINEAPPLE",
    "watermelon": "WATERMELON",
    "cherries": "CHERRIES",
    "grapes": "GRAPES",
    "carrot": "CARROT",
    "mushroom": "MUSHROOM",
    "pizza": "SLICE OF PIZZA",
    "hamburger": "HAMBURGER",
    "doughnut": "DOUGHNUT",
    "car": "AUTOMOBILE",
    "bus": "BUS",
    "rocket": "ROCKET",
    "sailboat": "SAILBOAT",
    "house": "HOUSE BUILDING",
    "tree": "EVERGREEN TREE",
    "sunflower": "SUNFLOWER",
    "guitar": "GUITAR",
    "robot": "ROBOT FACE",
    "balloon": "BALLOON",
    "star": "WHITE MEDIUM STAR",
    "cactus": "CACTUS",
    "horse": "HORSE FACE",
    "mouse": "MOUSE FACE",
    "chicken": "CHICKEN",
    "wolf": "WOLF FACE",
    "raccoon": "RACCOON",
    "elephant": "ELEPHANT",
    "giraffe": "GIRAFFE FACE",
    "zebra": "ZEBRA FACE",
    "hedgehog": "HEDGEHOG",
    "sheep": "SHEEP",
    "camel": "DROMEDARY CAMEL",
    "snake": "SNAKE",
    "crocodile": "CROCODILE",
    "dolphin": "DOLPHIN",
    "shark": "SHARK",
    "crab": "CRAB",
    "snail": "SNAIL",
    "bee": "HONEYBEE",
    "spider": "SPIDER",
    "duck": "DUCK",
    "parrot": "PARROT",
    "flamingo": "FLAMINGO",
    "dragon": "DRAGON",
    "dinosaur": "T-REX",
    "ghost": "GHOST",
    "alien": "EXTRATERRESTRIAL ALIEN",
    "skull": "SKULL",
    "snowman": "SNOWMAN WITHOUT SNOW",
    "rose": "ROSE",
    "tulip": "TULIP",
    "clover": "FOUR LEAF CLOVER",
    "palm tree": "PALM TREE",
    "maple leaf": "MAPLE LEAF",
    "lemon": "LEMON",
    "pear": "PEAR",
    "peach": "PEACH",
    "tomato": "TOMATO",
    "avocado": "AVOCADO",
    "eggplant": "AUBERGINE",
    "corn": "EAR OF MAIZE",
    "broccoli": "BROCCOLI",
    "bread": "BREAD",
    "croissant": "CROISSANT",
    "cheese": "CHEESE WEDGE",
    "pretzel": "PRETZEL",
    "hot dog": "HOT DOG",
    "fries": "FRENCH FRIES",
    "popcorn": "POPCORN",
    "ice cream": "SOFT ICE CREAM",
    "cookie": "COOKIE",
    "cake": "BIRTHDAY CAKE",
    "cupcake": "CUPCAKE",
    "lollipop": "LOLLIPOP",
    "coffee": "HOT BEVERAGE",
    "teapot": "TEAPOT",
    "locomotive": "STEAM LOCOMOTIVE",
    "ambulance": "AMBULANCE",
    "tractor": "TRACTOR",
    "bicycle": "BICYCLE",
    "motorcycle": "RACING MOTORCYCLE",
    "helicopter": "HELICOPTER",
    "airplane": "AIRPLANE",
    "flying saucer": "FLYING SAUCER",
    "anchor": "ANCHOR",
    "castle": "EUROPEAN CASTLE",
    "tent": "TENT",
    "volcano": "VOLCANO",
    "sun": "SUN WITH FACE",
    "moon": "CRESCENT MOON",
    "rainbow": "RAINBOW",
    "fire": "FIRE",
    "snowflake": "SNOWFLAKE",
    "planet": "RINGED PLANET",
    "umbrella": "UMBRELLA",
    "heart": "HEAVY BLACK HEART",
    "gem": "GEM STONE",
    "crown": "CROWN",
    "football": "SOCCER BALL",
    "gift": "WRAPPED PRESENT",
    "key": "KEY",
}

# sRGB colours that people call by these names; the nearest one wins.
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (215, 35, 40),
    "orange": (250, 140, 25),
    "yellow": (250, 220, 55),
    "green": (45, 160, 80),
    "blue": (45, 110, 220),
    "cyan": (70, 205, 220),
    "purple": (130, 70, 200),
    "pink": (250, 150, 200),
    "brown": (125, 80, 45),
    "gray": (128, 128, 128),
    "black": (10, 10, 10),
    "white": (250, 250, 250),
}

SHAPES = ("circle", "square", "triangle", "hexagon", "cross")
STYLES = ("flat", "pixel", "outline", "silhouette")

NUMBERS = {2: "two", 3: "three", 4: "four"}
_UNCOUNTED = frozenset(
    str.split("cherries grapes fries bread cheese corn coffee popcorn fire broccoli")
)
_PLURALS = {"wolf": "wolves", "mouse": "mice", "leaf": "leaves", "fish": "fish", "sheep": "sheep"}


def noun(name: str) -> str:
    """A name with its indefinite article, where it takes one."""
    if name in _UNCOUNTED:
        return name
    return f"an {name}" if name[0] in "aeiou" and not name.startswith("uni") else f"a {name}"


def plural(name: str) -> str:
    """Several of an object; what cannot be counted stays as it is."""
    if name in _UNCOUNTED:
        return name
    if name in _PLURALS:
        return _PLURALS[name]
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh", "tomato")) else "s")


def held_out(*names: str) -> bool:
    """Whether no scene of the training may combine these: one combination in ten, by its hash.

    An object and a background, an object and a style, two objects.
    """
    return hashlib.sha256("|".join(sorted(names)).encode()).digest()[0] < 26

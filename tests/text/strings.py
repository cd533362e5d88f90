"""Two thousand strings that a tokenizer may meet, the same at every run."""

import random
import unicodedata

NASTY = (
    "",
    " ",
    "\t\n\r\x0b\x0c ",
    "a",
    "A photograph of an astronaut riding a horse",
    "it's we're I've he'll I'd don't I'M THEY'LL 'S 's''s",
    "it’s “quoted” ‘so’ — and… ﬁne ﬂour ﬃ",
    "hello<|endoftext|>world <|startoftext|><|ENDOFTEXT|> <|end of text|>",
    "<|\u017ftartoftext|> '\u017f \u212a K",
    "&amp;lt;b&amp;gt; &lt;br&gt; &amp; &nbsp; &#x41; &#128512; &notanentity; &amp;amp;amp;",
    "rock &amp; roll, R&B & AT&T; x < y &amp;lt; z",
    "100,000 1234567890 3.14159 ½ ² Ⅷ ٣٤٥ 一二三",
    "😀 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽 ©️ #️⃣ ☺︎",
    "مرحبا بالعالم صورة قطة على القمر ﷺ",
    "שלום עולם \u200fימין\u200eשמאל",
    "猫が月の上で眠っている写真、油絵",
    "고양이가 달 위에서 자고 있다",
    "кошка спит на луне ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΥΣ",
    "İstanbul ISTANBUL ıssız ẞ ß ŉ ǰ ΐ",
    "Ã©tÃ© â€œquotedâ€\x9d schÃ¶n ðŸ˜€ L&AMP;AMP;ATILDE;&AMP;AMP;SUP3;PEZ",
    "e\u0301te\u0301 Z\u0351\u036b\u0343\u036a\u0302a\u0302\u0489lgo \u0301 a\u0301\u0301\u0301",
    "\u200b\u200c\u200d\u2060\ufeff zero\u200bwidth soft\u00adhyphen",
    "\x00nul \x01\x02\x1b[31mred\x1b[0m \x7f \x80\x85\x9f bell\x07",
    "\ud800 lone \udfff surrogates \ud83d\ude00",
    "\ufffd \ufffe \uffff \U0010ffff \ue000",
    "\u2028line\u2029paragraph\u0085next\u00a0space\u3000wide\u2009thin\u180evowel",
    "ＦＵＬＬ　ｗｉｄｔｈ　１２３ ｱｲｳ",
    "C:\\path\\to\\file.png http://example.org/?a=b&c=d#e user@example.org",
    "((masterpiece:1.3)), [low quality], {a|b}, <lora:x:1>, BREAK AND __wild__",
    "!!!???...---___~~~```$$$%%%^^^&&&***+++===///\\\\\\|||",
    "a" * 5_000,
    "ab" * 2_500,
    "Aa " * 1_000,
    "." * 3_000,
    "😀" * 1_000,
    "&amp;" * 500,
    "a\u0301" * 1_000,
    "antidisestablishmentarianism" * 60,
    "one\ntwo\n\nthree\r\n\n\rfour",
)

_WORDS = str.split(
    "a photo of the astronaut riding horse oil painting trending on artstation highly detailed "
    "4k 8K HDR octane render by greg rutkowski, cinematic lighting; dog's cat's hamster blue red "
    "background (close-up) Ünïcödé naïve café don't we've"
)
# First and last of each range of code points, and how often it is drawn.
_RANGES = (
    (0x20, 0x7E, 30),
    (0x00, 0x1F, 3),
    (0x7F, 0xFF, 8),
    (0x100, 0x24F, 6),
    (0x300, 0x36F, 5),
    (0x370, 0x52F, 6),
    (0x590, 0x6FF, 6),
    (0x900, 0xDFF, 4),
    (0x1E00, 0x1FFF, 4),
    (0x2000, 0x206F, 6),
    (0x20A0, 0x2BFF, 6),
    (0x3000, 0x30FF, 4),
    (0x4E00, 0x9FFF, 4),
    (0xAC00, 0xD7A3, 3),
    (0xD800, 0xDFFF, 1),
    (0xE000, 0xFFFF, 3),
    (0x1F000, 0x1FAFF, 6),
    (0x20000, 0x2A6D6, 1),
)
_BITS = (
    "&amp;",
    "&lt;",
    "&#39;",
    "'s",
    "'LL",
    "<|endoftext|>",
    "\u200d",
    "\ufe0f",
    "Ã©",
    "  ",
    "\n",
)


def strings(count: int = 2_000) -> list[str]:
    """The nasty ones, then sentences, letter soup, and both mixed."""
    draw = random.Random(20_221_120)
    weights = [weight for _, _, weight in _RANGES]

    def letter() -> str:
        """Old letters and any emoji: libraries do not agree on the youngest letters yet."""
        while True:
            first, last, _ = draw.choices(_RANGES, weights)[0]
            drawn = chr(draw.randint(first, last))
            if drawn > "\uffff" or unicodedata.ucd_3_2_0.category(drawn) != "Cn":
                return drawn

    def soup() -> str:
        return "".join(letter() for _ in range(draw.randint(1, 40)))

    def sentence() -> str:
        return " ".join(draw.choice(_WORDS) for _ in range(draw.randint(1, 30)))

    def mixed() -> str:
        parts = (sentence, soup, lambda: draw.choice(_BITS), lambda: draw.choice(NASTY[4:30]))
        return draw.choice(("", " ")).join(draw.choice(parts)() for _ in range(draw.randint(2, 6)))

    kinds = (sentence, soup, mixed)
    return [*NASTY, *(kinds[k % 3]() for k in range(count - len(NASTY)))]

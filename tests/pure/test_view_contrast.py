"""Whether everybody can read it: contrasts by WCAG 2, in every theme, and with eyes that miss a colour.

See: WCAG 2.2 "Contrast (Minimum)" 1.4.3, "Non-text Contrast" 1.4.11; Viénot, Brettel, Mollon (1999).
"""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from labkit.view import assets, palette, theme

AA, PARTS = 4.5, 3.0
LETTERS = ("--ink", "--soft", "--accent", "--new", "--gone", "--changed", "--string", "--constant")
KINDS = ("--new", "--gone", "--changed")
#: what stands where JupyterLab and VS Code would fill in theirs: their own light and dark grounds
AROUND = {
    "normal": {"--ground": "#ffffff", "--ink": "#1b1f23"},
    "normal, in a dark page": {"--ground": "#111111", "--ink": "#ececec"},
    "dark": {}, "stage": {},
}  # fmt: skip


def luminance(colour):
    """Relative luminance of (r, g, b), each 0 to 255."""
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def rgb(text):
    """``#fff`` or ``#ffffff`` as numbers."""
    digits = text.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    return tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))


def mix(one, other, share):
    """CSS's color-mix in srgb: `share` of one, the rest of the other."""
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


def rules(name):
    """The custom properties of the rules of a style sheet, by selector."""
    found = re.findall(r"([^{}]+)\{([^{}]*)\}", assets.squeezed(name))
    return {selector.strip(): dict(re.findall(r"(--[\w-]+): ?([^;]+)", body)) for selector, body in found}


def colours(name):
    """The player's colours in this theme, with mixtures computed."""
    sheet = rules("player.css")
    dark = next(body for selector, body in sheet.items() if selector.startswith("body[data-jp-theme-light"))
    own = next(
        (b for s, b in sheet.items() if s.endswith(f'.labkit-player[data-theme="{name}"]') and b is not dark), {}
    )
    chosen = sheet[".labkit-player"] | (dark if "dark" in name else {}) | own | AROUND[name]
    found = {key: rgb(value) for key, value in chosen.items() if re.fullmatch(r"#[0-9a-f]{3,6}", value)}
    for key, value in chosen.items():
        if mixed := re.fullmatch(r"color-mix\(in srgb, ?var\((--\w+)\) ([\d.]+)%, ?var\((--\w+)\)\)", value):
            found[key] = mix(found[mixed[1]], found[mixed[3]], float(mixed[2]) / 100)
    return found | {"wash": float(chosen["--wash"].rstrip("%")) / 100}


def seen(colour, kind):
    """As protanopes and deuteranopes see it, by the matrices of Viénot and others, in linear light."""
    linear = [((p / 255) / 12.92 if p <= 10.3 else ((p / 255 + 0.055) / 1.055) ** 2.4) for p in colour]
    red, green, blue = linear
    weight = {"protan": 0.11238, "deutan": 0.29275}[kind]
    mixed, other = weight * red + (1 - weight) * green, {"protan": 0.00401, "deutan": -0.02234}[kind]
    shown = (mixed, mixed, other * red - other * green + blue)
    return tuple(255 * (12.92 * p if p <= 0.0031308 else 1.055 * max(p, 0) ** (1 / 2.4) - 0.055) for p in shown)


@pytest.mark.parametrize("name", AROUND)
def test_letters_stand_out_from_every_ground_they_stand_on(name):
    found = colours(name)
    panel = found["--panel"]
    for letters in LETTERS:
        for ground in (found["--ground"], panel):
            assert contrast(found[letters], ground) >= AA, (letters, ground)
    for kind in KINDS:
        washed = mix(found[kind], found["--ground"], found["wash"])
        for letters in ("--ink", "--soft", kind):
            assert contrast(found[letters], washed) >= AA, (letters, "on the wash of", kind)
    assert contrast(found["--on-accent"], found["--accent"]) >= AA


@pytest.mark.parametrize("name", AROUND)
def test_the_frame_of_what_can_be_pressed_or_has_the_focus_is_seen(name):
    found = colours(name)
    assert contrast(found["--accent"], found["--ground"]) >= PARTS
    assert contrast(found["--edge"], found["--ground"]) >= PARTS


def test_the_stage_has_more_contrast_than_is_asked_for():
    found = colours("stage")
    for letters in LETTERS:
        assert contrast(found[letters], found["--ground"]) >= 7, letters


@pytest.mark.parametrize("name", AROUND)
def test_the_lines_of_a_live_panel_and_their_names_stand_out(name):
    ground = colours(name)["--ground"]
    sheet = [body for body in rules("livepanel.css").values() if "--line-1" in body]
    lines = sheet[2 if name == "stage" else 1 if "dark" in name else 0]
    assert len(sheet) == 3
    for n in range(1, 6):
        assert contrast(rgb(lines[f"--line-{n}"]), ground) >= AA


@pytest.mark.parametrize("kind", ["protan", "deutan"])
@pytest.mark.parametrize("name", AROUND)
def test_new_gone_and_changed_are_told_apart_by_sign_and_two_of_them_by_colour_too(name, kind):
    found = colours(name)
    apart = [
        sum(abs(a - b) for a, b in zip(seen(found[x], kind), seen(found[y], kind), strict=True))
        for x, y in combinations(KINDS, 2)
    ]
    assert sorted(apart)[1] > 60
    signs = set(re.findall(r'sign: "(.)"', assets.text("columns.js")))
    assert len(signs) == 3


@pytest.mark.parametrize(("fill", "letters"), list(zip(palette._FILLS, palette._LETTERS, strict=True)))
def test_names_are_read_on_the_colour_of_their_namespace(fill, letters):
    assert contrast(rgb(letters), rgb(fill)) >= AA


@pytest.mark.parametrize("name", ["dark", "stage"])
def test_pictures_and_tables_have_ground_and_letters_of_one_theme(name):
    chosen = theme.THEMES[name]
    ink, ground = rgb(chosen.letters), rgb(chosen.ground)
    assert contrast(ink, ground) >= 7
    dim = float(re.search(r"\.lk-svg \.lk-dim\{opacity: ?([\d.]+)", palette.STYLE)[1])
    assert contrast(mix(ink, ground, dim), ground) >= AA


@pytest.mark.parametrize(
    "sheet",
    [
        "player.css",
        "controls.css",
        "step.css",
        "panels.css",
        "cards.css",
        "terminal.css",
        "pictures.css",
        "tables.css",
        "livepanel.css",
    ],
)
def test_no_colour_of_the_page_is_used_without_another_to_fall_back_on(sheet):
    text = assets.text(sheet)
    alone = re.findall(r"var\(--(?:jp|vscode)-[\w-]+\)", text)
    assert not alone

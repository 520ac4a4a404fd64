"""One style for all pictures and tables: eight colours that colour-blind eyes tell apart, light, dark and stage.

The colours are those of Okabe and Ito. A namespace has the colour of its number, so a container that is
``#2`` in everything is orange in every picture; ``#1``, what the lab host began with, is grey. Colour never
stands alone: there is always a letter, a number or a shape that says the same.

Whoever shows a picture may set ``--lk-fg``, ``--lk-bg`` and ``--lk-size`` (a length, 13px; 22px in the hall) on any
element around it. Unset, the colours are JupyterLab's or VS Code's, and in a page that knows neither, those of
the reader's system. The paper is painted, so letters and ground always go together.

See: Okabe and Ito, "Color Universal Design" (2008); CSS Custom Properties; prefers-color-scheme.
"""

from __future__ import annotations

#: black on the colour, but white on blue
_FILLS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
_LETTERS = ("#000", "#000", "#000", "#000", "#fff", "#000", "#000")


def place(name: str) -> int:
    """The number in ``uts#2``; 0 for a name without one."""
    digits = name.rpartition("#")[2]
    return int(digits) if digits.isascii() and digits.isdecimal() else 0


def colour(name: str) -> int:
    """The colour of a namespace: 0 (grey) for the first of its kind and for what lies outside, else 1 to 7."""
    return 0 if place(name) < 2 else (place(name) - 2) % len(_FILLS) + 1


_COLOURS = "".join(
    f".lk .lk-c{n}{{fill:{fill}}}.lk .lk-on{n}{{fill:{letter}}}.lk .lk-s{n}{{stroke:{fill};fill:none}}"
    f".lk .lk-b{n}{{background:{fill};color:{letter}}}"
    for n, (fill, letter) in enumerate(zip(_FILLS, _LETTERS, strict=True), 1)
)

STYLE = (
    ".lk{--lk-dfg:#1b1b1b;--lk-dbg:#fff}"
    "@media(prefers-color-scheme:dark){.lk{--lk-dfg:#ececec;--lk-dbg:#161616}}"
    ".lk{--lk-ink:var(--lk-fg,var(--jp-content-font-color0,var(--vscode-editor-foreground,var(--lk-dfg))));"
    "--lk-ground:var(--lk-bg,var(--jp-layout-color0,var(--vscode-editor-background,var(--lk-dbg))));"
    "--lk-mono:var(--jp-code-font-family,ui-monospace),'DejaVu Sans Mono',Menlo,Consolas,monospace}"
    ".lk-svg{font:13px var(--lk-mono);width:calc(var(--lk-wide)*var(--lk-size,13px));height:auto;"
    "max-width:100%;min-width:calc(var(--lk-wide)*var(--lk-size,13px)*.62)}"
    ".lk-svg text{fill:var(--lk-ink);white-space:pre}"
    ".lk-svg .lk-strong{font-weight:700}.lk-svg .lk-dim{opacity:.72}.lk-svg .lk-mid{text-anchor:middle}"
    ".lk-paper{fill:var(--lk-ground)}"
    ".lk-svg .lk-c0{fill:var(--lk-ink);fill-opacity:.13}"
    ".lk-svg .lk-s0{stroke:var(--lk-ink);stroke-opacity:.55;fill:none}"
    ".lk-svg .lk-line{stroke:var(--lk-ink);stroke-opacity:.5;fill:none;stroke-width:1.2}"
    ".lk-svg .lk-hair{stroke:var(--lk-ink);stroke-opacity:.22;fill:none}"
    ".lk-svg .lk-box{stroke:var(--lk-ink);stroke-opacity:.35;fill:none}"
    ".lk-svg .lk-band{fill-opacity:.3}.lk-svg .lk-edge{stroke-width:2}.lk-svg .lk-dash{stroke-dasharray:4 3}"
    ".lk-svg .lk-lit{fill:#f0e442;stroke:var(--lk-ink);stroke-width:1.2}.lk-svg .lk-hit{fill:transparent}"
    ".lk-svg .lk-ground{fill:var(--lk-ground)}.lk-svg .lk-ink{fill:var(--lk-ink)}"
    ".lk-svg .lk-off{stroke:var(--lk-ink);stroke-opacity:.45;fill:none}"
    + _COLOURS
)  # fmt: skip

TABLE_STYLE = (
    ".lk-doc{font:var(--lk-size,13px)/1.45 var(--jp-content-font-family,system-ui),sans-serif;color:var(--lk-ink);"
    "background:var(--lk-ground);padding:.3em .2em;overflow-x:auto}"
    ".lk-doc code.lk-code{font:.95em/1.45 var(--lk-mono);color:inherit;background:none;white-space:pre-wrap;"
    "overflow-wrap:anywhere;padding:0}"
    ".lk-doc table.lk-table{border-collapse:collapse;font-size:1em;margin:.2em 0 .8em;color:inherit;border:0}"
    ".lk-doc table.lk-table caption{text-align:left;font-weight:700;padding:.3em 0;color:inherit;caption-side:top}"
    ".lk-doc table.lk-table :is(th,td){text-align:left;vertical-align:top;padding:.28em .8em .28em 0;font-weight:400;"
    "max-width:46em;white-space:normal;background:none;border:0;"
    "border-top:1px solid color-mix(in srgb,currentColor 18%,transparent)}"
    ".lk-doc table.lk-table :is(thead th,th.lk-goal){font-weight:700}"
    ".lk-doc table.lk-table thead th{border-top:0;opacity:.75}"
    ".lk-doc .lk-dim{opacity:.75}.lk-doc a{color:inherit;text-decoration:underline}"
    ".lk-doc .lk-title{font-weight:700;font-size:1.1em}.lk-doc p{margin:.2em 0}"
    ".lk-doc .lk-triple{display:flex;flex-wrap:wrap;gap:.2em 1.6em;margin:.5em 0}"
    ".lk-doc .lk-triple>div{flex:5 1 17em;min-width:0;overflow-wrap:anywhere}"
    ".lk-doc .lk-triple>div:nth-child(2){flex:2 1 13em}"
    ".lk-doc .lk-triple table.lk-table{width:100%}.lk-doc :is(.lk-whole,thead th){white-space:nowrap}"
    ".lk-doc .lk-chip{display:inline-block;min-width:1.2em;text-align:center;border-radius:.3em;padding:0 .3em;"
    "font:700 .95em/1.45 var(--lk-mono)}"
    ".lk-doc .lk-error{border-left:4px solid #d55e00;padding:.3em .8em;margin:.4em 0}"
    ".lk-doc .lk-was{text-decoration:line-through;text-decoration-color:#d55e00;opacity:.8}"
    ".lk-doc details{margin:.2em 0}.lk-doc summary{cursor:pointer}"
)

"""A student who takes a lesson from its first cell to its last, and what is true of the page then.

What the student says and writes stands in ``answers.toml``. With LABKIT_PICTURES=DIRECTORY the student takes a
picture of whatever has just happened, to be looked at.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from browser.pages import Notebook, Player
from playwright.sync_api import Locator, expect

ANSWERS = tomllib.loads(Path(__file__).with_name("answers.toml").read_text())["lesson"]
PICTURES = os.environ.get("LABKIT_PICTURES", "")


class Student:
    """Takes one lesson, `lesson` of ``answers.toml``. Who is `thorough` tries all buttons of every player."""

    def __init__(self, notebook: Notebook, lesson: dict[str, Any], *, thorough: bool) -> None:
        self.notebook, self.lesson, self.page, self.thorough = notebook, lesson, notebook.page, thorough
        cells = json.loads((notebook.server.work / notebook.name).read_text())["cells"]
        self.sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        self.said: Iterator[tuple[str, bool]] = iter(lesson["said"])
        self.players = self.pictures = 0
        self.planted = notebook.page.locator(".labkit-card")

    def take(self) -> None:
        """All cells, from first to last."""
        for cell, source in enumerate(self.sources):
            text = self.run(cell)
            shown = self.notebook.cell(cell)
            if shown.locator(".lp-do-next").count():
                self.walk(self.notebook.player_of(cell))
            if "lesson.check(" in source or "fault.check(" in source:
                assert "not yet" in text.lower() and "int 1:" not in text, text
                self.check_helps(cell, source)
            if ".plant(lab)" in source:
                self.look(cell + 1, shown)
            if ".sit(lab)" in source:
                self.sit(shown.locator(".labkit-card"))
            for attempt in self.lesson["try"]:
                if attempt["cell"] in source:
                    self.attempt(cell, attempt)
        assert next(self.said, None) is None, "a prediction was not asked"

    def run(self, cell: int) -> str:
        """Run it; what it shows. Raises AssertionError if that is an error."""
        text = self.notebook.run(cell)
        self.picture(self.notebook.cell(cell), f"cell-{cell}")
        return text

    def check_helps(self, cell: int, source: str) -> None:
        """Ask for all help that the card of an exercise gives."""
        if "lesson.check(" not in source:
            return
        shown = self.notebook.cell(cell).locator(".labkit-card")
        for name in ("Hint 1", "Hint 2", "Model answer"):
            shown.get_by_role("button", name=name).click()
            expect(shown.locator(".lc-help").filter(has_text=name)).to_be_visible()
        self.picture(shown, f"help-{cell}")

    def attempt(self, cell: int, attempt: dict[str, Any]) -> None:
        """Edit a cell and run it."""
        edits = attempt["edits"]
        for old, new in zip(edits[::2], edits[1::2], strict=True):
            assert old in self.sources[cell], f"there is no {old!r} in cell {cell}: {self.sources[cell]}"
            self.sources[cell] = self.sources[cell].replace(old, new)
        self.notebook.write_cell(cell, self.sources[cell])
        text = self.run(cell)
        if "hint: " in attempt["shows"]:  # which comes on request
            text = self.ask_for_hint(cell)
        assert attempt["shows"].replace("your way: ", "Right: ") in text.replace("your way: ", "Right: "), text

    def ask_for_hint(self, cell: int) -> str:
        """The first hint, by the button on the card of the exercise, or of the fault that was planted last."""
        own = self.notebook.cell(cell).locator(".labkit-card")
        shown = own if own.count() else self.planted
        shown.get_by_role("button", name="Hint 1").click()
        self.picture(shown, f"hint-{cell}")
        return shown.locator(".lc-help").inner_text().replace("Hint 1: ", "hint: ")

    def look(self, cell: int, planted: Locator) -> None:
        """Look at a fault with the tools that its card names, in the cell below it."""
        self.planted = planted.locator(".labkit-card")
        tools = planted.locator("code.lc-line").all_inner_texts()
        self.notebook.write_cell(cell, "\n".join(tools))
        assert self.run(cell)
        self.notebook.write_cell(cell, self.sources[cell])

    def walk(self, player: Player) -> None:
        """Next to the end, with a prediction wherever one is asked; Back, Go to and Run all; Reset."""
        name = player.root.locator(".lp-plan").inner_text()
        self.players += 1
        refused = self.lesson["refused"].get(name, "")
        end = player.total - bool(refused)
        player.is_at(0)
        for position in range(1, player.total + 1):
            if player.root.locator(".lp-answer").count():
                right = self.predict(player)
                self.take_step(player, min(position, end))
                verdict = player.root.locator(".lp-question .lp-verdict").first
                expect(verdict).to_contain_text("Right. You said" if right else "Not so. You said")
            else:
                self.take_step(player, min(position, end))
            self.picture(player.root, f"{name}-{position}")
        self.is_at_the_end(player, end, refused)
        if self.thorough or self.players == 1:
            self.there_and_back(player, name, end, refused)
        player.press("Reset")
        player.is_at(0)

    def there_and_back(self, player: Player, name: str, end: int, refused: str) -> None:
        """From the end back, to step 1, and to the end again."""
        player.press("Back")
        player.is_at(end if refused else end - 1)
        expect(player.root.locator(".lp-error")).to_have_count(0)
        self.picture(player.root, f"{name}-back")
        player.press("Go to")
        self.picture(player.root, f"{name}-goto")
        player.root.get_by_role("spinbutton", name="step number").fill("1")
        self.page.keyboard.press("Enter")
        player.is_at(1)
        player.press("Run all")
        self.is_at_the_end(player, end, refused)

    def take_step(self, player: Player, position: int) -> None:
        player.press("Next")
        player.is_at(position)

    def is_at_the_end(self, player: Player, end: int, refused: str) -> None:
        player.is_at(end)
        if refused:
            expect(player.root.locator(".lp-error")).to_contain_text(refused)
        else:
            expect(player.button("Next")).to_have_attribute("aria-disabled", "true")
            expect(player.root.locator(".lp-error")).to_have_count(0)

    def predict(self, player: Player) -> bool:
        """Answer the question that is open; whether the answer is right."""
        said, right = next(self.said)
        self.picture(player.root, f"predict-{said.replace('/', '')}")
        player.answer(said)
        return right

    def sit(self, quiz: Locator) -> None:
        """The quiz: with the first answer, and where that is wrong with the one that the kernel says is right."""
        questions = quiz.get_by_role("form")
        count = questions.count()
        assert count >= 5
        for asked in questions.all():
            asked.get_by_role("radio").first.check()
            asked.get_by_role("button").click()
            verdict = asked.locator(".lp-verdict")
            expect(verdict).to_be_visible()
            if found := re.match(r"✗ Not so\. The kernel says (.*?)\. ", verdict.inner_text()):
                asked.get_by_role("button", name="ask again").click()
                asked.get_by_role("radio", name=found[1], exact=True).check()
                asked.get_by_role("button").click()
            expect(verdict).to_contain_text("✓ Right.")
        expect(quiz.locator(".lp-verdict").last).to_contain_text(f"{count} of {count} are right.")
        self.picture(quiz, "quiz")

    def picture(self, shown: Locator, name: str) -> None:
        """What is shown now, with what stands above it, if pictures are wanted."""
        if not PICTURES:
            return
        directory = Path(PICTURES) / self.lesson["file"][:2]
        directory.mkdir(parents=True, exist_ok=True)
        shown.evaluate("node => node.scrollIntoView({ block: 'end' })")
        self.page.wait_for_timeout(100)
        self.pictures += 1
        self.page.screenshot(path=directory / f"{self.pictures:03}-{re.sub('[^a-z0-9-]+', '_', name)}.png")

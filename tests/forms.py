"""Read the forms of an HTML page as a browser does."""

from __future__ import annotations

from html.parser import HTMLParser


class Forms(HTMLParser):
    """The forms of a page.

    Attributes:
        nested: the ids of forms inside another form, which a browser ignores.
        actions: the URL of each form, by its id.
        inputs: the names and values of the inputs of each form, by its id.
        buttons: for each button of this app, by value, the form that it submits: the one that it names, or the one
            around it.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.nested: list[str] = []
        self.actions: dict[str, str] = {}
        self.inputs: dict[str, dict[str, str]] = {}
        self.buttons: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name = attributes.get("name", "")
        if tag == "form":
            form = attributes.get("id", "")
            if self._open:
                self.nested.append(form)
            self._open.append(form)
            self.actions[form] = attributes.get("action", "")
            self.inputs[form] = {}
        elif tag == "input" and self._open and name:
            self.inputs[self._open[-1]][name] = attributes.get("value", "")
        elif tag == "button" and "messente-dlr-button" in attributes.get("class", ""):
            self.buttons[attributes.get("value", "")] = attributes.get("form") or (self._open or [""])[-1]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open.pop()

    def token(self) -> str:
        """Return the CSRF token of the page, which all its forms have in common."""
        return next(
            inputs["csrfmiddlewaretoken"] for inputs in self.inputs.values() if "csrfmiddlewaretoken" in inputs
        )

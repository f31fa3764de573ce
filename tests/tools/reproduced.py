"""What `optotorch reproduce` leaves behind, as its tests read it."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link"}
KEYS = ["agrees", "measured", "published", "seeds", "selection", "spread", "system"]  # of a row


class Checker(HTMLParser):
    """Every element is closed, in order; remembers pictures, cells and whatever would need a network."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.cells, self.outside = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href"):
                (self.pictures if tag == "img" else self.outside).append(value)
        if tag == "script":
            self.outside.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)

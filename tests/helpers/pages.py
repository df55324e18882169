"""A page as a browser reads it: its tags, its text, its pictures, and the addresses it asks for."""

import base64
import io
from html.parser import HTMLParser

from PIL import Image


class Page(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.pictures, self.tags, self.text, self.addresses = [], [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "src" and value.startswith("data:image/jpeg;base64,"):
                self.pictures.append(Image.open(io.BytesIO(base64.b64decode(value.partition(",")[2]))))
            elif name in ("src", "href"):
                self.addresses.append(value)

    def handle_data(self, data):
        self.text += data

"""The formats of pictures that are opened. Nothing but Pillow is imported here."""

import PIL.Image


# What is opened, whatever a file is called; where Pillow was built without one of them, the others. Pillow knows forty
# more, some of which start other programs: Ghostscript for PostScript.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def extensions() -> set[str]:
    """The file name extensions of the `FORMATS`."""
    return {extension for extension, kind in PIL.Image.registered_extensions().items() if kind in FORMATS}

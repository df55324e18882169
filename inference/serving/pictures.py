"""Pictures from untrusted users: limited in size, read one at a time."""

from concurrent.futures import ThreadPoolExecutor

import PIL.Image

from minigpt4.processing.image_loading import load_image


MOST_MEGAPIXELS = 50

# One thread: a picture takes hundreds of megabytes until it is shrunk, and the C library keeps some of them for each
# thread that ever freed any. Blocks of this size are returned at once (glibc: all above 32 MB).
READER = ThreadPoolExecutor(1, thread_name_prefix="reading pictures")
PIL.Image.core.set_block_size(64 * 2**20)


def read_picture(source: str | bytes) -> PIL.Image.Image:
    """
    As `load_image`; to be called in `READER`.

    Raises:
        OSError, ValueError: as `load_image`; also where it has more than 50 million pixels.
    """
    return load_image(source, max_pixels=MOST_MEGAPIXELS * 1_000_000)

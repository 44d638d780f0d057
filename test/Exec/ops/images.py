"""Cases of ImageDecoder: files of all its formats, written by Pillow or by hand, and
files that are cut off. What is expected is what Pillow reads."""

import io

import numpy as np
from PIL import Image

from cases import Case

random = np.random.RandomState(29)
HEIGHT, WIDTH = 13, 19


def picture(mode):
    """A picture with flat parts, edges and noise, in a mode of Pillow."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([rows * 19, columns * 13, (rows + columns) * 8], axis=-1)
    pixels[3:8, 4:9] = random.randint(0, 256, (5, 5, 3))
    pixels[9:, 10:] = (250, 10, 60)
    image = Image.fromarray(pixels.astype(np.uint8), "RGB")
    if mode == "I;16":
        return Image.fromarray((np.asarray(image.convert("L")).astype(np.uint16) << 8), mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(random.randint(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)))
    return image.quantize(11) if mode == "P" else image.convert(mode)


def written(mode, form, **options):
    stream = io.BytesIO()
    picture(mode).save(stream, form, **options)
    return stream.getvalue()


def bitmap(bits, compression, pixels, colours=b"", height=3, width=5, header=40):
    """A file of the format BMP."""
    offset = 14 + header + len(colours)
    head = b"BM" + (offset + len(pixels)).to_bytes(4, "little") + bytes(4) + \
        offset.to_bytes(4, "little") + header.to_bytes(4, "little")
    if header == 12:
        head += width.to_bytes(2, "little") + height.to_bytes(2, "little")
    else:
        head += width.to_bytes(4, "little") + height.to_bytes(4, "little", signed=True)
    head += (1).to_bytes(2, "little") + bits.to_bytes(2, "little")
    if header > 12:
        head += compression.to_bytes(4, "little") + len(pixels).to_bytes(4, "little") + bytes(8)
        head += (len(colours) // 4).to_bytes(4, "little") + bytes(4)
    return head + colours + pixels


def by_hand():
    """Forms that Pillow reads but does not write."""
    palette = random.bytes(16 * 4)
    runs = bytes([5, 3, 0, 0, 2, 7, 0, 3, 1, 2, 3, 0, 0, 0, 4, 9, 1, 2, 0, 1])
    rows = random.bytes(16 * 3)
    masks = b"".join(mask.to_bytes(4, "little") for mask in (0xf800, 0x7e0, 0x1f))
    yield bitmap(8, 1, runs, palette)
    yield bitmap(4, 0, rows[:12], palette)
    yield bitmap(24, 0, rows, height=-3)
    yield bitmap(24, 0, rows, header=12)
    yield bitmap(16, 0, rows[:36])
    yield bitmap(16, 3, rows[:36], masks)
    yield b"P1\n# a comment\n5 2\n0 1 0 1 1\n10110\n"
    yield b"P2 3 2 9\n0 1 2\n3 4 9\n"
    yield b"P3 2 1 255\n1 2 3 250 251 252\n"
    yield b"P6 2 1 15\n" + bytes([0, 7, 15, 1, 2, 3])


def files():
    for mode in ("1", "L", "P", "RGB"):
        yield written(mode, "BMP")
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield written(mode, "PNG")
    for mode in ("L", "RGB", "CMYK"):
        yield written(mode, "JPEG", quality=80)
    yield written("RGB", "JPEG", quality=95, progressive=True)
    for subsampling in (0, 1, 2):
        yield written("RGB", "JPEG", quality=70, subsampling=subsampling)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield written(mode, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield written("RGB", "TIFF", compression=compression)
    yield written("RGB", "WEBP", lossless=True)
    yield written("RGB", "WEBP", quality=60)
    for mode in ("L", "RGB"):
        yield written(mode, "JPEG2000")
        yield written(mode, "JPEG2000", no_jp2=True)
    for mode in ("1", "L", "RGB"):
        yield written(mode, "PPM")
    yield from by_hand()


def read(case):
    """What Pillow reads; an image without rows if it cannot."""
    form = case.attributes.get("pixel_format", "RGB")
    channels = 1 if form == "Grayscale" else 3
    try:
        image = Image.open(io.BytesIO(case.inputs[0].tobytes()))
        image.load()
    except (OSError, SyntaxError, ValueError):
        return [np.zeros((0, 0, channels), np.uint8)]
    if image.mode in ("LA", "RGBA"):  # not laid over black
        image = image.convert("RGBA")
    pixels = image.convert("RGB")
    if form == "Grayscale":
        return [np.asarray(pixels.convert("L"))[:, :, None]]
    return [np.asarray(pixels)[:, :, ::-1 if form == "BGR" else 1]]


def images():
    def case(data, **attributes):
        return Case("ImageDecoder", [np.frombuffer(data, np.uint8)], attributes, expected=read)

    whole = list(files())
    cases = [case(data) for data in whole]
    for data in (written("RGB", "PNG"), written("RGB", "JPEG"), written("L", "BMP")):
        cases += [case(data, pixel_format="BGR"), case(data, pixel_format="Grayscale")]
    # Files cut off, an empty one, and one of no format.
    cases += [case(data[:len(data) // 2]) for data in whole if len(data) > 200]
    # Two bytes a number: Pillow would cut off what is above 255.
    # The pixels as they are stored: Pillow would turn them.
    stored, turned = picture("RGB"), []
    for way in range(1, 9):
        stream = io.BytesIO()
        stored.save(stream, "TIFF", tiffinfo={274: way})
        turned.append(case(stream.getvalue()))
        turned[-1].expected = lambda _: [np.asarray(stored)]
    wide = case(b"P5 3 1 65535\n" + bytes([0, 9, 128, 0, 255, 255]))
    wide.expected = lambda _: [np.repeat(np.array([[[0], [128], [255]]], np.uint8), 3, axis=2)]
    return cases + turned + [wide, case(b""), case(b"no image"), case(b"no image", pixel_format="Grayscale")]
